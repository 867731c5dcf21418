//! How a process begins.

use std::fs::OpenOptions;
use std::os::fd::{BorrowedFd, IntoRawFd};

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
