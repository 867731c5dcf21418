//! What argdist must have printed in the guest. The numbers are those of `guest/tools/argdist.sh` and
//! `guest/case.sh`.

use crate::bed::Outcome;
use crate::lines::{self, lost, nothing_lost, row};
use crate::user::{MILLISECONDS, NAPS};
use serde_json::Value;

/// The sizes that `mixed_io` makes, in bytes, and how many requests.
const MIXED: [(u64, u64); 3] = [(4096, 499), (16384, 251), (65536, 127)];

/// The only interval, without any value that could not be read, and its buckets: the lowest value and the
/// count of each that has one.
#[track_caller]
fn counted(outcome: &Outcome) -> (Value, Vec<(u64, u64)>) {
    let line = outcome.interval();
    assert_eq!(lost(&line, "unreadable"), 0, "{line}");
    let counted = lines::counted(row(&line));
    (line, counted)
}

/// The sizes of the requests and nothing else, and their summary.
pub fn mixed(outcome: &Outcome) {
    let (line, counted) = counted(outcome);
    assert_eq!(counted, MIXED, "{line}");
    let count: u64 = MIXED.iter().map(|(_, count)| count).sum();
    let bytes: u64 = MIXED.iter().map(|(size, count)| size * count).sum();
    let row = row(&line);
    assert_eq!([&row["sum"], &row["min"], &row["max"]], [bytes, 4096, 65536], "{row}");
    assert_eq!(row["average"].as_f64(), Some(bytes as f64 / count as f64), "{row}");
}

/// Each of the requests has what the kernel says of its queue.
pub fn queue(outcome: &Outcome) {
    let (line, counted) = counted(outcome);
    assert_eq!(counted, [(outcome.told("nr_requests ").parse().unwrap(), 61)], "{line}");
}

/// All that one process read.
pub fn reads(outcome: &Outcome) {
    let (line, counted) = counted(outcome);
    assert_eq!(counted, [(4099, 1009)], "{line}");
    nothing_lost(&line);
    assert_eq!(row(&line)["max"], 4099, "{line}");
}

/// As many values, whichever.
pub fn as_many_reads(outcome: &Outcome) {
    let (line, counted) = counted(outcome);
    assert_eq!(counted.iter().map(|(_, count)| count).sum::<u64>(), 1009, "{line}");
}

/// Numbers of two bytes, some of them below 0.
pub fn signed(outcome: &Outcome) {
    let (line, counted) = counted(outcome);
    assert!(counted.contains(&(613, 17)), "{line}");
    assert_eq!(lost(&line, "negative"), 13, "{line}");
}

/// What a user function was called with.
pub fn naps(outcome: &Outcome) {
    let (line, counted) = counted(outcome);
    assert_eq!(counted, [(MILLISECONDS, NAPS)], "{line}");
}

/// What it returned.
pub fn of_naps(outcome: &Outcome) {
    let (line, counted) = counted(outcome);
    assert_eq!(counted, [(7 * MILLISECONDS, NAPS)], "{line}");
}

/// What was misspelt is said, and what there is.
pub fn meant(outcome: &Outcome) {
    for said in [
        "struct request has no field data_len\n  did you mean __data_len?",
        "blk_mq_start_request has no argument req\n  available: rq",
        "blk_mq_start_request has no argument arg1\n  available: arg0 (rq)",
        "blk_mq_start_request returns nothing",
        "this kernel has no function blk_mq_strat_request\n  did you mean blk_mq_start_request?",
        "block:block_rq_issue has no field byte\n  did you mean bytes?",
    ] {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
}

/// All requests passed through the function of the module, and no other.
pub fn untyped(outcome: &Outcome) {
    let (line, counted) = counted(outcome);
    let requests: u64 = MIXED.iter().map(|(_, count)| count).sum();
    assert_eq!(counted.iter().map(|(_, count)| count).sum::<u64>(), requests, "{line}");
}

/// As with a function of the kernel's own; where there are no types of modules, that is said.
pub fn meant_of_module(outcome: &Outcome) {
    for said in [
        "the module null_blk has no function null_queue_rqq\n  did you mean null_blk:null_queue_rq?",
        "this kernel has no function null_queue_rqq\n  did you mean null_queue_rq?",
        "the module null_blk has no function vfs_read",
    ] {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
    let typed = "struct request has no field data_len\n  did you mean __data_len?";
    let untyped = "null_queue_rq is in the module null_blk, of whose types this kernel has no BTF";
    assert!(
        outcome.stderr.contains(typed) != outcome.stderr.contains(untyped),
        "{}",
        outcome.stderr
    );
}

/// How often a value was found.
#[track_caller]
fn found(outcome: &Outcome, value: impl Into<Value>, count: u64) {
    let line = outcome.interval();
    let row = lines::row_of(&line, "value", value);
    assert_eq!(lines::count(row), count, "{line}");
}

/// Each read was of this file.
pub fn zeros(outcome: &Outcome) {
    found(outcome, "zero", 1009);
}

/// Both files were opened, once each.
pub fn opened(outcome: &Outcome) {
    found(outcome, "/dev/zero", 1);
    found(outcome, "/dev/null", 1);
}

/// No memory was read that may be anybody's, and it is said how to ask.
pub fn anybodys(outcome: &Outcome) {
    for place in ["filename", "arg1"] {
        let said = format!("{place} may be an address of the process or of the kernel");
        assert!(outcome.stderr.contains(&said), "{said}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(&format!("'str(uptr({place}))'")), "{}", outcome.stderr);
    }
}

/// The argument of a function that returns a struct, for which some architectures have it make room elsewhere.
pub fn owners(outcome: &Outcome) {
    found(outcome, 4242, 29);
}

/// Each process that ended had this name.
pub fn comms(outcome: &Outcome) {
    found(outcome, "busybox-strings", 29);
}

/// Each process was started from this file.
pub fn files(outcome: &Outcome) {
    found(outcome, "/tmp/busybox-strings", 29);
}
