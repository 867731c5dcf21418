//! What bitehist must have printed in the guest. The numbers of requests are those of
//! `guest/case.sh` and `guest/tools/bitehist.sh`.

use crate::bed::Outcome;
use crate::lines::{buckets, row};

/// A row of the histogram: the least and the greatest size in KiB, and how many requests.
type Bucket = (u64, u64, u64);

/// What `mixed_io` makes: 499 requests of 4 KiB, 251 of 16 KiB and 127 of 64 KiB.
const MIXED: [Bucket; 5] = [(4, 7, 499), (8, 15, 0), (16, 31, 251), (32, 63, 0), (64, 127, 127)];

/// Those requests and nothing else, in one interval.
pub fn mixed(outcome: &Outcome) {
    assert_eq!(histograms(outcome), [MIXED]);
}

/// The same, and the kprobe of the original was chosen, as it works here.
pub fn mixed_by_kprobe(outcome: &Outcome) {
    mixed(outcome);
    assert!(outcome.stderr.contains("attached by kprobe "), "-v names another kind or none");
}

/// Those requests on each disk.
pub fn mixed_on_each(outcome: &Outcome) {
    let disks = outcome.told("disks ").split(' ').count() as u64;
    let expected = MIXED.map(|(min, max, count)| (min, max, disks * count));
    assert_eq!(histograms(outcome), [expected]);
}

/// Three intervals in which nothing happened.
pub fn three_empty(outcome: &Outcome) {
    assert_eq!(histograms(outcome), [[]; 3]);
}

/// Of the rounds of 1009 and 997 requests of 4 KiB none is lost between two intervals.
pub fn intervals(outcome: &Outcome) {
    let rounds: u64 = outcome.told("rounds ").parse().unwrap();
    let intervals = histograms(outcome);
    assert!(intervals.len() >= 5, "too few to tell: {intervals:?}");
    let mut sum = 0;
    for (min, max, count) in intervals.into_iter().flatten() {
        assert_eq!((min, max), (4, 7));
        sum += count;
    }
    assert_eq!(sum, rounds * (1009 + 997), "in {rounds} rounds");
}

/// The kernel holds as many probes and programs as at boot; while the tool ran there were more.
pub fn left_nothing(outcome: &Outcome) {
    let last = outcome.stdout.lines().last().unwrap_or_default();
    let held: Vec<u64> = last.split(' ').map(|n| n.parse().unwrap()).collect();
    let [before, during, after] = held[..] else {
        panic!("not three numbers: {last:?}");
    };
    assert!(during > before, "the running tool does not show");
    assert_eq!(before, after, "probes and programs left behind");
}

/// The histogram of each interval.
#[track_caller]
fn histograms(outcome: &Outcome) -> Vec<Vec<Bucket>> {
    let intervals = outcome.intervals();
    assert!(intervals.iter().all(|line| line["tables"][0]["unit"] == "kbytes"), "{intervals:?}");
    intervals.iter().map(|line| buckets(row(line))).collect()
}
