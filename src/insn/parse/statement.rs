//! One instruction, as the verifier spells it or as LLVM does.

mod memory;

use super::mistake::{Mistake, TextSpan, Word};
use super::token::{Token, Tokens};
use crate::insn::helper::{self, Helper};
use crate::insn::instruction::{Alu, Bits, Callee, Cond, Imm64, Insn, Operand, Size, Width};
use crate::insn::reg::Reg;
use crate::insn::slot::{Endian, Slot};

/// An instruction, and what it refers to by name.
pub struct Statement {
    pub insn: Insn,
    pub need: Need,
}

/// A name in an instruction. In the instruction it is still the number 0.
pub enum Need {
    Nothing,
    /// A place in the program.
    Label(Word),
    /// A function of the program, or a helper without its `bpf_`.
    Callee(Word),
    /// A map.
    Map(Word),
    /// A map, or a function of the program.
    Symbol(Word),
    /// A variable of the kernel.
    Extern(Word),
    /// A field of a struct.
    Field(NamedField),
}

/// A field of a struct, in a text.
#[derive(Clone, Debug)]
pub struct NamedField {
    pub of: String,
    pub member: String,
    pub span: TextSpan,
}

type Result<T> = std::result::Result<T, Box<Mistake>>;

/// The instruction in the tokens. `wide` if its opcode is known to be that of a two-slot load.
pub fn statement(tokens: &mut Tokens, wide: bool) -> Result<Statement> {
    let mut parser = StatementParser { tokens, need: Need::Nothing, wide };
    let insn = parser.insn()?;
    parser.tokens.finish()?;
    Ok(Statement { insn, need: parser.need })
}

const EXPECTED: &str = "an instruction";
const KEYWORDS: [&str; 10] =
    ["lock", "if", "goto", "gotol", "may_goto", "call", "exit", "store_release", "insn", "r0"];
const REGISTERS: &str = "the registers are r0 to r10, w0 to w10 their low halves, and fp is r10";

struct StatementParser<'p, 'a> {
    tokens: &'p mut Tokens<'a>,
    need: Need,
    wide: bool,
}

/// A register, and the width in its name.
#[derive(Clone, Copy)]
struct NamedReg {
    reg: Reg,
    width: Width,
    span: TextSpan,
}

impl StatementParser<'_, '_> {
    fn insn(&mut self) -> Result<Insn> {
        let start = self.tokens.span();
        let name = match self.tokens.peek() {
            Token::Sign("*") => return self.store(),
            Token::Name(name) => name,
            _ => return Err(self.tokens.expected(EXPECTED)),
        };
        if let Some(dst) = self.register()? {
            return self.assignment(dst);
        }
        self.tokens.next();
        match name {
            "exit" => Ok(Insn::Exit),
            "insn" => self.raw(),
            "lock" => self.lock(),
            "if" => self.jump_if(),
            "goto" => {
                let (distance, span) = self.target()?;
                let help = "gotol reaches further (Linux 6.6)";
                let offset = fit(distance, span, "a goto").map_err(|wrong| wrong.help(help))?;
                Ok(Insn::Goto { offset })
            }
            "gotol" => {
                let (distance, span) = self.target()?;
                Ok(Insn::Gotol { offset: fit(distance, span, "a gotol")? })
            }
            "may_goto" => {
                let (distance, span) = self.target()?;
                Ok(Insn::MayGoto { offset: fit(distance, span, "a may_goto")? })
            }
            "call" => self.call(),
            "store_release" => {
                self.tokens.expect("(")?;
                let (size, base, offset) = self.typed_address()?;
                self.tokens.expect(",")?;
                let src = self.data(size)?;
                self.tokens.expect(")")?;
                Ok(Insn::StoreRelease { size, base, offset, src })
            }
            "callx" => Err(Mistake::new(start, "Linux has no call of an address in a register")),
            _ => {
                let what = format!("no instruction begins with `{name}`");
                Err(Mistake::new(start, what).meant(name, &mut KEYWORDS.into_iter()))
            }
        }
    }

