//! What is attached how, and what is left of it. The guest's part is `guest/tools/attach.sh`.

use crate::bed::Outcome;
use crate::bitehist;
use crate::lines::{self, row_of, rows};

/// bitehist takes the kprobe of the original; the others what costs least.
pub fn cheapest(outcome: &Outcome) {
    let attached: Vec<_> = outcome.stdout.lines().collect();
    for expected in [
        "bitehist: attached by kprobe blk_mq_start_request",
        "bitehist: other attach kinds, not tried: tp_btf, fentry, raw_tp, tracepoint",
        "bitesize: attached by tp_btf block_rq_issue",
        "bitesize: other attach kinds, not tried: fentry, raw_tp, kprobe, tracepoint",
        "biolatency: attached by tp_btf block_rq_issue",
        "bioheat: attached by tp_btf block_rq_issue",
        "funclatency: attached by fexit vfs_read",
        "funclatency: other attach kinds, not tried: kprobe",
        "argdist: attached by fentry vfs_read",
    ] {
        assert!(attached.contains(&expected), "{expected}: {attached:?}");
    }
}

/// Kinds that never run are refused, and another one counts.
fn refused(outcome: &Outcome, kinds: &[&str], remedy: &str) {
    for kind in kinds {
        let told = outcome.told(&format!("{kind} status "));
        assert!(told.starts_with("77 ") && told.contains(remedy), "{told}");
    }
    bitehist::mixed(outcome);
    assert!(outcome.stderr.contains("bitehist: attached by tp_btf "), "{}", outcome.stderr);
}

pub fn without_ftrace(outcome: &Outcome) {
    if outcome.stdout.starts_with("stays on in Linux 7.") {
        return;
    }
    let remedy = "try: sudo sysctl kernel.ftrace_enabled=1";
    // Not all architectures have ftrace hit the kprobes at functions' entries.
    match outcome.told("kprobe status ").starts_with("0 ") {
        true => {
            let told = outcome.told("fentry status ");
            assert!(told.starts_with("77 ") && told.contains(remedy), "{told}");
            bitehist::mixed_by_kprobe(outcome);
        }
        false => refused(outcome, &["kprobe", "fentry"], remedy),
    }
}

pub fn without_kprobes(outcome: &Outcome) {
    refused(outcome, &["kprobe"], "try: echo 1 | sudo tee /sys/kernel/debug/kprobes/enabled");
    assert!(outcome.told("fentry status ").starts_with("0 "), "{}", outcome.stdout);
}

/// What is still listed a second later is held by the process that detaches it.
pub fn shown_until_it_is_gone(outcome: &Outcome) {
    let number = |word: &str| outcome.told(word).parse::<u32>().unwrap();
    // Some are detached between the listing of the programs and that of the processes.
    assert!(number("left ") < 10 || number("detaching ") > 0, "{}", outcome.stdout);
}

/// Each call is counted by its number, and no kernel but the newest has a tracepoint of a call whose number is not
/// known, which would have a perf event of its own.
pub fn calls(outcome: &Outcome) {
    let line = outcome.interval();
    for end in ["enter", "exit"] {
        let row = row_of(&line, "function", format!("syscalls:sys_{end}_write"));
        assert!((1009..1100).contains(&lines::count(row)), "{line}");
    }
    // The numbers of other architectures are not known.
    if !outcome.stdout.contains("-amd64\"") {
        let by_its_own = "attached by tracepoint syscalls/sys_exit_write";
        assert!(outcome.stderr.contains(by_its_own), "{}", outcome.stderr);
        return;
    }
    let known: Vec<_> = rawbpf::host::system_calls::numbers().map(|(_, name)| name).collect();
    let newest = outcome.stdout.contains("\"kernel\":\"7.");
    let known = |name: &&str| known.contains(name) || (newest && *name == "fchroot");
    let unknown: Vec<_> = outcome.told("calls ").split(' ').filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let kinds = ["tp_btf", "raw_tp"].map(|kind| format!("attached by {kind} sys_exit"));
    assert!(kinds.iter().any(|kind| outcome.stderr.contains(kind)), "{}", outcome.stderr);
}

/// Every call of those that sleep at the same time is timed, by the kind that funclatency takes by itself, or told:
/// a program that can be preempted misses what happens on its CPU meanwhile.
pub fn crowd(outcome: &Outcome) {
    let line = outcome.interval();
    let timed: u64 = rows(&line).iter().map(lines::count).sum();
    let missed = lines::lost(&line, "missed_events");
    assert!(timed + missed >= 80 && missed <= 20, "{line}");
}
