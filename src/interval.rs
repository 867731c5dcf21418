//! Waiting: interval after interval, until the last or until somebody asks to stop.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::consts::{SIGINT, SIGTERM};

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The interval is over and another follows.
    Interval,
    /// The last interval is over, or Ctrl-C or SIGTERM ended it early.
    Last,
}

/// The signals that end a run. Made before the first probe, so that from then on a run always
/// ends by printing what it counted. A second signal ends the process at once, even when its
/// output is stuck.
pub struct StopSignal {
    wake: UnixStream,
}

impl StopSignal {
    /// Takes over SIGINT and SIGTERM.
    ///
    /// # Errors
    /// Out of file descriptors.
    pub fn new() -> io::Result<StopSignal> {
        let (wake, write) = UnixStream::pair()?;
        let stopping = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            let code = 128 + signal;
            // The order matters: the second signal finds what the first has set.
            signal_hook::flag::register_conditional_shutdown(signal, code, stopping.clone())?;
            signal_hook::flag::register(signal, stopping.clone())?;
            signal_hook::low_level::pipe::register(signal, write.try_clone()?)?;
        }
        Ok(StopSignal { wake })
    }

    /// Whether one of them came already.
    pub fn came(&self) -> bool {
        self.wait(Instant::now()).unwrap_or(false)
    }

    /// Waits until `deadline`; true if a signal came first.
    fn wait(&self, deadline: Instant) -> io::Result<bool> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // poll counts in whole milliseconds: round up, or the last one is spent spinning.
            let timeout =
                PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, timeout) {
                Ok(0) if Instant::now() < deadline => {}
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// Intervals of one length on a fixed grid, so that printing does not stretch them.
pub struct Intervals {
    signal: StopSignal,
    length: Duration,
    /// How many are left; None for no end.
    left: Option<u64>,
    deadline: Instant,
}

impl Intervals {
    /// The first interval begins now.
    pub fn start(signal: StopSignal, length: Duration, count: Option<u64>) -> Intervals {
        let deadline = Instant::now() + length;
        Intervals { signal, length, left: count, deadline }
    }

    /// Waits for the end of the current interval.
    ///
    /// # Errors
    /// The wait itself failed.
    pub fn wait(&mut self) -> io::Result<Ended> {
        if self.signal.wait(self.deadline)? {
            return Ok(Ended::Last);
        }
        // A process that was stopped, or could not print, goes on with a whole interval rather
        // than with several empty ones.
        let (next, now) = (self.deadline + self.length, Instant::now());
        self.deadline = if next > now { next } else { now + self.length };
        self.left = self.left.map(|left| left.saturating_sub(1));
        Ok(if self.left == Some(0) { Ended::Last } else { Ended::Interval })
    }
}
