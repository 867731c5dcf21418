//! eBPF tracing without a compiler: bytecode assembled in Rust, loaded by the raw `bpf(2)` syscall.
//!
//! | module | what it is for |
//! |---|---|
//! | [`insn`] | the instruction set: build, encode, decode and list programs; pure |
//! | [`btf`] | find a struct's field in a BTF blob, write BTF for our own programs; pure |
//! | [`sys`] | the kernel boundary: `bpf(2)`, `perf_event_open(2)`, tracefs; the only `unsafe` |
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod btf;
pub mod cli;
pub mod counters;
pub mod distributions;
pub mod error;
pub mod host;
pub mod insn;
pub mod interval;
pub mod programs;
pub mod session;
#[allow(unsafe_code)] // The kernel boundary; every block there gives its reason.
pub mod sys;
pub mod view;
