//! The eBPF instruction set: RFC 9669, and the additions of Linux since.
//!
//! | module | what it is for |
//! |---|---|
//! | [`reg`] | registers as types: `r0`..`r9`, `w0`..`w9`, `fp` |
//! | [`regs`] | [`Regs`]: sets of registers, and those that an instruction reads and writes |
//! | [`mem`] | memory operands: `u32_at(r6 + 8)`, fields of kernel structs |
//! | [`instruction`] | [`Insn`]: one instruction of any form |
//! | [`helper`] | the kernel's helper functions |
//! | [`asm`] | [`Asm`]: writes a program, one instruction on each line |
//! | [`frame`] | [`Frame`]: places on a program's stack |
//! | [`blocks`] | blocks for many programs: log2, reads of kernel memory, maps |
//! | [`source_text`] | the lines of Rust that write a program, shown beside it |
//! | [`slot`], [`encode()`], [`decode()`] | bytes, in either byte order |
//! | [`listing`] | the verifier's own text |
//! | [`parse()`](parse()) | programs from that text, or from one written by hand |
//! | [`graph`] | basic blocks and the jumps between them |
//! | [`translated`] | a loaded program, as the kernel rewrote it |
//!
//! Nothing here does I/O or knows the host: a program is built, encoded and listed on any machine.
//!
//! ```
//! use rawbpf::insn::*;
//!
//! let mut a = Asm::new();
//! let odd = a.label();
//! a.jump_if(r1, Cond::Set, 1, &odd);
//! a.mov(w0, 0);
//! a.exit();
//! a.place(odd);
//! a.mov(w0, 1);
//! a.exit();
//! let program = a.finish()?;
//! assert_eq!(
//!     program.listing(&[]).to_string(),
//!     "0: (45) if r1 & 0x1 goto pc+2\n1: (b4) w0 = 0\n2: (95) exit\n3: (b4) w0 = 1\n4: (95) exit\n"
//! );
//! # Ok::<(), AsmError>(())
//! ```

pub mod asm;
pub mod blocks;
pub mod decode;
pub mod encode;
pub mod error;
pub mod frame;
pub mod graph;
pub mod helper;
pub mod instruction;
pub mod listing;
pub mod mem;
mod opcode;
pub mod parse;
pub mod program;
pub mod reg;
pub mod regs;
pub mod slot;
pub mod source_text;
pub mod translated;

pub use asm::{Asm, Here, Isa, Label, Target};
pub use blocks::Access;
pub use decode::{DecodeError, decode, instructions, whole};
pub use encode::encode;
pub use error::AsmError;
pub use frame::{Frame, StackPlace};
pub use helper::Helper;
pub use instruction::{
    Alu, Atomic, Bits, Callee, Cond, Imm64, Insn, LoadType, Operand, Size, Width,
};
pub use mem::{Addr, Field, Mem, s8_at, s16_at, s32_at, u8_at, u16_at, u32_at, u64_at};
pub use parse::{Source, parse};
pub use program::{Line, Listed, MapRef, Note, ObjectLine, ObjectTypes, Program, Text};
pub use reg::*;
pub use regs::Regs;
pub use slot::{Endian, Slot};
pub use source_text::SourceText;
