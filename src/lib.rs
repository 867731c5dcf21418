//! eBPF tracing without a compiler: bytecode assembled in Rust, loaded by the raw `bpf(2)` syscall.
//!
//! A program is written an instruction a line, as the verifier lists it. What the verifier would
//! refuse often does not compile, and a mistake in the rest is told with the line that made it:
//!
//! ```no_run
//! use rawbpf::insn::*;
//! use rawbpf::sys::{Load, ProgramType, prog};
//!
//! let mut a = Asm::new();
//! let odd = a.label();
//! a.jump_if(r1, Cond::Set, 1, &odd); // if r1 & 0x1 goto pc+2
//! a.mov(w0, 0);                      // w0 = 0
//! a.exit();                          // exit
//! a.place(odd);
//! a.mov(w0, 1);
//! a.exit();
//! let program = a.finish()?;
//!
//! print!("{}", program.listing(&[]));
//! let insns = encode(program.insns(), Endian::HOST);
//! let loaded = prog::load(&Load { name: "odd", insns: &insns, ..Load::new(ProgramType::Kprobe) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Three short programs are in `examples/`: `load` builds a program, loads and runs it;
//! `disassemble` lists what is in an object that clang made; `read_map` prints what a map in the
//! kernel holds.
//!
//! Nothing here needs a library or a tool on the host. What needs a privilege or a kernel of some
//! version says so; every failure is a value that tells the kernel's own words.
//!
//! | module | what it is for |
//! |---|---|
//! | [`insn`] | the instruction set: build, encode, decode and list programs; pure |
//! | [`btf`] | find a struct's field in a BTF blob, write BTF for our own programs; pure |
//! | [`elf`] | read the objects that clang makes, write some that libbpf takes; pure |
//! | [`sys`] | the kernel boundary: `bpf(2)`, `perf_event_open(2)`, tracefs; the only `unsafe` |
//! | [`host`] | what this kernel offers: attach kinds, registers, fields, and why it refuses |
//! | [`session`] | load and attach a tool's programs; dropping it leaves nothing behind |
//! | [`counters`] | read counters that are never cleared |
//! | [`distributions`] | read distributions of values: counts, sums and extremes |
//! | [`interval`] | wait for the end of an interval, or for a signal |
//! | [`verifier`] | what the verifier says: its log as values, a refused program diagnosed; pure |
//! | [`view`] | pictures: data in, text out; pure |
//! | [`programs`] | the tools' programs |
//! | [`lessons`] | the course: refused programs, their solutions and what these do |
//! | `cli` | the command line |
//! | [`error`] | failures that say what to do next |
//!
//! The modules that are pure build for any target, the others for Linux. The feature `cli`, a default,
//! adds the command line, and `sys::signal`, which handles SIGINT and SIGTERM; a library needs neither:
//! `default-features = false`.
#![deny(unsafe_code)]
#![warn(missing_docs)]
// They panic where the stream cannot be written.
#![deny(clippy::print_stdout, clippy::print_stderr)]

// What is pure builds for any target.
pub mod btf;
pub mod elf;
pub mod error;
pub mod insn;
pub mod lessons;
mod texts;
pub mod verifier;
pub mod view;

// What asks the kernel, for Linux alone.
#[cfg(all(target_os = "linux", feature = "cli"))]
pub mod cli;
#[cfg(target_os = "linux")]
pub mod counters;
#[cfg(target_os = "linux")]
pub mod distributions;
#[cfg(target_os = "linux")]
pub mod host;
#[cfg(target_os = "linux")]
pub mod interval;
#[cfg(target_os = "linux")]
pub mod programs;
#[cfg(target_os = "linux")]
pub mod session;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)] // The kernel boundary; every block there gives its reason.
pub mod sys;
