//! The search for where an exact value came from: the verifier goes back over the path.

use super::state::State;
use super::words::{Words, opcode};

/// A step back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backtrack<'a> {
    /// It goes back over a stretch of the path.
    Stretch {
        /// The stretch's last slot, where it begins.
        last: u32,
        /// The stretch's first slot.
        first: u32,
    },
    /// Before an instruction these places matter.
    Before {
        /// How many calls deep.
        frame: u32,
        /// A bit for each register.
        registers: u16,
        /// A bit for each eight bytes of stack: bit 0 is fp-8.
        stack: u64,
        /// The instruction's slot.
        at: u32,
        /// The instruction as the kernel prints it.
        text: &'a str,
    },
    /// At the beginning of the stretch these places still matter.
    Parent {
        /// How many calls deep.
        frame: u32,
        /// A bit for each register.
        registers: u16,
        /// A bit for each eight bytes of stack: bit 0 is fp-8.
        stack: u64,
        /// The state there, if the line has it.
        state: Option<State<'a>>,
    },
    /// It gives up and takes all numbers for exact.
    All,
}

impl<'a> Backtrack<'a> {
    pub(super) fn parse(line: &'a str) -> Option<Backtrack<'a>> {
        let mut words = Words(line);
        let mut frame = 0;
        if words.skip("mark_precise: frame").is_some() {
            frame = words.number()?;
            words.skip(": ")?;
        }
        if words.0.starts_with("falling back to forcing all scalars precise") {
            return Some(Backtrack::All);
        }
        if words.skip("last_idx ").is_some() {
            let last = words.number()?;
            words.skip(" first_idx ")?;
            let first = words.number()?;
            if words.skip(" subseq_idx ").is_some() {
                words.long()?;
            }
            return words.0.trim_end().is_empty().then_some(Backtrack::Stretch { last, first });
        }
        let parent = ["parent didn't have ", "parent already had ", "parent state "];
        let of_parent = parent.iter().any(|prefix| words.skip(prefix).is_some());
        words.skip("regs=")?;
        let registers = registers(&mut words)?;
        words.skip(" stack=")?;
        let stack = stack(&mut words)?;
        if of_parent {
            words.skip(" marks");
            words.skip(":");
            let state = match words.0.trim_end() {
                "" => None,
                state => Some(State::parse(state)?),
            };
            return Some(Backtrack::Parent { frame, registers, stack, state });
        }
        words.skip(" before ")?;
        let at = words.number()?;
        words.skip(":")?;
        let (_, text) = opcode(words.0)?;
        Some(Backtrack::Before { frame, registers, stack, at, text })
    }
}

/// `r1,r6`, or before Linux 6.6 the bits in hexadecimal.
fn registers(words: &mut Words) -> Option<u16> {
    if !words.0.starts_with('r') {
        return bits(words);
    }
    let mut bits = 0;
    while words.skip("r").is_some() {
        bits |= 1u16.checked_shl(words.number()?)?;
        words.skip(",");
    }
    Some(bits)
}

/// `-8,-16`, or before Linux 6.6 the bits in hexadecimal.
fn stack(words: &mut Words) -> Option<u64> {
    if !words.0.starts_with('-') {
        return bits(words);
    }
    let mut bits = 0;
    while words.skip("-").is_some() {
        bits |= 1u64.checked_shl((words.number()? / 8).checked_sub(1)?)?;
        words.skip(",");
    }
    Some(bits)
}

/// Bits in hexadecimal; nothing at all is none of them.
fn bits<T: TryFrom<u64>>(words: &mut Words) -> Option<T> {
    let hex = words.take(|byte| byte.is_ascii_hexdigit());
    let bits = if hex.is_empty() { 0 } else { u64::from_str_radix(hex, 16).ok()? };
    T::try_from(bits).ok()
}
