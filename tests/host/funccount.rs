//! Tracepoints, which this host has even without kprobes.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::disk::LoopDisk;
use crate::lines::{self, interval, intervals, lost, rows};
use crate::tool::{self, Tool};
use serde_json::Value;

/// A process that does something once it is told to.
struct Caller {
    shell: std::process::Child,
}

impl Caller {
    /// A shell that waits for a line.
    fn new(script: &str) -> Caller {
        let mut command = Command::new("sh");
        let shell = command.args(["-c", &format!("read go; {script}")]).stdin(Stdio::piped());
        Caller { shell: shell.stdout(Stdio::null()).spawn().unwrap() }
    }

    fn pid(&self) -> String {
        self.shell.id().to_string()
    }

    fn go(mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().unwrap();
    }
}

/// Sums the counts of all intervals by key.
fn count(json: &str, label: &str, key: impl Into<Value>) -> u64 {
    let (lines, key) = (intervals(json), key.into());
    let rows = lines.iter().flat_map(rows).filter(|row| row["labels"][label] == key);
    rows.map(lines::count).sum()
}

/// The shell becomes a process that calls write(2) 1009 times.
const WRITES: &str = "exec dd if=/dev/zero of=/dev/null bs=1 count=1009 status=none";

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn system_calls_of_a_process_are_counted_exactly() {
    tool::with_tracefs();
    let caller = Caller::new(WRITES);
    let pid = caller.pid();
    let tool = Tool::start(
        "funccount",
        &["syscalls:sys_enter_write", "t:syscalls:sys_exit_writ?", "-p", &pid, "--json", "3600"],
    );
    caller.go();
    let output = tool.stop();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(count(&output.stdout, "function", "syscalls:sys_enter_write"), 1009);
    assert_eq!(count(&output.stdout, "function", "syscalls:sys_exit_write"), 1009);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn each_key_counts_the_same_calls() {
    tool::with_tracefs();
    for (by, key) in [("pid", None), ("comm", Some("dd".into())), ("uid", Some(0.into()))] {
        let caller = Caller::new(WRITES);
        let pid = caller.pid();
        let args = ["syscalls:sys_enter_write", "--by", by, "-p", &pid, "--json", "3600"];
        let tool = Tool::start("funccount", &args);
        caller.go();
        let output = tool.stop();
        let key: Value = key.unwrap_or(pid.parse::<u32>().unwrap().into());
        assert_eq!(count(&output.stdout, by, key), 1009, "{}", output.stdout);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn no_call_is_lost_between_intervals_by_function_or_key() {
    tool::with_tracefs();
    let script = WRITES.replace("1009", "200003");
    let callers = [Caller::new(&script), Caller::new(&script)];
    let pids = callers.each_ref().map(Caller::pid);
    let event = "syscalls:sys_enter_write";
    let [one, two] = &pids;
    let tools = [
        Tool::start("funccount", &[event, "-p", one, "--json", "0.02"]),
        Tool::start("funccount", &[event, "-p", two, "--by", "cpu", "--json", "0.02"]),
    ];
    std::thread::scope(|scope| {
        for caller in callers {
            scope.spawn(|| caller.go());
        }
    });
    for tool in tools {
        let output = tool.stop();
        let lines = intervals(&output.stdout);
        assert!(lines.len() > 5, "too few to tell");
        assert_eq!(lines.iter().flat_map(rows).map(lines::count).sum::<u64>(), 200_003);
    }
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_pattern_over_a_category_counts_each_tracepoint() {
    tool::with_tracefs();
    let disk = LoopDisk::new();
    let tool =
        Tool::start("funccount", &["block:block_rq_*", "block:block_bio_queue", "--json", "3600"]);
    disk.read(4, 503);
    let output = tool.stop();
    // Other disks are busy too.
    for name in ["block_rq_issue", "block_rq_complete", "block_bio_queue"] {
        let counted = count(&output.stdout, "function", format!("block:{name}"));
        assert!(counted >= 503, "{}", output.stdout);
    }
    assert_eq!(count(&output.stdout, "function", "sched:sched_switch"), 0);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn keys_beyond_the_room_for_them_are_counted_and_told() {
    tool::with_tracefs();
    let script = "for i in 1 2 3 4 5 6 7 8 9; do sh -c 'umask 022'; done";
    let caller = Caller::new(script);
    let args = ["syscalls:sys_enter_umask", "--by", "pid", "--max-keys", "4", "--json", "3600"];
    let tool = Tool::start("funccount", &args);
    caller.go();
    let output = tool.stop();
    let line = interval(&output.stdout);
    let counted: u64 = rows(&line).iter().map(lines::count).sum();
    let beyond = lost(&line, "beyond_max_keys");
    assert!(beyond > 0 && counted + beyond >= 9, "{line}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn too_few_descriptors_end_the_run_with_the_number_that_is_needed() {
    tool::with_tracefs();
    let limited = |limit: &str, patterns: &str| {
        tool::shell(&format!("ulimit -n {limit}; $RAWBPF funccount {patterns} 0.1 1"))
    };
    for limit in ["8", "64"] {
        let output = limited(limit, "'sched:*' 'block:*' '*:sys_enter_*'");
        assert_eq!((output.code, &*output.stdout), (Some(1), ""), "{}", output.stderr);
        let may = format!("and this process may have {limit}\n  try: ulimit -n ");
        let (_, needed) = output.stderr.split_once(&may).expect(&output.stderr);
        // That number is enough.
        let output = limited(needed.trim(), "'sched:*' 'block:*' '*:sys_enter_*'");
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert!(!output.stderr.contains("left out"), "{}", output.stderr);
    }
    let output = limited("8", "sched:sched_switch sched:sched_wakeup");
    assert!(output.stderr.contains("ulimit -n"), "{}", output.stderr);
}

/// Closing hundreds of perf events takes the kernel half a minute.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn hundreds_of_system_calls_are_let_go_at_once() {
    tool::with_tracefs();
    let start = Instant::now();
    let output = tool::shell("$RAWBPF funccount 'syscalls:sys_enter_*' 0.1 1 8>/dev/null");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(output.stderr.contains(" tracepoints..."), "{}", output.stderr);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn the_table_ends_with_the_highest_counts() {
    tool::with_tracefs();
    let caller = Caller::new(WRITES);
    let pid = caller.pid();
    let patterns = ["syscalls:sys_enter_w*", "syscalls:sys_enter_openat"];
    let args = [patterns[0], patterns[1], "-p", &pid, "--top", "1", "3600"];
    let tool = Tool::start("funccount", &args);
    caller.go();
    let output = tool.stop();
    let lines: Vec<_> = output.stdout.lines().collect();
    assert!(lines[1].ends_with(" times)"), "{lines:?}");
    assert_eq!(
        lines[2..],
        [
            "FUNC                                    COUNT",
            "syscalls:sys_enter_write                 1009"
        ]
    );
}

#[test]
#[ignore = "needs root to hide tracefs: run tests/run"]
fn without_tracefs_a_tracepoint_that_is_named_is_counted() {
    let hide = "for at in /sys/kernel/tracing /sys/kernel/debug; do \
                mount -t tmpfs none $at 2>/dev/null; done; ";
    let run = "$RAWBPF funccount sched:sched_switch --json 0.1 1";
    let output = tool::shell(&format!("unshare -m sh -c '{hide} {run}'"));
    let counted = count(&output.stdout, "function", "sched:sched_switch");
    assert!(counted > 0, "{}", output.stderr);
    let output =
        tool::shell(&format!("unshare -m sh -c '{hide} $RAWBPF funccount \"sched:*\" 1 1'"));
    assert_eq!(output.code, Some(77));
    assert!(output.stderr.contains("mount -t tracefs"), "{}", output.stderr);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn what_is_not_there_is_told_with_what_may_be_meant() {
    tool::with_tracefs();
    let output = tool::run("funccount", &["sched:sched_swich", "1", "1"]);
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("did you mean sched:sched_switch?"), "{}", output.stderr);
    let output = tool::run("funccount", &["vfs_raed", "1", "1"]);
    assert!(output.stderr.contains("did you mean vfs_read?"), "{}", output.stderr);
    let output = tool::run("funccount", &["nosuch_*", "1", "1"]);
    assert!(output.stderr.contains("matches nosuch_*"), "{}", output.stderr);
    let output = tool::run("funccount", &["1", "1"]);
    assert_eq!(output.code, Some(2));
}
