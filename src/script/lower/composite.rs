//! Values of several words: strings, tuples, stacks, times. They are written to a place.

use super::Lower;
use super::action::Action;
use super::spot::Spot;
use crate::insn::Cond::{Le, Sge};
use crate::insn::helper::{
    GET_CURRENT_COMM, GET_STACK, PROBE_READ_KERNEL, PROBE_READ_KERNEL_STR, PROBE_READ_USER_STR,
};
use crate::insn::{r0, r1, r2, r3, r4, r6, r8, u64_at, w2};
use crate::script::ast::{Argument, Expr, ExprKind, Place};
use crate::script::cursor::Read;
use crate::script::types::Type;

/// The flag of `bpf_get_stack` for the stack of the process.
const BPF_F_USER_STACK: i32 = 1 << 8;

/// More words than these are copied or cleared by one call.
const UNROLLED: usize = 16;

impl Lower<'_> {
    /// Writes a value to a place that has room for the type `of`, which may be wider than its own.
    pub(super) fn store(&mut self, expr: &Expr, of: &Type, spot: Spot) -> Read<()> {
        let narrower = matches!(
            (of, &expr.of),
            (Type::Text(_), Type::Text(_)) | (Type::Stack(..), Type::Stack(..))
        );
        if narrower && of.words() < expr.of.words() {
            return self.store_cut(expr, of, spot);
        }
        match of {
            Type::Int(_) | Type::Bool | Type::Pointer(_) | Type::Named(_) | Type::Unknown => {
                if let ExprKind::Int(number) = expr.kind
                    && let Ok(number) = i32::try_from(number)
                {
                    self.a.store(u64_at(spot.word(0)), number);
                    return Ok(());
                }
                self.scalar(expr)?;
                self.a.store(u64_at(spot.word(0)), r8);
                Ok(())
            }
            Type::Text(_) => self.text(expr, of.words(), spot),
            Type::Struct(_) | Type::Array(..) => self.bytes(expr, of, spot),
            Type::Tuple(all) => self.tuple(expr, of, all, spot),
            Type::Timestamp => {
                let ExprKind::Call { arguments, .. } = &expr.kind else {
                    return self.copy_of(expr, of, spot);
                };
                let [
                    Argument::Value(Expr { kind: ExprKind::Text(format), .. }),
                    Argument::Value(time),
                ] = &arguments[..]
                else {
                    return self.mistake(expr.span, "this time has no format");
                };
                let number = self.action_number(Action::TimeFormat(format.clone()));
                self.store(time, &Type::UINT64, spot.after(1))?;
                self.a.store(u64_at(spot.word(0)), number);
                Ok(())
            }
            Type::Stack(frames, _, of_process) => match &expr.kind {
                ExprKind::Name(_) | ExprKind::Call { .. } => {
                    self.stack_trace(*frames, *of_process, spot);
                    Ok(())
                }
                _ => self.copy_of(expr, of, spot),
            },
            Type::UserSymbol | Type::Inet | Type::Buffer(_) => {
                let ExprKind::Call { arguments, .. } = &expr.kind else {
                    return self.copy_of(expr, of, spot);
                };
                match (&expr.of, &arguments[..]) {
                    (Type::UserSymbol, [Argument::Value(address)]) => {
                        self.user_symbol(address, spot)
                    }
                    (Type::Buffer(most), _) => {
                        self.zero(spot, of.words());
                        self.buffer(arguments, *most, spot)
                    }
                    _ => self.inet(arguments, spot),
                }
            }
            of => self.mistake(expr.span, format!("{of} cannot be stored")),
        }
    }

    /// Writes the beginning of a string or a stack to a place that has less room.
    fn store_cut(&mut self, expr: &Expr, of: &Type, spot: Spot) -> Read<()> {
        let mark = self.mark();
        let from = self.spot_of(expr)?;
        self.copy_cut(from, of, spot);
        self.release(mark);
        Ok(())
    }

    /// Copies the beginning of a string or a stack.
    fn copy_cut(&mut self, from: Spot, of: &Type, to: Spot) {
        self.copy(from, of.words(), to);
        if let Type::Stack(frames, ..) = of {
            let fits = self.a.label();
            self.a.load(r1, u64_at(to.word(0)));
            self.a.jump_if(r1, Le, *frames as i32, &fits);
            self.a.store(u64_at(to.word(0)), *frames as i32);
            self.a.place(fits);
        }
    }

    /// Where a value of several words is: in place if it is a variable.
    pub(super) fn spot_of(&mut self, expr: &Expr) -> Read<Spot> {
        if let ExprKind::Place(Place::Variable(variable)) = &expr.kind {
            return Ok(self.variable(variable));
        }
        let spot = self.spot(expr.of.words());
        let of = expr.of.clone();
        self.store(expr, &of, spot)?;
        Ok(spot)
    }

    /// Where an element of a tuple is.
    pub(super) fn element_of(&mut self, tuple: &Expr, index: u64) -> Read<Spot> {
        let Type::Tuple(all) = &tuple.of else {
            return self.mistake(tuple.span, "this has no elements");
        };
        let before = all.iter().take(index as usize).map(Type::words).sum();
        Ok(self.spot_of(tuple)?.after(before))
    }

    fn tuple(&mut self, expr: &Expr, of: &Type, all: &[Type], spot: Spot) -> Read<()> {
        let mut word = 0;
        match &expr.kind {
            ExprKind::Tuple(values) => {
                for (value, of) in values.iter().zip(all) {
                    self.store(value, of, spot.after(word))?;
                    word += of.words();
                }
                Ok(())
            }
            _ if expr.of.words() == of.words() => self.copy_of(expr, of, spot),
            _ => {
                // Its strings have less room than those of the place.
                let mark = self.mark();
                let from = self.spot_of(expr)?;
                let Type::Tuple(own) = &expr.of else { return Ok(()) };
                self.widen(own, from, all, spot);
                self.release(mark);
                Ok(())
            }
        }
    }

    /// Copies a tuple's elements to a place in which strings have more room.
    fn widen(&mut self, own: &[Type], from: Spot, all: &[Type], to: Spot) {
        let (mut read, mut written) = (0, 0);
        for (own, of) in own.iter().zip(all) {
            match (own, of) {
                (Type::Tuple(own), Type::Tuple(all)) => {
                    self.widen(own, from.after(read), all, to.after(written));
                }
                _ if of.words() < own.words() => {
                    self.copy_cut(from.after(read), of, to.after(written));
                }
                _ => {
                    self.copy(from.after(read), own.words(), to.after(written));
                    let rest = of.words() - own.words().min(of.words());
                    self.zero(to.after(written + own.words()), rest);
                }
            }
            read += own.words();
            written += of.words();
        }
    }

    /// A value that is somewhere already: a variable, an element of a map, one of two.
    fn copy_of(&mut self, expr: &Expr, of: &Type, spot: Spot) -> Read<()> {
        match &expr.kind {
            ExprKind::Place(Place::Variable(variable)) => {
                let from = self.variable(variable);
                self.copy(from, expr.of.words(), spot);
                self.zero(
                    spot.after(expr.of.words()),
                    of.words() - expr.of.words().min(of.words()),
                );
                Ok(())
            }
            ExprKind::Place(Place::Map(name, key)) => {
                self.copy_from_map(name, key.as_deref(), expr.of.words(), spot)?;
                self.zero(
                    spot.after(expr.of.words()),
                    of.words() - expr.of.words().min(of.words()),
                );
                Ok(())
            }
            ExprKind::Choice(condition, Some(then), otherwise) => {
                let (other, done) = (self.a.label(), self.a.label());
                self.jump_unless(condition, &other)?;
                self.store(then, of, spot)?;
                self.a.goto(&done);
                self.a.place(other);
                self.store(otherwise, of, spot)?;
                self.a.place(done);
                Ok(())
            }
            ExprKind::Element(object, index) => {
                let mark = self.mark();
                let from = self.element_of(object, *index)?;
                self.copy(from, expr.of.words(), spot);
                self.zero(
                    spot.after(expr.of.words()),
                    of.words() - expr.of.words().min(of.words()),
                );
                self.release(mark);
                Ok(())
            }
            _ => self.branches(expr, &mut |lower, value| lower.store(value, of, spot)),
        }
    }

    fn text(&mut self, expr: &Expr, words: usize, spot: Spot) -> Read<()> {
        match &expr.kind {
            ExprKind::Text(text) => {
                self.literal(text, words, spot);
                Ok(())
            }
            ExprKind::Name(name) => match &**name {
                "comm" => {
                    self.comm(spot, words);
                    Ok(())
                }
                "probe" => {
                    let probe = self.events[0].to_string();
                    self.literal(probe.as_bytes(), words, spot);
                    Ok(())
                }
                "func" => {
                    let function = self.events[0].function().unwrap_or_default();
                    self.literal(function.as_bytes(), words, spot);
                    Ok(())
                }
                _ => {
                    self.literal(self.events[0].type_name().as_bytes(), words, spot);
                    Ok(())
                }
            },
            ExprKind::Call { name, .. } if name.text == "comm" => {
                self.comm(spot, words);
                Ok(())
            }
            ExprKind::Call { name, arguments } if name.text == "str" => {
                let Argument::Value(address) = &arguments[0] else { return Ok(()) };
                let length = match arguments.get(1) {
                    Some(Argument::Value(length)) => Some(length),
                    _ => None,
                };
                if let Type::Text(_) = address.of {
                    self.store(address, &Type::Text(8 * words), spot)?;
                    self.cut(&expr.of, words, spot);
                    return Ok(());
                }
                self.read_text(address, length, &expr.of, words, spot)
            }
            _ if expr.container().is_some() || expr.field_of_args().is_some() => {
                self.copy_memory(expr, words, spot)
            }
            _ => self.copy_of(expr, &Type::Text(8 * words), spot),
        }
    }

    /// A struct or an array.
    fn bytes(&mut self, expr: &Expr, of: &Type, spot: Spot) -> Read<()> {
        let words = of.words();
        match &expr.kind {
            _ if expr.container().is_some() || expr.field_of_args().is_some() => {
                self.copy_memory(expr, words, spot)
            }
            ExprKind::Cast(_, value) => match &value.of {
                Type::Text(size) => {
                    let text = Type::Text((*size).min(of.size()));
                    self.zero(spot, words);
                    self.store(value, &text, spot)
                }
                Type::Array(..) => self.store(value, of, spot),
                from => {
                    let bytes = from.size() as i32;
                    self.scalar(value)?;
                    if cfg!(target_endian = "big") {
                        self.a.lsh(r8, 64 - 8 * bytes);
                    }
                    self.a.store(u64_at(spot.word(0)), r8);
                    Ok(())
                }
            },
            ExprKind::Call { name, arguments } if name.text == "pton" => {
                self.address_bytes(&arguments[0], words, spot);
                Ok(())
            }
            _ => self.copy_of(expr, of, spot),
        }
    }

    /// Cuts a string to the size of its type, which has a zero at its end.
    fn cut(&mut self, of: &Type, words: usize, spot: Spot) {
        let Type::Text(size) = of else { return };
        let last = size.saturating_sub(1);
        let (word, kept) = (last / 8, 8 * (last % 8) as i32);
        if word >= words {
            return;
        }
        self.a.load(r1, u64_at(spot.word(word)));
        match (kept, cfg!(target_endian = "little")) {
            (0, _) => self.a.mov(r1, 0),
            (kept, true) => {
                self.a.lsh(r1, 64 - kept);
                self.a.rsh(r1, 64 - kept);
            }
            (kept, false) => {
                self.a.rsh(r1, 64 - kept);
                self.a.lsh(r1, 64 - kept);
            }
        }
        self.a.store(u64_at(spot.word(word)), r1);
        self.zero(spot.after(word + 1), words - word - 1);
    }

    /// A string that is known, with zeros after it.
    pub(super) fn literal(&mut self, text: &[u8], words: usize, spot: Spot) {
        for index in 0..words {
            let mut word = [0; 8];
            let rest = text.get(8 * index..).unwrap_or_default();
            let length = rest.len().min(8);
            word[..length].copy_from_slice(&rest[..length]);
            let number = u64::from_ne_bytes(word);
            match i32::try_from(number) {
                Ok(number) => self.a.store(u64_at(spot.word(index)), number),
                Err(_) => {
                    self.a.load_imm64(r1, number);
                    self.a.store(u64_at(spot.word(index)), r1);
                }
            }
        }
    }

    /// The thread's name, with zeros after it.
    fn comm(&mut self, spot: Spot, words: usize) {
        // Some kernels (6.1) leave the bytes after a short name as they were.
        self.zero(spot, words);
        self.a.load_address(r1, spot.at(0));
        self.a.mov(w2, 16);
        self.a.call(GET_CURRENT_COMM);
    }

    /// `str(address, length)`: what could not be read is empty.
    fn read_text(
        &mut self,
        address: &Expr,
        length: Option<&Expr>,
        of: &Type,
        words: usize,
        spot: Spot,
    ) -> Read<()> {
        let Type::Text(size) = of else { return Ok(()) };
        self.scalar(address)?;
        let mark = self.mark();
        let kept = self.spot(1);
        self.a.store(u64_at(kept.word(0)), r8);
        self.zero(spot, words);
        match length {
            Some(length) if !matches!(length.kind, ExprKind::Int(_)) => {
                self.scalar(length)?;
                // One more for the zero at the end, and no more than there is room.
                let fits = self.a.label();
                self.a.mov(r2, r8);
                self.a.add(r2, 1);
                self.a.jump_if(r2, Le, *size as i32, &fits);
                self.a.mov(r2, *size as i32);
                self.a.place(fits);
            }
            _ => self.a.mov(w2, *size as i32),
        }
        self.a.load(r3, u64_at(kept.word(0)));
        self.a.load_address(r1, spot.at(0));
        self.a.call(if self.is_of_process(address) {
            PROBE_READ_USER_STR
        } else {
            PROBE_READ_KERNEL_STR
        });
        self.release(mark);
        Ok(())
    }

    /// A stack: the number of frames, for a process its number, and the addresses.
    fn stack_trace(&mut self, frames: usize, of_process: bool, spot: Spot) {
        if of_process {
            self.process(spot.after(1));
        }
        self.a.mov(r1, r6);
        self.a.load_address(r2, spot.word(1 + usize::from(of_process)));
        self.a.mov(r3, 8 * frames as i32);
        self.a.mov(r4, if of_process { BPF_F_USER_STACK } else { 0 });
        self.a.call(GET_STACK);
        let found = self.a.label();
        self.a.jump_if(r0, Sge, 0, &found);
        self.a.mov(r0, 0);
        self.a.place(found);
        self.a.rsh(r0, 3);
        self.a.store(u64_at(spot.word(0)), r0);
    }

    /// `r8 = 0` if two strings or tuples are equal, else anything else.
    pub(super) fn difference(&mut self, left: &Expr, right: &Expr) -> Read<()> {
        let mark = self.mark();
        let of = left.of.join(&right.of).unwrap_or_else(|| left.of.clone());
        let words = of.words();
        let left_spot = self.spot_as(left, &of)?;
        let right_spot = match &right.kind {
            ExprKind::Text(_) => None,
            _ => Some(self.spot_as(right, &of)?),
        };
        self.a.mov(r8, 0);
        for index in 0..words {
            self.a.load(r1, u64_at(left_spot.word(index)));
            match (right_spot, &right.kind) {
                (Some(spot), _) => self.a.load(r2, u64_at(spot.word(index))),
                (None, ExprKind::Text(text)) => {
                    let mut word = [0; 8];
                    let rest = text.get(8 * index..).unwrap_or_default();
                    let length = rest.len().min(8);
                    word[..length].copy_from_slice(&rest[..length]);
                    self.constant(r2, u64::from_ne_bytes(word).into());
                }
                _ => {}
            }
            self.a.xor(r1, r2);
            self.a.or(r8, r1);
        }
        self.release(mark);
        Ok(())
    }

    /// Where a value is as this type, which may have more room than its own.
    pub(super) fn spot_as(&mut self, expr: &Expr, of: &Type) -> Read<Spot> {
        if expr.of.words() == of.words() {
            return self.spot_of(expr);
        }
        let spot = self.spot(of.words());
        self.store(expr, of, spot)?;
        Ok(spot)
    }

    /// Copies words from one place to another.
    pub(super) fn copy(&mut self, from: Spot, words: usize, to: Spot) {
        if words > UNROLLED {
            self.a.load_address(r1, to.at(0));
            self.a.mov(w2, 8 * words as i32);
            self.a.load_address(r3, from.at(0));
            self.a.call(PROBE_READ_KERNEL);
            return;
        }
        for index in 0..words {
            self.a.load(r1, u64_at(from.word(index)));
            self.a.store(u64_at(to.word(index)), r1);
        }
    }

    /// Copies words from the address in r0.
    pub(super) fn copy_from_r0(&mut self, skipped: usize, words: usize, to: Spot) {
        let from = |index: usize| r0 + 8 * (skipped + index) as i32;
        if words > UNROLLED {
            self.a.load_address(r1, to.at(0));
            self.a.mov(w2, 8 * words as i32);
            self.a.load_address(r3, from(0));
            self.a.call(PROBE_READ_KERNEL);
            return;
        }
        for index in 0..words {
            self.a.load(r1, u64_at(from(index)));
            self.a.store(u64_at(to.word(index)), r1);
        }
    }

    /// Clears words.
    pub(super) fn zero(&mut self, spot: Spot, words: usize) {
        if words <= UNROLLED {
            for index in 0..words {
                self.a.store(u64_at(spot.word(index)), 0);
            }
            return;
        }
        // The array of zeros is as large as the largest of them.
        let mut done = 0;
        while done < words {
            let part = (words - done).min(128);
            self.a.load_address(r1, spot.word(done));
            self.a.mov(w2, 8 * part as i32);
            self.a.load_map_value(r3, super::ZEROS, 0);
            self.a.call(PROBE_READ_KERNEL);
            done += part;
        }
    }
}
