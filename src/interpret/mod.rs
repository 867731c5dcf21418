//! Runs programs without a kernel: every instruction of RFC 9669 and those of Linux since, and the helpers that
//! need nothing of a kernel's.
//!
//! | module | what it is for |
//! |---|---|
//! | [`alu`] | arithmetic and comparisons |
//! | [`memory`] | memory by regions, and the registers |
//! | [`maps`] | arrays, hashes and ring buffers |
//! | [`packet`] | contexts: raw bytes, or a packet's |
//! | [`printk`] | the text that a program prints |
//! | [`world`] | what a program reaches, and the helpers |
//! | [`machine`] | [`Machine`]: one instruction after the other |
//!
//! Nothing is verified: a program that a kernel refuses may run here, and one that faults may have been
//! accepted there, since a helper needs a kernel. Each access to memory is checked; a [`Fault`] says why the program
//! cannot go on. There is one CPU, time passes by one nanosecond with each instruction, and random numbers
//! are the same in each run, so that a run can be repeated.
//!
//! ```
//! use rawbpf::insn::*;
//! use rawbpf::interpret::{Input, Machine, World};
//!
//! let source = parse("sum.bpf", "
//!     .program sum raw_tracepoint
//!         r0 = *(u64 *)(r1 + 0)
//!         r2 = *(u64 *)(r1 + 8)
//!         r0 += r2
//!         exit
//! ").unwrap();
//! let arguments = [40u64, 2].map(u64::to_ne_bytes).concat();
//! let insns = source.programs[0].program.insns();
//! let mut machine = Machine::new(insns, World::new(&[])?, &Input::Context(arguments))?;
//! machine.step()?;
//! assert_eq!(machine.registers().0[0], Some(40));
//! assert_eq!(machine.run(1000)?, Some(42));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod alu;
pub mod machine;
pub mod maps;
pub mod memory;
pub mod packet;
pub mod printk;
pub mod world;

pub use machine::{Fault, Machine};
pub use maps::{MapDef, MapKind};
pub use packet::Input;
pub use world::{USER_ADDRESS, World};
