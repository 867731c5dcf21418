//! Prints a program exactly as the verifier does. In place of an address or a name that only the kernel knows,
//! it prints the number or name in the instruction: `map[hist]` and `func[pc+3]` for addresses,
//! `kernel-function#7` for a kernel function.

use std::fmt;

use super::helper::Helper;
use super::instruction::{Alu, Atomic, Callee, Cond, Imm64, Insn, LoadType, Operand, Size, Width};
use super::reg::Reg;
use super::slot::{Endian, Slot};

/// Names for the numbers in an instruction.
#[derive(Clone, Copy, Default)]
pub struct Names<'a> {
    /// The program's maps in their order.
    pub maps: &'a [&'a str],
    /// The field whose offset is not known yet, as `offsetof(struct request, q)`.
    pub field: Option<&'a str>,
}

impl Insn {
    /// The instruction as the verifier prints it, without its opcode. Maps, whose address the
    /// verifier would print, are shown by name.
    pub fn text<'a>(&'a self, names: Names<'a>) -> impl fmt::Display + 'a {
        InsnText { insn: self, names }
    }
}

impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        InsnText { insn: self, names: Names::default() }.fmt(f)
    }
}

/// The line of a listing that begins at `slot`: `3: (b7) r0 = 0`.
pub fn line<'a>(slot: usize, insn: &'a Insn, names: Names<'a>) -> impl fmt::Display + 'a {
    struct ListingLine<'a>(usize, u8, InsnText<'a>);
    impl fmt::Display for ListingLine<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}: ({:02x}) {}", self.0, self.1, self.2)
        }
    }
    let code = insn.to_slots().next().map_or(0, |slot| slot.code);
    ListingLine(slot, code, InsnText { insn, names })
}

struct InsnText<'a> {
    insn: &'a Insn,
    names: Names<'a>,
}

impl fmt::Display for InsnText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.names.field;
        match *self.insn {
            Insn::Alu { width, op, dst, src } => {
                let dst = named(width, dst);
                match (src, field) {
                    (Operand::Imm(_), Some(field)) => write!(f, "{dst} {} {field}", alu(op)),
                    (Operand::Imm(imm), None) => write!(f, "{dst} {} {imm}", alu(op)),
                    (Operand::Reg(src), _) => write!(f, "{dst} {} {}", alu(op), named(width, src)),
                }
            }
            Insn::Movsx { width, from, dst, src } => {
                let (dst, src) = (named(width, dst), named(width, src));
                write!(f, "{dst} = (s{}){src}", from.count())
            }
            Insn::Neg { width, dst } => {
                write!(f, "{} = -{}", named(width, dst), named(width, dst))
            }
            Insn::ToEndian { endian, bits, dst } => {
                let order = if endian == Endian::Big { "be" } else { "le" };
                write!(f, "{dst} = {order}{} {dst}", bits.count())
            }
            Insn::Bswap { bits, dst } => write!(f, "{dst} = bswap{} {dst}", bits.count()),
            Insn::Load { type_, dst, base, offset } => {
                write!(f, "{dst} = *({} *)({base} {})", load(type_), Off(offset, field))
            }
            Insn::Store { size: s, base, offset, src } => {
                write!(f, "*({} *)({base} {}) = ", size(s), Off(offset, field))?;
                match src {
                    Operand::Imm(imm) => write!(f, "{imm}"),
                    Operand::Reg(src) => write!(f, "{src}"),
                }
            }
            Insn::LoadPacket { size: s, index, offset } => match index {
                None => write!(f, "r0 = *({} *)skb[{offset}]", size(s)),
                Some(index) => write!(f, "r0 = *({} *)skb[{index} + {offset}]", size(s)),
            },
            Insn::Atomic { op, width, base, offset, src } => {
                let (type_, suffix) = if width == Width::W64 { ("u64", "64") } else { ("u32", "") };
                let at = format_args!("({type_} *)({base} {})", Off(offset, field)).to_string();
                match op {
                    Atomic::Add => write!(f, "lock *{at} += {src}"),
                    Atomic::Or => write!(f, "lock *{at} |= {src}"),
                    Atomic::And => write!(f, "lock *{at} &= {src}"),
                    Atomic::Xor => write!(f, "lock *{at} ^= {src}"),
                    Atomic::FetchAdd => write!(f, "{src} = atomic{suffix}_fetch_add({at}, {src})"),
                    Atomic::FetchOr => write!(f, "{src} = atomic{suffix}_fetch_or({at}, {src})"),
                    Atomic::FetchAnd => write!(f, "{src} = atomic{suffix}_fetch_and({at}, {src})"),
                    Atomic::FetchXor => write!(f, "{src} = atomic{suffix}_fetch_xor({at}, {src})"),
                    Atomic::Xchg => write!(f, "{src} = atomic{suffix}_xchg({at}, {src})"),
                    Atomic::Cmpxchg => write!(f, "r0 = atomic{suffix}_cmpxchg({at}, r0, {src})"),
                }
            }
            Insn::LoadAcquire { size: s, dst, base, offset } => {
                write!(f, "{dst} = load_acquire(({} *)({base} {}))", size(s), Off(offset, field))
            }
            Insn::StoreRelease { size: s, base, offset, src } => {
                let off = Off(offset, field);
                write!(f, "store_release(({} *)({base} {off}), {src})", size(s))
            }
            Insn::LoadImm64 { dst, value } => {
                write!(f, "{dst} = ")?;
                self.imm64(f, value)
            }
            Insn::Goto { offset } => write!(f, "goto pc{offset:+}"),
            Insn::Gotol { offset } => write!(f, "gotol pc{offset:+}"),
            Insn::MayGoto { offset } => write!(f, "may_goto pc{offset:+}"),
            Insn::JumpIf { width, cond, dst, src, offset } => {
                write!(f, "if {} {} ", named(width, dst), condition(cond))?;
                match src {
                    Operand::Imm(imm) => write!(f, "0x{imm:x}")?,
                    Operand::Reg(src) => write!(f, "{}", named(width, src))?,
                }
                write!(f, " goto pc{offset:+}")
            }
            Insn::Call(Callee::Helper(id)) => {
                let known = u32::try_from(id).ok().and_then(Helper::by_id);
                write!(f, "call {}#{id}", known.map_or("unknown", |helper| helper.name))
            }
            Insn::Call(Callee::Local { offset }) => write!(f, "call pc{offset:+}"),
            Insn::Call(Callee::Kfunc { id, fd_index: 0 }) => write!(f, "call kernel-function#{id}"),
            Insn::Call(Callee::Kfunc { id, fd_index }) => {
                write!(f, "call kernel-function#{id}[{fd_index}]")
            }
            Insn::Exit => write!(f, "exit"),
            Insn::Raw(Slot { code, dst, src, off, imm }) => {
                write!(f, "insn {code:#x}")?;
                let fields =
                    [("dst", dst.into()), ("src", src.into()), ("off", off.into()), ("imm", imm)];
                let mut set = fields.iter().filter(|(_, value)| *value != 0i32);
                set.try_for_each(|(name, value)| write!(f, " {name} {value}"))
            }
        }
    }
}

