//! What reads and writes memory: loads, stores, atomic operations.

use super::{NamedField, NamedReg, Need, Result, StatementParser, fit};
use crate::insn::instruction::{Atomic, Insn, LoadType, Operand, Size, Width};
use crate::insn::parse::mistake::{Mistake, TextSpan};
use crate::insn::parse::token::Token;
use crate::insn::reg::Reg;

impl StatementParser<'_, '_> {
    /// `*(u32 *)(r1 +4)` or `*(u16 *)skb[r6 + 12]`
    pub(super) fn load(&mut self, dst: NamedReg) -> Result<Insn> {
        self.tokens.expect("*")?;
        let type_ = self.type_()?;
        if self.tokens.eat_name("skb") {
            return self.packet(dst, type_);
        }
        let (base, offset) = self.address()?;
        let size = if type_ == LoadType::U64 { Size::U64 } else { Size::U32 };
        let signed = matches!(type_, LoadType::S8 | LoadType::S16 | LoadType::S32);
        if signed {
            self.wide_only(dst)?;
        }
        Ok(Insn::Load { type_, dst: self.holds(dst, size)?, base, offset })
    }

    fn packet(&mut self, dst: NamedReg, type_: LoadType) -> Result<Insn> {
        let size = match type_ {
            LoadType::U8 => Size::U8,
            LoadType::U16 => Size::U16,
            LoadType::U32 => Size::U32,
            _ => {
                let span = self.tokens.span();
                return Err(Mistake::new(span, "a packet is loaded as u8, u16 or u32"));
            }
        };
        if dst.reg.number() != 0 {
            return Err(Mistake::new(dst.span, "a packet is loaded into r0").help("write `r0`"));
        }
        self.tokens.expect("[")?;
        let index = self.register()?.map(|named| named.reg);
        let mut offset = 0;
        if index.is_none() || self.tokens.peek() != Token::Sign("]") {
            if index.is_some() && !matches!(self.tokens.peek(), Token::Sign("+" | "-")) {
                return Err(self.tokens.expected("`+`, `-` or `]`"));
            }
            let (value, span) = self.tokens.number("a register or a number")?;
            offset = fit(value, span, "an offset")?;
        }
        self.tokens.expect("]")?;
        Ok(Insn::LoadPacket { size, index, offset })
    }

    /// `(u32 *)`
    fn type_(&mut self) -> Result<LoadType> {
        const TYPES: [(&str, LoadType); 7] = [
            ("u8", LoadType::U8),
            ("u16", LoadType::U16),
            ("u32", LoadType::U32),
            ("u64", LoadType::U64),
            ("s8", LoadType::S8),
            ("s16", LoadType::S16),
            ("s32", LoadType::S32),
        ];
        self.tokens.expect("(")?;
        let word = self.tokens.word("a type such as u32")?;
        let Some((_, type_)) = TYPES.iter().find(|(name, _)| *name == word.text) else {
            let what = format!("`{}` is no type that is loaded or stored", word.text);
            let help = "the types are u8, u16, u32, u64 and, to load, s8, s16, s32";
            return Err(Mistake::new(word.span, what).help(help));
        };
        self.tokens.expect("*")?;
        self.tokens.expect(")")?;
        Ok(*type_)
    }

    /// `(u32 *)` of what is stored.
    fn size(&mut self) -> Result<Size> {
        let start = self.tokens.span();
        Ok(match self.type_()? {
            LoadType::U8 => Size::U8,
            LoadType::U16 => Size::U16,
            LoadType::U32 => Size::U32,
            LoadType::U64 => Size::U64,
            _ => {
                let span = self.tokens.since(start);
                return Err(Mistake::new(span, "only a load has a signed type"));
            }
        })
    }

    /// `(r1 +4)`, `(r6 + offsetof(struct request, q))`
    fn address(&mut self) -> Result<(Reg, i16)> {
        self.tokens.expect("(")?;
        let address = self.inner_address()?;
        self.tokens.expect(")")?;
        Ok(address)
    }

    fn inner_address(&mut self) -> Result<(Reg, i16)> {
        let base = self.base()?;
        let mut ahead = self.tokens.clone();
        if ahead.eat("+") && ahead.peek() == Token::Name("offsetof") {
            *self.tokens = ahead;
            if let Some(field) = self.field()? {
                self.need = Need::Field(field);
            }
            return Ok((base, 0));
        }
        match self.tokens.peek() {
            Token::Sign("+" | "-") => {
                let (value, span) = self.tokens.number("an offset")?;
                Ok((base, fit(value, span, "an offset")?))
            }
            Token::Sign(")" | ",") => Ok((base, 0)),
            _ => Err(self.tokens.expected("`+`, `-` or `)`")),
        }
    }

    /// `(u64 *)(r1 +0)`
    pub(super) fn typed_address(&mut self) -> Result<(Size, Reg, i16)> {
        let size = self.size()?;
        let (base, offset) = self.address()?;
        Ok((size, base, offset))
    }

    /// `offsetof(struct request, __data_len)`, if it is next.
    pub(super) fn field(&mut self) -> Result<Option<NamedField>> {
        let start = self.tokens.span();
        if !self.tokens.eat_name("offsetof") {
            return Ok(None);
        }
        self.tokens.expect("(")?;
        if !self.tokens.eat_name("struct") {
            return Err(self.tokens.expected("`struct`"));
        }
        let of = self.tokens.word("a struct's name")?.text;
        self.tokens.expect(",")?;
        let member = self.tokens.word("a member's name")?.text;
        self.tokens.expect(")")?;
        Ok(Some(NamedField { of, member, span: self.tokens.since(start) }))
    }

