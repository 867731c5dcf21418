//! Errors of the kernel: error numbers and logs.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// An error number of the kernel, including its internal ones.
///
/// `bpf(2)` can return 524 (ENOTSUPP), which no C library and no crate knows; hence our own type.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

/// The numbers that this crate distinguishes.
#[allow(missing_docs)] // The names are errno(3)'s.
impl Errno {
    pub const E2BIG: Errno = Errno(libc::E2BIG);
    pub const EACCES: Errno = Errno(libc::EACCES);
    pub const EADDRNOTAVAIL: Errno = Errno(libc::EADDRNOTAVAIL);
    pub const EAGAIN: Errno = Errno(libc::EAGAIN);
    pub const EBADF: Errno = Errno(libc::EBADF);
    pub const EBUSY: Errno = Errno(libc::EBUSY);
    pub const EEXIST: Errno = Errno(libc::EEXIST);
    pub const EFAULT: Errno = Errno(libc::EFAULT);
    pub const EFBIG: Errno = Errno(libc::EFBIG);
    pub const EILSEQ: Errno = Errno(libc::EILSEQ);
    pub const EINTR: Errno = Errno(libc::EINTR);
    pub const EINVAL: Errno = Errno(libc::EINVAL);
    pub const ELOOP: Errno = Errno(libc::ELOOP);
    pub const EMFILE: Errno = Errno(libc::EMFILE);
    pub const ENFILE: Errno = Errno(libc::ENFILE);
    pub const ENODEV: Errno = Errno(libc::ENODEV);
    pub const ENOENT: Errno = Errno(libc::ENOENT);
    pub const ENOMEM: Errno = Errno(libc::ENOMEM);
    pub const ENOSPC: Errno = Errno(libc::ENOSPC);
    pub const ENOSYS: Errno = Errno(libc::ENOSYS);
    pub const EOPNOTSUPP: Errno = Errno(libc::EOPNOTSUPP);
    pub const EPERM: Errno = Errno(libc::EPERM);
    pub const ERANGE: Errno = Errno(libc::ERANGE);
    pub const EROFS: Errno = Errno(libc::EROFS);
    pub const ESRCH: Errno = Errno(libc::ESRCH);
    /// The kernel's internal "not supported", 524. It is not EOPNOTSUPP (95).
    pub const ENOTSUPP: Errno = Errno(524);
}

impl Errno {
    /// An error from its number, e.g. from [`io::Error::raw_os_error`].
    pub const fn from_raw(raw: i32) -> Errno {
        Errno(raw)
    }

    /// The number.
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The name, e.g. "EPERM"; "errno 4711" for a number without one.
    pub fn name(self) -> String {
        match (self, nix::errno::Errno::from_raw(self.0)) {
            (Errno::ENOTSUPP, _) => "ENOTSUPP".into(),
            (_, nix::errno::Errno::UnknownErrno) => format!("errno {}", self.0),
            (_, known) => format!("{known:?}"),
        }
    }

    /// The system's text, e.g. "Operation not permitted".
    pub fn text(self) -> &'static str {
        match self {
            Errno::ENOTSUPP => "Operation is not supported",
            _ => nix::errno::Errno::from_raw(self.0).desc(),
        }
    }
}

/// Why reading or writing failed, in the system's words: "No such file or directory".
pub fn io_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(raw) => Errno(raw).text().to_owned(),
        None => error.to_string(),
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// "EPERM: Operation not permitted".
impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.text())
    }
}

/// An error without an errno becomes EINVAL: the content that was read made no sense.
impl From<&io::Error> for Errno {
    fn from(error: &io::Error) -> Errno {
        error.raw_os_error().map_or(Errno::EINVAL, Errno)
    }
}

/// A call that the kernel refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{call}: {errno}")]
pub struct SysError {
    /// The call, e.g. "bpf(BPF_MAP_CREATE)".
    pub call: &'static str,
    /// The error number.
    pub errno: Errno,
}

/// A program or BTF that the kernel refused, with its log.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
#[error("{call}: {errno}")]
pub struct LoadError {
    /// "bpf(BPF_PROG_LOAD)" or "bpf(BPF_BTF_LOAD)".
    pub call: &'static str,
    /// The error number of the silent load, so that a full log buffer never hides the reason.
    pub errno: Errno,
    /// The verifier's log. Empty if it never saw the program, e.g. for want of a capability.
    pub log: String,
    /// Whether the log was larger than [`Log::MAX`](super::Log::MAX). Kernels before 6.4 then keep
    /// its beginning, later ones its end.
    pub log_truncated: bool,
}

/// A file that could not be read, or not understood.
#[derive(Debug, Error)]
#[non_exhaustive]
#[error("{}: {source}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// The error. [`io::ErrorKind::InvalidData`] if the file was read but made no sense.
    pub source: io::Error,
}

impl FileError {
    pub(crate) fn new(path: &Path, source: impl Into<io::Error>) -> FileError {
        FileError { path: path.into(), source: source.into() }
    }

    pub(crate) fn nonsense(path: &Path, why: impl Into<String>) -> FileError {
        FileError::new(path, io::Error::new(io::ErrorKind::InvalidData, why.into()))
    }

    /// The error number; EINVAL if the file was read but made no sense.
    pub fn errno(&self) -> Errno {
        Errno::from(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_errno_has_a_name() {
        assert_eq!(Errno::EPERM.to_string(), "EPERM: Operation not permitted");
        assert_eq!(Errno::ENOTSUPP.to_string(), "ENOTSUPP: Operation is not supported");
        assert_eq!(Errno::from_raw(4711).name(), "errno 4711");
        assert_ne!(Errno::ENOTSUPP, Errno::EOPNOTSUPP);
    }
}
