//! Places for values: on the stack or in the scratch value.

use crate::insn::{Addr, fp, r7};

/// So much of the stack is used at most; blocks of instructions need some of it too.
pub(super) const STACK: i32 = 384;
/// The same where functions share the stack: three of them have 512 bytes.
pub(super) const SHARED_STACK: i32 = 128;

/// A place of some words of 8 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spot {
    /// Bytes from the end of the stack, below 0.
    Stack(i32),
    /// Bytes from the start of the scratch value.
    Scratch(i32),
}

impl Spot {
    /// The address of a byte in it.
    pub fn at(self, bytes: usize) -> Addr {
        match self {
            Spot::Stack(offset) => fp + (offset + bytes as i32),
            Spot::Scratch(offset) => r7 + (offset + bytes as i32),
        }
    }

    /// The address of a word in it.
    pub fn word(self, index: usize) -> Addr {
        self.at(8 * index)
    }

    /// The place that begins with this word.
    pub fn after(self, index: usize) -> Spot {
        let bytes = 8 * index as i32;
        match self {
            Spot::Stack(offset) => Spot::Stack(offset + bytes),
            Spot::Scratch(offset) => Spot::Scratch(offset + bytes),
        }
    }
}
