//! What bioheat must have printed in the guest: the requests are those of `guest/case.sh`.

use crate::bed::Outcome;
use serde_json::Value;

/// 499, 251 and 127 requests, each in a cell.
pub fn mixed(outcome: &Outcome) {
    let line: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(line["total"], 499 + 251 + 127, "{line}");
}

/// 53 requests of 20 ms each, in that column or, where the emulated CPU was late, in a later one.
pub fn timed(outcome: &Outcome) {
    let line: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let columns = line["data"]["heat"].as_array().expect("columns");
    let number = |column: &Value, name: &str| column[name].as_u64().expect("a number");
    let counted = columns.iter().map(|column| number(column, "count"));
    assert_eq!(counted.sum::<u64>(), 53, "{line}");
    let in_time =
        |column: &&Value| (number(column, "min")..=number(column, "max")).contains(&20_000_000);
    let first = columns.first().filter(in_time);
    let first = first.unwrap_or_else(|| panic!("a request ended before its time: {line}"));
    let next = &columns[1.min(columns.len() - 1)];
    let near = number(first, "count") + if columns.len() > 1 { number(next, "count") } else { 0 };
    assert!(near > 53 / 2, "{line}");
    for what in ["under", "over", "unmatched", "reissued", "too_many"] {
        assert_eq!(line[what], Value::Null, "{what}: {line}");
    }
}
