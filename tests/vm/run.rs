//! What run must have told in the guest.

use crate::bed::Outcome;
use crate::lines::{returned, row};
use serde_json::json;

/// Of a program that was run by itself: the length of the packet without its first header, twice.
pub fn once(outcome: &Outcome) {
    let line = returned(&outcome.stdout);
    assert_eq!((&line["returned"], &line["runs"]), (&json!(100), &json!(1009)), "{line}");
    assert_eq!(*row(&line), json!({"labels": {"key": 0}, "value": 1009}), "{line}");
}

/// Of one that was attached: 499 requests of 4k, and no other.
pub fn attached(outcome: &Outcome) {
    let line = outcome.interval();
    let counts = row(&line)["value"].as_array().unwrap();
    let counted: Vec<_> = counts.iter().enumerate().filter(|(_, count)| **count != 0).collect();
    assert_eq!(counted, [(2, &json!(499))], "{line}");
}
