//! When a run prints, and when it ends.

use std::time::Duration;

use clap::Args;

use super::time;
use crate::error::Error;
use crate::run::Events;
use crate::sample::Setting;
use crate::view::duration::seconds;

/// The title, in the help, of options that decide when and how a run prints.
pub const OUTPUT: &str = "Time and output";

/// The options that decide when a run prints, and when it ends.
#[derive(Args, Clone, Debug)]
pub struct Schedule {
    /// Time between two tables: seconds, or with a unit, as in 100ms, 1.5s or 1m [default: 5]
    #[arg(value_parser = time::interval, allow_negative_numbers = true)]
    pub interval: Option<Duration>,

    /// Number of tables [default: until Ctrl-C]
    #[arg(value_parser = count, allow_negative_numbers = true)]
    pub count: Option<u64>,

    /// End after TIME, or after COUNT tables if that is sooner; the last table may be of a shorter time
    #[arg(long, value_name = "TIME", value_parser = time::duration, help_heading = OUTPUT)]
    pub duration: Option<Duration>,

    /// Print one table, at the end of the run: after --duration, COUNT intervals or Ctrl-C
    #[arg(long, help_heading = OUTPUT)]
    pub summary: bool,
}

impl Schedule {
    /// The time between two tables.
    pub fn interval(&self) -> Duration {
        self.interval.unwrap_or(Duration::from_secs(5))
    }

    /// The length of the run; None if only a signal ends it.
    fn length(&self) -> Option<Duration> {
        let counted =
            |count| self.interval().saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        self.duration.into_iter().chain(self.count.map(counted)).min()
    }

    /// Whether only one table is asked for.
    pub fn is_one_table(&self) -> bool {
        self.summary || self.count == Some(1)
    }

    /// Whether the options fit together.
    ///
    /// # Errors
    /// An interval was asked for, and a summary, but no end.
    pub fn check(&self) -> Result<(), Error> {
        match (self.summary, self.interval, self.length()) {
            (true, Some(interval), None) => {
                let interval = seconds(interval);
                let what = "--summary prints one table at the end of the run, not one per INTERVAL";
                let next = format!("try: --summary --duration {interval}, or no INTERVAL");
                Err(Error::usage(what).hint(next))
            }
            _ => Ok(()),
        }
    }

    /// The intervals of the run, of which the first begins now.
    pub fn begin<'a>(&self) -> Events<'a> {
        if self.summary {
            return Events::every(self.length().unwrap_or(Duration::MAX), Some(1));
        }
        let events = Events::every(self.interval(), self.count);
        self.duration.into_iter().fold(events, Events::ending_after)
    }

    /// A sentence for people.
    pub fn sentence(&self) -> String {
        let interval = seconds(self.interval());
        match (self.summary, self.length().map(seconds), self.duration.is_some()) {
            (true, None, _) => "One table at the end. Ctrl-C to end.".into(),
            (true, Some(length), _) => format!("One table at the end, after {length} secs."),
            (false, None, _) => format!("Interval {interval} secs. Ctrl-C to end."),
            (false, Some(length), true) => format!("Interval {interval} secs, for {length} secs."),
            (false, Some(_), false) => format!("Interval {interval} secs."),
        }
    }

    /// The options, for a program that reads the samples.
    pub fn settings(&self) -> [(&'static str, Setting); 4] {
        let time = |time: Option<Duration>| {
            time.map_or(Setting::Unset, |time| Setting::Seconds(time.as_secs_f64()))
        };
        let interval = self.interval.or((!self.summary).then(|| self.interval()));
        [
            ("interval", time(interval)),
            ("count", self.count.into()),
            ("duration", time(self.duration)),
            ("summary", self.summary.into()),
        ]
    }
}

/// A number of tables.
pub fn count(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("it must be a whole number from 1".into()),
    }
}
