//! Waiting: interval after interval, and for whatever becomes readable meanwhile.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};

/// What a wait ended with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The interval is over and another follows.
    Interval,
    /// The last interval is over, or was ended early by what [`Events::until`] names.
    Last,
    /// Nobody reads any more what [`Events::while_read`] names.
    Unread,
    /// A descriptor of [`Events::watch`] is readable, or its other end is closed: the number that it
    /// was given. It comes again and again until the descriptor is read empty.
    Readable(usize),
}

/// Intervals of one length on a fixed grid, so that the work between them does not stretch them, and
/// descriptors.
///
/// ```no_run
/// # use rawbpf::run::{Event, Events};
/// # use std::time::Duration;
/// let mut events = Events::every(Duration::from_secs(1), Some(10));
/// loop {
///     let event = events.wait()?;
///     // Read the maps here.
///     if event == Event::Last {
///         break;
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "somebody has to wait"]
#[derive(Debug)]
pub struct Events<'a> {
    length: Duration,
    /// How many are left; None for no end.
    left: Option<u64>,
    /// When the first began.
    begin: Instant,
    deadline: Instant,
    /// When the last interval ends, even if it is shorter than the others.
    end: Option<Instant>,
    stop: Option<BorrowedFd<'a>>,
    output: Option<BorrowedFd<'a>>,
    watched: Vec<BorrowedFd<'a>>,
    /// The number of the watched descriptor whose turn it is, so that a busy one hides no other.
    turn: usize,
}

impl<'a> Events<'a> {
    /// Intervals of this length, `count` of them or without end. The first begins now.
    pub fn every(length: Duration, count: Option<u64>) -> Events<'a> {
        let begin = Instant::now();
        let deadline = after(begin, length);
        let (end, stop, output, watched) = (None, None, None, vec![]);
        Events { length, left: count, begin, deadline, end, stop, output, watched, turn: 0 }
    }

    /// Ends this time after the first interval began, unless `count` intervals end before. The last
    /// interval may be shorter.
    pub fn ending_after(mut self, time: Duration) -> Events<'a> {
        let end = after(self.begin, time);
        self.deadline = self.deadline.min(end);
        self.end = Some(end);
        self
    }

    /// Ends the last interval as soon as `stop` is readable, such as an eventfd that a signal handler
    /// writes to.
    pub fn until(mut self, stop: &'a impl AsFd) -> Events<'a> {
        self.stop = Some(stop.as_fd());
        self
    }

    /// Ends as soon as nobody reads `output`, such as stdout, any more.
    pub fn while_read(mut self, output: &'a impl AsFd) -> Events<'a> {
        self.output = Some(output.as_fd());
        self
    }

    /// Watches `source` too, such as a ring of events. Its number: the first has 0, the next 1.
    pub fn watch(&mut self, source: &'a impl AsFd) -> usize {
        self.watched.push(source.as_fd());
        self.watched.len() - 1
    }

    /// Waits for the end of the current interval, or for what comes before it.
    ///
    /// # Errors
    /// The wait itself failed.
    pub fn wait(&mut self) -> io::Result<Event> {
        if let Some(event) = self.before_the_end()? {
            return Ok(event);
        }
        // A process that was stopped, or could not print, goes on with a whole interval rather
        // than with several empty ones.
        let (next, now) = (after(self.deadline, self.length), Instant::now());
        let next = if next > now { next } else { after(now, self.length) };
        let over = self.end.is_some_and(|end| self.deadline >= end || now >= end);
        self.deadline = self.end.map_or(next, |end| next.min(end));
        self.left = self.left.map(|left| left.saturating_sub(1));
        Ok(if over || self.left == Some(0) { Event::Last } else { Event::Interval })
    }

    /// Waits for the deadline, or for what comes before it.
    fn before_the_end(&mut self) -> io::Result<Option<Event>> {
        let stop = self.stop.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        // Nothing to wait for: a reader that has gone is reported all the same.
        let output = self.output.map(|fd| PollFd::new(fd, PollFlags::empty()));
        let watched = self.watched.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN));
        let mut fds: Vec<_> = stop.into_iter().chain(output).chain(watched).collect();
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match ppoll(&mut fds, Some(left.into()), None) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            let mut ready = fds.iter().map(|fd| fd.any() == Some(true));
            if self.stop.is_some() && ready.next() == Some(true) {
                return Ok(Some(Event::Last));
            }
            if self.output.is_some() && ready.next() == Some(true) {
                return Ok(Some(Event::Unread));
            }
            // However much there is to read, an interval ends in time.
            if Instant::now() >= self.deadline {
                return Ok(None);
            }
            let ready: Vec<bool> = ready.collect();
            let mut turns = (self.turn..ready.len()).chain(0..self.turn);
            if let Some(number) = turns.find(|number| ready[*number]) {
                self.turn = number + 1;
                return Ok(Some(Event::Readable(number)));
            }
        }
    }
}

