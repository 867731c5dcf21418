//! Processes by descriptor, which stays that process's when its number is used again.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use super::{Errno, SysError, file};

/// A process. Requires Linux 5.3.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

/// Readable once the process has ended.
impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl PidFd {
    /// The process of this number in the PID namespace of this process. ESRCH if there is none; EINVAL or
    /// ENOENT if the number is that of another thread than its process's first one.
    pub fn open(pid: u32) -> Result<PidFd, SysError> {
        // SAFETY: the call takes two numbers, no address.
        let answer = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        match i32::try_from(answer) {
            // SAFETY: the descriptor is new, and nobody else has it.
            Ok(fd @ 0..) => Ok(PidFd(unsafe { OwnedFd::from_raw_fd(fd) })),
            _ => Err(SysError {
                call: "pidfd_open()",
                errno: Errno::from(&std::io::Error::last_os_error()),
            }),
        }
    }

    /// The process's numbers, from that in the PID namespace of /proc to that in its own. The first is 0
    /// if the process is not visible there; none if /proc cannot be read.
    pub fn numbers(&self) -> Vec<u32> {
        let path = format!("/proc/self/fdinfo/{}", self.0.as_raw_fd());
        let text = file::read_text(Path::new(&path)).unwrap_or_default();
        let numbers = text.lines().find_map(|line| line.strip_prefix("NSpid:"));
        numbers.into_iter().flat_map(str::split_whitespace).flat_map(str::parse).collect()
    }
}
