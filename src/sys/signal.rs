//! The signals that ask a run to end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level;

/// Signals this close together are one wish to end: a wrapper such as timeout(1) sends them to the
/// process and to its group. Milliseconds.
const TOGETHER: u64 = 250;

/// SIGINT and SIGTERM, taken over: the first becomes readable here, so that a run can end in its own
/// way; a later one ends the process at once, even when its output is stuck.
#[derive(Debug)]
pub struct StopSignal {
    wake: Arc<EventFd>,
}

impl StopSignal {
    /// Takes both signals over.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn new() -> io::Result<StopSignal> {
        let start = Instant::now();
        // Milliseconds from the start to the first signal, and one; 0 before it.
        let first = Arc::new(AtomicU64::new(0));
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = Arc::new(EventFd::from_value_and_flags(0, flags)?);
        for signal in [SIGINT, SIGTERM] {
            let (first, wake) = (first.clone(), wake.clone());
            let received = move || {
                let now = start.elapsed().as_millis() as u64 + 1;
                if let Err(first) = first.compare_exchange(0, now, Relaxed, Relaxed)
                    && now > first + TOGETHER
                {
                    low_level::exit(128 + signal);
                }
                let _ = wake.write(1);
            };
            // SAFETY: all that this does may be done in a signal handler: it reads the clock, works
            // on an atomic, writes and exits.
            unsafe { low_level::register(signal, received) }?;
        }
        Ok(StopSignal { wake })
    }

    /// Whether one of them came already.
    pub fn came(&self) -> bool {
        let mut fds = [PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for StopSignal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// Signals that are noted instead of doing what they do; dropping this ends it.
#[derive(Debug)]
pub struct Noted {
    wake: Arc<EventFd>,
    /// A bit for each that came, and [`OVER`].
    came: Arc<AtomicU64>,
}

/// Nobody notes signals any more.
const OVER: u64 = 1;

impl Noted {
    /// Takes these signals over; each becomes readable here.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn new(signals: &[i32]) -> io::Result<Noted> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = Arc::new(EventFd::from_value_and_flags(0, flags)?);
        let came = Arc::<AtomicU64>::default();
        for &signal in signals {
            let (wake, came) = (wake.clone(), came.clone());
            let received = move || {
                if came.fetch_or(1 << signal, Relaxed) & OVER != 0 {
                    let _ = low_level::emulate_default_handler(signal);
                }
                let _ = wake.write(1);
            };
            // SAFETY: all that this does may be done in a signal handler: it works on an atomic,
            // writes, and calls what is made for handlers.
            unsafe { low_level::register(signal, received) }?;
        }
        Ok(Noted { wake, came })
    }

    /// The signals that came since the last time, a bit for each.
    pub fn take(&self) -> u64 {
        let _ = self.wake.read();
        self.came.swap(0, Relaxed)
    }
}

impl AsFd for Noted {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.came.store(OVER, Relaxed);
    }
}
