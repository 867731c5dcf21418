//! Decodes bytes to instructions. Encoding a decoded instruction gives the same bytes again: a field that the
//! instruction does not use must be zero, as the kernel demands.

use thiserror::Error;

use super::instruction::{Alu, Atomic, Bits, Callee, Imm64, Insn, LoadType, Operand, Size, Width};
use super::opcode::*;
use super::reg::Reg;
use super::slot::{Endian, Slot};

/// Why bytes are not a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum DecodeError {
    /// The length is not whole slots.
    #[error("{0} bytes are not whole instructions: a slot has 8")]
    Length(usize),
    /// No instruction has this opcode.
    #[error("slot {slot}: unknown opcode 0x{code:02x}")]
    Opcode {
        /// Where.
        slot: usize,
        /// Which.
        code: u8,
    },
    /// There are registers 0 to 10.
    #[error("slot {slot}: there is no register r{register}")]
    Register {
        /// Where.
        slot: usize,
        /// Which.
        register: u8,
    },
    /// An unused field is not zero, or a used one has a value without a meaning.
    #[error("slot {slot}: opcode 0x{code:02x} cannot have {field} {value}")]
    FieldValue {
        /// Where.
        slot: usize,
        /// Of which opcode.
        code: u8,
        /// `dst`, `src`, `off` or `imm`.
        field: &'static str,
        /// The field's value.
        value: i32,
    },
    /// A 64-bit load ends after its first slot.
    #[error("slot {0}: the second half of the 64-bit load is missing")]
    Half(usize),
}

/// The instructions in `bytes`.
///
/// # Errors
/// The first slot that is not an instruction, and why.
pub fn decode(bytes: &[u8], endian: Endian) -> Result<Vec<Insn>, DecodeError> {
    instructions(bytes, endian)?.map(|(_, insn)| insn).collect()
}

/// Each instruction in `bytes` with its slot. After a slot that is not an instruction, it continues with the
/// next one, so that all others are returned too.
///
/// # Errors
/// The bytes are not whole slots.
pub fn instructions(
    bytes: &[u8],
    endian: Endian,
) -> Result<impl Iterator<Item = (usize, Result<Insn, DecodeError>)>, DecodeError> {
    walk(bytes, endian, false)
}

/// All of [`instructions`], with each slot that is none as [`Insn::Raw`].
///
/// # Errors
/// The bytes are not whole slots.
pub fn whole(
    bytes: &[u8],
    endian: Endian,
) -> Result<impl Iterator<Item = (usize, Insn)>, DecodeError> {
    let slots = bytes.as_chunks::<8>().0;
    Ok(instructions(bytes, endian)?.flat_map(move |(at, insn)| {
        let slot = |at: usize| slots.get(at).map(|bytes| Slot::from_bytes(*bytes, endian));
        let wide = slot(at).is_some_and(|slot| slot.code == LD | IMM | DW);
        // The second half of a load belongs to it.
        let second = slot(at + 1).filter(|slot| wide && slot.code == 0 && insn.is_err());
        let first = insn.ok().or(slot(at).map(Insn::Raw));
        let second = second.map(|slot| (at + 1, Insn::Raw(slot)));
        first.map(|insn| (at, insn)).into_iter().chain(second)
    }))
}

/// [`instructions`], with or without the register that is the kernel's own.
pub(super) fn walk(
    bytes: &[u8],
    endian: Endian,
    auxiliary: bool,
) -> Result<impl Iterator<Item = (usize, Decoded)>, DecodeError> {
    let (chunks, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(DecodeError::Length(bytes.len()));
    }
    let slot = move |at: usize| Some(Slot::from_bytes(*chunks.get(at)?, endian));
    let mut next = 0;
    Ok(std::iter::from_fn(move || {
        let at = next;
        let d = Decoder { at, slot: slot(at)?, auxiliary };
        next += 1;
        if d.slot.code != LD | IMM | DW {
            return Some((at, d.insn()));
        }
        let Some(second) = slot(next) else {
            return Some((at, Err(DecodeError::Half(at))));
        };
        next += usize::from(second.code == 0);
        Some((at, d.load_imm64(second)))
    }))
}

struct Decoder {
    at: usize,
    slot: Slot,
    auxiliary: bool,
}

type Decoded<T = Insn> = Result<T, DecodeError>;

impl Decoder {
    fn insn(&self) -> Decoded {
        match self.slot.code & 7 {
            ALU | ALU64 => self.alu(),
            LDX => self.load(),
            ST | STX => self.store(),
            LD => self.load_packet(),
            _ => self.jump(),
        }
    }