impl InsnText<'_> {
    fn imm64(&self, f: &mut fmt::Formatter<'_>, value: Imm64) -> fmt::Result {
        let name = |index: i32| {
            let name = usize::try_from(index).ok().and_then(|i| self.names.maps.get(i));
            name.map_or_else(|| format!("idx:{index}"), |name| (*name).to_owned())
        };
        match value {
            Imm64::Value(value) => write!(f, "0x{value:x}"),
            Imm64::MapFd(fd) => write!(f, "map[fd:{fd}]"),
            Imm64::MapFdValue { fd, offset } => write!(f, "map[fd:{fd}][0]+{offset}"),
            Imm64::BtfId { id, module_fd: 0 } => write!(f, "btf[{id}]"),
            Imm64::BtfId { id, module_fd } => write!(f, "btf[{id}, fd:{module_fd}]"),
            Imm64::Func { offset } => write!(f, "func[pc{offset:+}]"),
            Imm64::MapIndex(index) => write!(f, "map[{}]", name(index)),
            Imm64::MapIndexValue { index, offset } => write!(f, "map[{}][0]+{offset}", name(index)),
        }
    }
}

/// An offset in a memory operand: `+8`, or the field whose offset is not known.
struct Off<'a>(i16, Option<&'a str>);

impl fmt::Display for Off<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(field) => write!(f, "+{field}"),
            None => write!(f, "{:+}", self.0),
        }
    }
}

fn named(width: Width, reg: Reg) -> impl fmt::Display {
    let letter = if width == Width::W64 { 'r' } else { 'w' };
    struct Named(char, Reg);
    impl fmt::Display for Named {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}{}", self.0, self.1.number())
        }
    }
    Named(letter, reg)
}

fn alu(op: Alu) -> &'static str {
    match op {
        Alu::Add => "+=",
        Alu::Sub => "-=",
        Alu::Mul => "*=",
        Alu::Div => "/=",
        Alu::Sdiv => "s/=",
        Alu::Or => "|=",
        Alu::And => "&=",
        Alu::Lsh => "<<=",
        Alu::Rsh => ">>=",
        Alu::Mod => "%=",
        Alu::Smod => "s%=",
        Alu::Xor => "^=",
        Alu::Mov => "=",
        Alu::Arsh => "s>>=",
    }
}

fn condition(cond: Cond) -> &'static str {
    match cond {
        Cond::Eq => "==",
        Cond::Ne => "!=",
        Cond::Gt => ">",
        Cond::Ge => ">=",
        Cond::Lt => "<",
        Cond::Le => "<=",
        Cond::Sgt => "s>",
        Cond::Sge => "s>=",
        Cond::Slt => "s<",
        Cond::Sle => "s<=",
        Cond::Set => "&",
    }
}

fn size(size: Size) -> &'static str {
    match size {
        Size::U8 => "u8",
        Size::U16 => "u16",
        Size::U32 => "u32",
        Size::U64 => "u64",
    }
}

fn load(type_: LoadType) -> &'static str {
    match type_ {
        LoadType::U8 => "u8",
        LoadType::U16 => "u16",
        LoadType::U32 => "u32",
        LoadType::U64 => "u64",
        LoadType::S8 => "s8",
        LoadType::S16 => "s16",
        LoadType::S32 => "s32",
    }
}
