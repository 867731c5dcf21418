//! Functions that search and convert values.

use std::net::IpAddr;

use super::Lower;
use super::spot::Spot;
use crate::insn::Cond::{Eq, Le, Lt, Ne};
use crate::insn::helper::{
    PROBE_READ_KERNEL, PROBE_READ_KERNEL_STR, PROBE_READ_USER, PROBE_READ_USER_STR,
};
use crate::insn::{r1, r2, r3, r7, r8, u8_at, u64_at, w2};
use crate::script::ast::{Argument, Expr, ExprKind};
use crate::script::cursor::Read;
use crate::script::probes::Event;
use crate::script::types::{Int, Pointer, Type};

/// `AF_INET` and `AF_INET6`
const FAMILIES: [i32; 2] = [2, 10];

impl Lower<'_> {
    /// `r8 = ` the value of a function's call.
    pub(super) fn library(&mut self, name: &str, arguments: &[Argument], expr: &Expr) -> Read<()> {
        let [Argument::Value(first), rest @ ..] = arguments else {
            return self.mistake(expr.span, format!("{name}() is not supported here"));
        };
        match (name, rest) {
            ("strlen", _) => self.length(first),
            ("strcontains" | "strstr", [Argument::Value(wanted)]) => {
                let ExprKind::Text(text) = &wanted.kind else { return Ok(()) };
                self.search(first, text, name == "strstr")
            }
            ("bswap", _) => {
                self.scalar(first)?;
                let Type::Int(Int { bytes, .. }) = expr.of else { return Ok(()) };
                match (bytes, cfg!(target_endian = "little")) {
                    (2, true) => self.a.to_be16(r8),
                    (4, true) => self.a.to_be32(r8),
                    (8, true) => self.a.to_be64(r8),
                    (2, false) => self.a.to_le16(r8),
                    (4, false) => self.a.to_le32(r8),
                    (8, false) => self.a.to_le64(r8),
                    _ => self.truncate(&expr.of),
                }
                Ok(())
            }
            // They say what a number is; user space finds its name.
            (
                "cgroup_path" | "kptr" | "ksym" | "signal_name" | "strerror" | "syscall_name"
                | "uptr",
                _,
            ) => self.scalar(first),
            _ => self.mistake(expr.span, format!("{name}() is not supported here")),
        }
    }

    /// A string in the scratch value, where a loop can go through it.
    fn in_scratch(&mut self, text: &Expr) -> Read<i32> {
        let words = text.of.words();
        let offset = self.scratch(8 * words as i32);
        self.store(text, &text.of, Spot::Scratch(offset))?;
        Ok(offset)
    }

    /// `r8 = ` the bytes before the first zero.
    fn length(&mut self, text: &Expr) -> Read<()> {
        let mark = self.mark();
        let offset = self.in_scratch(text)?;
        let end = self.a.label();
        self.a.mov(r8, 0);
        let again = self.a.here();
        let (within, next) = (self.a.label(), self.a.label());
        self.a.jump_if(r8, Lt, text.of.size() as i32, &within);
        self.a.goto(&end);
        self.a.place(within);
        self.load_byte(offset);
        // The way out goes straight on: few such ways can wait for the verifier.
        self.a.jump_if(r2, Ne, 0, &next);
        self.a.goto(&end);
        self.a.place(next);
        self.a.add(r8, 1);
        self.a.goto(&again);
        self.a.place(end);
        self.release(mark);
        Ok(())
    }

    /// `r2 = ` the byte r8 of the string at an offset of the scratch value; r1 is its address.
    fn load_byte(&mut self, offset: i32) {
        self.a.mov(r1, r7);
        self.a.add(r1, r8);
        self.a.load(r2, u8_at(r1 + offset));
    }

    /// `r8 = ` where a string begins in another one, -1 if it does not; or whether it does.
    fn search(&mut self, text: &Expr, wanted: &[u8], place: bool) -> Read<()> {
        let mark = self.mark();
        let offset = self.in_scratch(text)?;
        let places = (text.of.size() + 1).saturating_sub(wanted.len());
        let (missing, end) = (self.a.label(), self.a.label());
        self.a.mov(r8, 0);
        let again = self.a.here();
        let (within, next) = (self.a.label(), self.a.label());
        self.a.jump_if(r8, Lt, places as i32, &within);
        self.a.goto(&missing);
        self.a.place(within);
        for (index, byte) in (0..).zip(wanted) {
            match index {
                0 => self.load_byte(offset),
                index => self.a.load(r2, u8_at(r1 + (offset + index))),
            }
            self.a.jump_if(r2, Ne, i32::from(*byte), &next);
        }
        if !place {
            self.a.mov(r8, 1);
        }
        self.a.goto(&end);
        self.a.place(next);
        self.a.add(r8, 1);
        self.a.goto(&again);
        self.a.place(missing);
        self.a.mov(r8, if place { -1 } else { 0 });
        self.a.place(end);
        self.release(mark);
        Ok(())
    }

    /// `usym(address)`: the address and the process.
    pub(super) fn user_symbol(&mut self, address: &Expr, spot: Spot) -> Read<()> {
        self.store(address, &Type::UINT64, spot)?;
        self.process(spot.after(1));
        Ok(())
    }

    /// Writes the number of the process.
    pub(super) fn process(&mut self, spot: Spot) {
        let namespace = self.host.namespace();
        self.task_number("pid", namespace);
        self.a.store(u64_at(spot.word(0)), r8);
    }

    /// `ntop(family, address)`: the family and the bytes.
    pub(super) fn inet(&mut self, arguments: &[Argument], spot: Spot) -> Read<()> {
        let Some(Argument::Value(address)) = arguments.last() else { return Ok(()) };
        self.zero(spot, 3);
        match &address.of {
            Type::Int(int) => {
                self.scalar(address)?;
                if cfg!(target_endian = "big") {
                    self.a.lsh(r8, 64 - 8 * i32::from(int.bytes));
                }
                self.a.store(u64_at(spot.word(1)), r8);
            }
            _ => self.raw(address, spot.after(1))?,
        }
        let six = address.of.size() == 16;
        match arguments {
            [Argument::Value(family), _] => self.store(family, &Type::UINT64, spot),
            _ => {
                self.a.store(u64_at(spot.word(0)), FAMILIES[usize::from(six)]);
                Ok(())
            }
        }
    }

    /// The bytes of an array or of a string, zeros included.
    fn raw(&mut self, value: &Expr, spot: Spot) -> Read<()> {
        let of = Type::Array(Box::new(Type::int(1, false)), value.of.size());
        match &value.kind {
            ExprKind::Text(_) | ExprKind::Name(_) => self.store(value, &value.of, spot),
            _ => self.store(&Expr { of: of.clone(), ..value.clone() }, &of, spot),
        }
    }

    /// The bytes of an address of the network that is known.
    pub(super) fn address_bytes(&mut self, text: &Argument, words: usize, spot: Spot) {
        let Argument::Value(Expr { kind: ExprKind::Text(text), .. }) = text else { return };
        match std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
            Some(IpAddr::V4(address)) => self.literal(&address.octets(), words, spot),
            Some(IpAddr::V6(address)) => self.literal(&address.octets(), words, spot),
            None => {}
        }
    }

    /// `buf(data, length)`: how many bytes there are, and these.
    pub(super) fn buffer(&mut self, arguments: &[Argument], most: usize, spot: Spot) -> Read<()> {
        let [Argument::Value(data), length @ ..] = arguments else { return Ok(()) };
        let words = most.div_ceil(8);
        let mark = self.mark();
        match length {
            [Argument::Value(length)] if !matches!(length.kind, ExprKind::Int(_)) => {
                self.scalar(length)?;
                let fits = self.a.label();
                self.a.jump_if(r8, Le, most as i32, &fits);
                self.a.mov(r8, most as i32);
                self.a.place(fits);
            }
            _ => self.a.mov(r8, most as i32),
        }
        self.a.store(u64_at(spot.word(0)), r8);
        if matches!(data.of, Type::Array(..) | Type::Text(_)) {
            let whole = self.spot(data.of.words());
            self.raw(data, whole)?;
            self.copy(whole, words.min(data.of.words()), spot.after(1));
            self.release(mark);
            return Ok(());
        }
        self.scalar(data)?;
        let kept = self.spot(1);
        self.a.store(u64_at(kept.word(0)), r8);
        self.zero(spot.after(1), words);
        self.a.load(r3, u64_at(kept.word(0)));
        self.a.load(r2, u64_at(spot.word(0)));
        // The verifier does not remember what was known of it.
        let fits = self.a.label();
        self.a.jump_if(r2, Le, most as i32, &fits);
        self.a.mov(r2, most as i32);
        self.a.place(fits);
        self.a.load_address(r1, spot.word(1));
        let of_process = self.is_of_process(data);
        self.a.call(if of_process { PROBE_READ_USER } else { PROBE_READ_KERNEL });
        self.release(mark);
        Ok(())
    }

    /// Whether what an address leads to is in the memory of the process.
    pub(super) fn is_of_process(&self, address: &Expr) -> bool {
        match &address.of {
            Type::Pointer(Pointer { of_process, .. }) => *of_process,
            _ => self.events.iter().all(Event::is_of_process),
        }
    }

    /// Writes the strings to which the addresses at an address lead: so many, each with so many words. The first
    /// address that is 0 is the last one.
    pub(super) fn strings(
        &mut self,
        all: &Expr,
        count: usize,
        words: usize,
        spot: Spot,
    ) -> Read<()> {
        let of_process = self.is_of_process(all);
        let (read, read_text) = match of_process {
            true => (PROBE_READ_USER, PROBE_READ_USER_STR),
            false => (PROBE_READ_KERNEL, PROBE_READ_KERNEL_STR),
        };
        self.scalar(all)?;
        let mark = self.mark();
        let (kept, next) = (self.spot(1), self.spot(1));
        self.a.store(u64_at(kept.word(0)), r8);
        self.zero(spot, count * words);
        let end = self.a.label();
        for index in 0..count {
            self.a.load_address(r1, next.at(0));
            self.a.mov(w2, 8);
            self.a.load(r3, u64_at(kept.word(0)));
            self.a.add(r3, 8 * index as i32);
            self.a.call(read);
            self.a.load(r3, u64_at(next.word(0)));
            self.a.jump_if(r3, Eq, 0, &end);
            self.a.load_address(r1, spot.word(index * words));
            self.a.mov(w2, 8 * words as i32);
            self.a.call(read_text);
        }
        self.a.place(end);
        self.release(mark);
        Ok(())
    }
}
