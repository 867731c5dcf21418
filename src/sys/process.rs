//! How a process begins.

use std::ffi::{CStr, OsStr, OsString, c_char};
use std::fs::OpenOptions;
use std::os::fd::{BorrowedFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr::NonNull;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, Signal, signal};

/// Makes stdin, stdout and stderr something, so that what is opened later is none of them, and a
/// reader that has gone an error of write(2) instead of the end.
pub fn begin() {
    // SAFETY: whether these are open is only asked, which may be asked of any number.
    let fds = [0, 1, 2].map(|fd| unsafe { BorrowedFd::borrow_raw(fd) });
    let mut fds = fds.map(|fd| PollFd::new(fd, PollFlags::empty()));
    let _ = poll(&mut fds, PollTimeout::ZERO);
    for fd in fds {
        if fd.revents().is_some_and(|is| is.contains(PollFlags::POLLNVAL)) {
            // The lowest number that is free is given to what is opened next.
            let null = OpenOptions::new().read(true).write(true).open("/dev/null");
            let _ = null.map(IntoRawFd::into_raw_fd);
        }
    }
    // SAFETY: to ignore a signal runs no code in a handler.
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
            // SAFETY: behind the last string is a null pointer, and this goes no further.
            let string = unsafe { *at.as_ptr() };
            if string.is_null() {
                return all;
            }
            // SAFETY: the strings end with a zero and stay as long as the process.
            let string = unsafe { CStr::from_ptr(string) };
            all.push(OsStr::from_bytes(string.to_bytes()).into());
            // SAFETY: it was not the last.
            at = unsafe { at.add(1) };
        }
    }
}
