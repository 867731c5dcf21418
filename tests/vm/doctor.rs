//! What doctor must find on each kernel: a table of the features that not every kernel has.

use crate::bed::Outcome;
use serde_json::Value;

/// What not every kernel has: group, name, and on which it works of 5.10, 6.1, 6.12, 6.18 and the newest.
const TABLE: [(&str, &str, [bool; 5]); 10] = [
    ("attach kinds", "kprobe.multi", [false, false, true, true, true]),
    ("attach kinds", "uprobe.multi", [false, false, true, true, true]),
    ("attach kinds", "link to a perf event", [false, true, true, true, true]),
    ("helpers", "get_attach_cookie", [false, true, true, true, true]),
    ("instructions", "atomics with fetch", [false, true, true, true, true]),
    ("instructions", "ISA v4", [false, false, true, true, true]),
    ("instructions", "may_goto", [false, false, true, true, true]),
    ("instructions", "load_acquire", [false, false, false, true, true]),
    ("maps", "batches of percpu_array", [false, true, true, true, true]),
    ("maps", "lookup_and_delete of hash", [false, true, true, true, true]),
];

/// What lacks on another architecture: which one, the beginnings of releases, and the names.
const ELSEWHERE: [(&str, &str, &[&str]); 3] = [
    ("aarch64", "6.12.", &["kprobe.multi"]),
    ("riscv64", "6.12.", &["JIT", "kprobe.multi", "kretprobe"]),
    ("s390x", "6.12.", &["JIT", "fentry", "fexit"]),
];

const GROUPS: [&str; 7] =
    ["kernel", "privileges", "attach kinds", "helpers", "instructions", "maps", "tools"];

/// The kernels' places in the table.
const RELEASES: [&str; 4] = ["5.10.", "6.1.", "6.12.", "6.18."];

/// The table and nothing else is missing, and nothing was left behind.
pub fn table(outcome: &Outcome) {
    let (json, held) = outcome.stdout.trim_end().rsplit_once('\n').expect("two lines");
    let report: Value = serde_json::from_str(json).unwrap();
    let release = report["kernel"]["release"]["found"].as_str().expect("the release");
    let known = RELEASES.iter().position(|kernel| release.starts_with(kernel));
    let kernel = known.unwrap_or(RELEASES.len());
    for group in GROUPS {
        for (name, check) in report[group].as_object().expect(group) {
            let row = TABLE.iter().find(|row| (row.0, row.1) == (group, name));
            let lacks_here = |(arch, begin, names): &(&str, &str, &[&str])| {
                release.ends_with(arch) && release.starts_with(begin) && names.contains(&&**name)
            };
            let expected = match row {
                Some(row) if !row.2[kernel] => "missing",
                _ if ELSEWHERE.iter().any(lacks_here) => "missing",
                _ => "ok",
            };
            // Not all kernels are built with lockdown, nor does each tell.
            if name != "lockdown" {
                assert_eq!(check["state"], expected, "{name} on {release}: {check}");
            }
            if expected == "missing" {
                assert!(check["remedy"].is_string(), "{name} on {release}: {check}");
            }
        }
    }
    for (group, name, _) in TABLE {
        assert!(report[group][name].is_object(), "no word of {name}");
    }
    let bitehist = report["tools"]["bitehist"]["found"].as_str().unwrap_or_default();
    assert!(bitehist.starts_with("kprobe blk_mq_start_request"), "{bitehist}");
    let charged = &report["privileges"]["RLIMIT_MEMLOCK"]["found"];
    let lifted = charged == "charged for maps and programs; rawbpf lifts it";
    assert_eq!(lifted, kernel == 0, "{charged}");
    let (before, after) = held.split_once(' ').expect("two numbers");
    assert_eq!(before, after, "probes and programs left behind");
}