    /// `*(u32 *)(r1 +4) = r2`
    pub(super) fn store(&mut self) -> Result<Insn> {
        self.tokens.expect("*")?;
        let (size, base, offset) = self.typed_address()?;
        self.tokens.expect("=")?;
        let src = match self.tokens.peek() {
            Token::Name(_) => Operand::Reg(self.data(size)?),
            _ => {
                let width = if size == Size::U64 { Width::W64 } else { Width::W32 };
                Operand::Imm(self.constant(width)?)
            }
        };
        Ok(Insn::Store { size, base, offset, src })
    }

    /// `lock *(u64 *)(r1 +0) += r2`
    pub(super) fn lock(&mut self) -> Result<Insn> {
        self.tokens.expect("*")?;
        let start = self.tokens.span();
        let (size, base, offset) = self.typed_address()?;
        let width = atomic_width(size, self.tokens.since(start))?;
        let op = match self.tokens.peek() {
            Token::Sign("+=") => Atomic::Add,
            Token::Sign("|=") => Atomic::Or,
            Token::Sign("&=") => Atomic::And,
            Token::Sign("^=") => Atomic::Xor,
            _ => return Err(self.tokens.expected("`+=`, `|=`, `&=` or `^=`")),
        };
        self.tokens.next();
        Ok(Insn::Atomic { op, width, base, offset, src: self.data(size)? })
    }

    /// `r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)`, `r0 = cmpxchg_64(r1 + 0, r0, r2)`
    pub(super) fn fetch(&mut self, dst: NamedReg) -> Result<Insn> {
        const NAMES: [(&str, Atomic, Option<Size>); 16] = [
            ("atomic_fetch_add", Atomic::FetchAdd, None),
            ("atomic_fetch_or", Atomic::FetchOr, None),
            ("atomic_fetch_and", Atomic::FetchAnd, None),
            ("atomic_fetch_xor", Atomic::FetchXor, None),
            ("atomic_xchg", Atomic::Xchg, None),
            ("atomic_cmpxchg", Atomic::Cmpxchg, None),
            ("atomic64_fetch_add", Atomic::FetchAdd, Some(Size::U64)),
            ("atomic64_fetch_or", Atomic::FetchOr, Some(Size::U64)),
            ("atomic64_fetch_and", Atomic::FetchAnd, Some(Size::U64)),
            ("atomic64_fetch_xor", Atomic::FetchXor, Some(Size::U64)),
            ("atomic64_xchg", Atomic::Xchg, Some(Size::U64)),
            ("atomic64_cmpxchg", Atomic::Cmpxchg, Some(Size::U64)),
            ("xchg_64", Atomic::Xchg, Some(Size::U64)),
            ("xchg32_32", Atomic::Xchg, Some(Size::U32)),
            ("cmpxchg_64", Atomic::Cmpxchg, Some(Size::U64)),
            ("cmpxchg32_32", Atomic::Cmpxchg, Some(Size::U32)),
        ];
        let word = self.tokens.word("an atomic operation")?;
        let Some((_, op, said)) = NAMES.iter().find(|(name, ..)| *name == word.text) else {
            let what = format!("`{}` is not an atomic operation", word.text);
            let mut names = NAMES.iter().map(|(name, ..)| *name);
            return Err(Mistake::new(word.span, what).meant(&word.text, &mut names));
        };
        self.tokens.expect("(")?;
        let start = self.tokens.span();
        // LLVM's exchanges have the size in their name, and their address is bare.
        let (size, base, offset) = match (said, self.tokens.peek()) {
            (Some(size), Token::Name(_)) => {
                let (base, offset) = self.inner_address()?;
                (*size, base, offset)
            }
            _ => self.typed_address()?,
        };
        let width = atomic_width(size, self.tokens.since(start))?;
        if said.is_some_and(|said| said != size) {
            let what = format!("`{}` is not an operation of this size", word.text);
            return Err(Mistake::new(word.span, what));
        }
        self.tokens.expect(",")?;
        let result = self.holds(dst, size)?;
        if *op == Atomic::Cmpxchg {
            let compared = self.any_register()?;
            if compared.reg.number() != 0 || result.number() != 0 {
                let span = if result.number() != 0 { dst.span } else { compared.span };
                let what = "a cmpxchg compares with r0, and puts the old value there";
                return Err(Mistake::new(span, what).help("write `r0`"));
            }
            self.tokens.expect(",")?;
        }
        let start = self.tokens.span();
        let src = self.data(size)?;
        if *op != Atomic::Cmpxchg && src != result {
            let what = "the old value is written to the operand's register";
            return Err(Mistake::new(self.tokens.since(start), what)
                .help(format!("write `r{}`", result.number())));
        }
        self.tokens.expect(")")?;
        Ok(Insn::Atomic { op: *op, width, base, offset, src })
    }
}

fn atomic_width(size: Size, span: TextSpan) -> Result<Width> {
    match size {
        Size::U32 => Ok(Width::W32),
        Size::U64 => Ok(Width::W64),
        Size::U8 | Size::U16 => Err(Mistake::new(span, "an atomic operation has 32 or 64 bits")
            .help("write `u32` or `u64`")),
    }
}
