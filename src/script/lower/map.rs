//! Elements of maps: read, assigned, changed, removed.

use super::condition::small;
use super::spot::Spot;
use super::{Lower, MapRef, ZEROS};
use crate::insn::Cond::{Eq, Ne};
use crate::insn::blocks::BPF_NOEXIST;
use crate::insn::helper::{FOR_EACH_MAP_ELEM, MAP_UPDATE_ELEM};
use crate::insn::{Label, r0, r1, r2, r3, r4, r8, u64_at};
use crate::script::ast::{Argument, Binary, Expr, ExprKind, Name, Place, Span};
use crate::script::cursor::Read;
use crate::script::infer::MapUse;
use crate::script::types::{Aggregate, Type};

/// What the map's element is replaced with, whether it is there or not.
const BPF_ANY: i32 = 0;

impl Lower<'_> {
    /// Writes a key to a place.
    pub(super) fn key(&mut self, map: &Type, key: &Expr) -> Read<Spot> {
        let spot = self.spot(map.words());
        self.store(key, map, spot)?;
        Ok(spot)
    }

    /// `r0 = ` the address of an element, or 0.
    fn lookup(&mut self, name: &Name, key: &Expr) -> Read<()> {
        let (map, held) = self.map(name);
        let of = held.key.clone();
        let mark = self.mark();
        let key = self.key(&of, key)?;
        self.a.lookup(map, key.at(0));
        self.release(mark);
        Ok(())
    }

    /// `r0 = ` the address of an element that is made of zeros if there is none. If the map is full, the
    /// program goes on at `full`.
    pub(super) fn lookup_or_insert(&mut self, map: MapRef, key: Spot, full: &Label) {
        let found = self.a.label();
        self.a.lookup(map, key.at(0));
        self.a.jump_if(r0, Ne, 0, &found);
        self.a.load_map(r1, map);
        self.a.load_address(r2, key.at(0));
        self.a.load_map_value(r3, ZEROS, 0);
        // Another CPU may have been faster: its value must stay.
        self.a.mov(r4, BPF_NOEXIST);
        self.a.call(MAP_UPDATE_ELEM);
        self.a.lookup(map, key.at(0));
        self.a.jump_if(r0, Eq, 0, full);
        self.a.place(found);
    }

    /// `r8 = ` the number of an element; 0 if there is none.
    pub(super) fn read_map(&mut self, name: &Name, key: Option<&Expr>) -> Read<()> {
        let (map, held) = self.map(name);
        let (value, keyed) = (held.value.clone(), key.is_some());
        match key {
            Some(key) => self.lookup(name, key)?,
            None => self.a.load_map_value(r0, map, 0),
        }
        let missing = self.a.label();
        self.a.mov(r8, 0);
        if keyed {
            self.a.jump_if(r0, Eq, 0, &missing);
        }
        self.number_at(&value, keyed, &missing);
        self.a.place(missing);
        Ok(())
    }

    /// `r8 = ` the number of the element at r0; it stays what it is if nothing was counted.
    pub(super) fn number_at(&mut self, value: &Type, keyed: bool, missing: &Label) {
        match value {
            Type::Aggregate(Aggregate::Min(signed)) => self.least_or_greatest(true, *signed),
            Type::Aggregate(Aggregate::Max(signed)) => self.least_or_greatest(false, *signed),
            Type::Aggregate(Aggregate::Average(signed)) => self.average(*signed, missing),
            Type::Aggregate(_) => self.a.load(r8, u64_at(r0 + 0)),
            _ => self.a.load(r8, u64_at(r0 + if keyed { 0 } else { 8 })),
        }
    }

    /// `r8 = ` the sum at r0, divided by the count after it. Division has no sign, so the sum's is put back.
    fn average(&mut self, signed: bool, missing: &Label) {
        self.a.load(r2, u64_at(r0 + 8));
        self.a.jump_if(r2, Eq, 0, missing);
        self.a.load(r8, u64_at(r0 + 0));
        if !signed {
            self.a.div(r8, r2);
            return;
        }
        // r1 is -1 for a negative sum, else 0: `(x ^ r1) - r1` is its amount, and gives it back.
        self.a.mov(r1, r8);
        self.a.arsh(r1, 63);
        self.a.xor(r8, r1);
        self.a.sub(r8, r1);
        self.a.div(r8, r2);
        self.a.xor(r8, r1);
        self.a.sub(r8, r1);
    }

    /// Copies an element to a place; zeros if there is none.
    pub(super) fn copy_from_map(
        &mut self,
        name: &Name,
        key: Option<&Expr>,
        words: usize,
        to: Spot,
    ) -> Read<()> {
        let (map, _) = self.map(name);
        let (found, done) = (self.a.label(), self.a.label());
        match key {
            Some(key) => {
                self.lookup(name, key)?;
                self.a.jump_if(r0, Ne, 0, &found);
                self.zero(to, words);
                self.a.goto(&done);
                self.a.place(found);
                self.copy_from_r0(0, words, to);
                self.a.place(done);
            }
            None => {
                self.a.load_map_value(r0, map, 0);
                self.copy_from_r0(1, words, to);
            }
        }
        Ok(())
    }

    /// `@m[key] = value`
    pub(super) fn assign_map(
        &mut self,
        name: &Name,
        key: Option<&Expr>,
        value: &Expr,
        span: Span,
    ) -> Read<()> {
        let (map, held) = self.map(name);
        let (key_type, of) = (held.key.clone(), held.value.clone());
        if let Type::Aggregate(aggregate) = of {
            let ExprKind::Call { arguments, .. } = &value.kind else {
                return self.mistake(span, "this map counts, and cannot be assigned to");
            };
            return self.count(map, key.map(|key| (key, &key_type)), aggregate, arguments, span);
        }
        let words = of.words();
        let mark = self.mark();
        match key {
            None if of.is_scalar() => {
                self.scalar(value)?;
                self.a.load_map_value(r1, map, 0);
                self.a.store(u64_at(r1 + 8), r8);
                self.a.store(u64_at(r1 + 0), 1);
            }
            None => {
                let whole = self.spot(1 + words);
                self.store(value, &of, whole.after(1))?;
                self.a.store(u64_at(whole.word(0)), 1);
                let index = self.spot(1);
                self.a.store(u64_at(index.word(0)), 0);
                self.update(map, index, whole);
            }
            Some(key) => {
                let element = self.spot(words);
                self.store(value, &of, element)?;
                let key = self.key(&key_type, key)?;
                self.update(map, key, element);
                self.full_unless_zero(map, span)?;
            }
        }
        self.release(mark);
        Ok(())
    }

    /// `map[*key] = *value`; r0 is 0 if it worked.
    fn update(&mut self, map: MapRef, key: Spot, value: Spot) {
        self.a.load_map(r1, map);
        self.a.load_address(r2, key.at(0));
        self.a.load_address(r3, value.at(0));
        self.a.mov(r4, BPF_ANY);
        self.a.call(MAP_UPDATE_ELEM);
    }

    /// Counts an element that did not fit, unless r0 is 0.
    fn full_unless_zero(&mut self, map: MapRef, span: Span) -> Read<()> {
        // In a loop, the verifier walks the way that goes straight on first. What is stored there must not be more
        // than on the other way, or none of its states is one of those that it has seen.
        let full = self.a.label();
        self.a.jump_if(r0, Ne, 0, &full);
        self.when_full(full, map, span)
    }

    /// Where the program goes on if the map is full: it counts that, and does no more of this statement.
    pub(super) fn when_full(&mut self, full: Label, map: MapRef, span: Span) -> Read<()> {
        let done = self.a.label();
        self.a.goto(&done);
        self.a.place(full);
        self.too_many(map, span)?;
        self.a.place(done);
        Ok(())
    }

    /// `place += value`. On a map, `+=` and `-=` lose nothing to other CPUs.
    pub(super) fn change(
        &mut self,
        place: &Place,
        operator: Binary,
        value: &Expr,
        span: Span,
    ) -> Read<()> {
        let mark = self.mark();
        match place {
            Place::Variable(variable) => {
                let of = self.variable_type(variable);
                let before = Expr { kind: ExprKind::Place(place.clone()), span, of };
                self.operands(&before, value)?;
                self.compute(operator, small(value), span)?;
                self.store_number(place, span)?;
            }
            Place::Map(name, key) => {
                self.scalar(value)?;
                if operator == Binary::Subtract {
                    self.a.neg(r8);
                }
                let kept = self.spot(1);
                self.a.store(u64_at(kept.word(0)), r8);
                self.element(name, key.as_deref(), span, |lower, offset| {
                    lower.a.load(r8, u64_at(kept.word(0)));
                    if matches!(operator, Binary::Add | Binary::Subtract) {
                        lower.a.lock_add(u64_at(r0 + offset), r8);
                        return Ok(());
                    }
                    let address = lower.spot(1);
                    lower.a.store(u64_at(address.word(0)), r0);
                    lower.a.mov(r1, r8);
                    lower.a.load(r8, u64_at(r0 + offset));
                    lower.compute(operator, None, span)?;
                    lower.a.load(r0, u64_at(address.word(0)));
                    lower.a.store(u64_at(r0 + offset), r8);
                    Ok(())
                })?;
            }
        }
        self.release(mark);
        Ok(())
    }

    /// Runs code with r0 the address of an element, which is made if there is none, and the offset of its
    /// number.
    fn element(
        &mut self,
        name: &Name,
        key: Option<&Expr>,
        span: Span,
        code: impl FnOnce(&mut Self, i32) -> Read<()>,
    ) -> Read<()> {
        let (map, held) = self.map(name);
        let key_type = held.key.clone();
        match key {
            Some(key) => {
                let full = self.a.label();
                let key = self.key(&key_type, key)?;
                self.lookup_or_insert(map, key, &full);
                code(self, 0)?;
                self.when_full(full, map, span)
            }
            None => {
                self.a.load_map_value(r0, map, 0);
                self.a.store(u64_at(r0 + 0), 1);
                code(self, 8)
            }
        }
    }

    /// Stores r8 in a variable, cut to the size that it was declared with.
    fn store_number(&mut self, place: &Place, _: Span) -> Read<()> {
        if let Place::Variable(variable) = place {
            let of = self.variable_type(variable);
            self.truncate(&of);
            let spot = self.variable(variable);
            self.a.store(u64_at(spot.word(0)), r8);
        }
        Ok(())
    }

    /// `++` or `--` as a statement.
    pub(super) fn step(&mut self, place: &Place, up: bool, span: Span) -> Read<()> {
        let one = if up { 1 } else { -1 };
        match place {
            Place::Variable(variable) => {
                let spot = self.variable(variable);
                self.a.load(r8, u64_at(spot.word(0)));
                self.a.add(r8, one);
                self.store_number(place, span)
            }
            Place::Map(name, key) => {
                let mark = self.mark();
                self.element(name, key.as_deref(), span, |lower, offset| {
                    lower.a.mov(r1, one);
                    lower.a.lock_add(u64_at(r0 + offset), r1);
                    Ok(())
                })?;
                self.release(mark);
                Ok(())
            }
        }
    }

    /// `r8 = ` the value of `++` or `--`: before it or after it.
    pub(super) fn step_value(
        &mut self,
        place: &Place,
        up: bool,
        before: bool,
        span: Span,
    ) -> Read<()> {
        let one = if up { 1 } else { -1 };
        match place {
            Place::Variable(variable) => {
                let spot = self.variable(variable);
                self.step(place, up, span)?;
                self.a.load(r8, u64_at(spot.word(0)));
                if !before {
                    self.a.sub(r8, one);
                }
                Ok(())
            }
            Place::Map(name, key) => {
                let mark = self.mark();
                self.a.mov(r8, 0);
                self.element(name, key.as_deref(), span, |lower, offset| {
                    lower.a.load(r8, u64_at(r0 + offset));
                    lower.a.mov(r1, one);
                    lower.a.lock_add(u64_at(r0 + offset), r1);
                    Ok(())
                })?;
                if before {
                    self.a.add(r8, one);
                }
                self.release(mark);
                Ok(())
            }
        }
    }

    /// `r8 = ` whether `delete()` removed an element, or `has_key()` found one.
    pub(super) fn remove_or_find(&mut self, removes: bool, arguments: &[Argument]) -> Read<()> {
        let (name, key) = match arguments {
            [
                Argument::Value(Expr { kind: ExprKind::Place(Place::Map(name, None)), .. }),
                Argument::Value(key),
            ] => (name, Some(key)),
            [Argument::Value(Expr { kind: ExprKind::Place(Place::Map(name, key)), .. })] => {
                (name, key.as_deref())
            }
            _ => return Ok(()),
        };
        let (map, held) = self.map(name);
        let held = held.clone();
        let Some(key) = key else {
            self.forget(map, &held);
            return Ok(());
        };
        let mark = self.mark();
        let key = self.key(&held.key, key)?;
        match removes {
            true => {
                self.a.delete(map, key.at(0));
                self.a.mov(r8, r0);
                self.as_bool();
                self.a.xor(r8, 1);
            }
            false => {
                self.a.lookup(map, key.at(0));
                let (missing, done) = (self.a.label(), self.a.label());
                self.a.jump_if(r0, Eq, 0, &missing);
                self.a.mov(r8, 1);
                self.a.goto(&done);
                self.a.place(missing);
                self.a.mov(r8, 0);
                self.a.place(done);
            }
        }
        self.release(mark);
        Ok(())
    }

    /// What a map without keys holds is gone; `r8 = ` whether there was something.
    fn forget(&mut self, map: MapRef, held: &MapUse) {
        let words = match &held.value {
            Type::Aggregate(of) if of.is_per_cpu() => self.host.cpus() as usize * of.words(),
            Type::Aggregate(of) => of.words(),
            // The first word says whether it was set.
            of => 1 + of.words(),
        };
        let counts = matches!(held.value, Type::Aggregate(_));
        self.a.load_map_value(r0, map, 0);
        self.a.mov(r8, 0);
        for word in 0..words {
            let place = u64_at(r0 + 8 * word as i32);
            if counts || word == 0 {
                self.a.load(r1, place);
                self.a.or(r8, r1);
            }
            self.a.store(place, 0);
        }
        self.as_bool();
    }

    /// `r8 = ` the number of a map's elements.
    pub(super) fn count_elements(&mut self, name: &Name) {
        let (map, held) = self.map(name);
        if held.keyed != Some(true) {
            self.a.mov(r8, 1);
            return;
        }
        self.a.load_map(r1, map);
        if self.callback.is_none() {
            self.callback = Some(self.a.label());
        }
        if let Some(callback) = &self.callback {
            self.a.load_func(r2, callback);
        }
        self.a.mov(r3, 0);
        self.a.mov(r4, 0);
        self.a.call(FOR_EACH_MAP_ELEM);
        self.a.mov(r8, r0);
    }
}
