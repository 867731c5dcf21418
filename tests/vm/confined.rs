//! What a tool may still do while it runs, and functions that have to be named by address.

use serde_json::Value;

use crate::bed::Outcome;
use crate::lines::{count, rows};

/// No capability but the one that it takes to read maps there, a filter, and exact counts.
pub fn all_tools(outcome: &Outcome) {
    let of_5 = outcome.stdout.contains("\"kernel\":\"5.");
    let held = if of_5 { "0000008000000000" } else { "0000000000000000" };
    // In the order of /proc/PID/status.
    let all: Vec<_> = outcome.stdout.lines().filter(|line| line.contains(" holds ")).collect();
    let tools = if outcome.stdout.contains("-s390x\"") { 4 } else { 5 };
    assert_eq!(all.len(), tools, "{}", outcome.stdout);
    for tool in all {
        assert!(tool.ends_with(&format!(" holds {held} {held} 2 ")), "{tool}");
    }
    let intervals =
        outcome.stdout.lines().filter(|line| line.starts_with("{\"type\":\"interval\""));
    let intervals: Vec<Value> = intervals.map(|line| serde_json::from_str(line).unwrap()).collect();
    let counts = intervals.iter().map(|line| rows(line).iter().map(count).sum::<u64>());
    assert_eq!(counts.collect::<Vec<_>>(), vec![101; tools], "{}", outcome.stdout);
}

/// Linux 6.7 and later refuse the name; an address does on every kernel.
pub fn by_address(outcome: &Outcome) {
    assert_eq!(outcome.told("by address "), "0", "{}", outcome.stderr);
    if outcome.told("by name ") != "0" {
        assert!(outcome.stderr.contains("this kernel has several functions named"));
        assert!(outcome.stderr.contains("name one by its address, such as 0x"));
    }
}
