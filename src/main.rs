//! The `rawbpf` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use dlmalloc::GlobalDlmalloc;

/// One allocator with every C library. It asks the kernel for memory less often than theirs.
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

fn main() -> ExitCode {
    rawbpf::cli::run(std::env::args_os().collect()).into()
}
