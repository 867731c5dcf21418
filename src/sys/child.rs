//! A process that waits before it runs a program, so that its whole run can be traced.

use std::ffi::{CString, c_char};
use std::io::{self, PipeWriter};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A process that waits to be started. If it is dropped before that, it ends.
#[derive(Debug)]
#[must_use = "it waits until it is started"]
pub struct WaitingChild {
    pid: u32,
    exit: OwnedFd,
    gate: PipeWriter,
}

/// A process that runs. Readable when it has ended.
#[derive(Debug)]
pub struct StartedChild {
    exit: OwnedFd,
}

impl WaitingChild {
    /// Makes a process that will run this program with these arguments, the first of which is its name.
    ///
    /// # Errors
    /// The kernel makes no process, or cannot watch it: pidfd_open(2) requires Linux 5.3.
    pub fn new(program: &CString, arguments: &[CString]) -> io::Result<WaitingChild> {
        let (wait, gate) = io::pipe()?;
        let mut argv: Vec<*const c_char> = arguments.iter().map(|word| word.as_ptr()).collect();
        argv.push(std::ptr::null());
        let waits = wait.as_raw_fd();
        // SAFETY: the child calls only what is safe in a signal handler, on memory that was made before:
        // read, signal, execv and _exit. It never returns. The write end of the pipe is closed in it by
        // `exec`, and before that keeps no one waiting, since a byte is what it waits for.
        let pid = unsafe {
            let pid = libc::fork();
            if pid == 0 {
                libc::close(gate.as_raw_fd());
                let mut byte = 0_u8;
                if libc::read(waits, (&raw mut byte).cast(), 1) == 1 {
                    // As a shell would start it: Rust ignores this signal.
                    libc::signal(libc::SIGPIPE, libc::SIG_DFL);
                    libc::execv(program.as_ptr(), argv.as_ptr());
                }
                libc::_exit(127);
            }
            pid
        };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it makes a new descriptor of a number.
        let exit = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        if exit < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new, and nobody else has it.
        let exit = unsafe { OwnedFd::from_raw_fd(exit as i32) };
        Ok(WaitingChild { pid: pid as u32, exit, gate })
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Lets it run its program.
    ///
    /// # Errors
    /// It is gone.
    pub fn start(mut self) -> io::Result<StartedChild> {
        io::Write::write_all(&mut self.gate, &[1])?;
        Ok(StartedChild { exit: self.exit })
    }
}

impl AsFd for StartedChild {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.exit.as_fd()
    }
}
