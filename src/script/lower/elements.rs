//! Loops over maps: a function of its own for each, which the kernel calls for every element.
//!
//! It gets the scratch value and the context by the stack of its caller. All else is in the scratch value:
//! what would be on the caller's stack, some verifiers follow from turn to turn.

use super::callback::Callback;
use super::spot::Spot;
use super::{Loop, Lower};
use crate::insn::Cond::Ne;
use crate::insn::helper::{FOR_EACH_MAP_ELEM, PROBE_READ_KERNEL};
use crate::insn::{fp, r0, r1, r2, r3, r4, r6, r7, r8, r9, u64_at, w0, w2};
use crate::script::ast::{Block, Name, Span, Variable};
use crate::script::cursor::Read;
use crate::script::types::Type;

/// Loops over maps in each other: all functions that wait share the stack.
const NESTED: usize = 2;
/// More words than these are copied by a call.
const UNROLLED: usize = 16;

impl Lower<'_> {
    /// `for $variable : @map { .. }`
    pub(super) fn elements(
        &mut self,
        variable: &Variable,
        map: &Name,
        block: &Block,
        span: Span,
    ) -> Read<()> {
        if self.depth == NESTED {
            let what =
                format!("more than {NESTED} loops over maps in each other are not supported");
            return self.mistake(span, what);
        }
        let left = Spot::Scratch(self.scratch(8));
        self.a.store(u64_at(left.word(0)), 0);
        self.stack_used += 16;
        let context = fp + -self.stack_used;
        self.a.store(u64_at(context), r7);
        self.a.store(u64_at(fp + (8 - self.stack_used)), r6);
        let label = self.a.label();
        let (reference, _) = self.map(map);
        self.a.load_map(r1, reference);
        self.a.load_func(r2, &label);
        self.a.load_address(r3, context);
        self.a.mov(r4, 0);
        self.a.call(FOR_EACH_MAP_ELEM);
        self.a.load(r1, u64_at(left.word(0)));
        self.a.jump_if(r1, Ne, 0, &self.loops[0].end);
        self.callbacks.push(Callback {
            label,
            map: map.clone(),
            variable: variable.clone(),
            block: block.clone(),
            left,
            scratch: self.scratch_used,
            depth: self.depth + 1,
        });
        Ok(())
    }

    /// Writes the functions of all loops over maps.
    pub(super) fn callbacks(&mut self) -> Read<()> {
        while let Some(callback) = self.callbacks.pop() {
            self.callback(callback)?;
        }
        Ok(())
    }

    fn callback(&mut self, callback: Callback) -> Read<()> {
        let Callback { label, map, variable, block, left, scratch, depth } = callback;
        (self.stack_used, self.scratch_used, self.depth) = (0, scratch, depth);
        // r2 is the key, r3 the value, r4 what the caller gave.
        self.a.place(label);
        self.a.load(r7, u64_at(r4 + 0));
        self.a.load(r6, u64_at(r4 + 8));
        self.a.mov(r9, r3);
        let (_, held) = self.map(&map);
        let (key, value) = (held.key.words(), held.value.clone());
        let spot = self.variable(&variable);
        self.a.mov(r0, r2);
        self.copy_element(key, spot);
        self.a.mov(r0, r9);
        if let Type::Aggregate(_) = value {
            let missing = self.a.label();
            self.a.mov(r8, 0);
            self.number_at(&value, true, &missing);
            self.a.place(missing);
            self.a.store(u64_at(spot.word(key)), r8);
        } else {
            self.copy_element(value.words(), spot.after(key));
        }
        let (leave, unused) = (self.a.label(), self.a.label());
        let (next, end) = (self.a.label(), self.a.label());
        self.loops = vec![Loop { next: unused, end: leave }, Loop { next, end }];
        self.block(&block)?;
        if let Some(Loop { next, end }) = self.loops.pop() {
            self.a.place(next);
            self.a.mov(w0, 0);
            self.a.exit();
            if let Some(Loop { end: leave, .. }) = self.loops.pop() {
                self.a.place(leave);
                self.a.store(u64_at(left.word(0)), 1);
            }
            self.a.place(end);
            self.a.mov(w0, 1);
            self.a.exit();
        }
        Ok(())
    }

    /// Copies words from the address in r0, which may be one of a key: it is not to be changed.
    fn copy_element(&mut self, words: usize, to: Spot) {
        if words > UNROLLED {
            self.a.load_address(r1, to.at(0));
            self.a.mov(w2, 8 * words as i32);
            self.a.mov(r3, r0);
            self.a.call(PROBE_READ_KERNEL);
            return;
        }
        self.copy_from_r0(0, words, to);
    }
}
