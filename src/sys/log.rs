//! Gets the kernel's log with a buffer that is large enough.

use super::{Errno, SysError};

/// The kernel's log of a program or of BTF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The text; bytes that are not UTF-8 are replaced.
    pub text: String,
    /// Whether it was larger than [`Log::MAX`]. Kernels before 6.4 then keep its beginning, later
    /// ones its end.
    pub truncated: bool,
}

impl Log {
    /// The largest log that is asked for: 16 MiB less one byte, which every kernel accepts.
    pub const MAX: usize = (16 << 20) - 1;

    /// The kernel's last line, with the statistics.
    fn last(&self) -> Option<&str> {
        self.text.trim_end().rsplit('\n').next()?.strip_prefix("processed ")
    }

    /// Whether the log has its end, and with it the reason of a refusal.
    pub(crate) fn has_end(&self) -> bool {
        self.last().is_some()
    }

    /// The number of instructions that the verifier processed; 0 if the log does not have it.
    pub(crate) fn walked(&self) -> u32 {
        let count = self.last().and_then(|last| last.split(' ').next()?.parse().ok());
        count.unwrap_or(0)
    }

    /// The buffer that is tried first.
    pub(crate) const FIRST: usize = 64 << 10;
}

/// Calls `ask` with larger and larger buffers until the log fits or [`Log::MAX`] is reached.
///
/// `ask` also returns the size that the log needs (0 before Linux 6.4, which does not report it).
/// Ends: each buffer is larger than the one before.
pub(crate) fn with_log<T>(
    mut ask: impl FnMut(&mut [u8]) -> (Result<T, SysError>, u32),
) -> (Result<T, SysError>, Log) {
    let mut size = Log::FIRST;
    loop {
        let mut buffer = vec![0; size];
        let (result, wanted) = ask(&mut buffer);
        let too_small = matches!(&result, Err(error) if error.errno == Errno::ENOSPC);
        if too_small && size < Log::MAX {
            size = if wanted as usize > size { wanted as usize } else { size * 2 }.min(Log::MAX);
            continue;
        }
        return (result, Log { text: super::attr::name_text(&buffer), truncated: too_small });
    }
}
