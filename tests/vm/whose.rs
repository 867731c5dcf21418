//! Requests of one task among others'. The guest's part is `guest/tools/whose.sh`.

use crate::bed::Outcome;
use crate::lines::{count, lost, rows};

/// By its name, its cgroup and its number.
pub fn one_of_several(outcome: &Outcome) {
    let lines = outcome.intervals();
    let counts = lines.iter().map(|line| rows(line).iter().map(count).sum::<u64>());
    assert_eq!(counts.collect::<Vec<_>>(), [53; 3], "{}", outcome.stdout);
    for line in &lines {
        assert_eq!(lost(line, "no_start"), 0, "{line}");
    }
}