    fn alu(&self) -> Decoded {
        let Slot { code, off, imm, .. } = self.slot;
        let width = if code & 7 == ALU64 { Width::W64 } else { Width::W32 };
        let dst = self.dst()?;
        match code & 0xf0 {
            NEG => {
                self.opcode_if(code & X == 0)?;
                self.unused(&["src", "off", "imm"])?;
                Ok(Insn::Neg { width, dst })
            }
            END => {
                self.unused(&["src", "off"])?;
                let bits = match imm {
                    16 => Bits::B16,
                    32 => Bits::B32,
                    64 => Bits::B64,
                    _ => return Err(self.field("imm")),
                };
                if width == Width::W64 {
                    self.opcode_if(code & X == 0)?;
                    return Ok(Insn::Bswap { bits, dst });
                }
                let endian = if code & X == 0 { Endian::Little } else { Endian::Big };
                Ok(Insn::ToEndian { endian, bits, dst })
            }
            operation => {
                let src = self.operand()?;
                if let Some(op) = name(&ALU_OPS, (operation, off)) {
                    return Ok(Insn::Alu { width, op, dst, src });
                }
                let is_mov = operation == number(&ALU_OPS, Alu::Mov).0;
                let from = match (off, width) {
                    (8, _) => Some(Bits::B8),
                    (16, _) => Some(Bits::B16),
                    (32, Width::W64) => Some(Bits::B32),
                    _ => None,
                };
                match (src, from) {
                    (Operand::Reg(src), Some(from)) if is_mov => {
                        Ok(Insn::Movsx { width, from, dst, src })
                    }
                    _ if ALU_OPS.iter().any(|row| row.1.0 == operation) => Err(self.field("off")),
                    _ => Err(self.opcode()),
                }
            }
        }
    }

    fn load(&self) -> Decoded {
        let type_ = match (self.slot.code & 0xe0, self.size()) {
            (MEM, Size::U8) => LoadType::U8,
            (MEM, Size::U16) => LoadType::U16,
            (MEM, Size::U32) => LoadType::U32,
            (MEM, Size::U64) => LoadType::U64,
            (MEMSX, Size::U8) => LoadType::S8,
            (MEMSX, Size::U16) => LoadType::S16,
            (MEMSX, Size::U32) => LoadType::S32,
            _ => return Err(self.opcode()),
        };
        self.unused(&["imm"])?;
        Ok(Insn::Load { type_, dst: self.dst()?, base: self.src()?, offset: self.slot.off })
    }

    fn store(&self) -> Decoded {
        let Slot { code, off: offset, imm, .. } = self.slot;
        let (size, base) = (self.size(), self.dst()?);
        match (code & 7, code & 0xe0) {
            (ST, MEM) => {
                self.unused(&["src"])?;
                Ok(Insn::Store { size, base, offset, src: Operand::Imm(imm) })
            }
            (STX, MEM) => {
                self.unused(&["imm"])?;
                Ok(Insn::Store { size, base, offset, src: Operand::Reg(self.src()?) })
            }
            (STX, ATOMIC) => self.atomic(size),
            _ => Err(self.opcode()),
        }
    }

    fn atomic(&self, size: Size) -> Decoded {
        let (dst, src, offset) = (self.dst()?, self.src()?, self.slot.off);
        match self.slot.imm {
            LOAD_ACQUIRE => return Ok(Insn::LoadAcquire { size, dst, base: src, offset }),
            STORE_RELEASE => return Ok(Insn::StoreRelease { size, base: dst, offset, src }),
            _ => {}
        }
        let width = match size {
            Size::U32 => Width::W32,
            Size::U64 => Width::W64,
            Size::U8 | Size::U16 => return Err(self.opcode()),
        };
        let op: Atomic = name(&ATOMICS, self.slot.imm).ok_or_else(|| self.field("imm"))?;
        Ok(Insn::Atomic { op, width, base: dst, offset, src })
    }

    fn load_packet(&self) -> Decoded {
        let size = self.size();
        self.opcode_if(size != Size::U64)?;
        let index = match self.slot.code & 0xe0 {
            ABS => {
                self.unused(&["src"])?;
                None
            }
            IND => Some(self.src()?),
            _ => return Err(self.opcode()),
        };
        self.unused(&["dst", "off"])?;
        Ok(Insn::LoadPacket { size, index, offset: self.slot.imm })
    }

