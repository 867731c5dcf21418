//! The numbers that make up an opcode: RFC 9669, sections 3 to 5. Only `encode` and `decode` use them.

pub const LD: u8 = 0x00;
pub const LDX: u8 = 0x01;
pub const ST: u8 = 0x02;
pub const STX: u8 = 0x03;
pub const ALU: u8 = 0x04;
pub const JMP: u8 = 0x05;
pub const JMP32: u8 = 0x06;
pub const ALU64: u8 = 0x07;

/// The source operand is a register.
pub const X: u8 = 0x08;

pub const NEG: u8 = 0x80;
pub const END: u8 = 0xd0;
pub const JA: u8 = 0x00;
pub const CALL: u8 = 0x80;
pub const EXIT: u8 = 0x90;
pub const JCOND: u8 = 0xe0;

pub const IMM: u8 = 0x00;
pub const ABS: u8 = 0x20;
pub const IND: u8 = 0x40;
pub const MEM: u8 = 0x60;
pub const MEMSX: u8 = 0x80;
pub const ATOMIC: u8 = 0xc0;

pub const DW: u8 = 0x18;

pub const LOAD_ACQUIRE: i32 = 0x100;
pub const STORE_RELEASE: i32 = 0x110;

use super::instruction::{Alu, Atomic, Cond, Size};

/// Operations with their number and the offset field that makes them signed.
pub const ALU_OPS: [(Alu, (u8, i16)); 14] = [
    (Alu::Add, (0x00, 0)),
    (Alu::Sub, (0x10, 0)),
    (Alu::Mul, (0x20, 0)),
    (Alu::Div, (0x30, 0)),
    (Alu::Sdiv, (0x30, 1)),
    (Alu::Or, (0x40, 0)),
    (Alu::And, (0x50, 0)),
    (Alu::Lsh, (0x60, 0)),
    (Alu::Rsh, (0x70, 0)),
    (Alu::Mod, (0x90, 0)),
    (Alu::Smod, (0x90, 1)),
    (Alu::Xor, (0xa0, 0)),
    (Alu::Mov, (0xb0, 0)),
    (Alu::Arsh, (0xc0, 0)),
];

pub const CONDITIONS: [(Cond, u8); 11] = [
    (Cond::Eq, 0x10),
    (Cond::Gt, 0x20),
    (Cond::Ge, 0x30),
    (Cond::Set, 0x40),
    (Cond::Ne, 0x50),
    (Cond::Sgt, 0x60),
    (Cond::Sge, 0x70),
    (Cond::Lt, 0xa0),
    (Cond::Le, 0xb0),
    (Cond::Slt, 0xc0),
    (Cond::Sle, 0xd0),
];

/// The operation is in the immediate.
pub const ATOMICS: [(Atomic, i32); 10] = [
    (Atomic::Add, 0x00),
    (Atomic::Or, 0x40),
    (Atomic::And, 0x50),
    (Atomic::Xor, 0xa0),
    (Atomic::FetchAdd, 0x01),
    (Atomic::FetchOr, 0x41),
    (Atomic::FetchAnd, 0x51),
    (Atomic::FetchXor, 0xa1),
    (Atomic::Xchg, 0xe1),
    (Atomic::Cmpxchg, 0xf1),
];

pub const SIZES: [(Size, u8); 4] =
    [(Size::U32, 0x00), (Size::U16, 0x08), (Size::U8, 0x10), (Size::U64, DW)];

/// The number of a name in one of the tables above, which have every name.
pub fn number<T: PartialEq, N: Copy>(table: &[(T, N)], name: T) -> N {
    table.iter().find(|row| row.0 == name).expect("the table holds every variant").1
}

/// The name of a number.
pub fn name<T: Copy, N: PartialEq>(table: &[(T, N)], number: N) -> Option<T> {
    table.iter().find(|row| row.1 == number).map(|row| row.0)
}
