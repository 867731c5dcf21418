//! Encodes instructions to bytes.

use super::instruction::{Callee, Imm64, Insn, LoadType, Operand, Size, Width};
use super::opcode::*;
use super::reg::Reg;
use super::slot::{Endian, Slot};

/// The bytes of a program, eight for each slot.
pub fn encode(insns: &[Insn], endian: Endian) -> Vec<u8> {
    insns.iter().flat_map(|insn| insn.to_slots()).flat_map(|slot| slot.to_bytes(endian)).collect()
}

impl Insn {
    /// The one or two slots of this instruction.
    pub fn to_slots(&self) -> impl Iterator<Item = Slot> {
        let (first, second) = self.slot_pair();
        std::iter::once(first).chain(second)
    }

    fn slot_pair(&self) -> (Slot, Option<Slot>) {
        let slot = match *self {
            Insn::Alu { width, op, dst, src } => {
                let (code, off) = number(&ALU_OPS, op);
                with_operand(Slot { code: alu(width) | code, dst: dst.number(), off, ..NONE }, src)
            }
            Insn::Movsx { width, from, dst, src } => {
                let (code, _) = number(&ALU_OPS, super::Alu::Mov);
                let off = i16::from(from.count());
                with_operand(
                    Slot { code: alu(width) | code, dst: dst.number(), off, ..NONE },
                    Operand::Reg(src),
                )
            }
            Insn::Neg { width, dst } => Slot { code: alu(width) | NEG, dst: dst.number(), ..NONE },
            Insn::ToEndian { endian, bits, dst } => {
                let order = if endian == Endian::Big { X } else { 0 };
                let imm = i32::from(bits.count());
                Slot { code: ALU | END | order, dst: dst.number(), imm, ..NONE }
            }
            Insn::Bswap { bits, dst } => {
                let imm = i32::from(bits.count());
                Slot { code: ALU64 | END, dst: dst.number(), imm, ..NONE }
            }
            Insn::Load { type_, dst, base, offset } => {
                let (mode, size) = match type_ {
                    LoadType::U8 => (MEM, Size::U8),
                    LoadType::U16 => (MEM, Size::U16),
                    LoadType::U32 => (MEM, Size::U32),
                    LoadType::U64 => (MEM, Size::U64),
                    LoadType::S8 => (MEMSX, Size::U8),
                    LoadType::S16 => (MEMSX, Size::U16),
                    LoadType::S32 => (MEMSX, Size::U32),
                };
                memory(LDX | mode, size, dst, base, offset)
            }
            Insn::Store { size, base, offset, src: Operand::Reg(src) } => {
                memory(STX | MEM, size, base, src, offset)
            }
            Insn::Store { size, base, offset, src: Operand::Imm(imm) } => Slot {
                code: ST | MEM | number(&SIZES, size),
                dst: base.number(),
                off: offset,
                imm,
                ..NONE
            },
            Insn::LoadPacket { size, index, offset } => Slot {
                code: LD | if index.is_some() { IND } else { ABS } | number(&SIZES, size),
                src: index.map_or(0, Reg::number),
                imm: offset,
                ..NONE
            },
            Insn::Atomic { op, width, base, offset, src } => {
                let size = if width == Width::W64 { Size::U64 } else { Size::U32 };
                Slot { imm: number(&ATOMICS, op), ..memory(STX | ATOMIC, size, base, src, offset) }
            }
            Insn::LoadAcquire { size, dst, base, offset } => {
                Slot { imm: LOAD_ACQUIRE, ..memory(STX | ATOMIC, size, dst, base, offset) }
            }
            Insn::StoreRelease { size, base, offset, src } => {
                Slot { imm: STORE_RELEASE, ..memory(STX | ATOMIC, size, base, src, offset) }
            }
            Insn::LoadImm64 { dst, value } => return load_imm64(dst, value),
            Insn::Goto { offset } => Slot { code: JMP | JA, off: offset, ..NONE },
            Insn::Gotol { offset } => Slot { code: JMP32 | JA, imm: offset, ..NONE },
            Insn::MayGoto { offset } => Slot { code: JMP | JCOND, off: offset, ..NONE },
            Insn::JumpIf { width, cond, dst, src, offset } => {
                let class = if width == Width::W64 { JMP } else { JMP32 };
                let code = class | number(&CONDITIONS, cond);
                with_operand(Slot { code, dst: dst.number(), off: offset, ..NONE }, src)
            }
            Insn::Call(callee) => {
                let (src, off, imm) = match callee {
                    Callee::Helper(id) => (0, 0, id),
                    Callee::Local { offset } => (1, 0, offset),
                    Callee::Kfunc { id, fd_index } => (2, fd_index, id),
                };
                Slot { code: JMP | CALL, dst: 0, src, off, imm }
            }
            Insn::Exit => Slot { code: JMP | EXIT, ..NONE },
            Insn::Raw(slot) => slot,
        };
        (slot, None)
    }
}

const NONE: Slot = Slot { code: 0, dst: 0, src: 0, off: 0, imm: 0 };

fn alu(width: Width) -> u8 {
    if width == Width::W64 { ALU64 } else { ALU }
}

fn with_operand(slot: Slot, src: Operand) -> Slot {
    match src {
        Operand::Imm(imm) => Slot { imm, ..slot },
        Operand::Reg(reg) => Slot { code: slot.code | X, src: reg.number(), ..slot },
    }
}

fn memory(code: u8, size: Size, dst: Reg, src: Reg, off: i16) -> Slot {
    Slot { code: code | number(&SIZES, size), dst: dst.number(), src: src.number(), off, imm: 0 }
}

fn load_imm64(dst: Reg, value: Imm64) -> (Slot, Option<Slot>) {
    let (src, low, high) = match value {
        Imm64::Value(value) => (0, value as u32 as i32, (value >> 32) as i32),
        Imm64::MapFd(fd) => (1, fd, 0),
        Imm64::MapFdValue { fd, offset } => (2, fd, offset as i32),
        Imm64::BtfId { id, module_fd } => (3, id, module_fd),
        Imm64::Func { offset } => (4, offset, 0),
        Imm64::MapIndex(index) => (5, index, 0),
        Imm64::MapIndexValue { index, offset } => (6, index, offset as i32),
    };
    let first = Slot { code: LD | IMM | DW, dst: dst.number(), src, off: 0, imm: low };
    (first, Some(Slot { imm: high, ..NONE }))
}
