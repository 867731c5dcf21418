//! From a text with a verifier's log to the explanation, without the program.

use super::pasted::{FoundLog, found_logs};
use super::rebuild::rebuild;
use super::recording::Verdict;
use super::verification::Verification;
use super::verified::Verified;

/// The programs whose logs are in a text, rebuilt from these: what a loader printed, an error of aya, libbpf-rs or
/// cilium/ebpf, a transcript. Empty if there is no log in it.
///
/// ```
/// // As aya has it: `ProgramError::LoadError { verifier_log, .. }`, and as an error prints it.
/// let error = "the BPF_PROG_LOAD syscall failed. Verifier output: 0: R1=ctx() R10=fp0
/// 0: (85) call bpf_get_prandom_u32#7 ; R0_w=scalar()
/// 1: (61) r0 = *(u32 *)(r1 +0)
/// R1 !read_ok
/// processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
/// ";
/// let refused = &rawbpf::verifier::explain::explain(error)[0];
/// let why = refused.program.diagnose().unwrap();
/// assert_eq!(why.class, "uninit-register");
/// assert_eq!(why.at, Some(1));
/// assert!(why.sentence.contains("bpf_get_prandom_u32 at 0 has wiped"), "{}", why.sentence);
/// // As `rawbpf explain` shows it:
/// println!("{}", refused.program.render(false));
/// ```
pub fn explain(text: &str) -> Vec<Verified> {
    let explained = found_logs(text).into_iter().map(|FoundLog { program, attach, log }| {
        let refused = Verdict::of(&log) == Verdict::Refused;
        let attach = attach.unwrap_or_default();
        let (kind, place) = attach.split_once(' ').unwrap_or((&attach, ""));
        Verified {
            name: program.unwrap_or_default(),
            kind: kind.to_owned(),
            place: place.to_owned(),
            program: Verification { kind: kind.to_owned(), ..rebuild(log) },
            totals_only: false,
            refused,
        }
    });
    explained.collect()
}
