//! What biolatency must have printed in the guest. The numbers of requests are those of
//! `guest/case.sh` and `guest/tools/biolatency.sh`.

use crate::bed::Outcome;
use serde_json::Value;

/// What `one_each` makes.
const ONE_EACH: u64 = 1009 + 503 + 251 + 127;
/// What `mixed_io` makes.
const MIXED: u64 = 499 + 251 + 127;
/// How many of them are reads.
const READ: u64 = 199 + 150 + 67;

/// 53 requests of 20 ms each, in that bucket or, where the emulated CPU was late, the next.
pub fn timed(outcome: &Outcome) {
    timed_in(&outcome.stdout, "usecs", 1000.0, 16384, 65535);
}

/// The same in milliseconds.
pub fn timed_in_msecs(outcome: &Outcome) {
    timed_in(&outcome.stdout, "msecs", 1.0, 16, 63);
}

#[track_caller]
fn timed_in(stdout: &str, unit: &str, millisecond: f64, low: u64, high: u64) {
    let line = only_line(stdout);
    assert_eq!(line["unit"], unit);
    let data = &line["data"];
    assert_eq!(count(data), 53);
    // A timer is never early, though an emulated CPU is late at times.
    assert_eq!(buckets(data).next().map(|(min, _, _)| min), Some(low), "{data}");
    assert!(number(data, "min") >= 20.0 * millisecond, "{data}");
    assert!(number(data, "average") >= number(data, "min"), "{data}");
    assert!(number(data, "max") >= number(data, "average"), "{data}");
    assert!(data["p50"].as_u64().is_some_and(|bound| bound <= high), "{data}");
    nothing_missed(&line);
}

/// Each of the requests that were in flight together, and nothing else.
pub fn parallel(outcome: &Outcome) {
    let line = only_line(&outcome.stdout);
    outcome.counted_but_for_missed(count(&line["data"]), ONE_EACH);
    plausible(&line["data"]);
}

/// Reads and writes of the disk by their flags, which this kernel's types have names for.
pub fn flags(outcome: &Outcome) {
    let line = only_line(&outcome.stdout);
    let disks = line["data"].as_object().unwrap();
    let [(_, flags)] = &disks.iter().collect::<Vec<_>>()[..] else { panic!("{line}") };
    let counts = flags.as_object().unwrap().iter().map(|(flags, data)| {
        plausible(data);
        (&**flags, count(data))
    });
    let counts: Vec<_> = counts.collect();
    // 5.10 does not mark a direct read as one that is waited for.
    let read = if counts[0].0 == "Read" { "Read" } else { "Read, Sync" };
    assert_eq!(counts, [(read, READ), ("Write, Sync, Idle", MIXED - READ)]);
    nothing_missed(&line);
}

/// The writes came first; there was no room for the reads.
pub fn beyond(outcome: &Outcome) {
    let line = only_line(&outcome.stdout);
    assert_eq!(count(&line["data"]["Write, Sync, Idle"]), MIXED - READ, "{line}");
    assert_eq!(line["beyond_max_keys"], READ, "{line}");
}

/// Each of 53 requests once, though most were given back, some kernels say after they were issued: from
/// the last issue they took microseconds, with the wait for it milliseconds.
pub fn requeued(outcome: &Outcome) {
    let lines: Vec<Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [issued, queued] = &lines[..] else { panic!("{}", outcome.stdout) };
    for line in [issued, queued] {
        assert_eq!(count(&line["data"]), 53, "{line}");
        plausible(&line["data"]);
    }
    let waited = buckets(&queued["data"]).filter(|(min, ..)| *min >= 4096);
    assert!(waited.map(|(_, _, count)| count).sum::<u64>() >= 13, "{queued}");
    let average = |line: &Value| number(&line["data"], "average");
    assert!(average(issued) < average(queued) / 2.0, "{issued} {queued}");
}

/// The same number of requests on each disk.
pub fn by_disk(outcome: &Outcome) {
    let line = only_line(&outcome.stdout);
    let disks = line["data"].as_object().unwrap();
    assert_eq!(disks.keys().collect::<Vec<_>>(), ["nullb0", "nvme0n1", "vda"]);
    for data in disks.values() {
        assert_eq!(count(data), MIXED);
        plausible(data);
    }
    nothing_missed(&line);
}

/// Each of 53 writes and as many flushes took a time that makes sense, and the ends that belong to no start are
/// told.
pub fn flush(outcome: &Outcome) {
    let line = only_line(&outcome.stdout);
    assert_eq!(count(&line["data"]), 2 * 53, "{line}");
    assert_eq!(line["unmatched"], 53, "{line}");
    plausible(&line["data"]);
}

/// Of the rounds of requests none is lost between two intervals, and each interval has its own
/// extremes.
pub fn intervals(outcome: &Outcome) {
    let (json, rounds) = outcome.stdout.rsplit_once("rounds ").expect("rounds");
    let rounds: u64 = rounds.trim().parse().unwrap();
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() >= 5, "too few to tell: {json}");
    let mut sum = 0;
    for line in &lines {
        if count(&line["data"]) > 0 {
            sum += count(&line["data"]);
            plausible(&line["data"]);
        }
    }
    outcome.counted_but_for_missed(sum, rounds * ONE_EACH);
}

fn only_line(stdout: &str) -> Value {
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    serde_json::from_str(stdout).unwrap()
}

fn count(data: &Value) -> u64 {
    let count = data["count"].as_u64().expect("count");
    assert_eq!(buckets(data).map(|(_, _, count)| count).sum::<u64>(), count, "{data}");
    count
}

fn number(data: &Value, name: &str) -> f64 {
    data[name].as_f64().unwrap_or_else(|| panic!("no {name} in {data}"))
}

fn buckets(data: &Value) -> impl Iterator<Item = (u64, u64, u64)> {
    let number = |bucket: &Value, name: &str| bucket[name].as_u64().expect("a number");
    data["hist"]
        .as_array()
        .expect("hist")
        .iter()
        .map(move |bucket| (number(bucket, "min"), number(bucket, "max"), number(bucket, "count")))
}

/// The extremes are in the first and the last bucket, the average is between them, and nothing took
/// longer than the whole case may.
#[track_caller]
fn plausible(data: &Value) {
    let (min, average, max) = (number(data, "min"), number(data, "average"), number(data, "max"));
    let (first, last) = (buckets(data).next().unwrap(), buckets(data).last().unwrap());
    assert!((first.0 as f64..first.1 as f64 + 1.0).contains(&min), "{data}");
    assert!((last.0 as f64..last.1 as f64 + 1.0).contains(&max), "{data}");
    assert!((min..=max).contains(&average), "{data}");
    assert!(max < 60e6, "{data}");
}

#[track_caller]
fn nothing_missed(line: &Value) {
    for what in ["unmatched", "reissued", "beyond_max_requests", "beyond_max_keys", "not_timed"] {
        assert_eq!(line[what], Value::Null, "{what}: {line}");
    }
}