    /// A slot by its fields: `0x8d dst 1 imm 5`.
    fn raw(&mut self) -> Result<Insn> {
        let mut slot = Slot { code: self.part("an opcode")?, ..Slot::default() };
        while self.tokens.peek() != Token::End {
            let name = self.tokens.word("dst, src, off or imm")?;
            match name.text.as_str() {
                field @ ("dst" | "src") => {
                    let value: u8 = self.part("a number up to 15")?;
                    if value > 15 {
                        let what = format!("{value} does not fit the 4 bits of a register");
                        return Err(Mistake::new(name.span, what));
                    }
                    *(if field == "dst" { &mut slot.dst } else { &mut slot.src }) = value;
                }
                "off" => slot.off = self.part("an offset")?,
                "imm" => slot.imm = self.part("a number of 32 bits")?,
                other => {
                    return Err(Mistake::new(name.span, format!("a slot has no field `{other}`"))
                        .help("insn CODE dst N src N off N imm N, each of which may be left out"));
                }
            }
        }
        Ok(Insn::Raw(slot))
    }

    /// The number of a field.
    fn part<T: TryFrom<i128>>(&mut self, what: &str) -> Result<T> {
        let (value, span) = self.tokens.number(what)?;
        T::try_from(value)
            .map_err(|_| Mistake::new(span, format!("{value} does not fit: expected {what}")))
    }

