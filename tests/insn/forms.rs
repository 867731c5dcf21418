//! Every form an instruction has, so that each oracle can say which it has seen. The form of an
//! instruction is the instruction with all its operands zero.

use proptest::prelude::*;
use rawbpf::insn::*;

/// All variants of an enum; one that is missing here does not compile.
macro_rules! every {
    ($name:ident: $type_:ident { $($variant:ident),* $(,)? }) => {
        pub const $name: &[$type_] = {
            const fn _none_is_missing(value: $type_) {
                match value { $($type_::$variant => {})* }
            }
            &[$($type_::$variant),*]
        };
    };
}

every!(WIDTHS: Width { W32, W64 });
every!(SIZES: Size { U8, U16, U32, U64 });
every!(LOADS: LoadType { U8, U16, U32, U64, S8, S16, S32 });
every!(BITS: Bits { B8, B16, B32, B64 });
every!(ALU: Alu {
    Add, Sub, Mul, Div, Sdiv, Or, And, Lsh, Rsh, Mod, Smod, Xor, Mov, Arsh,
});
every!(CONDS: Cond { Eq, Ne, Gt, Ge, Lt, Le, Sgt, Sge, Slt, Sle, Set });
every!(ATOMICS: Atomic {
    Add, Or, And, Xor, FetchAdd, FetchOr, FetchAnd, FetchXor, Xchg, Cmpxchg,
});

/// What to put into a form.
#[derive(Clone, Copy, Debug)]
pub struct Operands {
    pub dst: Reg,
    pub src: Reg,
    pub offset: i16,
    pub imm: i32,
    pub high: u32,
}

pub const ZERO: Operands =
    Operands { dst: Reg::new(0).unwrap(), src: Reg::new(0).unwrap(), offset: 0, imm: 0, high: 0 };

/// The same form with these operands.
pub fn fill(form: Insn, operands: Operands) -> Insn {
    let Operands { dst, src, offset, imm, high } = operands;
    let operand = |old| match old {
        Operand::Imm(_) => Operand::Imm(imm),
        Operand::Reg(_) => Operand::Reg(src),
    };
    match form {
        Insn::Alu { width, op, src, .. } => Insn::Alu { width, op, dst, src: operand(src) },
        Insn::Movsx { width, from, .. } => Insn::Movsx { width, from, dst, src },
        Insn::Neg { width, .. } => Insn::Neg { width, dst },
        Insn::ToEndian { endian, bits, .. } => Insn::ToEndian { endian, bits, dst },
        Insn::Bswap { bits, .. } => Insn::Bswap { bits, dst },
        Insn::Load { type_, .. } => Insn::Load { type_, dst, base: src, offset },
        Insn::Store { size, src, .. } => Insn::Store { size, base: dst, offset, src: operand(src) },
        Insn::LoadPacket { size, index, .. } => {
            Insn::LoadPacket { size, index: index.map(|_| src), offset: imm }
        }
        Insn::Atomic { op, width, .. } => Insn::Atomic { op, width, base: dst, offset, src },
        Insn::LoadAcquire { size, .. } => Insn::LoadAcquire { size, dst, base: src, offset },
        Insn::StoreRelease { size, .. } => Insn::StoreRelease { size, base: dst, offset, src },
        Insn::LoadImm64 { value, .. } => {
            let value = match value {
                Imm64::Value(_) => Imm64::Value(u64::from(high) << 32 | u64::from(imm as u32)),
                Imm64::MapFd(_) => Imm64::MapFd(imm),
                Imm64::MapFdValue { .. } => Imm64::MapFdValue { fd: imm, offset: high },
                Imm64::BtfId { .. } => Imm64::BtfId { id: imm, module_fd: high as i32 },
                Imm64::Func { .. } => Imm64::Func { offset: imm },
                Imm64::MapIndex(_) => Imm64::MapIndex(imm),
                Imm64::MapIndexValue { .. } => Imm64::MapIndexValue { index: imm, offset: high },
            };
            Insn::LoadImm64 { dst, value }
        }
        Insn::Goto { .. } => Insn::Goto { offset },
        Insn::Gotol { .. } => Insn::Gotol { offset: imm },
        Insn::MayGoto { .. } => Insn::MayGoto { offset },
        Insn::JumpIf { width, cond, src, .. } => {
            Insn::JumpIf { width, cond, dst, src: operand(src), offset }
        }
        Insn::Call(Callee::Helper(_)) => Insn::Call(Callee::Helper(imm)),
        Insn::Call(Callee::Local { .. }) => Insn::Call(Callee::Local { offset: imm }),
        Insn::Call(Callee::Kfunc { .. }) => Insn::Call(Callee::Kfunc { id: imm, fd_index: offset }),
        Insn::Exit => Insn::Exit,
        Insn::Raw(slot) => Insn::Raw(slot),
    }
}

