//! The `rawbpf` command.

#![no_main]

use std::ffi::c_int;

use rawbpf::sys::process::{self, Arguments};

/// Called by the C library. What Rust's runtime does before is a twentieth of the time until a probe is
/// live, most of it for the words in which a stack overflow is told.
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, arguments: Arguments) -> c_int {
    process::begin();
    std::process::exit(rawbpf::cli::run(arguments.to_vec()).into())
}
