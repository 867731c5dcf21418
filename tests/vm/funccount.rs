//! What funccount must have printed in the guest. The numbers of calls are those of
//! `guest/tools/funccount.sh`.

use crate::bed::Outcome;
use crate::lines;
use serde_json::Value;

/// What was counted for a key in all intervals.
pub fn count(outcome: &Outcome, label: &str, key: impl Into<Value>) -> u64 {
    let (lines, key) = (outcome.intervals(), key.into());
    let rows = lines.iter().flat_map(lines::rows).filter(|row| row["labels"][label] == key);
    rows.map(lines::count).sum()
}

/// A process read and wrote 1009 times.
pub fn read_and_written(outcome: &Outcome) {
    let counts = ["vfs_read", "vfs_write"].map(|name| count(outcome, "function", name));
    assert_eq!(counts, [1009, 1009], "{}", outcome.stderr);
}

/// The same by functions and tracepoints at once.
pub fn read_and_exited(outcome: &Outcome) {
    let counts =
        ["vfs_read", "sched:sched_process_exit"].map(|name| count(outcome, "function", name));
    assert_eq!(counts, [1009, 1], "{}", outcome.stderr);
}

/// The same with hundreds of functions, which one link attached.
pub fn by_one_link(outcome: &Outcome) {
    read_and_written(outcome);
    let attached = outcome.stderr.lines().find_map(|line| {
        let (_, count) = line.split_once("attached by kprobe.multi ")?;
        count.split(' ').next()?.parse::<u32>().ok()
    });
    assert!(attached.is_some_and(|count| count > 300), "{}", outcome.stderr);
}

/// 1009 reads by the command.
pub fn by_comm(outcome: &Outcome) {
    assert_eq!(count(outcome, "comm", "dd"), 1009, "{}", outcome.stdout);
}

/// 1009 reads by the process whose number stands at the end.
pub fn by_pid(outcome: &Outcome) {
    let pid: u64 = outcome.told("pid ").parse().unwrap();
    assert_eq!(count(outcome, "pid", pid), 1009, "{}", outcome.stdout);
}

/// None of two processes' calls is lost between two intervals.
pub fn intervals(outcome: &Outcome) {
    assert!(outcome.intervals().len() >= 3, "too few to tell: {}", outcome.stdout);
    outcome.counted_but_for_missed(count(outcome, "comm", "dd"), 50021 + 50023);
}

/// The kernel holds as many probes and programs as at boot; while the tool ran there were more.
pub fn left_nothing(outcome: &Outcome) {
    let lines: Vec<_> = outcome.stdout.lines().filter(|line| !line.starts_with('{')).collect();
    assert_eq!(lines.len(), 2, "{}", outcome.stdout);
    for line in lines {
        let held: Vec<u64> = line.split(' ').map(|n| n.parse().unwrap()).collect();
        let [before, during, after] = held[..] else { panic!("not three numbers: {line:?}") };
        assert!(during > before, "the running tool does not show");
        assert_eq!(before, after, "probes and programs left behind");
    }
}

/// It does not begin, and says which function may be meant.
pub fn meant(outcome: &Outcome) {
    assert_eq!(outcome.stdout, "exit 1\n");
    assert!(outcome.stderr.contains("did you mean vfs_read?"), "{}", outcome.stderr);
}

/// It does not begin, and says that the function cannot be probed, not that it is missing.
pub fn forbidden(outcome: &Outcome) {
    let said = format!("{} cannot be probed", outcome.told("function "));
    assert_eq!(outcome.told("exit "), "1");
    assert!(outcome.stderr.contains(&said), "{}", outcome.stderr);
}

/// What can be traced is counted by one link, and the others are named.
pub fn traceable(outcome: &Outcome) {
    read_and_written(outcome);
    let attached = outcome.stderr.lines().filter(|line| line.contains("attached by")).count();
    assert_eq!(attached, 1, "{}", outcome.stderr);
    let left_out = "left out kprobe.multi irqentry_enter: irqentry_enter cannot be traced";
    assert!(outcome.stderr.contains(left_out), "{}", outcome.stderr);
}

/// None can be traced, which the host lacks.
pub fn untraceable(outcome: &Outcome) {
    assert_eq!(outcome.told("exit "), "77");
    assert!(outcome.stderr.contains("none of these"), "{}", outcome.stderr);
}

/// Each request was one call of the module's function.
pub fn of_module(outcome: &Outcome) {
    assert_eq!(count(outcome, "function", "null_blk:null_queue_rq"), 500, "{}", outcome.stdout);
}
