//! What funclatency must have printed in the guest. The number of calls and their length are those of
//! `guest/tools/funclatency.sh`.

use crate::bed::Outcome;
use crate::user;
use serde_json::Value;

/// How many processes slept for 5 ms, once each.
const SLEEPS: u64 = 53;

/// How many slept at the same time.
const CROWD: u64 = 41;

/// Each of many calls at the same time is timed, or told: kernels whose programs can be preempted
/// skip what happens on that CPU meanwhile, and count it.
pub fn crowd(outcome: &Outcome) {
    let (timed, line) = timed(outcome);
    let told = outcome.stderr.lines().find(|line| line.contains("events came inside another"));
    let number = told.and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let missed: u64 = number.unwrap_or(0);
    assert!(timed <= CROWD && timed + missed >= CROWD, "{timed} and {missed}: {line}");
    assert!(missed <= CROWD / 4, "{missed} missed");
}

/// A kretprobe follows a few only, but every call that it does not is told.
pub fn crowd_or_missed(outcome: &Outcome) {
    let (timed, line) = timed(outcome);
    let open = line["open"].as_u64().unwrap_or(0);
    assert!(timed > 0 && timed <= CROWD && timed + open >= CROWD, "{timed} timed: {line}");
}

/// How many calls of the case's own processes were timed.
fn timed(outcome: &Outcome) -> (u64, Value) {
    let (json, pids) = outcome.stdout.rsplit_once("pids ").expect("pids");
    let line: Value = serde_json::from_str(json).unwrap();
    let counts = pids.split_whitespace().map(|pid| line["summary"][pid]["count"].as_u64());
    (counts.flatten().sum(), line)
}

/// Each sleep is in the histogram of its process, most of them in the bucket of 5 ms or the next.
/// Nothing was missed.
pub fn sleeps(outcome: &Outcome) {
    let (json, pids) = outcome.stdout.rsplit_once("pids ").expect("pids");
    let line: Value = serde_json::from_str(json).unwrap();
    let (mut calls, mut close) = (0, 0);
    for pid in pids.split_whitespace() {
        let buckets = line["data"]["latencies"][pid].as_array().expect(pid);
        let [bucket] = &buckets[..] else { panic!("{pid} did not sleep once: {buckets:?}") };
        let min = bucket["min"].as_u64().unwrap();
        assert!(min >= 4096, "{pid}: {bucket}");
        calls += bucket["count"].as_u64().unwrap();
        close += u64::from(min <= 8192);
        let summary = &line["summary"][pid];
        assert!(summary["min"].as_f64().unwrap() >= 5000.0, "{pid}: {summary}");
        assert_eq!(summary["min"], summary["max"], "{pid}: {summary}");
    }
    assert_eq!(calls, SLEEPS);
    // An emulated machine sleeps longer now and then.
    assert!(close > SLEEPS / 2, "{close} of {SLEEPS}: {line}");
    for word in ["no_entry", "no_return", "too_many", "too_many_keys"] {
        assert!(line[word].is_null(), "{line}");
    }
}

/// Each call of a user function is timed, and most are in the bucket of 5 ms or the next. The function is
/// named.
pub fn naps(outcome: &Outcome) {
    let line: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let count = |bucket: &Value| bucket["count"].as_u64().unwrap();
    let buckets = line["data"]["latencies"].as_array().expect("latencies");
    assert_eq!(buckets.iter().map(count).sum::<u64>(), user::NAPS, "{line}");
    let close = buckets.iter().filter(|b| [4096, 8192].contains(&b["min"].as_u64().unwrap()));
    assert!(close.map(count).sum::<u64>() > user::NAPS / 2, "{line}");
    let least = 1000.0 * user::MILLISECONDS as f64;
    assert!(line["summary"]["min"].as_f64().unwrap() >= least, "{line}");
    for word in ["no_entry", "no_return", "too_many", "open"] {
        assert!(line[word].is_null(), "{line}");
    }
    let first = "Tracing the latency of /bin/vm-tests:vm::user::nap... ";
    assert!(outcome.stderr.contains(first), "{}", outcome.stderr);
}
