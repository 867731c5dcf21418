//! What a tool may still do while it runs, and functions that have to be named by address.

use serde_json::Value;

use crate::bed::Outcome;

/// No capability but the one that it takes to read maps there, a filter, and exact counts.
pub fn all_tools(outcome: &Outcome) {
    let mut lines = outcome.stdout.lines();
    let release = lines.next().unwrap();
    let held = if release.starts_with("5.") { "0000008000000000" } else { "0000000000000000" };
    let lines: Vec<_> = lines.collect();
    let mut tools = 0;
    for tool in lines.chunk_by(|_, next| !next.starts_with(|first: char| first.is_lowercase())) {
        let name = tool[0];
        // The line of the run may come before that of the tool.
        let status = |field: &str| tool.iter().find_map(|line| line.strip_prefix(field));
        for field in ["CapEff:\t", "CapPrm:\t"] {
            assert_eq!(status(field), Some(held), "{name} on {release}");
        }
        assert_eq!(status("Seccomp:\t"), Some("2"), "{name}");
        let interval = tool.iter().find(|line| line.starts_with("{\"type\":\"interval\""));
        let interval: Value = serde_json::from_str(interval.expect(name)).unwrap();
        let rows = interval["tables"][0]["rows"].as_array().unwrap();
        let counts = rows.iter().map(|row| row["count"].as_u64().unwrap());
        assert_eq!(counts.sum::<u64>(), 101, "{name}: {interval}");
        tools += 1;
    }
    assert_eq!(tools, 7, "{}", outcome.stdout);
}

/// Linux 6.7 and later refuse the name; an address does on every kernel.
pub fn by_address(outcome: &Outcome) {
    assert!(outcome.stdout.ends_with("by address\n"), "{}", outcome.stderr);
    if outcome.stdout.starts_with("status 1") {
        assert!(outcome.stderr.contains("this kernel has several functions named"));
        assert!(outcome.stderr.contains("name one by its address, such as 0x"));
    }
}
