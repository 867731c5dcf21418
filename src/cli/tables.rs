//! Samples as tables, interval after interval.

use std::io::{self, Write};

use super::traced::Output;
use crate::host::{DiskTraffic, Disks, clock};
use crate::sample::Sample;
use crate::tools::Whose;
use crate::view::tables::{Style, Tables as View, Titles, is_idle};

/// Prints each sample as tables.
pub struct TablePrinter {
    style: Style,
    head: Head,
    /// What is counted: `requests`.
    events: Option<&'static str>,
    others: Option<DiskTraffic>,
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
        let style = Style { from_zero: true, summary, titles };
        TablePrinter { style, head: Head::Space, events: None, others: None }
    }

    /// Histograms from the first bucket on that counted anything.
    pub fn above_lowest_used(self) -> TablePrinter {
        TablePrinter { style: Style { from_zero: false, ..self.style }, ..self }
    }

    /// With a line in place of tables that have counted nothing: `(no calls)`.
    pub fn counting(self, events: &'static str) -> TablePrinter {
        TablePrinter { events: Some(events), ..self }
    }

    /// If only some disks are wanted, but of everybody, it names others that had requests since now.
    pub fn naming_others(self, disks: &Disks, whose: &Whose) -> TablePrinter {
        match whose.is_some() {
            true => self,
            false => TablePrinter { others: DiskTraffic::of_others(disks), ..self },
        }
    }

    /// With this above tables where no time is asked for.
    pub fn below(self, head: Head) -> TablePrinter {
        TablePrinter { head, ..self }
    }
}

impl TablePrinter {
    /// The line in place of tables that have counted nothing.
    fn idle(&self, events: &str, sample: &Sample) -> String {
        let counted = if sample.lost.is_empty() { "" } else { " counted" };
        let others = self.others.as_ref().map(DiskTraffic::names).unwrap_or_default();
        match &others[..] {
            [] => format!("(no {events}{counted})"),
            some => {
                let some = some.join(", ");
                format!("(no {events}{counted}; other disks had some since the start: {some})")
            }
        }
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
        let idle = self.events.filter(|_| is_idle(sample)).map(|events| self.idle(events, sample));
        write!(out, "{}", View { sample, style: self.style, idle: idle.as_deref() })
    }
}