    /// A register, if the next name is one.
    fn register(&mut self) -> Result<Option<NamedReg>> {
        let Token::Name(name) = self.tokens.peek() else { return Ok(None) };
        let span = self.tokens.span();
        let (number, width) = match name.split_at_checked(1) {
            _ if name == "fp" => ("10", Width::W64),
            Some(("r", number)) => (number, Width::W64),
            Some(("w", number)) => (number, Width::W32),
            _ => return Ok(None),
        };
        if number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return Ok(None);
        }
        let small = number.parse().ok().filter(|_| number == "0" || !number.starts_with('0'));
        match small.and_then(Reg::new) {
            Some(reg) => {
                self.tokens.next();
                Ok(Some(NamedReg { reg, width, span }))
            }
            None => Err(Mistake::new(span, format!("there is no register {name}")).help(REGISTERS)),
        }
    }

    fn any_register(&mut self) -> Result<NamedReg> {
        match self.register()? {
            Some(named) => Ok(named),
            None => Err(self.tokens.expected("a register").help(REGISTERS)),
        }
    }

    /// A register of this width.
    fn register_of(&mut self, width: Width) -> Result<Reg> {
        let named = self.any_register()?;
        if named.width == width {
            return Ok(named.reg);
        }
        let number = named.reg.number();
        let (bits, letter) = if width == Width::W64 { (64, 'r') } else { (32, 'w') };
        let what = format!("this operation has {bits} bits, but the register does not");
        Err(Mistake::new(named.span, what).help(format!("write `{letter}{number}`")))
    }

    /// The base register of an address.
    fn base(&mut self) -> Result<Reg> {
        self.register_of(Width::W64)
    }

    /// The register that a load of this type fills, or that a store of this size reads: the whole register
    /// as the verifier prints it, or its half as LLVM does.
    fn data(&mut self, size: Size) -> Result<Reg> {
        let named = self.any_register()?;
        self.holds(named, size)
    }

    fn holds(&self, named: NamedReg, size: Size) -> Result<Reg> {
        if named.width == Width::W32 && size == Size::U64 {
            let number = named.reg.number();
            return Err(Mistake::new(named.span, "64 bits do not fit into half a register")
                .help(format!("write `r{number}`")));
        }
        Ok(named.reg)
    }

    /// The rest of a line that begins with a register.
    fn assignment(&mut self, dst: NamedReg) -> Result<Insn> {
        let start = self.tokens.span();
        let signed = self.tokens.eat_name("s");
        let Token::Sign(sign) = self.tokens.peek() else {
            return Err(self.tokens.expected("`=` or an operator such as `+=`"));
        };
        let op = match (signed, sign) {
            (false, "=") => {
                self.tokens.next();
                return self.value(dst);
            }
            (false, "+=") => Alu::Add,
            (false, "-=") => Alu::Sub,
            (false, "*=") => Alu::Mul,
            (false, "/=") => Alu::Div,
            (false, "|=") => Alu::Or,
            (false, "&=") => Alu::And,
            (false, "^=") => Alu::Xor,
            (false, "<<=") => Alu::Lsh,
            (false, ">>=") => Alu::Rsh,
            (false, "%=") => Alu::Mod,
            (true, "/=") => Alu::Sdiv,
            (true, "%=") => Alu::Smod,
            (true, ">>=") => Alu::Arsh,
            _ => {
                let mut wrong = self.tokens.expected("`=` or an operator such as `+=`");
                wrong.span = self.tokens.since(start);
                return Err(wrong);
            }
        };
        self.tokens.next();
        let src = self.operand(dst.width)?;
        Ok(Insn::Alu { width: dst.width, op, dst: dst.reg, src })
    }

    /// The second operand of arithmetic.
    fn operand(&mut self, width: Width) -> Result<Operand> {
        if let Some(field) = self.field()? {
            self.need = Need::Field(field);
            return Ok(Operand::Imm(0));
        }
        match self.tokens.peek() {
            Token::Name(_) => Ok(Operand::Reg(self.register_of(width)?)),
            _ => Ok(Operand::Imm(self.constant(width)?)),
        }
    }

    fn constant(&mut self, width: Width) -> Result<i32> {
        let (value, span) = self.tokens.number("a register or a number")?;
        immediate(value, span, width)
    }

    /// The value after `dst =`.
    fn value(&mut self, dst: NamedReg) -> Result<Insn> {
        let NamedReg { width, reg, .. } = dst;
        match self.tokens.peek() {
            Token::Sign("*") => self.load(dst),
            Token::Sign("(") => {
                self.tokens.next();
                let from = match self.tokens.peek() {
                    Token::Name("s8") => Bits::B8,
                    Token::Name("s16") => Bits::B16,
                    Token::Name("s32") if width == Width::W64 => Bits::B32,
                    _ => return Err(self.tokens.expected("s8, s16 or, for 64 bits, s32")),
                };
                self.tokens.next();
                self.tokens.expect(")")?;
                Ok(Insn::Movsx { width, from, dst: reg, src: self.register_of(width)? })
            }
            Token::Sign("-") => {
                // -r1, or a negative number.
                let mut ahead = self.tokens.clone();
                ahead.next();
                if matches!(ahead.peek(), Token::Number(_) | Token::Sign(_)) {
                    return self.number(dst);
                }
                self.tokens.next();
                self.same(dst, "negated")?;
                Ok(Insn::Neg { width, dst: reg })
            }
            Token::Number(_) | Token::Sign("+") => self.number(dst),
            Token::Name(name) => {
                if let Some(swapped) = swap(name) {
                    self.tokens.next();
                    self.wide_only(dst)?;
                    self.same(dst, "swapped")?;
                    return Ok(swapped(reg));
                }
                if name.starts_with("atomic") || name.starts_with("xchg") || name.starts_with("cmp")
                {
                    return self.fetch(dst);
                }
                match name {
                    "map" | "func" | "btf" | "extern" => self.pseudo(dst),
                    "load_acquire" => {
                        self.tokens.next();
                        self.tokens.expect("(")?;
                        let (size, base, offset) = self.typed_address()?;
                        self.tokens.expect(")")?;
                        let dst = self.holds(dst, size)?;
                        Ok(Insn::LoadAcquire { size, dst, base, offset })
                    }
                    _ => self.name(dst),
                }
            }
            _ => Err(self.tokens.expected("a value")),
        }
    }

    /// A register, a field's offset, or as LLVM writes it the name of a map or a function.
    fn name(&mut self, dst: NamedReg) -> Result<Insn> {
        let NamedReg { width, reg, .. } = dst;
        let mut ahead = self.tokens.clone();
        let word = ahead.word("a value")?;
        if ahead.eat_name("ll") {
            *self.tokens = ahead;
            self.wide_only(dst)?;
            self.need = Need::Symbol(word);
            return Ok(Insn::LoadImm64 { dst: reg, value: Imm64::MapIndex(0) });
        }
        let src = self.operand(width).map_err(|wrong| match wrong.help {
            Some(_) if wrong.what.starts_with("expected a register") => {
                let what = format!("`{}` is not a value", word.text);
                Mistake::new(word.span, what)
                    .help(format!("a map is `map[{0}]`, a function `func[{0}]`", word.text))
            }
            _ => wrong,
        })?;
        Ok(Insn::Alu { width, op: Alu::Mov, dst: reg, src })
    }

    /// The register that is written must be the one that is read.
    fn same(&mut self, dst: NamedReg, what: &str) -> Result<()> {
        let src = self.any_register()?;
        if (src.reg, src.width) == (dst.reg, dst.width) {
            return Ok(());
        }
        let letter = if dst.width == Width::W64 { 'r' } else { 'w' };
        let help = format!("write `{letter}{}`", dst.reg.number());
        Err(Mistake::new(src.span, format!("a register can only be {what} in place")).help(help))
    }

    fn wide_only(&self, dst: NamedReg) -> Result<()> {
        match dst.width {
            Width::W64 => Ok(()),
            Width::W32 => {
                let number = dst.reg.number();
                Err(Mistake::new(dst.span, "this needs a whole register")
                    .help(format!("write `r{number}`")))
            }
        }
    }

    /// A constant: one slot, or two if it needs 64 bits or is marked so.
    fn number(&mut self, dst: NamedReg) -> Result<Insn> {
        let NamedReg { width, reg, .. } = dst;
        let (value, span) = self.tokens.number("a number")?;
        let long = self.tokens.eat_name("ll");
        if long || self.wide || width == Width::W64 && i32::try_from(value).is_err() {
            self.wide_only(dst)?;
            let bits = u64::try_from(value).or_else(|_| i64::try_from(value).map(|v| v as u64));
            let bits = bits.map_err(|_| Mistake::new(span, "this does not fit 64 bits"))?;
            return Ok(Insn::LoadImm64 { dst: reg, value: Imm64::Value(bits) });
        }
        let src = Operand::Imm(immediate(value, span, width)?);
        Ok(Insn::Alu { width, op: Alu::Mov, dst: reg, src })
    }

    /// `map[hist]`, `map[hist][0]+8`, `map[fd:3]`, `map[idx:0]`, `func[pc+3]`, `btf[7]`, `extern[jiffies]`.
    fn pseudo(&mut self, dst: NamedReg) -> Result<Insn> {
        self.wide_only(dst)?;
        let kind = self.tokens.next();
        self.tokens.expect("[")?;
        let value = match kind {
            Token::Name("map") => self.map()?,
            Token::Name("func") => {
                let (distance, span) = self.target()?;
                self.tokens.expect("]")?;
                Imm64::Func { offset: fit(distance, span, "an address")? }
            }
            Token::Name("extern") => {
                self.need = Need::Extern(self.tokens.word("a variable of the kernel")?);
                self.tokens.expect("]")?;
                Imm64::Value(0)
            }
            _ => {
                let (id, span) = self.tokens.number("a BTF id")?;
                let mut module = 0;
                if self.tokens.eat(",") {
                    self.prefix("fd")?;
                    let (fd, span) = self.tokens.number("a descriptor")?;
                    module = fit(fd, span, "a descriptor")?;
                }
                self.tokens.expect("]")?;
                Imm64::BtfId { id: fit(id, span, "an id")?, module_fd: module }
            }
        };
        self.tokens.eat_name("ll");
        Ok(Insn::LoadImm64 { dst: dst.reg, value })
    }

    fn prefix(&mut self, name: &str) -> Result<()> {
        match self.tokens.eat_name(name) {
            true => self.tokens.expect(":"),
            false => Err(self.tokens.expected(&format!("`{name}:`"))),
        }
    }

    /// The rest after `map[`.
    fn map(&mut self) -> Result<Imm64> {
        let word = self.tokens.word("a map's name")?;
        let mut number = None;
        if matches!(word.text.as_str(), "fd" | "idx") && self.tokens.eat(":") {
            let (value, span) = self.tokens.number("a number")?;
            number = Some(fit(value, span, "a map's number")?);
        }
        let by_fd = number.is_some() && word.text == "fd";
        let map = number.unwrap_or_default();
        if number.is_none() {
            self.need = Need::Map(word);
        }
        self.tokens.expect("]")?;
        if !self.tokens.eat("[") {
            return Ok(if by_fd { Imm64::MapFd(map) } else { Imm64::MapIndex(map) });
        }
        let (first, span) = self.tokens.number("0")?;
        if first != 0 {
            return Err(Mistake::new(span, "only the first value of an array has an address here"));
        }
        self.tokens.expect("]")?;
        let mut offset = 0;
        if matches!(self.tokens.peek(), Token::Sign("+")) {
            let (value, span) = self.tokens.number("an offset")?;
            offset = fit(value, span, "an offset into a value")?;
        }
        Ok(if by_fd {
            Imm64::MapFdValue { fd: map, offset }
        } else {
            Imm64::MapIndexValue { index: map, offset }
        })
    }

    /// What follows `if`.
    fn jump_if(&mut self) -> Result<Insn> {
        let NamedReg { reg: dst, width, .. } = self.any_register()?;
        let start = self.tokens.span();
        let signed = self.tokens.eat_name("s");
        let cond = match (signed, self.tokens.peek()) {
            (false, Token::Sign("==")) => Cond::Eq,
            (false, Token::Sign("!=")) => Cond::Ne,
            (false, Token::Sign(">")) => Cond::Gt,
            (false, Token::Sign(">=")) => Cond::Ge,
            (false, Token::Sign("<")) => Cond::Lt,
            (false, Token::Sign("<=")) => Cond::Le,
            (false, Token::Sign("&")) => Cond::Set,
            (true, Token::Sign(">")) => Cond::Sgt,
            (true, Token::Sign(">=")) => Cond::Sge,
            (true, Token::Sign("<")) => Cond::Slt,
            (true, Token::Sign("<=")) => Cond::Sle,
            (false, Token::Sign("=")) => {
                return Err(Mistake::new(start, "`=` compares nothing").help("write `==`"));
            }
            _ => return Err(self.tokens.expected("a comparison: == != > >= < <= & s> s>= s< s<=")),
        };
        self.tokens.next();
        let src = match self.tokens.peek() {
            Token::Name(_) => Operand::Reg(self.register_of(width)?),
            _ => {
                let hexadecimal = matches!(self.tokens.peek(), Token::Number(text)
                    if text.starts_with("0x"));
                let (value, span) = self.tokens.number("a register or a number")?;
                // The verifier prints -1 as 0xffffffff, whatever the width.
                let width = if hexadecimal { Width::W32 } else { width };
                Operand::Imm(immediate(value, span, width)?)
            }
        };
        if !self.tokens.eat_name("goto") {
            return Err(self.tokens.expected("`goto`"));
        }
        let (distance, span) = self.target()?;
        let offset = fit(distance, span, "a conditional jump")
            .map_err(|wrong| wrong.help("jump the other way over a gotol (Linux 6.6)"))?;
        Ok(Insn::JumpIf { width, cond, dst, src, offset })
    }

    /// `pc+2`, `+2` or a label.
    fn target(&mut self) -> Result<(i128, TextSpan)> {
        let start = self.tokens.span();
        let pc = self.tokens.eat_name("pc");
        match self.tokens.peek() {
            Token::Sign("+" | "-") => {
                let (distance, _) = self.tokens.number("a number of instructions")?;
                let span = self.tokens.since(start);
                // llvm-objdump says what it thinks is there.
                if self.tokens.peek() == Token::Sign("<") {
                    while self.tokens.next() != Token::End {}
                }
                Ok((distance, span))
            }
            Token::Name(_) if !pc => {
                self.need = Need::Label(self.tokens.word("a label")?);
                Ok((0, start))
            }
            Token::Number(number) => Err(self
                .tokens
                .expected("`pc+2` or a label")
                .help(format!("write `pc+{number}`, counted from the next instruction"))),
            _ => Err(self.tokens.expected("`pc+2` or a label")),
        }
    }

    /// What follows `call`.
    fn call(&mut self) -> Result<Insn> {
        let start = self.tokens.span();
        let mut ahead = self.tokens.clone();
        match ahead.next() {
            Token::Number(_) | Token::Sign("-") => {
                let (id, span) = self.tokens.number("a helper")?;
                return Ok(Insn::Call(Callee::Helper(fit(id, span, "a helper's number")?)));
            }
            Token::Name("pc") if matches!(ahead.peek(), Token::Sign("+" | "-")) => {
                let (offset, span) = self.target()?;
                return Ok(Insn::Call(Callee::Local { offset: fit(offset, span, "a call")? }));
            }
            Token::Name("kernel") if ahead.eat("-") && ahead.eat_name("function") => {
                *self.tokens = ahead;
                return self.kfunc();
            }
            _ => {}
        }
        let word = self.tokens.word("a helper, a label or `pc+2`")?;
        if !self.tokens.eat("#") {
            if let Some(helper) = Helper::by_name(&word.text) {
                return Ok(Insn::Call(Callee::Helper(helper.id as i32)));
            }
            self.need = Need::Callee(word);
            return Ok(Insn::Call(Callee::Local { offset: 0 }));
        }
        let (id, span) = self.tokens.number("a helper's number")?;
        let id = fit(id, span, "a helper's number")?;
        if word.text == "unknown" {
            return Ok(Insn::Call(Callee::Helper(id)));
        }
        match Helper::by_name(&word.text) {
            Some(helper) if helper.id as i32 == id => Ok(Insn::Call(Callee::Helper(id))),
            Some(helper) => {
                let what = format!("{} is helper {}, not {id}", helper.name, helper.id);
                Err(Mistake::new(self.tokens.since(start), what)
                    .help(format!("the name alone is enough: `call {}`", helper.name)))
            }
            None => Err(no_helper(&word)),
        }
    }

    /// What follows `kernel-function`.
    fn kfunc(&mut self) -> Result<Insn> {
        self.tokens.expect("#")?;
        let (id, span) = self.tokens.number("a BTF id")?;
        let id = fit(id, span, "an id")?;
        let mut fd_index = 0;
        if self.tokens.eat("[") {
            let (index, span) = self.tokens.number("a place in the table of descriptors")?;
            fd_index = fit(index, span, "a place in the table of descriptors")?;
            self.tokens.expect("]")?;
        }
        Ok(Insn::Call(Callee::Kfunc { id, fd_index }))
    }
}