    fn jump(&self) -> Decoded {
        let Slot { code, src, off, imm, .. } = self.slot;
        let width = if code & 7 == JMP { Width::W64 } else { Width::W32 };
        match (code & 0xf0, width) {
            (JA, _) => {
                self.opcode_if(code & X == 0)?;
                self.unused(&["dst", "src"])?;
                if width == Width::W64 {
                    self.unused(&["imm"])?;
                    Ok(Insn::Goto { offset: off })
                } else {
                    self.unused(&["off"])?;
                    Ok(Insn::Gotol { offset: imm })
                }
            }
            (CALL, Width::W64) => {
                self.opcode_if(code & X == 0)?;
                self.unused(&["dst"])?;
                if src != 2 {
                    self.unused(&["off"])?;
                }
                Ok(Insn::Call(match src {
                    0 => Callee::Helper(imm),
                    1 => Callee::Local { offset: imm },
                    2 => Callee::Kfunc { id: imm, fd_index: off },
                    _ => return Err(self.field("src")),
                }))
            }
            (EXIT, Width::W64) => {
                self.opcode_if(code & X == 0)?;
                self.unused(&["dst", "src", "off", "imm"])?;
                Ok(Insn::Exit)
            }
            (JCOND, Width::W64) => {
                self.opcode_if(code & X == 0)?;
                self.unused(&["dst", "src", "imm"])?;
                Ok(Insn::MayGoto { offset: off })
            }
            (condition, _) => {
                let cond = name(&CONDITIONS, condition).ok_or_else(|| self.opcode())?;
                let (dst, src) = (self.dst()?, self.operand()?);
                Ok(Insn::JumpIf { width, cond, dst, src, offset: off })
            }
        }
    }

    fn load_imm64(&self, second: Slot) -> Decoded {
        let Slot { src, imm: low, .. } = self.slot;
        let high = second.imm;
        self.unused(&["off"])?;
        let rest = Decoder { at: self.at + 1, slot: second, ..*self };
        rest.opcode_if(second.code == 0)?;
        rest.unused(&["dst", "src", "off"])?;
        if matches!(src, 1 | 4 | 5) {
            rest.unused(&["imm"])?;
        }
        let value = match src {
            0 => Imm64::Value(u64::from(high as u32) << 32 | u64::from(low as u32)),
            1 => Imm64::MapFd(low),
            2 => Imm64::MapFdValue { fd: low, offset: high as u32 },
            3 => Imm64::BtfId { id: low, module_fd: high },
            4 => Imm64::Func { offset: low },
            5 => Imm64::MapIndex(low),
            6 => Imm64::MapIndexValue { index: low, offset: high as u32 },
            _ => return Err(self.field("src")),
        };
        Ok(Insn::LoadImm64 { dst: self.dst()?, value })
    }

    fn dst(&self) -> Decoded<Reg> {
        self.register(self.slot.dst)
    }

    fn src(&self) -> Decoded<Reg> {
        self.register(self.slot.src)
    }

    fn register(&self, register: u8) -> Decoded<Reg> {
        match register {
            11 if self.auxiliary => Ok(Reg::AUXILIARY),
            _ => Reg::new(register).ok_or(DecodeError::Register { slot: self.at, register }),
        }
    }

    fn size(&self) -> Size {
        name(&SIZES, self.slot.code & DW).expect("the table holds all two-bit sizes")
    }

    fn operand(&self) -> Decoded<Operand> {
        if self.slot.code & X == 0 {
            self.unused(&["src"])?;
            Ok(Operand::Imm(self.slot.imm))
        } else {
            self.unused(&["imm"])?;
            Ok(Operand::Reg(self.src()?))
        }
    }

    fn unused(&self, fields: &[&'static str]) -> Decoded<()> {
        match fields.iter().find(|field| self.value(field) != 0) {
            Some(field) => Err(self.field(field)),
            None => Ok(()),
        }
    }

    fn opcode_if(&self, known: bool) -> Decoded<()> {
        if known { Ok(()) } else { Err(self.opcode()) }
    }

    fn opcode(&self) -> DecodeError {
        DecodeError::Opcode { slot: self.at, code: self.slot.code }
    }

    fn field(&self, field: &'static str) -> DecodeError {
        let value = self.value(field);
        DecodeError::FieldValue { slot: self.at, code: self.slot.code, field, value }
    }

    fn value(&self, field: &str) -> i32 {
        match field {
            "dst" => self.slot.dst.into(),
            "src" => self.slot.src.into(),
            "off" => self.slot.off.into(),
            _ => self.slot.imm,
        }
    }
}
