//! The `rawbpf` command.
#![deny(unsafe_code)]

use std::process::ExitCode;

use rawbpf::sys::Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// In place of the unwinder's: no frame is looked at. A panic says where it happened; the names of its callers are
/// not in the file, and the code that would look for them there is a thirtieth of it.
#[cfg(not(debug_assertions))]
#[allow(
    unsafe_code,
    reason = "the name of a function is given to the linker, which std is linked with"
)]
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(
    _: extern "C" fn(*mut core::ffi::c_void, *mut core::ffi::c_void) -> i32,
    _: *mut core::ffi::c_void,
) -> i32 {
    0
}

fn main() -> ExitCode {
    rawbpf::cli::run(std::env::args_os().collect()).into()
}
