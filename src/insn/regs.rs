//! Sets of registers, and those that an instruction reads and writes.

use std::fmt;
use std::ops::BitOr;

use super::instruction::{Alu, Atomic, Insn, Operand};
use super::reg::{R, Reg, r0, r1, r2, r3, r4, r5, r6};

/// A set of registers.
///
/// ```
/// use rawbpf::insn::*;
///
/// let clobbered = Regs::of([r1, r2]) | r7.into();
/// assert!(clobbered.contains(r7) && !clobbered.contains(r0));
/// assert_eq!(clobbered.to_string(), "r1, r2, r7");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Regs(u16);

impl Regs {
    /// No register.
    pub const NONE: Regs = Regs(0);
    /// The arguments of a call, r1 to r5, which it wipes.
    pub const ARGUMENTS: Regs = Regs::of([r1, r2, r3, r4, r5]);
    /// All registers that a call changes: its result r0, and its arguments.
    pub const CALL: Regs = Regs::of([r0]).or(Regs::ARGUMENTS);

    /// These registers.
    pub const fn of<const N: usize>(registers: [R; N]) -> Regs {
        let (mut bits, mut at) = (0, 0);
        while at < N {
            bits |= 1 << registers[at].number();
            at += 1;
        }
        Regs(bits)
    }

    /// The registers of both sets.
    pub const fn or(self, other: Regs) -> Regs {
        Regs(self.0 | other.0)
    }

    /// Whether a register is among them.
    pub fn contains(self, register: impl Into<Reg>) -> bool {
        self.0 >> register.into().number() & 1 == 1
    }

    /// Each register, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Reg> {
        (0..=10).filter_map(Reg::new).filter(move |register| self.contains(*register))
    }
}

impl From<R> for Regs {
    fn from(register: R) -> Regs {
        Regs::of([register])
    }
}

impl From<Reg> for Regs {
    fn from(register: Reg) -> Regs {
        Regs(1 << register.number())
    }
}

impl BitOr for Regs {
    type Output = Regs;
    fn bitor(self, other: Regs) -> Regs {
        self.or(other)
    }
}

impl FromIterator<Regs> for Regs {
    fn from_iter<I: IntoIterator<Item = Regs>>(sets: I) -> Regs {
        sets.into_iter().fold(Regs::NONE, Regs::or)
    }
}

/// `r1, r2, r7`; empty for none.
impl fmt::Display for Regs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(|register| register.to_string()).collect();
        f.write_str(&names.join(", "))
    }
}

impl fmt::Debug for Regs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

impl Insn {
    /// The registers that it reads. For a call these are all that can be arguments, since their number is not in
    /// the instruction.
    pub fn reads(&self) -> Regs {
        let operand = |src| match src {
            Operand::Reg(register) => Regs::from(register),
            Operand::Imm(_) => Regs::NONE,
        };
        match *self {
            Insn::Alu { op: Alu::Mov, src, .. } => operand(src),
            Insn::Alu { dst, src, .. } | Insn::JumpIf { dst, src, .. } => {
                Regs::from(dst) | operand(src)
            }
            Insn::Movsx { src, .. } => src.into(),
            Insn::Neg { dst, .. } | Insn::ToEndian { dst, .. } | Insn::Bswap { dst, .. } => {
                dst.into()
            }
            Insn::Load { base, .. } | Insn::LoadAcquire { base, .. } => base.into(),
            Insn::Store { base, src, .. } => Regs::from(base) | operand(src),
            Insn::StoreRelease { base, src, .. } => Regs::from(base) | src.into(),
            // The context is always in r6.
            Insn::LoadPacket { index, .. } => Regs::from(r6) | index.map_or(Regs::NONE, Regs::from),
            Insn::Atomic { op, base, src, .. } => {
                let compared = if op == Atomic::Cmpxchg { r0.into() } else { Regs::NONE };
                Regs::from(base) | src.into() | compared
            }
            Insn::Call(_) => Regs::ARGUMENTS,
            Insn::Exit => r0.into(),
            Insn::LoadImm64 { .. }
            | Insn::Goto { .. }
            | Insn::Gotol { .. }
            | Insn::MayGoto { .. }
            | Insn::Raw(_) => Regs::NONE,
        }
    }

    /// The registers that it changes: its result, and those that it wipes.
    pub fn writes(&self) -> Regs {
        match *self {
            Insn::Alu { dst, .. }
            | Insn::Movsx { dst, .. }
            | Insn::Neg { dst, .. }
            | Insn::ToEndian { dst, .. }
            | Insn::Bswap { dst, .. }
            | Insn::Load { dst, .. }
            | Insn::LoadAcquire { dst, .. }
            | Insn::LoadImm64 { dst, .. } => dst.into(),
            Insn::LoadPacket { .. } | Insn::Call(_) => Regs::CALL,
            Insn::Atomic { op, src, .. } => match op {
                Atomic::Add | Atomic::Or | Atomic::And | Atomic::Xor => Regs::NONE,
                Atomic::FetchAdd
                | Atomic::FetchOr
                | Atomic::FetchAnd
                | Atomic::FetchXor
                | Atomic::Xchg => src.into(),
                Atomic::Cmpxchg => r0.into(),
            },
            Insn::Store { .. }
            | Insn::StoreRelease { .. }
            | Insn::Goto { .. }
            | Insn::Gotol { .. }
            | Insn::MayGoto { .. }
            | Insn::JumpIf { .. }
            | Insn::Exit
            | Insn::Raw(_) => Regs::NONE,
        }
    }
}
