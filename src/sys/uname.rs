//! The names of the host and its kernel, which need no /proc.

use nix::sys::utsname::{self, UtsName};
use std::ffi::OsStr;

/// The kernel's release, such as `6.12.48-amd64`. Empty if a filter for system calls refuses to tell.
pub fn kernel_release() -> String {
    name(UtsName::release)
}

/// The host's name. Empty if a filter for system calls refuses to tell.
pub fn host_name() -> String {
    name(UtsName::nodename)
}

fn name(of: impl Fn(&UtsName) -> &OsStr) -> String {
    utsname::uname().map_or(String::new(), |names| of(&names).to_string_lossy().into_owned())
}
