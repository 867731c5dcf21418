//! Samples as tables, interval after interval.

use std::io::{self, Write};

use super::trace::Output;
use crate::host::clock;
use crate::sample::Sample;
use crate::view::tables::{Style, Tables as View, Titles};

/// Prints each sample as tables.
pub struct Tables {
    style: Style,
    /// Whether the date and time stand above tables even if no time is asked for.
    dated: bool,
}

impl Tables {
    /// Histograms from the lowest bucket on, with a summary below where values are measured.
    pub fn new(titles: Titles, summary: bool) -> Tables {
        Tables { style: Style { from_zero: true, summary, titles }, dated: false }
    }

    /// Histograms from the first bucket on that counted anything.
    pub fn above_lowest_used(self) -> Tables {
        Tables { style: Style { from_zero: false, ..self.style }, ..self }
    }

    /// With the date and time above tables even if no time is asked for.
    pub fn dated(self) -> Tables {
        Tables { dated: true, ..self }
    }
}

impl Output for Tables {
    fn print(
        &mut self,
        sample: &Sample,
        time: Option<&str>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match time {
            None if self.dated => {
                writeln!(out, "\n{}", clock::date_and_time(sample.span.end.wall))?
            }
            None => writeln!(out)?,
            Some(time) => writeln!(out, "\n{time}")?,
        }
        write!(out, "{}", View { sample, style: self.style })
    }
}