/// A century is the longest that anybody waits.
fn after(start: Instant, length: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 86400);
    start.checked_add(length.min(CENTURY)).unwrap_or(start)
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Write, pipe};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// A descriptor that is readable.
    fn readable() -> PipeReader {
        let (reader, mut writer) = pipe().unwrap();
        writer.write_all(b"x").unwrap();
        reader
    }

    #[test]
    fn the_last_of_the_intervals_is_the_last() {
        let mut events = Events::every(Duration::from_millis(1), Some(3));
        let seen = [(); 3].map(|()| events.wait().unwrap());
        assert_eq!(seen, [Event::Interval, Event::Interval, Event::Last]);
    }

    #[test]
    fn a_run_of_a_given_time_ends_with_a_shorter_interval() {
        let start = Instant::now();
        let every = Events::every(Duration::from_millis(40), None);
        let mut events = every.ending_after(Duration::from_millis(100));
        let seen = [(); 3].map(|()| events.wait().unwrap());
        assert_eq!(seen, [Event::Interval, Event::Interval, Event::Last]);
        assert!(start.elapsed() >= Duration::from_millis(100));
    }

    #[test]
    fn a_time_that_intervals_fill_has_no_empty_interval_at_its_end() {
        let every = Events::every(Duration::from_millis(10), None);
        let mut events = every.ending_after(Duration::from_millis(30));
        let intervals = std::iter::repeat_with(|| events.wait().unwrap());
        assert!(intervals.take_while(|event| *event != Event::Last).count() <= 2);
    }

    #[test]
    fn a_time_or_a_number_of_intervals_ends_a_run_whichever_is_first() {
        let hour = Events::every(Duration::from_millis(1), Some(1)).ending_after(HOUR);
        let millisecond = Events::every(HOUR, Some(9)).ending_after(Duration::from_millis(1));
        for mut events in [hour, millisecond] {
            assert_eq!(events.wait().unwrap(), Event::Last);
        }
    }

    #[test]
    fn without_a_signal_and_an_output_intervals_go_on() {
        let mut events = Events::every(Duration::from_millis(1), None);
        assert!((0..5).all(|_| events.wait().unwrap() == Event::Interval));
    }

    #[test]
    fn an_interval_without_end_is_no_overflow() {
        let stop = readable();
        let mut events = Events::every(Duration::MAX, None).until(&stop);
        assert_eq!(events.wait().unwrap(), Event::Last);
    }

    #[test]
    fn a_stop_ends_an_interval_at_once_and_before_all_else() {
        let (stop, source) = (readable(), readable());
        let (reader, output) = pipe().unwrap();
        drop(reader);
        let mut events = Events::every(HOUR, None).until(&stop).while_read(&output);
        events.watch(&source);
        assert_eq!(events.wait().unwrap(), Event::Last);
    }

    #[test]
    fn a_reader_that_has_gone_ends_the_wait() {
        let (reader, output) = pipe().unwrap();
        drop(reader);
        let (stop, _open) = pipe().unwrap();
        let mut events = Events::every(HOUR, None).until(&stop).while_read(&output);
        assert_eq!(events.wait().unwrap(), Event::Unread);
    }

    #[test]
    fn readable_sources_take_turns() {
        let (first, last) = (readable(), readable());
        let (quiet, _open) = pipe().unwrap();
        let mut events = Events::every(HOUR, None);
        let numbers = [&first, &quiet, &last].map(|source| events.watch(source));
        assert_eq!(numbers, [0, 1, 2]);
        let seen = [(); 4].map(|()| events.wait().unwrap());
        assert_eq!(seen, [0, 2, 0, 2].map(Event::Readable));
    }

    #[test]
    fn a_source_that_is_always_readable_does_not_hold_up_the_interval() {
        let source = readable();
        let mut events = Events::every(Duration::from_millis(1), Some(1));
        events.watch(&source);
        while events.wait().unwrap() != Event::Last {}
    }
}
