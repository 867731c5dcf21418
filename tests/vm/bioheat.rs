//! What bioheat must have printed in the guest: the requests are those of `guest/case.sh`.

use crate::bed::Outcome;
use serde_json::Value;

/// 499, 251 and 127 requests, each in a cell.
pub fn mixed(outcome: &Outcome) {
    let line: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(line["total"], 499 + 251 + 127, "{line}");
}

/// 53 requests of 20 ms, none to the left of that column: a timer is never early, though an emulated CPU
/// is late at times.
pub fn timed(outcome: &Outcome) {
    let line: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(line["total"], 53, "{line}");
    let columns = line["data"]["heat"].as_array().unwrap();
    assert!(columns[0]["max"].as_u64().is_some_and(|max| max >= 20_000_000), "{line}");
    let below = |column: &&Value| column["min"].as_u64().is_some_and(|min| min < 40_000_000);
    let counts = columns.iter().filter(below).map(|column| column["count"].as_u64().unwrap());
    assert!(counts.sum::<u64>() >= 27, "{line}");
}
