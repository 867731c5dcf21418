//! The `rawbpf` command.

#![no_main]

#[cfg(linked_with_musl)]
#[path = "sys/glibc.rs"]
mod glibc;

use std::ffi::c_int;

use dlmalloc::GlobalDlmalloc;
use rawbpf::sys::process::{self, Arguments};

/// The same with every C library. It asks the kernel for memory less often than theirs.
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

/// Called by the C library. What Rust's runtime does before is a twentieth of the time until a probe is
/// live, most of it for the words in which a stack overflow is told.
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, arguments: Arguments) -> c_int {
    process::begin();
    std::process::exit(rawbpf::cli::run(arguments.to_vec()).into())
}
