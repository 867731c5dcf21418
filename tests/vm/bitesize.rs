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
