//! The registers that an instruction reads and writes.

use std::collections::HashSet;
use std::mem::discriminant;

use rawbpf::insn::{Callee, Insn, Regs, SourceText, parse, r0, r1, r9};

use super::forms::every_form;

/// For a test of programs that are written elsewhere.
pub static SOURCE: SourceText = rawbpf::source_text!("registers.rs");

const CALL: &str = "r0, r1, r2, r3, r4, r5";

/// An instruction, what it reads, and what it writes.
const INSTRUCTIONS: &[(&str, &str, &str)] = &[
    ("r7 += r8", "r7, r8", "r7"),
    ("w7 += 5", "r7", "r7"),
    ("r7 = r8", "r8", "r7"),
    ("w7 = 5", "", "r7"),
    ("r7 = r10", "r10", "r7"),
    ("r7 = (s8)r8", "r8", "r7"),
    ("r7 = -r7", "r7", "r7"),
    ("r7 = be16 r7", "r7", "r7"),
    ("r7 = bswap32 r7", "r7", "r7"),
    ("r7 = *(u32 *)(r8 +4)", "r8", "r7"),
    ("*(u32 *)(r7 +4) = r8", "r7, r8", ""),
    ("*(u32 *)(r7 +4) = 5", "r7", ""),
    ("r0 = *(u16 *)skb[12]", "r6", CALL),
    ("r0 = *(u16 *)skb[r7 + 12]", "r6, r7", CALL),
    ("lock *(u64 *)(r7 +0) += r8", "r7, r8", ""),
    ("lock *(u64 *)(r7 +0) ^= r8", "r7, r8", ""),
    ("r8 = atomic64_fetch_add((u64 *)(r7 +0), r8)", "r7, r8", "r8"),
    ("r8 = atomic64_xchg((u64 *)(r7 +0), r8)", "r7, r8", "r8"),
    ("r0 = atomic64_cmpxchg((u64 *)(r7 +0), r0, r8)", "r0, r7, r8", "r0"),
    ("r7 = load_acquire((u64 *)(r8 +0))", "r8", "r7"),
    ("store_release((u64 *)(r7 +0), r8)", "r7, r8", ""),
    ("r7 = 0x1122334455667788", "", "r7"),
    ("goto pc+0", "", ""),
    ("gotol pc+0", "", ""),
    ("may_goto pc+0", "", ""),
    ("if r7 == r8 goto pc+0", "r7, r8", ""),
    ("if w7 == 0x0 goto pc+0", "r7", ""),
    ("call bpf_ktime_get_ns#5", "r1, r2, r3, r4, r5", CALL),
    ("call pc+0", "r1, r2, r3, r4, r5", CALL),
    ("call kernel-function#7", "r1, r2, r3, r4, r5", CALL),
    ("exit", "r0", ""),
];

#[test]
fn every_instruction_says_what_it_reads_and_writes() {
    let mut missing: HashSet<_> = every_form().iter().map(discriminant).collect();
    for (text, reads, writes) in INSTRUCTIONS {
        let source = parse("test.bpf", &format!("{text}\nexit")).unwrap();
        let insn = source.programs[0].program.insns()[0];
        let (is_read, is_written) = (insn.reads().to_string(), insn.writes().to_string());
        assert_eq!((&*is_read, &*is_written), (*reads, *writes), "{text}");
        missing.remove(&discriminant(&insn));
    }
    assert!(missing.is_empty(), "{} kinds of instructions are not tried", missing.len());
}

#[test]
fn a_set_of_registers_is_the_union_of_its_parts() {
    let calls = [Callee::Helper(1), Callee::Local { offset: 0 }].map(Insn::Call);
    assert!(calls.iter().all(|call| call.writes() == Regs::CALL));
    let all: Regs = [Regs::of([r1, r0]), Regs::NONE, r9.into()].into_iter().collect();
    assert_eq!(all, Regs::of([r0, r1]) | Regs::of([r9]));
    assert_eq!(all.to_string(), "r0, r1, r9");
}
