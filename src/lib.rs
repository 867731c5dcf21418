//! eBPF tracing without a compiler: bytecode assembled in Rust, loaded by the raw `bpf(2)` syscall.
//!
//! A program is written with one instruction per line, as the verifier lists it. Often an instruction
//! that the verifier would refuse does not compile; the error of any other mistake has the line that
//! made it:
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
//! Short programs are in `examples/`: `bitehist` prints a tool's samples, `switches` is a program of one's own
//! with its map, `explain` explains a refusal of another loader, `load` loads a program and runs it,
//! `disassemble` lists an object that clang made, `read_map` prints the elements of a map in the kernel.
//!
//! Nothing here needs a library or a tool on the host. The documentation of a function names the
//! privilege or the kernel version that it needs; every failure is a value with the kernel's own words.
//!
//! | module | purpose |
//! |---|---|
//! | [`insn`] | the instruction set: build, encode, decode and list programs; pure |
//! | [`interpret`] | runs programs without a kernel; pure |
//! | [`btf`] | find a struct's field in a BTF blob, write BTF for our own programs; pure |
//! | [`elf`] | read the objects that clang makes, write some that libbpf takes; pure |
//! | [`sys`] | the kernel boundary: `bpf(2)`, `perf_event_open(2)`, tracefs; the only `unsafe` |
//! | [`host`] | what this kernel offers: attach kinds, registers, fields, and why it refuses |
//! | [`source`] | programs and maps from a text or an ELF object |
//! | [`aggregate`] | count in the kernel and read it here: counters, distributions, slots |
//! | [`run`] | load and attach programs, wait for what comes; dropping a session leaves nothing behind |
//! | [`verifier`] | the verifier's log as values, and the diagnosis of a refused program; pure |
//! | [`sample`] | a tool's counts, as values; pure |
//! | [`script`] | the script language: its grammar, names and types; pure |
//! | [`tools`] | the tools: their options, what they attach, and their samples |
//! | [`trace`] | runs scripts |
//! | [`view`] | samples as text and pictures; pure |
//! | [`export`] | samples for other programs |
//! | [`record`] | samples in a file, and back; pure |
//! | [`programs`] | the tools' programs |
//! | [`lessons`] | the course: refused programs, their solutions and the results of these |
//! | `net` | what leaves a run by sockets; only with the feature `cli` |
//! | `cli` | the command line |
//! | [`plain`] | foreign text made safe to print; pure |
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
pub mod interpret;
pub mod lessons;
mod order;
pub mod plain;
pub mod record;
pub mod sample;
pub mod script;
mod texts;
pub mod verifier;
pub mod view;

// What asks the kernel, for Linux alone.
#[cfg(target_os = "linux")]
pub mod aggregate;
#[cfg(all(target_os = "linux", feature = "cli"))]
pub mod cli;
#[cfg(target_os = "linux")]
pub mod export;
#[cfg(target_os = "linux")]
pub mod host;
#[cfg(all(target_os = "linux", feature = "cli"))]
pub mod net;
#[cfg(target_os = "linux")]
pub mod programs;
#[cfg(target_os = "linux")]
pub mod run;
#[cfg(target_os = "linux")]
pub mod source;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)] // The kernel boundary; every block there gives its reason.
pub mod sys;
#[cfg(target_os = "linux")]
pub mod tools;
#[cfg(target_os = "linux")]
pub mod trace;
