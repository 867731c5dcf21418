//! What bitehist must have printed in the guest. The numbers of requests are those of
//! `guest/case.sh` and `guest/tools/bitehist.sh`.

use crate::bed::Outcome;
use serde_json::Value;

/// A row of the histogram: the least and the greatest size in KiB, and how many requests.
type Bucket = (u64, u64, u64);

/// 499 requests of 4 KiB, 251 of 16 KiB and 127 of 64 KiB, and nothing else.
pub fn mixed(outcome: &Outcome) {
    let expected = [
        (4, 7, 499),
        (8, 15, 0),
        (16, 31, 251),
        (32, 63, 0),
        (64, 127, 127),
    ];
    assert_eq!(intervals_of(outcome), [expected]);
}

/// The same, and the kprobe of the original was chosen where it works.
pub fn mixed_by_kprobe(outcome: &Outcome) {
    mixed(outcome);
    let said = outcome.stderr.contains("kprobe");
    assert!(said, "-v names no kprobe");
}

/// Two processes made 4001 and 3989 requests of 4 KiB: none is lost between two intervals.
pub fn intervals(outcome: &Outcome) {
    let intervals = intervals_of(outcome);
    assert!(
        intervals.len() > 3,
        "{} intervals are too few to tell",
        intervals.len()
    );
    let buckets = || intervals.iter().flatten();
    assert!(
        buckets().all(|&(min, max, _)| (min, max) == (4, 7)),
        "{intervals:?}"
    );
    assert_eq!(buckets().map(|&(.., count)| count).sum::<u64>(), 7990);
}

/// The kernel holds as many probes and programs as before; while the tool ran there were more.
pub fn left_nothing(outcome: &Outcome) {
    let last = outcome.stdout.lines().last().unwrap_or_default();
    let held: Vec<u64> = last.split(' ').map(|n| n.parse().unwrap()).collect();
    let [before, during, after] = held[..] else {
        panic!("not three numbers: {last:?}");
    };
    assert!(during > before, "the running tool does not show");
    assert_eq!(before, after, "probes and programs left behind");
}

/// The histogram of each interval, from the lines that `--json` prints.
fn intervals_of(outcome: &Outcome) -> Vec<Vec<Bucket>> {
    outcome
        .stdout
        .lines()
        .map(|line| histogram(&serde_json::from_str(line).unwrap()))
        .collect()
}

fn histogram(line: &Value) -> Vec<Bucket> {
    assert_eq!(line["type"], "hist");
    assert_eq!(line["unit"], "kbytes");
    let number = |bucket: &Value, key: &str| bucket[key].as_u64().expect(key);
    line["data"]["hist"]
        .as_array()
        .expect("data.hist")
        .iter()
        .map(|b| (number(b, "min"), number(b, "max"), number(b, "count")))
        .collect()
}
