//! What `count()`, `sum()`, `hist()` and their like do to a map's value.

use super::{Lower, MapRef};
use crate::insn::Cond::{self, Eq, Ge, Le, Lt, Sge, Sle, Slt};
use crate::insn::helper::GET_SMP_PROCESSOR_ID;
use crate::insn::{r0, r1, r2, r3, r8, u64_at};
use crate::script::ast::{Argument, Expr, ExprKind, Span};
use crate::script::cursor::Read;
use crate::script::types::{Aggregate, Int, Type};

impl Lower<'_> {
    /// `@m[key] = count()`
    pub(super) fn count(
        &mut self,
        map: MapRef,
        key: Option<(&Expr, &Type)>,
        aggregate: Aggregate,
        arguments: &[Argument],
        span: Span,
    ) -> Read<()> {
        let mark = self.mark();
        let full = self.a.label();
        // The number stays in r8 over the calls that find the element.
        let key = match key {
            Some((key, of)) => Some(self.key(of, key)?),
            None => None,
        };
        let mut short = false;
        if let Some(Argument::Value(value)) = arguments.first() {
            self.scalar(value)?;
            short = is_short(value);
        }
        // The first range is that before the second: -1. A pointer must not lead out of the value even on the way to
        // its place, which Linux 7 refuses.
        let at_second = matches!(aggregate, Aggregate::Histogram(_) | Aggregate::Linear { .. });
        match key {
            Some(key) => {
                self.lookup_or_insert(map, key, &full);
                if at_second {
                    self.a.add(r0, 8);
                }
            }
            None => self.a.load_map_value(r0, map, if at_second { 8 } else { 0 }),
        }
        match aggregate {
            Aggregate::Count => {
                self.a.mov(r1, 1);
                self.a.lock_add(u64_at(r0 + 0), r1);
            }
            Aggregate::Sum(_) => {
                self.a.lock_add(u64_at(r0 + 0), r8);
                self.a.store(u64_at(r0 + 8), 1);
            }
            Aggregate::Average(_) | Aggregate::Stats(_) => {
                self.a.lock_add(u64_at(r0 + 0), r8);
                self.a.mov(r1, 1);
                self.a.lock_add(u64_at(r0 + 8), r1);
            }
            Aggregate::Min(signed) | Aggregate::Max(signed) => {
                let less = matches!(aggregate, Aggregate::Min(_));
                self.own_part();
                self.extreme(less, signed);
            }
            Aggregate::Histogram(bits) => self.histogram(bits, short),
            Aggregate::Linear { low, high, step } => self.linear(low, high, step),
        }
        match key {
            Some(_) => self.when_full(full, map, span)?,
            None => {
                self.a.place(full);
            }
        }
        self.release(mark);
        Ok(())
    }

    /// `r0 = ` this CPU's part of the extremes at r0.
    fn own_part(&mut self) {
        let mark = self.mark();
        let kept = self.spot(1);
        self.a.store(u64_at(kept.word(0)), r0);
        self.a.call(GET_SMP_PROCESSOR_ID);
        self.a.mov(r1, r0);
        self.a.load(r0, u64_at(kept.word(0)));
        let known = self.a.label();
        // The verifier does not know how many there are.
        self.a.jump_if(r1, Lt, self.host.cpus() as i32, &known);
        self.a.mov(r1, 0);
        self.a.place(known);
        self.a.lsh(r1, 4);
        self.a.add(r0, r1);
        self.release(mark);
    }

    /// `r8 = ` the least or the greatest of all CPUs' extremes at r0; it stays what it is if there is none.
    pub(super) fn least_or_greatest(&mut self, less: bool, signed: bool) {
        // r2 says whether r8 is one already.
        self.a.mov(r2, 0);
        for cpu in 0..self.host.cpus() as i32 {
            let (next, take) = (self.a.label(), self.a.label());
            self.a.load(r1, u64_at(r0 + (16 * cpu + 8)));
            self.a.jump_if(r1, Eq, 0, &next);
            self.a.load(r1, u64_at(r0 + 16 * cpu));
            self.a.jump_if(r2, Eq, 0, &take);
            self.a.jump_if(r1, stays(less, signed), r8, &next);
            self.a.place(take);
            self.a.mov(r8, r1);
            self.a.mov(r2, 1);
            self.a.place(next);
        }
    }

    /// Keeps r8 in this CPU's value at r0 if it is less, or greater, than what is there.
    fn extreme(&mut self, less: bool, signed: bool) {
        let (keep, done) = (self.a.label(), self.a.label());
        self.a.load(r1, u64_at(r0 + 8));
        self.a.jump_if(r1, Eq, 0, &keep);
        self.a.load(r1, u64_at(r0 + 0));
        self.a.jump_if(r8, stays(less, signed), r1, &done);
        self.a.place(keep);
        self.a.store(u64_at(r0 + 0), r8);
        self.a.store(u64_at(r0 + 8), 1);
        self.a.place(done);
    }

    /// Counts r8 in its range: each power of two has 2^`bits` of them. The first range is that of the
    /// negative numbers; a number of 64 bits without a sign is negative from 2^63 on, as in bpftrace. `short`
    /// says that the high half of r8 is 0.
    fn histogram(&mut self, bits: u8, short: bool) {
        let counted = self.a.label();
        // r3 is the number of the range after the second.
        if !short {
            self.a.mov(r3, -1);
            self.a.jump_if(r8, Slt, 0, &counted);
        }
        match (bits, short) {
            // A number's range is that of its length in bits.
            (0, true) => self.a.bit_length(r3, r8, r1),
            (0, false) => {
                self.a.bit_length_u64(r3, r8, r1);
                self.bound_range(64);
            }
            _ => self.divided_range(bits, short),
        }
        self.a.place(counted);
        self.add_one();
    }

    /// `r3 = ` the range of r8 where each power of two has 2^`bits` of them.
    fn divided_range(&mut self, bits: u8, short: bool) {
        let known = self.a.label();
        let most = Aggregate::Histogram(bits).words() as i32 - 2;
        let bits = i32::from(bits);
        // Small numbers have a range each.
        self.a.mov(r3, r8);
        self.a.jump_if(r8, Lt, 1 << bits, &known);
        self.a.mov(r1, r8);
        match short {
            true => self.a.log2(r3, r1, r2),
            false => self.a.log2_u64(r3, r1, r2),
        }
        self.a.sub(r3, bits);
        self.a.rsh(r8, r3);
        self.a.lsh(r3, bits);
        self.a.add(r3, r8);
        self.a.place(known);
        self.bound_range(most);
    }

    /// Counts r8 in its range of a fixed width; the first is that of all below, the last that of all above.
    fn linear(&mut self, low: u64, high: u64, step: u64) {
        let counted = self.a.label();
        self.a.mov(r3, -1);
        self.constant(r1, low.into());
        self.a.jump_if(r8, Slt, r1, &counted);
        self.a.mov(r3, r8);
        self.a.sub(r3, r1);
        self.constant(r1, step.into());
        self.a.div(r3, r1);
        self.bound_range(((high - low) / step) as i32);
        self.a.place(counted);
        self.add_one();
    }

    /// Makes the range's number in r3 at most this, which the verifier sees.
    fn bound_range(&mut self, most: i32) {
        let within = self.a.label();
        self.a.jump_if(r3, Le, most, &within);
        self.a.mov(r3, most);
        self.a.place(within);
    }

    /// Adds one to the counter of the range that follows the second, at r0, by r3.
    fn add_one(&mut self) {
        self.a.lsh(r3, 3);
        self.a.add(r0, r3);
        self.a.mov(r1, 1);
        self.a.lock_add(u64_at(r0 + 0), r1);
    }
}

/// Whether the high half of a value's register is 0: it was loaded so, or cut to it.
fn is_short(value: &Expr) -> bool {
    matches!(value.kind, ExprKind::Field { .. } | ExprKind::Cast(..))
        && matches!(value.of, Type::Int(Int { bytes: 1..=4, signed: false, .. }))
}

/// When a number does not take the place of another one.
fn stays(less: bool, signed: bool) -> Cond {
    match (less, signed) {
        (true, true) => Sge,
        (true, false) => Ge,
        (false, true) => Sle,
        (false, false) => Le,
    }
}
