//! What bioheat must have printed in the guest: the requests are those of `guest/case.sh`.

use crate::bed::Outcome;
use crate::lines::{buckets, count, nothing_lost, row};

/// 499, 251 and 127 requests, each in a cell.
pub fn mixed(outcome: &Outcome) {
    let line = outcome.interval();
    assert_eq!(count(row(&line)), 499 + 251 + 127, "{line}");
}

/// 53 requests of 20 ms each, in that column or, where the emulated CPU was late, in a later one.
pub fn timed(outcome: &Outcome) {
    let line = outcome.interval();
    assert_eq!(count(row(&line)), 53, "{line}");
    let columns = buckets(row(&line));
    let (min, max, _) = columns[0];
    assert!((min..=max).contains(&20_000_000), "a request ended before its time: {line}");
    assert!(columns.iter().take(2).map(|(.., count)| count).sum::<u64>() > 53 / 2, "{line}");
    assert!(columns.iter().all(|(_, max, _)| *max < u64::MAX), "above all columns: {line}");
    nothing_lost(&line);
}
