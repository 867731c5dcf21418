//! The eight bytes of an instruction slot, as fields.

use byteorder::{BE, ByteOrder, LE};

/// The order of bytes, and of the two register numbers in their byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Endian {
    /// x86_64, aarch64, riscv64: `bpfel`.
    Little,
    /// s390x: `bpfeb`.
    Big,
}

impl Endian {
    /// This host's.
    pub const HOST: Endian =
        if cfg!(target_endian = "little") { Endian::Little } else { Endian::Big };
}

/// One slot: `struct bpf_insn` of the kernel, RFC 9669 section 3.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Slot {
    /// Opcode.
    pub code: u8,
    /// Destination register, four bits.
    pub dst: u8,
    /// Source register, four bits.
    pub src: u8,
    /// Offset of a jump or a memory access.
    pub off: i16,
    /// Immediate.
    pub imm: i32,
}

impl Slot {
    /// The slot's bytes in memory.
    pub fn to_bytes(self, endian: Endian) -> [u8; 8] {
        let mut bytes = [self.code, 0, 0, 0, 0, 0, 0, 0];
        match endian {
            Endian::Little => {
                bytes[1] = self.src << 4 | self.dst;
                LE::write_i16(&mut bytes[2..4], self.off);
                LE::write_i32(&mut bytes[4..8], self.imm);
            }
            Endian::Big => {
                bytes[1] = self.dst << 4 | self.src;
                BE::write_i16(&mut bytes[2..4], self.off);
                BE::write_i32(&mut bytes[4..8], self.imm);
            }
        }
        bytes
    }

    /// The slot of these bytes in memory.
    pub fn from_bytes(bytes: [u8; 8], endian: Endian) -> Slot {
        let (high, low) = (bytes[1] >> 4, bytes[1] & 15);
        match endian {
            Endian::Little => Slot {
                code: bytes[0],
                dst: low,
                src: high,
                off: LE::read_i16(&bytes[2..4]),
                imm: LE::read_i32(&bytes[4..8]),
            },
            Endian::Big => Slot {
                code: bytes[0],
                dst: high,
                src: low,
                off: BE::read_i16(&bytes[2..4]),
                imm: BE::read_i32(&bytes[4..8]),
            },
        }
    }
}
