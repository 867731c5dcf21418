//! What bitesize must have printed in the guest. The numbers of requests are those of
//! `guest/tools/bitesize.sh`.

use crate::bed::Outcome;
use crate::lines::{count, rows};
use serde_json::{Value, json};

/// 503 reads of 16 KiB and 251 writes of 4 KiB, by two processes of that name and user.
pub fn direct(outcome: &Outcome) {
    let line = outcome.interval();
    let pids: Vec<u64> = last(outcome).split(' ').map(|pid| pid.parse().unwrap()).collect();
    let row = |pid: u64, kbytes: u64, count: u64| {
        let sum = count * kbytes;
        json!({
            "labels": {"pid": pid, "uid": 4321, "comm": "busybox503"},
            "count": count, "sum": sum, "average": kbytes as f64,
            "p50_below": 2 * kbytes, "p90_below": 2 * kbytes, "p99_below": 2 * kbytes,
            "buckets": [{"min": kbytes, "max": 2 * kbytes - 1, "count": count}],
            "total": {"count": count, "sum": sum},
        })
    };
    // The most bytes come last.
    assert_eq!(*rows(&line), [row(pids[1], 4, 251), row(pids[0], 16, 503)]);
}

/// Who called fsync wrote the megabyte, whoever handed it to the driver.
pub fn fsync(outcome: &Outcome) {
    let line = outcome.interval();
    let mut writers = rows(&line).iter().filter(|row| row["sum"] != 0);
    let (Some(writer), None) = (writers.next(), writers.next()) else {
        panic!("not one writer: {line}")
    };
    assert_eq!(writer["labels"]["pid"].to_string(), last(outcome));
    assert_eq!(writer["labels"]["uid"], 4321);
    assert_eq!(writer["sum"], 1024);
}

/// All requests, by whomever: this kind knows who issues them only.
pub fn sum(outcome: &Outcome) {
    assert_eq!(rows(&outcome.interval()).iter().map(count).sum::<u64>(), 503 + 251);
}

/// What `mixed_io` reads and writes, told apart by flags, which this kernel's types have names for.
pub fn flags(outcome: &Outcome) {
    let mut counts = counts(outcome, "flags");
    counts.sort_by_key(|(flags, _)| flags.to_string());
    // 5.10 does not mark a direct read as one that is waited for.
    let read = if counts[0].0 == "Read" { "Read" } else { "Read, Sync" };
    let (reads, writes) = (199 + 150 + 67, 300 + 101 + 60);
    assert_eq!(counts, [(read.into(), reads), ("Write, Sync, Idle".into(), writes)]);
}

/// 101 reads of 16 KiB and 53 writes of 4 KiB in cgroups that are called by their paths.
pub fn cgroup(outcome: &Outcome) {
    let line = outcome.interval();
    let sizes: Vec<_> = rows(&line).iter().map(|row| (&row["labels"], &row["sum"])).collect();
    let wanted = [("/tests/writer", 53 << 2), ("/tests/reader", 101 << 4)];
    let wanted = wanted.map(|(path, kbytes)| (json!({"cgroup": path}), json!(kbytes)));
    assert_eq!(sizes, wanted.each_ref().map(|(labels, kbytes)| (labels, kbytes)));
}

/// Whatever a task was called before, its name tells it: 101 and 53 reads of 16 KiB, and 23.
pub fn comm(outcome: &Outcome) {
    assert_eq!(counts(outcome, "comm"), [("dd".into(), 23), ("busybox503".into(), 101 + 53)]);
}

/// Those 101 and 53 reads by their users, and no others.
pub fn filter(outcome: &Outcome) {
    assert_eq!(counts(outcome, "uid"), [(0.into(), 53), (4321.into(), 101)]);
}

/// Each row's value of a label, and its count.
fn counts(outcome: &Outcome, label: &str) -> Vec<(Value, u64)> {
    let line = outcome.interval();
    rows(&line).iter().map(|row| (row["labels"][label].clone(), count(row))).collect()
}

/// The original's picture, to the character.
pub fn text(outcome: &Outcome) {
    let (picture, pid) = outcome.stdout.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(
        picture,
        format!(
            "\n  PID: {pid} UID: 4321 CMD: busybox503\n     \
             kbytes          : count     distribution\n\
             \x20     16 -> 31       : 503      |************************************* |\n"
        )
    );
}

/// The last line: what the guest printed itself.
fn last(outcome: &Outcome) -> &str {
    outcome.stdout.lines().last().unwrap()
}
