//! What list must have told in the guest of bitehist, which was running.

use crate::bed::Outcome;
use serde_json::{Value, json};

/// Its program, which ran for each request, its map and its process.
pub fn counted(outcome: &Outcome) {
    let program = only(outcome, "program");
    assert_eq!((&program["name"], &program["run_cnt"]), (&json!("bitehist"), &json!(499)));
    assert!(program["run_time_ns"].as_u64() > Some(0), "{program}");
    assert!(program["bytes_memlock"].as_u64() > Some(0), "{program}");
    let map = only(outcome, "map");
    assert_eq!((&map["name"], &map["map_type"]), (&json!("hist"), &json!("array")));
    assert!(map["bytes_memlock"].as_u64() >= map["bytes_value"].as_u64(), "{map}");
    assert_eq!(program["map_ids"], json!([map["id"]]));
    assert_eq!(map["prog_ids"], json!([program["id"]]));
    let process = json!([{"pid": only(outcome, "process")["pid"], "comm": "rawbpf"}]);
    assert_eq!((&program["processes"], &map["processes"]), (&process, &process));
}

/// And its link.
pub fn counted_with_link(outcome: &Outcome) {
    counted(outcome);
    let (program, link) = (only(outcome, "program"), only(outcome, "link"));
    assert_eq!(program["link_ids"], json!([link["id"]]));
    assert_eq!((&link["prog_id"], &link["processes"]), (&program["id"], &program["processes"]));
    assert_eq!(link["attached"]["tp_name"], "block_rq_issue", "{link}");
}

/// The one line of a type.
#[track_caller]
fn only(outcome: &Outcome, of: &str) -> Value {
    let lines = outcome.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let found: Vec<_> = lines.filter(|line| line["type"] == of).collect();
    assert_eq!(found.len(), 1, "{of}: {}", outcome.stdout);
    found[0].clone()
}
