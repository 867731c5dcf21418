//! What some kernels and machines do not have: that this is so, and that it is said. The guest's part is
//! `guest/tools/lacks.sh`.

use crate::bed::Outcome;

/// No disk of the kind.
pub fn nvme(outcome: &Outcome) {
    assert_eq!(outcome.stdout, "nullb0\nvda\n");
}

/// No trampoline can be made, which is said by each tool, and none is sent to look for memory.
pub fn fentry(outcome: &Outcome) {
    for said in told::<3>(outcome) {
        assert!(
            said.starts_with("77 ") && said.contains("needs the JIT compiler for BPF"),
            "{said}"
        );
        assert!(!said.contains("memory"), "{said}");
    }
}

/// The option that is not set is named, and no version, and functions are counted all the same.
pub fn kprobe_multi(outcome: &Outcome) {
    let [refused, counted] = told(outcome);
    let said = "this kernel has no kprobe.multi (CONFIG_FPROBE)";
    assert!(refused.starts_with("77 ") && refused.contains(said), "{refused}");
    assert!(counted.starts_with("0 ") && counted.contains("attached by kprobe "), "{counted}");
}

/// It is said why there is none, and calls are timed all the same.
pub fn kretprobe(outcome: &Outcome) {
    let [refused, of_script, timed] = told(outcome);
    for refused in [refused, of_script] {
        let said = "this kernel puts no kretprobe at vfs_read";
        assert!(!refused.starts_with("0 ") && refused.contains(said), "{refused}");
    }
    assert!(timed.starts_with("0 ") && timed.contains("attached by fexit "), "{timed}");
}

/// There is no machine code to list, and it is said why.
pub fn jit(outcome: &Outcome) {
    let [listed] = told(outcome);
    let said = "is interpreted: it has no machine code";
    assert!(listed.starts_with("77 ") && listed.contains(said), "{listed}");
    assert!(listed.contains("net.core.bpf_jit_enable=1"), "{listed}");
}

/// A line for each command.
#[track_caller]
fn told<const COMMANDS: usize>(outcome: &Outcome) -> [&str; COMMANDS] {
    let lines = outcome.stdout.lines().collect::<Vec<_>>();
    lines.try_into().unwrap_or_else(|_| panic!("{}", outcome.stdout))
}
