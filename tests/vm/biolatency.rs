//! What biolatency must have printed in the guest. The numbers of requests are those of
//! `guest/case.sh` and `guest/tools/biolatency.sh`.

use crate::bed::Outcome;
use crate::lines::{buckets, count, lost, nothing_lost, plausible, row, row_of, rows};
use serde_json::Value;

/// What `one_each` makes.
const ONE_EACH: u64 = 1009 + 503 + 251 + 127;
/// What `mixed_io` makes.
const MIXED: u64 = 499 + 251 + 127;
/// How many of them are reads.
const READ: u64 = 199 + 150 + 67;

/// 53 requests of 20 ms each, in that bucket or, where the emulated CPU was late, the next.
pub fn timed(outcome: &Outcome) {
    timed_in(outcome, "usecs", 1000.0, 16384, 65535);
}

/// The same in milliseconds.
pub fn timed_in_msecs(outcome: &Outcome) {
    timed_in(outcome, "msecs", 1.0, 16, 63);
}

#[track_caller]
fn timed_in(outcome: &Outcome, unit: &str, millisecond: f64, low: u64, high: u64) {
    let line = outcome.interval();
    assert_eq!(line["tables"][0]["unit"], unit);
    let row = row(&line);
    assert_eq!(count(row), 53);
    // A timer is never early, though an emulated CPU is late at times.
    assert_eq!(buckets(row)[0].0, low, "{row}");
    assert!(number(row, "min") >= 20.0 * millisecond, "{row}");
    assert!(number(row, "average") >= number(row, "min"), "{row}");
    assert!(number(row, "max") >= number(row, "average"), "{row}");
    assert!(row["p50_below"].as_u64().is_some_and(|bound| bound <= high + 1), "{row}");
    nothing_lost(&line);
}

/// Each of the requests that were in flight together, and nothing else.
pub fn parallel(outcome: &Outcome) {
    let line = outcome.interval();
    outcome.counted_but_for_missed(count(row(&line)), ONE_EACH);
    plausible(row(&line));
}

/// The same in tracepoints' records: several processes are at one place of the disk at a time now and then, and
/// a record that a program missed shows in the other one of its request.
pub fn parallel_by_record(outcome: &Outcome) {
    let line = outcome.interval();
    let counted = count(row(&line)) + lost(&line, "ambiguous");
    let told = ["open", "no_start", "missed_events"].map(|what| lost(&line, what));
    assert!(counted <= ONE_EACH && counted + told.iter().sum::<u64>() >= ONE_EACH, "{line}");
    assert!(counted > ONE_EACH / 10 * 9, "{line}");
    plausible(row(&line));
}

/// Each request once, on a kernel that has no BTF.
pub fn without_types(outcome: &Outcome) {
    let lines = outcome.intervals();
    let [disks, flushed] = &lines[..] else { panic!("{}", outcome.stdout) };
    assert!(outcome.stdout.contains("\"kind\":\"tracepoint\""), "{}", outcome.stdout);
    for disk in outcome.told("disks ").split(' ') {
        assert_eq!(count(row_of(disks, "disk", disk)), MIXED, "{disks}");
    }
    nothing_lost(disks);
    assert_eq!(count(row(flushed)), 2 * 53, "{flushed}");
    nothing_lost(flushed);
    plausible(row(flushed));
}

/// Each of 53 requests once, as it was issued for the last time.
pub fn requeued_by_record(outcome: &Outcome) {
    let line = outcome.interval();
    assert_eq!(count(row(&line)), 53, "{line}");
    nothing_lost(&line);
    plausible(row(&line));
}

/// Reads and writes of the disk by their flags, which this kernel's types have names for.
pub fn flags(outcome: &Outcome) {
    let line = outcome.interval();
    let [read, written] = &rows(&line)[..] else { panic!("{line}") };
    [read, written].into_iter().for_each(plausible);
    assert_eq!([read, written].map(count), [READ, MIXED - READ], "{line}");
    assert!(read["labels"]["disk"].is_string(), "{line}");
    assert_eq!(read["labels"]["disk"], written["labels"]["disk"], "{line}");
    // 5.10 does not mark a direct read as one that is waited for.
    assert!(["Read", "Read, Sync"].iter().any(|flags| read["labels"]["flags"] == *flags), "{line}");
    assert_eq!(written["labels"]["flags"], "Write, Sync, Idle");
    nothing_lost(&line);
}

/// The writes came first; there was no room for the reads.
pub fn beyond(outcome: &Outcome) {
    let line = outcome.interval();
    assert_eq!(count(row_of(&line, "flags", "Write, Sync, Idle")), MIXED - READ, "{line}");
    assert_eq!(lost(&line, "beyond_max_keys"), READ, "{line}");
}

/// Each of 53 requests once, though most were given back, some kernels say after they were issued: from
/// the last issue they took microseconds, with the wait for it milliseconds.
pub fn requeued(outcome: &Outcome) {
    let lines = outcome.intervals();
    let [issued, queued] = &lines[..] else { panic!("{}", outcome.stdout) };
    let [issued, queued] = [issued, queued].map(row);
    for row in [issued, queued] {
        assert_eq!(count(row), 53, "{row}");
        plausible(row);
    }
    let buckets = buckets(queued);
    let waited = buckets.iter().filter(|(min, ..)| *min >= 4096);
    assert!(waited.map(|(.., count)| count).sum::<u64>() >= 13, "{queued}");
    let average = |row: &Value| number(row, "average");
    assert!(average(issued) < average(queued) / 2.0, "{issued} {queued}");
}

/// The requests of a multipath disk are those of its path, which has a name on each kernel.
pub fn paths(outcome: &Outcome) {
    let lines = outcome.intervals();
    assert_eq!(lines.len(), 3, "{}", outcome.stdout);
    for (line, expected) in lines.iter().zip([2, 2, 1]) {
        let disks: Vec<_> = rows(line).iter().map(|row| &row["labels"]["disk"]).collect();
        assert_eq!(disks, ["nvme1c1n1", "vda"][..expected], "{line}");
        for row in rows(line) {
            assert_eq!(count(row), MIXED, "{line}");
        }
    }
}

/// The same number of requests on each disk.
pub fn by_disk(outcome: &Outcome) {
    let line = outcome.interval();
    let disks: Vec<_> = rows(&line).iter().map(|row| &row["labels"]["disk"]).collect();
    assert_eq!(disks, outcome.told("disks ").split(' ').collect::<Vec<_>>());
    for row in rows(&line) {
        assert_eq!(count(row), MIXED);
        plausible(row);
    }
    nothing_lost(&line);
}

/// Each of 53 writes and as many flushes took a time that makes sense. A flush ends a second time for who
/// asked for it, and nothing is missing there.
pub fn flush(outcome: &Outcome) {
    let line = outcome.interval();
    assert_eq!(count(row(&line)), 2 * 53, "{line}");
    nothing_lost(&line);
    plausible(row(&line));
}

/// Of the rounds of requests none is lost between two intervals, and each interval has its own
/// extremes.
pub fn intervals(outcome: &Outcome) {
    let rounds: u64 = outcome.told("rounds ").parse().unwrap();
    let lines = outcome.intervals();
    assert!(lines.len() >= 5, "too few to tell: {}", outcome.stdout);
    let mut sum = 0;
    for row in lines.iter().map(row).filter(|row| count(row) > 0) {
        sum += count(row);
        plausible(row);
    }
    outcome.counted_but_for_missed(sum, rounds * ONE_EACH);
}

fn number(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap_or_else(|| panic!("no {name}: {row}"))
}
