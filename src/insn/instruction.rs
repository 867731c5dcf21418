//! One instruction of any form.

use super::reg::Reg;
use super::slot::{Endian, Slot};

/// Whether an operation works on the whole register or on its low half.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Width {
    /// `w0`..: the low 32 bits; the high ones become zero.
    W32,
    /// `r0`..: all 64 bits.
    W64,
}

/// The size of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[allow(missing_docs)] // The names say it.
pub enum Size {
    U8,
    U16,
    U32,
    U64,
}

impl Size {
    /// 1, 2, 4 or 8.
    pub const fn bytes(self) -> i32 {
        match self {
            Size::U8 => 1,
            Size::U16 => 2,
            Size::U32 => 4,
            Size::U64 => 8,
        }
    }
}

/// The type of a load; signed values are extended to 64 bits (ISA v4, Linux 6.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[allow(missing_docs)] // The names say it.
pub enum LoadType {
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
}

impl LoadType {
    /// 1, 2, 4 or 8.
    pub const fn bytes(self) -> i32 {
        match self {
            LoadType::U8 | LoadType::S8 => 1,
            LoadType::U16 | LoadType::S16 => 2,
            LoadType::U32 | LoadType::S32 => 4,
            LoadType::U64 => 8,
        }
    }
}

/// The number of low bits that a sign extension or byte swap uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[allow(missing_docs)] // The names say it.
pub enum Bits {
    B8,
    B16,
    B32,
    B64,
}

impl Bits {
    /// 8, 16, 32 or 64.
    pub const fn count(self) -> u8 {
        match self {
            Bits::B8 => 8,
            Bits::B16 => 16,
            Bits::B32 => 32,
            Bits::B64 => 64,
        }
    }
}

/// The second operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Operand {
    /// A constant, sign-extended to 64 bits if the operation has 64 bits.
    Imm(i32),
    /// A register.
    Reg(Reg),
}

/// `dst op= src`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Alu {
    /// `+=`
    Add,
    /// `-=`
    Sub,
    /// `*=`
    Mul,
    /// `/=` unsigned; by zero it gives 0.
    Div,
    /// `s/=` signed (ISA v4, Linux 6.6); by zero it gives 0.
    Sdiv,
    /// `|=`
    Or,
    /// `&=`
    And,
    /// `<<=`
    Lsh,
    /// `>>=`, zeros come in.
    Rsh,
    /// `%=` unsigned; by zero it leaves dst.
    Mod,
    /// `s%=` signed (ISA v4, Linux 6.6); by zero it leaves dst.
    Smod,
    /// `^=`
    Xor,
    /// `=`
    Mov,
    /// `s>>=`, the sign comes in.
    Arsh,
}

/// The condition of a jump.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Cond {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `>` unsigned
    Gt,
    /// `>=` unsigned
    Ge,
    /// `<` unsigned (Linux 4.14)
    Lt,
    /// `<=` unsigned (Linux 4.14)
    Le,
    /// `s>` signed
    Sgt,
    /// `s>=` signed
    Sge,
    /// `s<` signed (Linux 4.14)
    Slt,
    /// `s<=` signed (Linux 4.14)
    Sle,
    /// `&`: any of the bits is set
    Set,
}

/// An atomic read-modify-write of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Atomic {
    /// Add.
    Add,
    /// Or (Linux 5.12).
    Or,
    /// And (Linux 5.12).
    And,
    /// Xor (Linux 5.12).
    Xor,
    /// Add; the register gets the old value (Linux 5.12).
    FetchAdd,
    /// Or; the register gets the old value (Linux 5.12).
    FetchOr,
    /// And; the register gets the old value (Linux 5.12).
    FetchAnd,
    /// Xor; the register gets the old value (Linux 5.12).
    FetchXor,
    /// Exchange memory and register (Linux 5.12).
    Xchg,
    /// If memory equals r0, store the register; r0 gets the old value (Linux 5.12).
    Cmpxchg,
}

