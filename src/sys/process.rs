//! How a process begins.

use std::ffi::{CStr, OsStr, OsString, c_char};
use std::fs::OpenOptions;
use std::os::fd::IntoRawFd;
use std::os::unix::ffi::OsStrExt;
use std::ptr::NonNull;

use nix::libc::{POLLNVAL, poll, pollfd};
use nix::sys::signal::{SigHandler, Signal, signal};

/// Makes stdin, stdout and stderr something, so that what is opened later is none of them, and a
/// reader that has gone an error of write(2) instead of the end.
///
/// It is for the beginning of a process: a descriptor that another thread opens meanwhile may get one of
/// their numbers.
pub fn begin() {
    let mut fds = [0, 1, 2].map(|fd| pollfd { fd, events: 0, revents: 0 });
    // SAFETY: there are as many as is said, each for the kernel to write to. It may be asked of any
    // number whether it is a descriptor, and takes no hold of those that are.
    unsafe { poll(fds.as_mut_ptr(), fds.len() as _, 0) };
    for fd in fds {
        if fd.revents & POLLNVAL != 0 {
            // The lowest number that is free is given to what is opened next.
            let null = OpenOptions::new().read(true).write(true).open("/dev/null");
            let _ = null.map(IntoRawFd::into_raw_fd);
        }
    }
    // SAFETY: it installs no handler, whose code would have to be safe in one.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
}

/// The arguments of the process as the C library hands them to `main`: nothing else makes one.
/// [`std::env::args_os`] has none where Rust's runtime does not begin the process, but with glibc.
#[repr(transparent)]
pub struct Arguments(NonNull<*const c_char>);

impl Arguments {
    /// All of them, the name that the program was called by first.
    pub fn to_vec(&self) -> Vec<OsString> {
        let mut all = vec![];
        let mut at = self.0;
        loop {
            // SAFETY: the C library's array ends with a null pointer, and this goes no further. Nobody
            // writes to it.
            let string = unsafe { *at.as_ptr() };
            if string.is_null() {
                return all;
            }
            // SAFETY: the C library's strings end with a zero and stay as long as the process.
            let string = unsafe { CStr::from_ptr(string) };
            all.push(OsStr::from_bytes(string.to_bytes()).into());
            // SAFETY: what was there is not the array's end, so that the next is in it too.
            at = unsafe { at.add(1) };
        }
    }
}
