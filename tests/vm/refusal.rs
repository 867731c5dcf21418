//! What each kernel's refusal is made into: the same words on all of them.

use crate::bed::Outcome;

#[track_caller]
fn said(outcome: &Outcome, all: &[&str]) {
    assert!(outcome.stdout.contains("\nprocessed "), "{}", outcome.stdout);
    assert!(outcome.stdout.ends_with("status 1\n"), "{}", outcome.stdout);
    for text in all {
        assert!(outcome.stderr.contains(text), "{text}: {}", outcome.stderr);
    }
}

/// The pointer was not compared with NULL.
pub fn unchecked(outcome: &Outcome) {
    said(
        outcome,
        &[
            "the verifier refused the socket_filter program\n",
            "error: r6 may be NULL at ",
            "bpf_map_lookup_elem at 5 can return NULL",
            " 5 | (85) call bpf_map_lookup_elem#1\n",
            "change: insert after instruction 5: `if r0 == 0 goto L`",
        ],
    );
}

/// The number may be 8, and the value has 8 bytes.
pub fn too_far(outcome: &Outcome) {
    said(
        outcome,
        &[
            "reaches byte 8 of a map value of 8 bytes: r0, which instruction 10 added, is a number from 0 to 8",
            "(0f) r6 += r0",
            "11 | (71) r1 = *(u8 *)(r6 +0)",
            "change: insert before instruction 10: `r0 &= 7`, or `if r0 > 7 goto L`",
        ],
    );
}

/// With both it is accepted.
pub fn none(outcome: &Outcome) {
    assert!(!outcome.stdout.contains("status"), "{}", outcome.stdout);
    assert!(!outcome.stderr.contains("refused"), "{}", outcome.stderr);
}
