//! What the standard library for glibc asks for beyond what musl has.

use std::ffi::{CStr, c_char, c_int, c_void};

/// Asked before a child is spawned: glibc before 2.24 does not tell of a failed exec in it.
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
extern "C" fn gnu_get_libc_version() -> *const c_char {
    const LATER: &CStr = c"2.24";
    LATER.as_ptr()
}

/// Asked first for the tables for unwinding, for a backtrace: -1 is "look for them by
/// `dl_iterate_phdr`", which musl has.
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
extern "C" fn _dl_find_object(_: *const c_void, _: *mut c_void) -> c_int {
    -1
}
