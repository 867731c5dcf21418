//! Registers as types, so that much of what the verifier would refuse does not compile.

use std::fmt;

/// A 64-bit register that may be written: [`r0`] to [`r9`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct R(u8);

/// The low 32 bits of a register, [`w0`] to [`w9`]: writing it clears the high 32 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct W(u8);

/// [`fp`], register 10: the read-only address of the end of the 512-byte stack frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Fp;

/// Any of the eleven registers, as the number in an instruction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Reg(u8);

impl Reg {
    /// Register `number`; None above 10, the last one.
    pub const fn new(number: u8) -> Option<Reg> {
        if number <= 10 { Some(Reg(number)) } else { None }
    }

    /// Register 11, which no program may use: the kernel's own, in a rewritten program.
    pub(super) const AUXILIARY: Reg = Reg(11);

    /// 0 to 10.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl From<R> for Reg {
    fn from(register: R) -> Reg {
        Reg(register.0)
    }
}

impl From<W> for Reg {
    fn from(register: W) -> Reg {
        Reg(register.0)
    }
}

impl From<Fp> for Reg {
    fn from(_: Fp) -> Reg {
        Reg(10)
    }
}

impl R {
    /// 0 to 9.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The low 32 bits of this register.
    pub const fn low(self) -> W {
        W(self.0)
    }
}

macro_rules! registers {
    ($($r:ident $w:ident $number:literal $role:literal),* $(,)?) => { $(
        #[doc = concat!("Register ", $number, ", 64 bits: ", $role, ".")]
        #[allow(non_upper_case_globals)] // As the verifier prints it.
        pub const $r: R = R($number);
        #[doc = concat!("Register ", $number, ", low 32 bits.")]
        #[allow(non_upper_case_globals)] // As the verifier prints it.
        pub const $w: W = W($number);
    )* };
}

registers! {
    r0 w0 0 "the result of a call and of the program",
    r1 w1 1 "the context at entry; first argument of a call, which wipes it",
    r2 w2 2 "second argument of a call, which wipes it",
    r3 w3 3 "third argument of a call, which wipes it",
    r4 w4 4 "fourth argument of a call, which wipes it",
    r5 w5 5 "fifth argument of a call, which wipes it",
    r6 w6 6 "kept across calls",
    r7 w7 7 "kept across calls",
    r8 w8 8 "kept across calls",
    r9 w9 9 "kept across calls",
}

/// Register 10, the frame pointer.
#[allow(non_upper_case_globals)] // As the other registers.
pub const fp: Fp = Fp;
