//! What funclatency must have printed in the guest. The numbers of calls and their length are those of
//! `guest/tools/funclatency.sh`.

use crate::bed::Outcome;
use serde_json::Value;

/// How often the guest slept for 5 ms.
const SLEEPS: u64 = 53;

/// Each sleep is in the histogram, most of them in the bucket of 5 ms, and nothing else is.
pub fn sleeps(outcome: &Outcome) {
    let line: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let buckets = line["data"]["latencies"].as_array().unwrap();
    assert_eq!(buckets[0]["min"], 4096, "{line}");
    assert_eq!(sum(buckets), SLEEPS, "{line}");
    assert_eq!(line["summary"]["count"], SLEEPS, "{line}");
    assert!(line["summary"]["min"].as_f64().unwrap() >= 5000.0, "{line}");
    // An emulated machine sleeps longer now and then.
    assert!(line["summary"]["p50"].as_u64().unwrap() <= 16383, "{line}");
    for word in ["no_entry", "no_return", "too_many", "too_many_keys"] {
        assert!(line[word].is_null(), "{line}");
    }
}

/// The process that slept for 100 ms and the one that slept for 300 ms, each by itself.
pub fn by_pid(outcome: &Outcome) {
    let (json, pids) = outcome.stdout.rsplit_once("pids ").expect("pids");
    let line: Value = serde_json::from_str(json).unwrap();
    for (pid, slept) in pids.trim().split(' ').zip([100_000, 300_000]) {
        let buckets = line["data"]["latencies"][pid].as_array().unwrap();
        assert_eq!(sum(buckets), 1, "{pid}: {line}");
        let min = buckets[0]["min"].as_u64().unwrap();
        assert!((slept..slept + 100_000).contains(&min), "{pid}: {line}");
    }
    assert_eq!(line["summary"].as_object().unwrap().len(), 2, "{line}");
}

fn sum(buckets: &[Value]) -> u64 {
    buckets.iter().map(|bucket| bucket["count"].as_u64().unwrap()).sum()
}
