//! Exact counts, quiet ends, clear errors.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::disk::LoopDisk;
use crate::lines::{counted, interval, intervals, row};
use crate::tool::{self, Tool};
use rawbpf::sys::object::{self, ObjectKind};
use rawbpf::sys::perf::has_kprobes;

/// The lowest size and the count of each bucket, summed over all intervals.
fn sums(json: &str) -> Vec<(u64, u64)> {
    let mut sums = BTreeMap::new();
    for (min, count) in intervals(json).iter().flat_map(|line| counted(row(line))) {
        *sums.entry(min).or_default() += count;
    }
    sums.into_iter().collect()
}

/// 997 reads of 4k and 251 of 64k, counted by this attach kind.
#[track_caller]
fn counts_exactly(kind: &str) {
    let disk = LoopDisk::new();
    let tool = Tool::start("bitehist", &["--attach", kind, "-d", disk.name(), "--json", "3600"]);
    disk.read(4, 997);
    disk.read(64, 251);
    let output = tool.stop();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(sums(&output.stdout), [(4, 997), (64, 251)]);
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn each_kind_counts_exactly() {
    tool::with_tracefs();
    for kind in ["tp_btf", "raw_tp", "tracepoint"] {
        counts_exactly(kind);
    }
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn auto_counts_exactly_and_says_in_a_line_what_it_stepped_to() {
    counts_exactly("auto");
    let output = tool::run("bitehist", &["0.1", "1"]);
    let said: Vec<_> = output.stderr.lines().collect();
    if has_kprobes() {
        assert_eq!(said, ["Tracing block device I/O... Interval 0.1 secs."]);
    } else {
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("no kprobes") && said[0].contains("tp_btf"), "{said:?}");
    }
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn bytes_begin_at_512() {
    let disk = LoopDisk::new();
    let tool = Tool::start("bitehist", &["-d", disk.name(), "--json", "--bytes", "3600"]);
    disk.read(4, 101);
    assert_eq!(sums(&tool.stop().stdout), [(4096, 101)]);
}

/// Two processes read while tables come fifty times a second: what one interval does not count the
/// next one does.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn no_request_is_lost_or_counted_twice_between_intervals() {
    let (one, two) = (LoopDisk::new(), LoopDisk::new());
    let tools =
        [&one, &two].map(|disk| Tool::start("bitehist", &["-d", disk.name(), "--json", "0.02"]));
    std::thread::scope(|scope| {
        scope.spawn(|| one.read(4, 20_011));
        scope.spawn(|| two.read(4, 20_011));
    });
    for tool in tools {
        let output = tool.stop();
        assert!(intervals(&output.stdout).len() > 3, "{}", output.stdout);
        assert_eq!(sums(&output.stdout), [(4, 20_011)]);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn ctrl_c_and_sigterm_end_the_interval_and_print_it() {
    for signal in [nix::sys::signal::SIGINT, nix::sys::signal::SIGTERM] {
        let disk = LoopDisk::new();
        let tool = Tool::start("bitehist", &["-d", disk.name(), "3600"]);
        disk.read(16, 503);
        let output = tool.end(signal);
        assert_eq!(output.code, Some(0));
        assert_eq!(
            output.stdout,
            "\n     kbytes          : count     distribution\n\
             \x20      0 -> 1        : 0        |                                      |\n\
             \x20      2 -> 3        : 0        |                                      |\n\
             \x20      4 -> 7        : 0        |                                      |\n\
             \x20      8 -> 15       : 0        |                                      |\n\
             \x20     16 -> 31       : 503      |************************************* |\n"
        );
    }
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_duration_ends_the_run_with_a_shorter_interval() {
    let output = tool::run("bitehist", &["--json", "300ms", "--duration", "1s"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("Interval 0.3 secs, for 1 secs."), "{}", output.stderr);
    let intervals = intervals(&output.stdout);
    let length = |line: &serde_json::Value| {
        let moment = |name: &str| line[name].as_u64().unwrap();
        moment("end_monotonic_ns") - moment("start_monotonic_ns")
    };
    // A busy host may be late, but never early.
    assert!((2..=4).contains(&intervals.len()), "{}", output.stdout);
    let whole: u64 = intervals.iter().map(length).sum();
    assert!(whole >= 999_000_000, "{}", output.stdout);
    let run: serde_json::Value =
        serde_json::from_str(output.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(run["options"]["interval"], 0.3);
    assert_eq!(run["options"]["duration"], 1.0);
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_summary_is_one_table_of_the_whole_run() {
    let disk = LoopDisk::new();
    let tool = Tool::start("bitehist", &["-d", disk.name(), "--json", "--summary"]);
    disk.read(16, 101);
    let output = tool.stop();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("One table at the end. Ctrl-C to end."), "{}", output.stderr);
    assert_eq!(counted(row(&interval(&output.stdout))), [(16, 101)]);
    for args in [["--summary", "0.1", "3"], ["--summary", "--duration", "0.3"]] {
        let output = tool::run("bitehist", &args);
        let tables = ["distribution", "(no requests)"].map(|it| output.stdout.matches(it).count());
        assert_eq!(tables.iter().sum::<usize>(), 1, "{args:?}: {}", output.stdout);
        assert!(output.stderr.contains("at the end, after 0.3 secs."), "{}", output.stderr);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_closed_pipe_ends_quietly() {
    let mut tool = Tool::start("bitehist", &["--json", "0.05"]);
    tool.close_stdout();
    let output = tool.wait();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(!output.stderr.contains("written"), "{}", output.stderr);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_full_disk_behind_stdout_is_a_clear_error() {
    let output = tool::shell("$RAWBPF bitehist 0.05 1 >/dev/full");
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("could not be written: No space left"), "{}", output.stderr);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_full_disk_behind_everything_is_an_error_all_the_same() {
    assert_eq!(tool::shell("$RAWBPF bitehist 0.05 1 >/dev/full 2>&1").code, Some(1));
    assert_eq!(tool::shell("$RAWBPF bitehist -d nosuchdisk >/dev/full 2>&1").code, Some(2));
    assert_eq!(tool::shell("$RAWBPF bitehist -v 0.05 1 2>/dev/full").code, Some(0));
    assert_eq!(tool::shell("$RAWBPF bitehist --help >/dev/full").code, Some(1));
}

/// `script` runs the tool on a terminal of its own, and is killed with it.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_terminal_that_goes_away_ends_it_quietly() {
    let output = tool::shell(
        "(trap '' HUP; exec timeout -s KILL 1 script -qc \
         'trap \"\" HUP; $RAWBPF bitehist 0.05; echo $? >$OUT' /dev/null) >/dev/null; \
         for i in $(seq 50); do [ -s $OUT ] && break; sleep 0.1; done; cat $OUT; rm $OUT",
    );
    let code: i32 = output.stdout.trim().parse().expect("it ended");
    assert!(matches!(code, 0 | 1), "{code}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_reader_that_goes_away_ends_it_before_the_next_table() {
    let mut tool = Tool::start("bitehist", &["3600"]);
    tool.close_stdout();
    assert_eq!(tool.wait().code, Some(0));
}

/// As when a wrapper signals the process and its group.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn two_signals_at_once_are_one() {
    for _ in 0..20 {
        let tool = Tool::start("bitehist", &["--json", "3600"]);
        tool.signal(nix::sys::signal::SIGINT);
        let output = tool.end(nix::sys::signal::SIGTERM);
        assert_eq!(output.code, Some(0));
        assert_eq!(intervals(&output.stdout).len(), 1);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_second_signal_ends_it_even_when_its_output_is_stuck() {
    let tool = Tool::start("bitehist", &["--json", "0.001"]);
    tool.shrink_stdout();
    // The pipe that nobody reads is full by then.
    std::thread::sleep(Duration::from_millis(1000));
    tool.signal(nix::sys::signal::SIGINT);
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(tool.end_unread(nix::sys::signal::SIGINT), Some(128 + 2));
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn too_few_descriptors_are_a_failure_that_says_so() {
    for limit in 4..9 {
        let output = tool::shell(&format!("ulimit -n {limit}; $RAWBPF bitehist 0.05 1"));
        assert!(matches!(output.code, Some(0 | 1)), "{limit}: {}", output.stderr);
        let said = output.code == Some(0) || output.stderr.contains("ulimit -n");
        assert!(said, "{limit}: {}", output.stderr);
    }
}

/// The ids of another kernel's types would attach the program somewhere else.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn ids_are_the_running_kernels_own() {
    let own = ["--btf", "/sys/kernel/btf/vmlinux", "--json", "0.05", "1"];
    let output = tool::run("bitehist", &[&["--attach", "tp_btf"], &own[..]].concat());
    assert_eq!(output.code, Some(77), "{}", output.stderr);
    assert!(output.stderr.contains("the kernel's own BTF"), "{}", output.stderr);
    let output = tool::run("bitehist", &[&["--attach", "raw_tp"], &own[..]].concat());
    assert_eq!(output.code, Some(0), "{}", output.stderr);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn closed_descriptors_are_no_obstacle() {
    let output = tool::shell("$RAWBPF bitehist --json 0.05 1 <&- 2>&-");
    assert_eq!(output.code, Some(0));
    assert_eq!(intervals(&output.stdout).len(), 1);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_time_stands_above_each_table() {
    let output = tool::shell("TZ=UTC-3 $RAWBPF bitehist -T 0.05 2; TZ=UTC-3 date +%H:");
    let lines: Vec<_> = output.stdout.lines().filter(|line| line.contains(':')).collect();
    let hour = lines.last().unwrap();
    let times = lines.iter().filter(|line| line.len() == "14:03:59".len());
    assert_eq!(times.inspect(|time| assert!(time.starts_with(hour), "{lines:?}")).count(), 2);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn an_interval_has_its_start_and_end_with_the_time_zone() {
    let now = "TZ=UTC-3 date +%Y-%m-%dT%H:%M:%S.%N+03:00";
    let output = tool::shell(&format!("{now}; TZ=UTC-3 $RAWBPF bitehist --json 0.05 1; {now}"));
    let (before, rest) = output.stdout.split_once('\n').unwrap();
    let (json, after) = rest.trim_end().rsplit_once('\n').unwrap();
    let line = interval(json);
    let times = [before, line["start"].as_str().unwrap(), line["end"].as_str().unwrap(), after];
    assert!(times.is_sorted() && times.iter().all(|time| time.len() == before.len()), "{times:?}");
    let [start, end] = ["start_monotonic_ns", "end_monotonic_ns"].map(|name| line[name].as_u64());
    assert!(end.unwrap() - start.unwrap() >= 50_000_000, "{line}");
}

#[test]
#[ignore = "needs root to become nobody: run tests/run"]
fn without_privileges_it_says_which_and_dumps_all_the_same() {
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all ";
    let output = tool::shell(&format!("{nobody} $RAWBPF bitehist 1 1"));
    assert_eq!(output.code, Some(77));
    let said: Vec<_> = output.stderr.lines().collect();
    assert_eq!(said[0], "bitehist: not permitted: CAP_BPF and CAP_PERFMON are missing");
    assert!(said[1].contains("sudo") && said[1].contains("setcap"), "{said:?}");
    assert_eq!(said.len(), 2);
    let output = tool::shell(&format!("{nobody} $RAWBPF bitehist --dump-insns"));
    assert_eq!(output.code, Some(0));
    assert!(output.stdout.contains("\n0: (79) r3 = *(u64 *)(r1 +"), "{}", output.stdout);
}

#[test]
#[ignore = "needs root to hide tracefs: run tests/run"]
fn without_tracefs_the_mount_line_is_given() {
    let hide = "for at in /sys/kernel/tracing /sys/kernel/debug; do \
                mount -t tmpfs none $at 2>/dev/null; done; ";
    let run = "$RAWBPF bitehist --attach tracepoint 1 1";
    let output = tool::shell(&format!("unshare -m sh -c '{hide} {run}'"));
    assert_eq!(output.code, Some(77));
    assert!(output.stderr.contains("mount -t tracefs tracefs /sys/kernel/tracing"));
}

#[test]
#[ignore = "needs root to hide tracefs and BTF: run tests/run"]
fn without_tracefs_and_btf_the_mount_line_is_given() {
    let hide = "for at in /sys/kernel/tracing /sys/kernel/debug /sys/kernel/btf; do \
                mount -t tmpfs none $at 2>/dev/null; done; ";
    let run = "$RAWBPF bitehist --attach tracepoint 1 1; $RAWBPF bitehist -v 1 1";
    let output = tool::shell(&format!("unshare -m sh -c '{hide} {run}'"));
    assert_eq!(output.code, Some(77));
    let mounts = output.stderr.matches("mount -t tracefs tracefs /sys/kernel/tracing");
    // For the kind that was asked for, for all of them, and with -v among their reasons.
    assert_eq!(mounts.count(), 3, "{}", output.stderr);
}

/// In a rescue shell, say. What the kernel has cannot be told then.
#[test]
#[ignore = "needs root to hide /sys: run tests/run"]
fn without_sysfs_its_mount_line_is_given() {
    let hide = "umount -l /sys; ";
    let run = "for kind in auto kprobe tp_btf tracepoint; do \
               $RAWBPF bitehist --attach $kind 1 1; echo $?; done; $RAWBPF doctor";
    let output = tool::shell(&format!("unshare -m sh -c '{hide} {run}'"));
    assert!(output.stdout.starts_with("77\n77\n77\n77\n"), "{}", output.stdout);
    let said = output.stderr.matches("mount -t sysfs sysfs /sys;").count();
    assert_eq!(said, 4, "{}", output.stderr);
    assert!(!output.stdout.contains("CONFIG_KPROBE_EVENTS"), "{}", output.stdout);
}

#[test]
#[ignore = "needs root to hide BTF: run tests/run"]
fn without_btf_the_tracepoint_still_counts() {
    tool::with_tracefs();
    let hide = "mount -t tmpfs none /sys/kernel/btf; ";
    let output = tool::shell(&format!(
        "unshare -m sh -c '{hide} $RAWBPF bitehist --attach raw_tp 1 1; echo $?; \
         $RAWBPF bitehist --attach tracepoint --json 0.1 1; $RAWBPF bitehist --json 0.1 1'"
    ));
    assert!(output.stderr.contains("no BTF"), "{}", output.stderr);
    let lines: Vec<_> = output.stdout.lines().collect();
    assert_eq!(lines[0], "77");
    assert_eq!(intervals(&lines[1..].join("\n")).len(), 2, "{lines:?}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn nothing_is_left_in_the_kernel() {
    for signal in [nix::sys::signal::SIGINT, nix::sys::signal::SIGKILL] {
        let before = objects();
        let tool = Tool::start("bitehist", &["--json", "3600"]);
        // Tests beside this one make objects too; all of them go.
        let made: Vec<_> = objects().into_iter().filter(|one| !before.contains(one)).collect();
        let kinds = made.iter().map(|(kind, _)| *kind);
        assert!(
            kinds.clone().any(|kind| kind == ObjectKind::Prog),
            "the running tool does not show"
        );
        assert!(
            kinds.clone().any(|kind| kind == ObjectKind::Map),
            "the running tool does not show"
        );
        tool.end(signal);
        let gone = || made.iter().all(|(kind, id)| object::open(*kind, *id).is_err());
        assert!(tool::eventually(Duration::from_secs(20), gone), "left after {signal}");
    }
}

/// Every program, map and link in the kernel.
fn objects() -> Vec<(ObjectKind, u32)> {
    let kinds = [ObjectKind::Prog, ObjectKind::Map, ObjectKind::Link, ObjectKind::Btf];
    kinds
        .into_iter()
        .flat_map(|kind| object::ids(kind).flatten().map(move |id| (kind, id)))
        .collect()
}
