//! What argdist must have printed in the guest. The numbers are those of `guest/tools/argdist.sh` and
//! `guest/case.sh`.

use crate::bed::Outcome;
use serde_json::Value;

/// The sizes that `mixed_io` makes, in bytes, and how many requests.
const MIXED: [(u64, u64); 3] = [(4096, 499), (16384, 251), (65536, 127)];

/// The only line of JSON, without anything that was not counted, and the buckets in it: the lowest value
/// and the count of each that has one.
fn counted(json: &str) -> (Value, Vec<(u64, u64)>) {
    let line: Value = serde_json::from_str(json).expect(json);
    assert!(line["unreadable"].is_null(), "{line}");
    let number = |bucket: &Value, key: &str| bucket[key].as_u64().expect(key);
    let buckets = line["data"]["values"].as_array().expect("values").iter();
    let buckets = buckets.map(|bucket| (number(bucket, "min"), number(bucket, "count")));
    let buckets = buckets.filter(|(_, count)| *count > 0).collect();
    (line, buckets)
}

/// The sizes of the requests and nothing else, and their summary.
pub fn mixed(outcome: &Outcome) {
    let (line, counted) = counted(&outcome.stdout);
    assert_eq!(counted, MIXED, "{line}");
    let count: u64 = MIXED.iter().map(|(_, count)| count).sum();
    let bytes: u64 = MIXED.iter().map(|(size, count)| size * count).sum();
    let summary = &line["summary"];
    assert_eq!(summary["count"], count);
    assert_eq!(summary["average"].as_f64(), Some(bytes as f64 / count as f64), "{summary}");
    assert_eq!(summary["min"].as_f64(), Some(4096.0), "{summary}");
    assert_eq!(summary["max"].as_f64(), Some(65536.0), "{summary}");
}

/// Each of the requests has what the kernel says of its queue.
pub fn queue(outcome: &Outcome) {
    let (json, told) = outcome.stdout.rsplit_once("nr_requests ").expect("nr_requests");
    let (line, counted) = counted(json);
    assert_eq!(counted, [(told.trim().parse().unwrap(), 61)], "{line}");
}

/// All that one process read.
pub fn reads(outcome: &Outcome) {
    let (line, counted) = counted(&outcome.stdout);
    assert_eq!(counted, [(4099, 1009)], "{line}");
    assert!(line["negative"].is_null(), "{line}");
    assert_eq!(line["summary"]["max"].as_f64(), Some(4099.0), "{line}");
}

/// As many values, whichever.
pub fn as_many_reads(outcome: &Outcome) {
    let (line, counted) = counted(&outcome.stdout);
    assert_eq!(counted.iter().map(|(_, count)| count).sum::<u64>(), 1009, "{line}");
}

/// Numbers of two bytes, some of them below 0.
pub fn signed(outcome: &Outcome) {
    let (line, counted) = counted(&outcome.stdout);
    assert!(counted.contains(&(613, 17)), "{line}");
    assert_eq!(line["negative"], 13, "{line}");
}

/// What was misspelt is said, and what there is.
pub fn meant(outcome: &Outcome) {
    for said in [
        "struct request has no field data_len\n  did you mean __data_len?",
        "blk_mq_start_request has no argument req\n  there is: rq",
        "blk_mq_start_request has no argument arg1\n",
        "blk_mq_start_request returns nothing",
        "this kernel has no function blk_mq_strat_request\n  did you mean blk_mq_start_request?",
        "block:block_rq_issue has no field byte\n  did you mean bytes?",
    ] {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
}
