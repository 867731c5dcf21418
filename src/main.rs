//! The `rawbpf` command.

#![no_main]

use std::ffi::{c_char, c_int};

/// Called by the C library. What Rust's runtime does before is a twentieth of the time until a probe is
/// live, most of it for the words in which a stack overflow is told.
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, _: *const *const c_char) -> c_int {
    rawbpf::sys::process::begin();
    std::process::exit(rawbpf::cli::run(std::env::args_os()).into())
}
