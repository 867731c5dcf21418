//! Arithmetic and comparisons, as a 64-bit kernel does them.

use crate::insn::{Alu, Atomic, Bits, Cond, Endian, Width};

/// The bits of a result: those of 32 bits have zeros above them.
pub fn narrowed(width: Width, value: u64) -> u64 {
    if width == Width::W32 { u64::from(value as u32) } else { value }
}

/// The low bits of a number, sign-extended to 64.
pub fn extended(bits: u8, value: u64) -> u64 {
    let unused = 64 - u32::from(bits);
    ((value << unused) as i64 >> unused) as u64
}

/// `a op= b`. Division by zero gives 0 and the remainder of it `a`; shifts use the low bits of `b`
/// (RFC 9669, section 4.1).
pub fn alu(width: Width, op: Alu, a: u64, b: u64) -> u64 {
    let narrow = width == Width::W32;
    let (a, b) = (narrowed(width, a), narrowed(width, b));
    // Signed operations see the sign of their width.
    let bits = if narrow { 32 } else { 64 };
    let (signed_a, signed_b) = (extended(bits, a) as i64, extended(bits, b) as i64);
    let shift = b as u32 & u32::from(bits - 1);
    let result = match op {
        Alu::Add => a.wrapping_add(b),
        Alu::Sub => a.wrapping_sub(b),
        Alu::Mul => a.wrapping_mul(b),
        Alu::Div => a.checked_div(b).unwrap_or(0),
        Alu::Mod => a.checked_rem(b).unwrap_or(a),
        Alu::Sdiv if b == 0 => 0,
        Alu::Sdiv => signed_a.wrapping_div(signed_b) as u64,
        Alu::Smod if b == 0 => a,
        Alu::Smod => signed_a.wrapping_rem(signed_b) as u64,
        Alu::Or => a | b,
        Alu::And => a & b,
        Alu::Xor => a ^ b,
        Alu::Mov => b,
        Alu::Lsh => a << shift,
        Alu::Rsh => a >> shift,
        Alu::Arsh => (signed_a >> shift) as u64,
    };
    narrowed(width, result)
}

/// Whether a jump's condition holds.
pub fn holds(width: Width, cond: Cond, a: u64, b: u64) -> bool {
    let bits = if width == Width::W32 { 32 } else { 64 };
    let (a, b) = (narrowed(width, a), narrowed(width, b));
    let (signed_a, signed_b) = (extended(bits, a) as i64, extended(bits, b) as i64);
    match cond {
        Cond::Eq => a == b,
        Cond::Ne => a != b,
        Cond::Gt => a > b,
        Cond::Ge => a >= b,
        Cond::Lt => a < b,
        Cond::Le => a <= b,
        Cond::Sgt => signed_a > signed_b,
        Cond::Sge => signed_a >= signed_b,
        Cond::Slt => signed_a < signed_b,
        Cond::Sle => signed_a <= signed_b,
        Cond::Set => a & b != 0,
    }
}

/// The low bits of a number with their bytes in the opposite order.
pub fn swapped(bits: Bits, value: u64) -> u64 {
    value.swap_bytes() >> (64 - bits.count())
}

/// The low bits of a number of this host's byte order in another.
pub fn to_endian(endian: Endian, bits: Bits, value: u64) -> u64 {
    match endian == Endian::HOST {
        true if bits == Bits::B64 => value,
        true => value & ((1 << bits.count()) - 1),
        false => swapped(bits, value),
    }
}

/// What an atomic operation leaves in memory that had `old`; `expected` is r0 for a compare-and-exchange.
pub fn atomic(width: Width, op: Atomic, old: u64, source: u64, expected: u64) -> u64 {
    match op {
        Atomic::Add | Atomic::FetchAdd => old.wrapping_add(source),
        Atomic::Or | Atomic::FetchOr => old | source,
        Atomic::And | Atomic::FetchAnd => old & source,
        Atomic::Xor | Atomic::FetchXor => old ^ source,
        Atomic::Xchg => source,
        Atomic::Cmpxchg if old == narrowed(width, expected) => source,
        Atomic::Cmpxchg => old,
    }
}
