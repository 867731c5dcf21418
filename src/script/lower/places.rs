//! Where values are put: what is in use of the stack and of the scratch value.

use super::Lower;
use super::spot::Spot;

/// How much of the stack and of the scratch value is in use.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    stack: i32,
    scratch: i32,
}

/// The largest value on the stack, in words.
const SMALL: usize = 8;
/// The largest scratch value, which instructions can still reach.
pub(super) const SCRATCH: i32 = 32760;

impl Lower<'_> {
    /// What is in use now.
    pub(super) fn mark(&self) -> Mark {
        Mark { stack: self.stack_used, scratch: self.scratch_used }
    }

    /// Gives back all places that were taken since.
    pub(super) fn release(&mut self, mark: Mark) {
        self.stack_used = mark.stack;
        self.scratch_used = mark.scratch;
    }

    /// A place of this many words, until it is given back. It holds what was there before.
    pub(super) fn spot(&mut self, words: usize) -> Spot {
        let bytes = 8 * words as i32;
        if words <= SMALL && self.stack_used + bytes <= self.stack_most {
            self.stack_used += bytes;
            return Spot::Stack(-self.stack_used);
        }
        Spot::Scratch(self.scratch(bytes))
    }

    /// A place in the scratch value.
    pub(super) fn scratch(&mut self, bytes: i32) -> i32 {
        let offset = self.scratch_used;
        self.scratch_used = self.scratch_used.saturating_add(bytes);
        self.scratch_most = self.scratch_most.max(self.scratch_used);
        offset
    }
}
