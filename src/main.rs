//! The `rawbpf` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use rawbpf::sys::Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    rawbpf::cli::run(std::env::args_os().collect()).into()
}
