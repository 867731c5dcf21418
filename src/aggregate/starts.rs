//! When the requests began that are not over: each start is in a slot that the request's address leads to,
//! or in a hash by the address.
//!
//! A start has one word or more, of which the first is the time, never 0. Requests are used again and
//! again, at the same address; one that finds its slot taken is always in the hash.

use super::counters::count_one;
use super::slots;
use crate::insn::Cond::{Eq, Ne};
use crate::insn::{Asm, MapRef, Regs, StackPlace, Target, r0, r1, r2, r6, r7, r8, r9, u64_at};
use crate::sys::map::{MapSpec, MapType};

/// Where the starts are.
#[derive(Clone, Copy, Debug)]
pub struct Starts {
    /// The hash.
    pub map: MapRef,
    /// The slots.
    pub slots: MapRef,
    /// How many words a start has: 1 to 7.
    pub words: i32,
    /// The counters of requests without a start or an end.
    pub missed: MapRef,
    /// The first of three of them: [`UNMATCHED`], [`REISSUED`] and [`TOO_MANY`].
    pub first: u32,
}

/// After the first counter: ends of requests whose start was not seen.
pub const UNMATCHED: u32 = 0;
/// Requests that were issued a second time.
pub const REISSUED: u32 = 1;
/// Requests that found no room beside all those under way.
pub const TOO_MANY: u32 = 2;

impl Starts {
    /// The hash, for at most `max_requests`, and the slots.
    pub fn maps(&self, max_requests: u32) -> Vec<MapSpec> {
        let size = 8 * self.words as u32;
        vec![MapSpec::new("starts", MapType::Hash, 8, size, max_requests), slots::map()]
    }

    /// `starts[r6] = (r9, r8, *more)`, as many words of it as a start has; `more` has those beyond two. Only
    /// the hash is used unless `by_slot`, which requires Linux 5.12 and must be so at the end too. Clobbers
    /// r0 to r5 and r7.
    #[track_caller]
    pub fn begin(&self, a: &mut Asm, by_slot: bool, more: Option<StackPlace>) {
        let (done, taken) = (a.label(), a.label());
        let (again, full) = (a.label(), a.label());
        let (key, value) = (a.frame.place(8), a.frame.place(8 * self.words.max(2) as u32));
        // Each word of `more`, with its place in a start.
        let more =
            more.map(|more| (2..self.words).map(move |word| (more + 8 * (word - 2), 8 * word)));
        let more: Vec<_> = more.into_iter().flatten().collect();
        if by_slot {
            slots::claim(a, r7, r6, self.slots, &taken);
            a.load(r2, u64_at(r7 + slots::VALUE));
            a.store(u64_at(r7 + slots::VALUE), r9);
            if self.words >= 2 {
                a.store(u64_at(r7 + (slots::VALUE + 8)), r8);
            }
            for (from, at) in &more {
                a.load(r1, u64_at(*from));
                a.store(u64_at(r7 + (slots::VALUE + at)), r1);
            }
            a.jump_if(r2, Eq, 0, &done);
            a.goto(&again);
        }
        a.place(taken);
        a.store(u64_at(key), r6);
        a.store(u64_at(value), r9);
        if self.words >= 2 {
            a.store(u64_at(value + 8), r8);
        }
        for (from, at) in &more {
            a.load(r1, u64_at(*from));
            a.store(u64_at(value + *at), r1);
        }
        a.insert(self.map, key, value);
        a.jump_if(r0, Eq, 0, &done);
        a.update(self.map, key, value);
        a.jump_if(r0, Ne, 0, &full);
        // Either the driver could not accept it and gave it back, or its end was not seen: the newest
        // start is the one that its end belongs to.
        a.place(again);
        count_one(a, self.missed, self.first + REISSUED);
        a.goto(&done);
        a.place(full);
        count_one(a, self.missed, self.first + TOO_MANY);
        a.place(done);
    }

    /// `r7 = starts[r6]`, which is forgotten. Further words are stored at the place that it returns, which
    /// is free to use if starts have one word. Goes on at `unmatched` if there is no start. Clobbers r0 to
    /// r5 and r8.
    #[track_caller]
    pub fn end(&self, a: &mut Asm, by_slot: bool, unmatched: &impl Target) -> StackPlace {
        let (taken, found) = (a.label(), a.label());
        let (key, second) = (a.frame.place(8), a.frame.place(8 * (self.words - 1).max(1) as u32));
        if by_slot {
            slots::load(a, r8, r6, self.slots);
            a.load(r1, u64_at(r8 + 0));
            a.jump_if(r1, Ne, r6, &taken);
            // The time is 0 while the request is not under way.
            a.load(r7, u64_at(r8 + slots::VALUE));
            a.jump_if(r7, Eq, 0, unmatched);
            for at in (8..8 * self.words).step_by(8) {
                a.load(r1, u64_at(r8 + (slots::VALUE + at)));
                a.store(u64_at(second + (at - 8)), r1);
            }
            a.store(u64_at(r8 + slots::VALUE), 0);
            a.goto(&found);
        }
        a.place(taken);
        a.store(u64_at(key), r6);
        a.lookup(self.map, key);
        a.jump_if(r0, Eq, 0, unmatched);
        a.load(r7, u64_at(r0 + 0));
        for at in (8..8 * self.words).step_by(8) {
            a.load(r1, u64_at(r0 + at));
            a.store(u64_at(second + (at - 8)), r1);
        }
        a.delete(self.map, key);
        a.place(found);
        second
    }
}

/// The registers that each block overwrites beside those of its result.
pub mod clobbers {
    use super::{Regs, r7, r8};

    /// [`Starts::begin`](super::Starts::begin).
    pub const fn begin(by_slot: bool) -> Regs {
        if by_slot { Regs::CALL.or(Regs::of([r7])) } else { Regs::CALL }
    }

    /// [`Starts::end`](super::Starts::end), whose result is in r7.
    pub const fn end(by_slot: bool) -> Regs {
        if by_slot { Regs::CALL.or(Regs::of([r8])) } else { Regs::CALL }
    }
}