/// The value that the two-slot load puts into a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Imm64 {
    /// A number.
    Value(u64),
    /// The map of a file descriptor.
    MapFd(i32),
    /// An address inside the first value of the array map of a file descriptor (Linux 5.2).
    MapFdValue {
        /// The map.
        fd: i32,
        /// Bytes into the value.
        offset: u32,
    },
    /// The address of a kernel variable by its BTF id (Linux 5.10).
    BtfId {
        /// Id of the variable.
        id: i32,
        /// File descriptor of the module's BTF, 0 for the kernel's own.
        module_fd: i32,
    },
    /// The address of a function of this program, in slots from the next instruction (Linux 5.13).
    Func {
        /// Slots.
        offset: i32,
    },
    /// A map by its place in the table of file descriptors given at load (Linux 5.14).
    MapIndex(i32),
    /// An address inside the first value of an array map, by the map's place (Linux 5.14).
    MapIndexValue {
        /// The map's place.
        index: i32,
        /// Bytes into the value.
        offset: u32,
    },
}

/// The target of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Callee {
    /// A helper by number, which this crate need not know.
    Helper(i32),
    /// A function of this program, in slots from the next instruction (Linux 4.16).
    Local {
        /// Slots.
        offset: i32,
    },
    /// A kernel function by its BTF id (Linux 5.13).
    Kfunc {
        /// Id of the function.
        id: i32,
        /// Place of the module's BTF in the table of file descriptors, 0 for the kernel's own.
        fd_index: i16,
    },
}

/// One instruction. All but [`Insn::LoadImm64`] have one slot of eight bytes; jumps count slots from the
/// instruction after them. Named after RFC 9669, sections 4 and 5.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[allow(missing_docs)] // The fields are the words of the verifier's listing given with each.
pub enum Insn {
    /// `r1 += r2`, `w1 = 7`
    Alu { width: Width, op: Alu, dst: Reg, src: Operand },
    /// `r1 = (s8)r2`: sign-extend the low bits (ISA v4, Linux 6.6). 64 bits, or 32 into a half,
    /// is not an instruction.
    Movsx { width: Width, from: Bits, dst: Reg, src: Reg },
    /// `r1 = -r1`
    Neg { width: Width, dst: Reg },
    /// `r1 = be16 r1`: from host order to this one, low bits kept. Not for 8 bits.
    ToEndian { endian: Endian, bits: Bits, dst: Reg },
    /// `r1 = bswap16 r1`: swap bytes, low bits kept (ISA v4, Linux 6.6). Not for 8 bits.
    Bswap { bits: Bits, dst: Reg },
    /// `r1 = *(u32 *)(r2 +4)`
    Load { type_: LoadType, dst: Reg, base: Reg, offset: i16 },
    /// `*(u32 *)(r1 +4) = r2`
    Store { size: Size, base: Reg, offset: i16, src: Operand },
    /// `r0 = *(u16 *)skb[r6 + 12]`: big-endian load from the packet, no 64-bit form (RFC 9669,
    /// section 5.5: deprecated).
    LoadPacket { size: Size, index: Option<Reg>, offset: i32 },
    /// `lock *(u64 *)(r1 +0) += r2`
    Atomic { op: Atomic, width: Width, base: Reg, offset: i16, src: Reg },
    /// `r1 = load_acquire((u64 *)(r2 +0))` (Linux 6.15)
    LoadAcquire { size: Size, dst: Reg, base: Reg, offset: i16 },
    /// `store_release((u64 *)(r1 +0), r2)` (Linux 6.15)
    StoreRelease { size: Size, base: Reg, offset: i16, src: Reg },
    /// `r1 = 0x1122334455667788`: two slots.
    LoadImm64 { dst: Reg, value: Imm64 },
    /// `goto pc+3`
    Goto { offset: i16 },
    /// `gotol pc+40000` (ISA v4, Linux 6.6)
    Gotol { offset: i32 },
    /// `may_goto pc+3`: falls through a bounded number of times, then jumps (Linux 6.9).
    MayGoto { offset: i16 },
    /// `if r1 == 0x0 goto pc+3`; on the low halves since Linux 5.1.
    JumpIf { width: Width, cond: Cond, dst: Reg, src: Operand, offset: i16 },
    /// `call bpf_map_lookup_elem#1`
    Call(Callee),
    /// `exit`
    Exit,
    /// `insn 0x8d dst 1 imm 5`: a slot that is no instruction, whatever a kernel says of it.
    Raw(Slot),
}

impl Insn {
    /// 2 for [`Insn::LoadImm64`], else 1.
    pub const fn slots(&self) -> usize {
        if matches!(self, Insn::LoadImm64 { .. }) { 2 } else { 1 }
    }
}
