//! What holds of any program and of any bytes.

use std::collections::HashSet;

use proptest::prelude::*;
use rawbpf::insn::*;

use super::forms::{any_insn, every_form, form};

const BOTH: [Endian; 2] = [Endian::Little, Endian::Big];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_encoded_decodes_to_the_same_program(
        program in prop::collection::vec(any_insn(), 0..20),
    ) {
        for endian in BOTH {
            prop_assert_eq!(decode(&encode(&program, endian), endian), Ok(program.clone()));
        }
    }

    #[test]
    fn the_byte_orders_differ_by_the_swaps_of_the_rfc_only(insn in any_insn()) {
        let little = encode(&[insn], Endian::Little);
        let big = encode(&[insn], Endian::Big);
        prop_assert_eq!(little.len(), 8 * insn.slots());
        prop_assert_eq!(big.len(), little.len());
        for (little, big) in little.chunks(8).zip(big.chunks(8)) {
            let reversed = |bytes: &[u8]| bytes.iter().rev().copied().collect::<Vec<u8>>();
            prop_assert_eq!(little[0], big[0]);
            prop_assert_eq!(little[1].rotate_left(4), big[1]);
            prop_assert_eq!(reversed(&little[2..4]), &big[2..4]);
            prop_assert_eq!(reversed(&little[4..8]), &big[4..8]);
        }
    }

    /// Bytes that are nearly a program: wholly random ones hardly ever decode.
    #[test]
    fn what_decodes_encodes_to_the_same_bytes(
        program in prop::collection::vec(any_insn(), 1..4),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        endian in prop::sample::select(BOTH.to_vec()),
    ) {
        let mut bytes = encode(&program, endian);
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(insns) = decode(&bytes, endian) {
            prop_assert_eq!(encode(&insns, endian), bytes);
        }
    }

    #[test]
    fn any_bytes_decode_or_are_refused_with_a_sentence(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        endian in prop::sample::select(BOTH.to_vec()),
    ) {
        match decode(&bytes, endian) {
            Ok(insns) => prop_assert_eq!(encode(&insns, endian), bytes),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn any_instruction_is_listed_on_one_line_with_its_opcode(insn in any_insn(), slot in 0..9999_usize) {
        let line = listing::line(slot, &insn, listing::Names::default()).to_string();
        let code = encode(&[insn], Endian::Little)[0];
        let start = format!("{slot}: ({code:02x}) ");
        prop_assert!(line.starts_with(&start), "{}", line);
        prop_assert!(line.len() > start.len() && !line.contains('\n'), "{}", line);
    }
}

/// Every opcode with every number that gives another field a meaning: what decodes is exactly
/// the forms that the other tests know, so that a form added to the decoder cannot escape them.
#[test]
fn every_opcode_decodes_to_a_known_form_or_not_at_all() {
    let offsets = [0, 1, 8, 16, 32, 64, -1];
    let atomics = [0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0xf1, 0x100, 0x110];
    let imms = [16, 32, 64, 8, 1, 2, -1].into_iter().chain(atomics);
    let mut decoded = HashSet::new();
    for imm in imms {
        for code in 0..=255 {
            for src in 0..16 {
                for off in offsets {
                    let slot = Slot { code, dst: 0, src, off, imm };
                    let mut bytes = slot.to_bytes(Endian::Little).to_vec();
                    if code == 0x18 {
                        bytes.extend([0; 8]);
                    }
                    let insns = decode(&bytes, Endian::Little);
                    decoded.extend(insns.iter().flatten().map(form));
                }
            }
        }
    }
    let listed = |forms: HashSet<Insn>| {
        let mut listed: Vec<String> = forms.iter().map(Insn::to_string).collect();
        listed.sort();
        listed
    };
    assert_eq!(listed(decoded), listed(every_form().into_iter().collect()));
}
