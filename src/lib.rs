//! eBPF tracing without a compiler: bytecode assembled in Rust, loaded by the raw `bpf(2)` syscall.
//!
//! | module | what it is for |
//! |---|---|
//! | [`insn`] | the instruction set: build, encode, decode and list programs; pure |
//! | [`btf`] | find a struct's field in a BTF blob, write BTF for our own programs; pure |
//! | [`elf`] | write an object that libbpf, bpftool and llvm-objdump take; pure |
//! | [`sys`] | the kernel boundary: `bpf(2)`, `perf_event_open(2)`, tracefs; the only `unsafe` |
//! | [`host`] | what this kernel offers: attach kinds, registers, fields, and why it refuses |
//! | [`session`] | load and attach a tool's programs; dropping it leaves nothing behind |
//! | [`counters`] | read counters that are never cleared |
//! | [`interval`] | wait for the end of an interval, or for a signal |
//! | [`verifier`] | what the verifier says: its log as values, a refused program diagnosed; pure |
//! | [`view`] | pictures: data in, text out; pure |
//! | [`programs`] | the tools' programs |
//! | [`lessons`] | the course: refused programs, their solutions and what these do |
//! | [`cli`] | the command line |
//! | [`error`] | failures that say what to do next |
#![deny(unsafe_code)]
#![warn(missing_docs)]
// They panic where the stream cannot be written.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod btf;
pub mod cli;
pub mod counters;
pub mod distributions;
pub mod elf;
pub mod error;
pub mod host;
pub mod insn;
pub mod interval;
pub mod lessons;
pub mod programs;
pub mod session;
#[allow(unsafe_code)] // The kernel boundary; every block there gives its reason.
pub mod sys;
pub mod verifier;
pub mod view;
