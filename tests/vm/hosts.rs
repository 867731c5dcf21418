//! Hosts that differ from the others in how their kernel was built or started.

use crate::bed::Outcome;
use crate::funccount::count;
use crate::lines;
use serde_json::Value;

/// That there are no types is named, and nothing was found for them.
pub fn without_types(outcome: &Outcome) {
    let answers: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(answers.len(), 3, "{}", outcome.stdout);
    for answer in answers {
        assert!(
            answer.starts_with("77 ") && answer.contains("BTF (CONFIG_DEBUG_INFO_BTF)"),
            "{answer}"
        );
    }
}

/// The lock is named by all that it concerns, and doctor knows what works in spite of it.
pub fn locked(outcome: &Outcome) {
    let mut answers: Vec<_> = outcome.stdout.lines().collect();
    let report: Value = serde_json::from_str(answers.pop().unwrap()).unwrap();
    assert_eq!(answers.len(), 5, "{}", outcome.stdout);
    for answer in answers {
        assert!(!answer.starts_with("0 "), "{answer}");
        assert!(answer.contains("the kernel is locked down (mode confidentiality)"), "{answer}");
    }
    for (group, name, state) in [
        ("privileges", "lockdown", "missing"),
        ("attach kinds", "kprobe", "missing"),
        ("attach kinds", "fentry", "ok"),
        ("tools", "bitehist", "ok"),
        ("tools", "funccount", "ok"),
        ("tools", "funclatency", "ok"),
        ("tools", "argdist", "in part"),
    ] {
        assert_eq!(report[group][name]["state"], state, "{name}: {}", report[group][name]);
    }
    let argdist = report["tools"]["argdist"]["found"].as_str().unwrap();
    assert!(argdist.contains("functions: fentry"), "{argdist}");
    assert!(argdist.contains("not fields of tracepoints: the kernel is locked down"), "{argdist}");
}

/// The kernel interprets programs, and says so.
pub fn interpreted(outcome: &Outcome) {
    let report: Value = serde_json::from_str(outcome.stdout.trim_end()).unwrap();
    let jit = &report["kernel"]["JIT"];
    assert_eq!(jit["state"], "missing", "{jit}");
    assert_eq!(report["tools"]["bitehist"]["state"], "ok", "{report}");
}

/// The calls of a module's functions.
pub fn ext4(outcome: &Outcome) {
    let names = ["ext4:ext4_file_write_iter", "ext4:ext4_file_read_iter"];
    let counts = names.map(|name| count(outcome, "function", name));
    assert_eq!(counts, [137, 131], "{}", outcome.stdout);
}

/// The lengths that they were asked for.
pub fn ext4_argument(outcome: &Outcome) {
    let line = outcome.interval();
    assert_eq!(lines::counted(lines::row(&line)), [(4096, 131)], "{line}");
}
