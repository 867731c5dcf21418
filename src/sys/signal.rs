//! The signals that ask a run to end.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level;

/// The time in milliseconds within which several signals count as one: a wrapper such as timeout(1) sends
/// them to the process and to its group.
const TOGETHER: u64 = 250;

/// Handles SIGINT, SIGTERM and SIGHUP: the first becomes readable here, so that a run can end in its own
/// way; a later one ends the process at once, even if its output is stuck.
#[derive(Debug)]
pub struct StopSignal {
    wake: Arc<EventFd>,
}

impl StopSignal {
    /// Starts to handle the signals, except a SIGHUP that is ignored, as nohup(1) does.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn new() -> io::Result<StopSignal> {
        let start = Instant::now();
        // Milliseconds from the start to the first signal, and one; 0 before it.
        let first = Arc::new(AtomicU64::new(0));
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = Arc::new(EventFd::from_value_and_flags(0, flags)?);
        let signals = [SIGINT, SIGTERM].into_iter().chain((!is_ignored(SIGHUP)).then_some(SIGHUP));
        for signal in signals {
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
            // on an atomic, writes and exits, and nothing of it panics, locks or allocates.
            unsafe { low_level::register(signal, received) }?;
        }
        Ok(StopSignal { wake })
    }

    /// Whether one of the signals has come.
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

/// From now on a write beyond the limit of a file's size (`ulimit -f`) fails with EFBIG instead of ending the
/// process by SIGXFSZ. Programs that this process starts are not affected.
pub fn survive_file_limit() {
    extern "C" fn nothing(_: libc::c_int) {}
    let handler: extern "C" fn(libc::c_int) = nothing;
    // SAFETY: all bytes zero are an action: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the action is whole, its handler does nothing, and the old action is not asked for.
    unsafe { libc::sigaction(libc::SIGXFSZ, &action, std::ptr::null_mut()) };
}

/// Whether the process ignores this signal.
fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: there is no new action to read, and there is room for the present one.
    let failed = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) } != 0;
    // SAFETY: the call succeeded, so it has written all of the action.
    !failed && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Records signals instead of their usual effect, until it is dropped.
#[derive(Debug)]
pub struct Noted {
    wake: Arc<EventFd>,
    /// A bit for each that came, and [`OVER`].
    came: Arc<AtomicU64>,
}

/// Nobody notes signals any more.
const OVER: u64 = 1;

impl Noted {
    /// Starts to record these signals; each becomes readable here.
    ///
    /// # Errors
    /// Out of file descriptors, or no such signal: they are 1 to 63 here.
    pub fn new(signals: &[i32]) -> io::Result<Noted> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = Arc::new(EventFd::from_value_and_flags(0, flags)?);
        let came = Arc::<AtomicU64>::default();
        for &signal in signals {
            let (wake, came) = (wake.clone(), came.clone());
            let shift = u32::try_from(signal).map_err(|_| io::ErrorKind::InvalidInput)?;
            let bit = 1u64.checked_shl(shift).ok_or(io::ErrorKind::InvalidInput)?;
            let received = move || {
                if came.fetch_or(bit, Relaxed) & OVER != 0 {
                    let _ = low_level::emulate_default_handler(signal);
                }
                let _ = wake.write(1);
            };
            // SAFETY: all that this does may be done in a signal handler: it works on an atomic,
            // writes, and calls what is made for handlers, and nothing of it panics, locks or
            // allocates.
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
