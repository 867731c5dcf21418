//! A timer that ticks only while it is needed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// Readable once a period while it is kept going, from the first call of [`Ticker::keep`] on.
pub(super) struct Ticker {
    timer: TimerFd,
    period: Duration,
    ticks: bool,
}

impl Ticker {
    /// One that does not tick yet.
    pub(super) fn new(period: Duration) -> io::Result<Ticker> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        Ok(Ticker { timer, period, ticks: false })
    }

    /// Lets it tick if it is needed.
    pub(super) fn keep(&mut self, needed: bool) -> io::Result<()> {
        if needed == self.ticks {
            return Ok(());
        }
        self.ticks = needed;
        match needed {
            true => {
                let period = Expiration::Interval(TimeSpec::from_duration(self.period));
                self.timer.set(period, TimerSetTimeFlags::empty())?;
            }
            false => self.timer.unset()?,
        }
        Ok(())
    }

    /// Takes note of the ticks since the last call: it is not readable until the next one.
    pub(super) fn take(&self) {
        let _ = self.timer.wait();
    }
}

impl AsFd for Ticker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}
