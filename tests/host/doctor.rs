//! doctor reports what this host offers, and leaves nothing behind.

use std::time::{Duration, Instant};

use crate::tool::{self, Ended};
use rawbpf::sys::object::{self, ObjectKind};
use rawbpf::sys::perf::has_kprobes;
use serde_json::Value;

const NOBODY: &str = "setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all ";

fn report(output: &Ended) -> Value {
    serde_json::from_str(&output.stdout).expect("one JSON object")
}

#[track_caller]
fn says(report: &Value, group: &str, name: &str, state: &str) {
    let check = &report[group][name];
    assert_eq!(check["state"], state, "{name}: {check}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn what_works_here_is_ok_and_kprobes_are_missing_where_they_are() {
    tool::with_tracefs();
    let output = tool::run("doctor", &["--json", "-v"]);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    let report = report(&output);
    for (group, name) in [
        ("kernel", "bpf(2)"),
        ("kernel", "BTF"),
        ("kernel", "tracefs"),
        ("privileges", "capabilities"),
        ("attach kinds", "tracepoint"),
        ("attach kinds", "raw_tp"),
        ("attach kinds", "tp_btf"),
        ("attach kinds", "uprobe"),
        ("attach kinds", "uprobe.multi"),
        ("privileges", "PID namespace"),
        ("helpers", "probe_read_kernel"),
        ("helpers", "get_ns_current_pid_tgid"),
        ("maps", "hash"),
        ("tools", "bitehist"),
    ] {
        says(&report, group, name, "ok");
    }
    let kprobe = &report["attach kinds"]["kprobe"];
    let bitehist = report["tools"]["bitehist"]["found"].as_str().unwrap();
    if has_kprobes() {
        says(&report, "attach kinds", "kprobe", "ok");
        assert!(bitehist.starts_with("kprobe "), "{bitehist}");
    } else {
        says(&report, "attach kinds", "kprobe", "missing");
        assert!(kprobe["found"].as_str().unwrap().contains("CONFIG_KPROBE_EVENTS"), "{kprobe}");
        assert!(bitehist.starts_with("tp_btf block_rq_issue"), "{bitehist}");
        let passed_over = report["tools"]["bitehist"]["detail"].as_str().unwrap();
        assert!(passed_over.starts_with("kprobe: this kernel has no kprobes"), "{passed_over}");
    }
}

#[test]
#[ignore = "needs root to become nobody: run tests/run"]
fn nobody_is_told_what_is_missing_and_what_needs_no_privilege() {
    let output = tool::shell(&format!("{NOBODY} $RAWBPF doctor --json"));
    assert_eq!(output.code, Some(77));
    assert!(output.stderr.contains("CAP_BPF and CAP_PERFMON are missing"), "{}", output.stderr);
    let report = report(&output);
    says(&report, "privileges", "capabilities", "missing");
    let capabilities = &report["privileges"]["capabilities"];
    assert!(capabilities["remedy"].as_str().unwrap().contains("setcap"), "{capabilities}");
    says(&report, "kernel", "release", "ok");
    says(&report, "kernel", "BTF", "ok");
    // What was not tried is not called missing.
    says(&report, "attach kinds", "tp_btf", "cannot tell");
    says(&report, "instructions", "load_acquire", "cannot tell");
    says(&report, "maps", "hash", "cannot tell");
    says(&report, "tools", "bitehist", "cannot tell");
    let kprobe = if has_kprobes() { "cannot tell" } else { "missing" };
    says(&report, "attach kinds", "kprobe", kprobe);
}

#[test]
#[ignore = "needs root to hide BTF and tracefs: run tests/run"]
fn what_is_hidden_is_missing_with_its_remedy() {
    let hide = "for at in /sys/kernel/btf /sys/kernel/tracing /sys/kernel/debug; do \
                mount -t tmpfs none $at 2>/dev/null; done; ";
    let output = tool::shell(&format!("unshare -m sh -c '{hide} $RAWBPF doctor --json'"));
    let report = report(&output);
    for (group, name, remedy) in [
        ("kernel", "BTF", "--btf FILE"),
        ("kernel", "tracefs", "mount -t tracefs tracefs /sys/kernel/tracing"),
        ("attach kinds", "tp_btf", "BTF"),
        ("attach kinds", "tracepoint", "mount -t tracefs tracefs /sys/kernel/tracing"),
    ] {
        says(&report, group, name, "missing");
        let found = report[group][name]["remedy"].as_str().unwrap_or_default();
        assert!(found.contains(remedy), "{name}: {found}");
    }
    says(&report, "attach kinds", "raw_tp", "ok");
    // Neither the request's size nor the tracepoint's number can be found out.
    says(&report, "tools", "bitehist", "missing");
    // This one asks nothing of a request but its address, unless for its disk.
    says(&report, "tools", "bioheat", "in part");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
}

/// What a tool does by tracepoints or in user functions needs no kprobes, no fentry and no BTF.
#[test]
#[ignore = "needs root to hide BTF: run tests/run"]
fn a_tool_of_which_a_part_works_is_not_missing() {
    tool::with_tracefs();
    let hide = "mount -t tmpfs none /sys/kernel/btf; ";
    let output = tool::shell(&format!("unshare -m sh -c '{hide} $RAWBPF doctor --json'"));
    let report = report(&output);
    if has_kprobes() {
        return;
    }
    for name in ["funccount", "argdist"] {
        says(&report, "tools", name, "in part");
        let found = report["tools"][name]["found"].as_str().unwrap();
        for line in ["tracepoints: ", "user functions: uprobe.multi", "not functions: "] {
            assert!(found.contains(line), "{name}: {found}");
        }
    }
    says(&report, "tools", "funclatency", "in part");
}

#[test]
#[ignore = "needs root for a namespace: run tests/run"]
fn the_pid_namespace_is_reported() {
    let found = |before: &str| {
        let output = tool::shell(&format!("{before} $RAWBPF doctor --json"));
        let check = &report(&output)["privileges"]["PID namespace"];
        check["found"].as_str().unwrap().to_owned()
    };
    assert!(found("unshare -p -f --mount-proc").starts_with("not the host's"));
    let here = std::fs::read_link("/proc/self/ns/pid").unwrap();
    if here.to_str() == Some("pid:[4026531836]") {
        assert_eq!(found(""), "the host's own");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn words_stand_without_colour() {
    let output = tool::run("doctor", &[]);
    assert!(!output.stdout.contains('\x1b'), "{}", output.stdout);
    assert!(output.stdout.contains("\n  ok           raw_tp\n"), "{}", output.stdout);
    let output = tool::shell("script -qec '$RAWBPF doctor' /dev/null");
    assert!(output.stdout.contains("\x1b[32mok"), "{}", output.stdout);
    let output = tool::shell("NO_COLOR=1 script -qec '$RAWBPF doctor' /dev/null");
    assert!(!output.stdout.contains('\x1b'), "{}", output.stdout);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn it_is_quick_and_leaves_nothing_in_the_kernel() {
    let start = Instant::now();
    tool::run("doctor", &[]);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    // Tests beside this one make objects too, none of them of this name.
    let gone = || named("doctor").is_empty();
    assert!(tool::eventually(Duration::from_secs(20), gone), "{:?}", named("doctor"));
}

/// The programs and maps of a name.
fn named(name: &str) -> Vec<(ObjectKind, u32)> {
    use std::os::fd::AsFd;
    let programs = object::ids(ObjectKind::Prog).flatten().filter(|id| {
        let info = object::open(ObjectKind::Prog, *id).and_then(|fd| object::prog_info(fd.as_fd()));
        info.is_ok_and(|info| info.name == name)
    });
    let maps = object::ids(ObjectKind::Map).flatten().filter(|id| {
        let info = object::open(ObjectKind::Map, *id).and_then(|fd| object::map_info(fd.as_fd()));
        info.is_ok_and(|info| info.name == name)
    });
    let programs = programs.map(|id| (ObjectKind::Prog, id));
    programs.chain(maps.map(|id| (ObjectKind::Map, id))).collect()
}
