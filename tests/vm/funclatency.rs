//! What funclatency must have printed in the guest. The number of calls and their length are those of
//! `guest/tools/funclatency.sh`.

use crate::bed::Outcome;
use crate::lines::{buckets, count, counted, lost, nothing_lost, row, row_of, rows};
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
    let missed = outcome.missed();
    assert!(timed <= CROWD && timed + missed >= CROWD, "{timed} and {missed}: {line}");
    assert!(missed <= CROWD / 4, "{missed} missed");
}

/// A kretprobe follows a few only, but every call that it does not is told.
pub fn crowd_or_missed(outcome: &Outcome) {
    let (timed, line) = timed(outcome);
    let told = lost(&line, "open") + lost(&line, "no_end");
    assert!(timed > 0 && timed <= CROWD && timed + told >= CROWD, "{timed} timed: {line}");
}

/// The case's own processes.
fn pids(outcome: &Outcome) -> Vec<u64> {
    outcome.told("pids ").split(' ').map(|pid| pid.parse().unwrap()).collect()
}

/// How many calls of the case's own processes were timed.
fn timed(outcome: &Outcome) -> (u64, Value) {
    let (line, pids) = (outcome.interval(), pids(outcome));
    let own = |row: &&Value| pids.iter().any(|pid| row["labels"]["pid"] == *pid);
    (rows(&line).iter().filter(own).map(count).sum(), line)
}

/// Each sleep is in the histogram of its process, most of them in the bucket of 5 ms or the next.
/// Nothing was missed.
pub fn sleeps(outcome: &Outcome) {
    let line = outcome.interval();
    let (mut calls, mut close) = (0, 0);
    for pid in pids(outcome) {
        let row = row_of(&line, "pid", pid);
        let [(min, ..)] = buckets(row)[..] else { panic!("{pid} did not sleep once: {row}") };
        assert!(min >= 4096, "{row}");
        calls += count(row);
        close += u64::from(min <= 8192);
        assert!(row["min"].as_f64().unwrap() >= 5000.0, "{row}");
        assert_eq!(row["min"], row["max"], "{row}");
    }
    assert_eq!(calls, SLEEPS);
    // An emulated machine sleeps longer now and then.
    assert!(close > SLEEPS / 2, "{close} of {SLEEPS}: {line}");
    // Other processes may sleep at the end.
    for what in ["no_start", "no_end", "beyond_max_open", "beyond_max_keys"] {
        assert_eq!(lost(&line, what), 0, "{line}");
    }
}

/// Each call of a user function is timed, and most are in the bucket of 5 ms or the next. The function is
/// named.
pub fn naps(outcome: &Outcome) {
    let line = outcome.interval();
    let row = row(&line);
    assert_eq!(count(row), user::NAPS, "{line}");
    let counted = counted(row);
    let close = counted.iter().filter(|(min, _)| [4096, 8192].contains(min));
    assert!(close.map(|(_, count)| count).sum::<u64>() > user::NAPS / 2, "{line}");
    let least = 1000.0 * user::MILLISECONDS as f64;
    assert!(row["min"].as_f64().unwrap() >= least, "{line}");
    nothing_lost(&line);
    let first = "Tracing the latency of /bin/vm-tests:vm::user::nap... ";
    assert!(outcome.stderr.contains(first), "{}", outcome.stderr);
}

/// Each of the requests was one call. A kretprobe may have missed some, which are reported.
pub fn of_module(outcome: &Outcome) {
    let line = outcome.interval();
    let missed: u64 =
        ["open", "no_end", "missed_events"].iter().map(|what| lost(&line, what)).sum();
    let calls = count(row(&line));
    assert!(calls > 0 && calls <= 877 && calls + missed >= 877, "{line}");
}
