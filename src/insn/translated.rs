//! A loaded program as text. The verifier rewrites it: it replaces maps and functions by addresses, and uses
//! forms that no program may use, such as its own register and loads from per-CPU memory.

use super::decode::{DecodeError, walk};
use super::instruction::Insn;
use super::opcode::{CALL, JMP};
use super::slot::{Endian, Slot};

/// Names for the numbers in a loaded program.
pub trait Kernel {
    /// The name of the map with this id.
    fn map(&self, id: i32) -> String;

    /// The name of the kernel function with this constant in a call.
    fn function(&self, constant: i32) -> Option<String>;

    /// The name of the program's own function with this number.
    fn subprogram(&self, number: i32) -> Option<String>;
}

/// An instruction of a loaded program.
pub struct Translated {
    /// Its first slot.
    pub slot: usize,
    /// The instruction. In calls and loads of maps, the numbers are the kernel's own.
    pub insn: Result<Insn, DecodeError>,
    /// The instruction as text; `None` for an unknown form.
    pub text: Option<String>,
}

/// The instructions that `BPF_OBJ_GET_INFO_BY_FD` returned, in this host's byte order.
///
/// # Errors
/// The bytes are not whole slots.
pub fn translated(bytes: &[u8], kernel: &dyn Kernel) -> Result<Vec<Translated>, DecodeError> {
    let slots = bytes.as_chunks::<8>().0;
    let insns = walk(bytes, Endian::HOST, true)?.map(|(slot, insn)| {
        let first = Slot::from_bytes(slots[slot], Endian::HOST);
        let second = slots.get(slot + 1).map_or(0, |it| Slot::from_bytes(*it, Endian::HOST).imm);
        let text = text(first, second, kernel);
        let text = text.or_else(|| insn.as_ref().ok().map(ToString::to_string));
        Translated { slot, insn, text }
    });
    Ok(insns.collect())
}

/// The text of an instruction that the kernel rewrote.
fn text(slot: Slot, second: i32, kernel: &dyn Kernel) -> Option<String> {
    let Slot { code, dst, src, off, imm } = slot;
    Some(match (code, src, off) {
        (code, 1, _) if code == JMP | CALL => match kernel.subprogram(imm) {
            Some(name) => format!("call pc{off:+}#{name}"),
            None => format!("call pc{off:+}"),
        },
        (code, ..) if code == JMP | CALL => {
            format!("call {}#{imm}", kernel.function(imm)?)
        }
        (0x18, 1, _) => format!("r{dst} = map[{}]", kernel.map(imm)),
        (0x18, 2, _) => format!("r{dst} = map[{}][0]+{second}", kernel.map(imm)),
        (0x18, 4, _) => format!("r{dst} = subprog[{imm:+}]"),
        (0xbf, _, -1) => format!("r{dst} = &(void __percpu *)(r{src})"),
        (0xbf, _, 1) => {
            format!("r{dst} = addr_space_cast(r{src}, {}, {})", imm >> 16, imm & 0xffff)
        }
        // Clears the upper half, on machines whose instructions leave it.
        (0xbc, _, 0) if imm == 1 && dst == src => format!("w{dst} = w{dst}"),
        (0xc0, ..) => "nospec".into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct TestNames;

    impl Kernel for TestNames {
        fn map(&self, id: i32) -> String {
            format!("m{id}")
        }

        fn function(&self, constant: i32) -> Option<String> {
            (constant == 1000).then(|| "known".into())
        }

        fn subprogram(&self, number: i32) -> Option<String> {
            (number == 1).then(|| "sub".into())
        }
    }

    #[test]
    fn what_the_verifier_rewrote_is_shown_in_bpftools_words() {
        let load = |src, low, high| {
            let first = Slot { code: 0x18, dst: 1, src, off: 0, imm: low };
            vec![first, Slot { imm: high, ..Slot::default() }]
        };
        for (slots, expected) in [
            (vec![Slot { code: 0x85, imm: 1000, ..Slot::default() }], "call known#1000"),
            (vec![Slot { code: 0x85, imm: 12, ..Slot::default() }], "call bpf_tail_call#12"),
            (vec![Slot { code: 0x85, src: 1, off: 5, imm: 1, dst: 0 }], "call pc+5#sub"),
            (vec![Slot { code: 0x85, src: 1, off: -5, imm: 9, dst: 0 }], "call pc-5"),
            (vec![Slot { code: 0x85, src: 2, imm: 1000, ..Slot::default() }], "call known#1000"),
            (load(1, 7, 0), "r1 = map[m7]"),
            (load(2, 7, 24), "r1 = map[m7][0]+24"),
            (load(4, 3, 1), "r1 = subprog[+3]"),
            (load(0, 1, 1), "r1 = 0x100000001"),
            (
                vec![Slot { code: 0xbf, dst: 2, src: 2, off: -1, imm: 0 }],
                "r2 = &(void __percpu *)(r2)",
            ),
            (
                vec![Slot { code: 0xbf, dst: 2, src: 3, off: 1, imm: 1 << 16 }],
                "r2 = addr_space_cast(r3, 1, 0)",
            ),
            (vec![Slot { code: 0xbc, dst: 2, src: 2, off: 0, imm: 1 }], "w2 = w2"),
            (vec![Slot { code: 0xc0, ..Slot::default() }], "nospec"),
            (vec![Slot { code: 0xbf, dst: 11, src: 2, off: 0, imm: 0 }], "r11 = r2"),
            (vec![Slot { code: 0xb7, dst: 0, src: 0, off: 0, imm: 1 }], "r0 = 1"),
        ] {
            let bytes: Vec<u8> = slots.iter().flat_map(|it| it.to_bytes(Endian::HOST)).collect();
            let insns = translated(&bytes, &TestNames).unwrap();
            assert_eq!(insns.len(), 1, "{expected}");
            assert_eq!(insns[0].text.as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_form_that_is_not_known_is_not_guessed() {
        let bytes = Slot { code: 0xff, ..Slot::default() }.to_bytes(Endian::HOST);
        assert_eq!(translated(&bytes, &TestNames).unwrap()[0].text, None);
    }
}
