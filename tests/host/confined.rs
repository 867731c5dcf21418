//! A tool that has attached its programs keeps neither privileges nor system calls that it does not need.

use std::fs;
use std::process::Command;
use std::time::Duration;

use nix::libc;
use nix::sys::signal::SIGINT;

use crate::tool::{self, Tool};

/// A line of a process's status.
fn status(process: u32, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(":\t"));
    line.unwrap_or_default().to_owned()
}

#[track_caller]
fn is_confined(process: u32, tool: &str) {
    for field in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(status(process, field), "0000000000000000", "{tool}: {field}");
    }
    assert_eq!(status(process, "Seccomp"), "2", "{tool}");
    assert_eq!(status(process, "NoNewPrivs"), "1", "{tool}");
}

/// Each tool as far as this kernel has its probes.
const TOOLS: [(&str, &[&str]); 12] = [
    ("bitehist", &["-T"]),
    ("bitehist", &["--attach", "tracepoint"]),
    ("bitesize", &["--by", "cgroup"]),
    ("bitesize", &["-F"]),
    ("biolatency", &["-D"]),
    ("biolatency", &["-F", "--json"]),
    ("bioheat", &["--stats"]),
    ("funccount", &["sched:sched_*"]),
    ("funccount", &["syscalls:sys_enter_*", "--by", "comm"]),
    ("funclatency", &[concat!(env!("CARGO_BIN_EXE_rawbpf"), ":main"), "--by", "pid"]),
    ("argdist", &["sched:sched_switch", "prev_pid"]),
    ("argdist", &["sched:sched_switch", "prev_comm"]),
];

/// The programs and maps in the kernel that this process holds are gone soon after its end.
#[track_caller]
fn is_gone(name: &str, process: u32) {
    let held = || tool::run("list", &["--json"]).stdout.contains(&format!("\"pid\":{process},"));
    let gone = tool::eventually(Duration::from_secs(60), || !held());
    assert!(gone, "{name}: what {process} held is still there");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn every_tool_has_no_capability_while_it_runs_and_ends_with_a_last_table() {
    tool::with_tracefs();
    for (name, args) in TOOLS {
        let running = Tool::start(name, &[args, &["60"]].concat());
        let process = running.id();
        is_confined(process, name);
        // Something to count.
        for _ in 0..3 {
            assert!(Command::new("sync").status().unwrap().success());
            assert_eq!(tool::run("doctor", &["--help"]).code, Some(0));
        }
        let ended = running.end(SIGINT);
        assert_eq!(ended.code, Some(0), "{name} {args:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("EPERM"), "{name}: {}", ended.stderr);
        if matches!(name, "funccount" | "funclatency" | "argdist") {
            let lines = ended.stdout.lines().count();
            assert!(lines > 1, "{name} {args:?}: {}", ended.stdout);
        }
        is_gone(name, process);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_text_that_is_attached_runs_without_capabilities_too() {
    let text = tool::file(
        ".program p raw_tp sys_enter\n.map m array key 4 value 8 entries 1\n\
         r1 = map[m][0]\nr2 = 1\nlock *(u64 *)(r1 +0) += r2\nr0 = 0\nexit\n",
    );
    let running = Tool::start("run", &[&text, "60"]);
    is_confined(running.id(), "run");
    let ended = running.end(SIGINT);
    fs::remove_file(&text).unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains('m') && ended.stdout.lines().count() > 1, "{}", ended.stdout);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_script_keeps_what_its_asynchronous_work_needs() {
    tool::with_tracefs();
    const SCRIPT: &str = "tracepoint:syscalls:sys_enter_getpid { @n[tid] = count(); } \
        interval:ms:100 { @turns++; clear(@n); time(\"%H\\n\"); } end { printf(\"end\\n\"); }";
    let running = Tool::start("trace", &["-e", SCRIPT]);
    is_confined(running.id(), "trace");
    std::thread::sleep(Duration::from_millis(500));
    let ended = running.end(SIGINT);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.contains("end\n") && ended.stdout.contains("@turns: "),
        "{}",
        ended.stdout
    );
    // The names of the kernel's functions take a capability.
    const STACKS: &str = "tracepoint:syscalls:sys_enter_openat { @[kstack(1)] = count(); }";
    let ended = tool::run("trace", &["-q", "-c", "/bin/true", "-e", STACKS]);
    assert!(ended.stdout.contains("syscall"), "{}", ended.stdout);
    let running = Tool::start("trace", &["--keep-privileges", "-e", SCRIPT]);
    assert_eq!(status(running.id(), "CapEff"), status(std::process::id(), "CapEff"));
    assert_eq!(running.end(SIGINT).code, Some(0));
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn who_asks_for_it_keeps_all() {
    let running = Tool::start("bitehist", &["--keep-privileges", "60"]);
    let process = running.id();
    for field in ["CapEff", "CapPrm"] {
        assert_eq!(status(process, field), status(std::process::id(), field), "{field}");
    }
    assert_eq!(status(process, "Seccomp"), status(std::process::id(), "Seccomp"));
    assert_eq!(running.end(SIGINT).code, Some(0));
}

/// By a copy of the tool that has the capabilities, which they lose too.
#[test]
#[ignore = "needs root to grant capabilities: run tests/run"]
fn nobody_loses_what_the_file_granted() {
    let ended = tool::shell(
        "cp $RAWBPF $OUT && setcap cap_bpf,cap_perfmon+ep $OUT && \
         setpriv --reuid 65534 --regid 65534 --clear-groups $OUT bitehist 60 2>/dev/null & \
         sleep 1; p=$(pgrep -f \"$OUT bitehist\" -n); grep -E 'CapEff|Seccomp:' /proc/$p/status; \
         kill -INT $p; wait; rm $OUT",
    );
    let said: Vec<_> = ended.stdout.lines().collect();
    assert!(
        said.contains(&"CapEff:\t0000000000000000") && said.contains(&"Seccomp:\t2"),
        "{said:?}"
    );
}

/// A folder that only CAP_DAC_OVERRIDE opens to root, one that is root's, and stdout.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_picture_is_written_at_the_end_wherever_it_may_be() {
    let folder = tool::file("");
    fs::remove_file(&folder).unwrap();
    let run = |owner: u32, capabilities: &str| {
        fs::create_dir(&folder).unwrap();
        std::os::unix::fs::chown(&folder, Some(owner), Some(owner)).unwrap();
        let picture = format!("{folder}/heat.svg");
        let running = Tool::start("bioheat", &["--svg", &picture, "60"]);
        assert_eq!(status(running.id(), "CapEff"), capabilities, "folder of {owner}");
        assert_eq!(status(running.id(), "Seccomp"), "2");
        let ended = running.end(SIGINT);
        assert_eq!((ended.code, fs::read_dir(&folder).unwrap().count()), (Some(0), 1));
        assert!(fs::read_to_string(&picture).unwrap().ends_with("</svg>\n"));
        fs::remove_dir_all(&folder).unwrap();
    };
    // SAFETY: it takes nothing.
    let own = unsafe { libc::geteuid() };
    run(own, "0000000000000000");
    run(65534, "0000000000000002");
    let ended = tool::run("bioheat", &["--svg", "-", "0.1", "1"]);
    assert!(ended.code == Some(0) && ended.stdout.contains("</svg>"), "{}", ended.stderr);
}
