//! What bitesize must have printed in the guest. The numbers of requests are those of
//! `guest/tools/bitesize.sh`.

use crate::bed::Outcome;
use serde_json::{Value, json};

/// 503 reads of 16 KiB and 251 writes of 4 KiB, by two processes of that name and user.
pub fn direct(outcome: &Outcome) {
    let (sizes, last) = sizes(outcome);
    let pids: Vec<u64> = last.split(' ').map(|pid| pid.parse().unwrap()).collect();
    let section = |pid: u64, kbytes: u64, count: u64| {
        json!({
            "pid": pid, "uid": 4321, "comm": "busybox503", "count": count,
            "bytes": count * kbytes * 1024,
            "hist": [{"min": kbytes, "max": 2 * kbytes - 1, "count": count}],
        })
    };
    // The most bytes come last.
    assert_eq!(sizes, [section(pids[1], 4, 251), section(pids[0], 16, 503)]);
}

/// Who called fsync wrote the megabyte, whoever handed it to the driver.
pub fn fsync(outcome: &Outcome) {
    let (sizes, pid) = sizes(outcome);
    let bytes = |section: &&Value| section["bytes"].as_u64().unwrap() > 0;
    let writers: Vec<&Value> = sizes.iter().filter(bytes).collect();
    let [writer] = writers[..] else { panic!("not one writer: {sizes:?}") };
    assert_eq!(writer["pid"].to_string(), pid);
    assert_eq!(writer["uid"], 4321);
    assert_eq!(writer["bytes"], 1 << 20);
}

/// All requests, by whomever: this kind knows who issues them only.
pub fn sum(outcome: &Outcome) {
    let (sizes, _) = sizes(outcome);
    let sum: u64 = sizes.iter().map(|section| section["count"].as_u64().unwrap()).sum();
    assert_eq!(sum, 503 + 251);
}

/// What `mixed_io` reads and writes, told apart by flags, which this kernel's types have names for.
pub fn flags(outcome: &Outcome) {
    let line: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let sections = line["data"]["sizes"].as_array().unwrap();
    let name = |section: &Value| section["flags"].as_str().unwrap().to_owned();
    let counts = sections.iter().map(|it| (name(it), it["count"].as_u64().unwrap()));
    let mut counts: Vec<_> = counts.collect();
    counts.sort();
    // 5.10 does not mark a direct read as one that is waited for.
    let read = if counts[0].0 == "Read" { "Read" } else { "Read, Sync" };
    let (reads, writes) = (199 + 150 + 67, 300 + 101 + 60);
    assert_eq!(counts, [(read.to_owned(), reads), ("Write, Sync, Idle".to_owned(), writes)]);
}

/// 101 reads of 16 KiB and 53 writes of 4 KiB in cgroups that are called by their paths.
pub fn cgroup(outcome: &Outcome) {
    let line: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let sections = line["data"]["sizes"].as_array().unwrap();
    let counts: Vec<_> = sections.iter().map(|it| (&it["cgroup"], &it["bytes"])).collect();
    let wanted = [("/tests/writer", 53 << 12), ("/tests/reader", 101 << 14)];
    let wanted = wanted.map(|(path, bytes)| (Value::from(path), Value::from(bytes)));
    assert_eq!(counts, wanted.each_ref().map(|(path, bytes)| (path, bytes)));
}

/// Whatever a task was called before, its name tells it: 101 and 53 reads of 16 KiB, and 23.
pub fn comm(outcome: &Outcome) {
    assert_eq!(counts(outcome, "comm"), [("dd".into(), 23), ("busybox503".into(), 101 + 53)]);
}

/// Those 101 and 53 reads by their users, and no others.
pub fn filter(outcome: &Outcome) {
    assert_eq!(counts(outcome, "uid"), [(0.into(), 53), (4321.into(), 101)]);
}

/// What sections are called, and their counts.
fn counts(outcome: &Outcome, name: &str) -> Vec<(Value, u64)> {
    let line: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let sections = line["data"]["sizes"].as_array().unwrap().iter();
    sections.map(|it| (it[name].clone(), it["count"].as_u64().unwrap())).collect()
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

/// The only interval's sections, and the line behind it.
fn sizes(outcome: &Outcome) -> (Vec<Value>, &str) {
    let (json, last) = outcome.stdout.trim_end().split_once('\n').expect("two lines");
    let line: Value = serde_json::from_str(json).unwrap();
    (line["data"]["sizes"].as_array().unwrap().clone(), last)
}