/// No helper has this name.
pub fn no_helper(word: &Word) -> Box<Mistake> {
    let what = format!("no helper is called `{}`", word.text);
    let bpf = format!("bpf_{}", word.text.strip_prefix("bpf_").unwrap_or(&word.text));
    Mistake::new(word.span, what).meant(&bpf, &mut helper::ALL.iter().map(|helper| helper.name))
}

/// `be16`, `le64`, `bswap32`: what makes the instruction for a register.
fn swap(name: &str) -> Option<impl Fn(Reg) -> Insn> {
    let at = name.find(|c: char| c.is_ascii_digit())?;
    let bits = match &name[at..] {
        "16" => Bits::B16,
        "32" => Bits::B32,
        "64" => Bits::B64,
        _ => return None,
    };
    let endian = match &name[..at] {
        "be" => Some(Endian::Big),
        "le" => Some(Endian::Little),
        "bswap" => None,
        _ => return None,
    };
    Some(move |dst| match endian {
        Some(endian) => Insn::ToEndian { endian, bits, dst },
        None => Insn::Bswap { bits, dst },
    })
}

/// A number as a field of this type, or what is wrong with it.
fn fit<T: TryFrom<i128>>(value: i128, span: TextSpan, what: &str) -> Result<T> {
    T::try_from(value).map_err(|_| {
        let bits = 8 * size_of::<T>();
        Mistake::new(span, format!("{value} is too far for {what}, whose offset has {bits} bits"))
    })
}

/// A constant of 32 bits. One of 64 bits it stands for by its sign, so that there a number beyond
/// 31 bits would not be what was written.
fn immediate(value: i128, span: TextSpan, width: Width) -> Result<i32> {
    let unsigned = u32::try_from(value).ok().filter(|_| width == Width::W32);
    let value = i32::try_from(value).ok().or(unsigned.map(|value| value as i32));
    value.ok_or_else(|| {
        let wrong = Mistake::new(span, "a constant has 32 bits");
        match width {
            Width::W32 => wrong,
            Width::W64 => wrong.help(
                "its sign is extended to 64 bits: it can be -0x80000000 to 0x7fffffff; \
                 load any other constant into a register first",
            ),
        }
    })
}
