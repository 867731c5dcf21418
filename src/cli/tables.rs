//! Samples as tables, interval after interval.

use std::io::{self, Write};

use super::trace::Output;
use crate::host::clock;
use crate::sample::Sample;
use crate::view::tables::{Style, Tables as View, Titles};

/// Prints each sample as tables.
pub struct TablePrinter {
    style: Style,
    head: Head,
}

/// What stands above tables where no time is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// An empty line.
    Space,
    /// An empty line, the date and the time.
    Date,
    /// Nothing.
    Nothing,
}

impl TablePrinter {
    /// Histograms from the lowest bucket on, with a summary below where values are measured.
    pub fn new(titles: Titles, summary: bool) -> TablePrinter {
        TablePrinter { style: Style { from_zero: true, summary, titles }, head: Head::Space }
    }

    /// Histograms from the first bucket on that counted anything.
    pub fn above_lowest_used(self) -> TablePrinter {
        TablePrinter { style: Style { from_zero: false, ..self.style }, ..self }
    }

    /// With this above tables where no time is asked for.
    pub fn below(self, head: Head) -> TablePrinter {
        TablePrinter { head, ..self }
    }
}

impl Output for TablePrinter {
    fn print(
        &mut self,
        sample: &Sample,
        time: Option<&str>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match (time, self.head) {
            (Some(time), _) => writeln!(out, "\n{time}")?,
            (None, Head::Space) => writeln!(out)?,
            (None, Head::Date) => {
                writeln!(out, "\n{}", clock::date_and_time(sample.span.end.wall))?
            }
            (None, Head::Nothing) => {}
        }
        write!(out, "{}", View { sample, style: self.style })
    }
}
