//! What bioheat must have printed in the guest: the requests are those of `guest/case.sh`.

use crate::bed::Outcome;
use serde_json::Value;

/// 499, 251 and 127 requests, each in a cell.
pub fn mixed(outcome: &Outcome) {
    let line: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(line["total"], 499 + 251 + 127, "{line}");
}