/// The form of an instruction.
pub fn form(insn: &Insn) -> Insn {
    fill(*insn, ZERO)
}

/// Every form there is.
pub fn every_form() -> Vec<Insn> {
    let Operands { dst, src, offset, imm, .. } = ZERO;
    let both = [Operand::Imm(imm), Operand::Reg(src)];
    let swapped = BITS.iter().copied().filter(|bits| *bits != Bits::B8);
    let mut forms = vec![
        Insn::Goto { offset },
        Insn::Gotol { offset: imm },
        Insn::MayGoto { offset },
        Insn::Call(Callee::Helper(imm)),
        Insn::Call(Callee::Local { offset: imm }),
        Insn::Call(Callee::Kfunc { id: imm, fd_index: 0 }),
        Insn::Exit,
    ];
    for &width in WIDTHS {
        forms.push(Insn::Neg { width, dst });
        forms.extend(ATOMICS.iter().map(|&op| Insn::Atomic { op, width, base: dst, offset, src }));
        for second in both {
            forms.extend(ALU.iter().map(|&op| Insn::Alu { width, op, dst, src: second }));
            forms.extend(CONDS.iter().map(|&cond| Insn::JumpIf {
                width,
                cond,
                dst,
                src: second,
                offset,
            }));
        }
        for &from in BITS {
            if from == Bits::B64 || (from, width) == (Bits::B32, Width::W32) {
                continue;
            }
            forms.push(Insn::Movsx { width, from, dst, src });
        }
    }
    for bits in swapped {
        forms.push(Insn::Bswap { bits, dst });
        forms.extend([Endian::Little, Endian::Big].map(|endian| Insn::ToEndian {
            endian,
            bits,
            dst,
        }));
    }
    forms.extend(LOADS.iter().map(|&type_| Insn::Load { type_, dst, base: src, offset }));
    for &size in SIZES {
        forms.extend(both.map(|src| Insn::Store { size, base: dst, offset, src }));
        forms.push(Insn::LoadAcquire { size, dst, base: src, offset });
        forms.push(Insn::StoreRelease { size, base: dst, offset, src });
        if size != Size::U64 {
            forms.extend([None, Some(src)].map(|index| Insn::LoadPacket {
                size,
                index,
                offset: imm,
            }));
        }
    }
    let sources = [
        Imm64::Value(0),
        Imm64::MapFd(0),
        Imm64::MapFdValue { fd: 0, offset: 0 },
        Imm64::BtfId { id: 0, module_fd: 0 },
        Imm64::Func { offset: 0 },
        Imm64::MapIndex(0),
        Imm64::MapIndexValue { index: 0, offset: 0 },
    ];
    forms.extend(sources.map(|value| Insn::LoadImm64 { dst, value }));
    forms
}

/// The forms as the listing shows them, those of `seen` taken away: for a message.
pub fn missing(seen: impl IntoIterator<Item = Insn>) -> Vec<String> {
    let seen: std::collections::HashSet<Insn> = seen.into_iter().map(|insn| form(&insn)).collect();
    let forms = every_form().into_iter().filter(|form| !seen.contains(form));
    forms.map(|form| form.to_string()).collect()
}

/// Any register.
pub fn any_reg() -> impl Strategy<Value = Reg> {
    (0..=10_u8).prop_map(|number| Reg::new(number).expect("there are eleven registers"))
}

/// Any operands; the edges of each range often.
pub fn any_operands() -> impl Strategy<Value = Operands> {
    let offset = prop_oneof![any::<i16>(), -9..=9_i16, Just(i16::MIN), Just(i16::MAX)];
    let imm = prop_oneof![any::<i32>(), -9..=9, Just(i32::MIN), Just(i32::MAX)];
    let high = prop_oneof![any::<u32>(), 0..=1_u32, Just(u32::MAX)];
    (any_reg(), any_reg(), offset, imm, high).prop_map(|(dst, src, offset, imm, high)| Operands {
        dst,
        src,
        offset,
        imm,
        high,
    })
}

/// Any instruction, each form equally often.
pub fn any_insn() -> impl Strategy<Value = Insn> {
    (prop::sample::select(every_form()), any_operands())
        .prop_map(|(form, operands)| fill(form, operands))
}
