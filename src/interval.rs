//! Waiting: interval after interval, until the last or until somebody asks to stop.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The interval is over and another follows.
    Interval,
    /// The last interval is over, or was asked to end early.
    Last,
    /// Nobody reads the output any more.
    Unread,
}

/// Intervals of one length on a fixed grid, so that printing does not stretch them.
pub struct Intervals<Stop> {
    stop: Stop,
    length: Duration,
    /// How many are left; None for no end.
    left: Option<u64>,
    deadline: Instant,
}

impl<Stop: AsFd> Intervals<Stop> {
    /// The first interval begins now. A descriptor that is readable ends the current one early, as the
    /// last: `sys::signal::StopSignal` is one, for Ctrl-C and SIGTERM.
    pub fn start(stop: Stop, length: Duration, count: Option<u64>) -> Intervals<Stop> {
        let deadline = Instant::now() + length;
        Intervals { stop, length, left: count, deadline }
    }

    /// Waits for the end of the current interval.
    ///
    /// # Errors
    /// The wait itself failed.
    pub fn wait(&mut self) -> io::Result<Ended> {
        if let Some(ended) = self.interrupted()? {
            return Ok(ended);
        }
        // A process that was stopped, or could not print, goes on with a whole interval rather
        // than with several empty ones.
        let (next, now) = (self.deadline + self.length, Instant::now());
        self.deadline = if next > now { next } else { now + self.length };
        self.left = self.left.map(|left| left.saturating_sub(1));
        Ok(if self.left == Some(0) { Ended::Last } else { Ended::Interval })
    }

    /// Waits for the deadline, or for what comes before it.
    fn interrupted(&self) -> io::Result<Option<Ended>> {
        let stdout = io::stdout();
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            // poll counts in whole milliseconds: round up, or the last one is spent spinning.
            let timeout =
                PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX);
            let mut fds = [
                PollFd::new(self.stop.as_fd(), PollFlags::POLLIN),
                // Nothing to wait for: a reader that has gone is told all the same.
                PollFd::new(stdout.as_fd(), PollFlags::empty()),
            ];
            match poll(&mut fds, timeout) {
                Ok(0) if Instant::now() < self.deadline => {}
                Ok(0) => return Ok(None),
                Ok(_) if fds[0].any() == Some(true) => return Ok(Some(Ended::Last)),
                Ok(_) => return Ok(Some(Ended::Unread)),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}
