//! What a tool counted, as values: the one thing between counting and showing.
//!
//! A tool reads the kernel's maps at the end of each interval and returns a [`Sample`]. Text, JSON and
//! heat maps are functions of it, and so is whatever a user of the library makes of it.

mod data;
mod histogram;
mod lost;
mod run;
mod unit;

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

pub use data::Data;
pub use histogram::{Bucket, Histogram};
pub use lost::{Lost, LostKind};
pub use run::{Attached, LeftOut, Run, Setting, Skipped};
pub use unit::Unit;

/// What was counted during an interval.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Sample {
    /// The interval.
    pub span: Span,
    /// What was counted.
    pub tables: Vec<Table>,
    /// What was not counted, or not as it should be; only kinds that occurred.
    pub lost: Vec<Lost>,
}

impl Sample {
    /// The tables of an interval, and what is missing from them.
    pub fn new(span: Span, tables: Vec<Table>, lost: Vec<Lost>) -> Sample {
        Sample { span, tables, lost }
    }
}

/// A moment by two clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Time {
    /// The wall clock, which may be set.
    pub wall: SystemTime,
    /// Time since boot by CLOCK_BOOTTIME: it never goes back, and goes on while the host sleeps.
    pub monotonic: Duration,
}

/// From one moment to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// When it began: the end of the sample before, or the start of counting.
    pub start: Time,
    /// When the maps were read.
    pub end: Time,
}

impl Span {
    /// How long it was, by the monotonic clock.
    pub fn duration(&self) -> Duration {
        self.end.monotonic.saturating_sub(self.start.monotonic)
    }
}

/// Values of one kind, by labels.
#[derive(Clone, PartialEq, Debug)]
pub struct Table {
    /// What is counted, in a word: `size`, `latency`, `calls`.
    pub name: Cow<'static, str>,
    /// The same in a sentence.
    pub help: Cow<'static, str>,
    /// The unit of the values; those of histograms are in its base (see [`Unit::in_base`]).
    pub unit: Unit,
    /// What the rows are told apart by; none if there is only one row.
    pub labels: Vec<Label>,
    /// What was counted in the interval, in the order in which it is shown. Rows with labels that counted
    /// nothing are not among them; the only row without labels always is.
    pub rows: Vec<Row>,
    /// Rows that an option left out.
    pub rest: Rest,
}

/// Rows that are not shown, since only the greatest were asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rest {
    /// How many rows.
    pub rows: u64,
    /// What they counted together.
    pub count: u64,
}

/// What rows are told apart by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// For programs: `pid`.
    pub name: Cow<'static, str>,
    /// For people, above a column: `PID`.
    pub heading: Cow<'static, str>,
}

impl Label {
    /// A label and its heading.
    pub const fn new(name: &'static str, heading: &'static str) -> Label {
        Label { name: Cow::Borrowed(name), heading: Cow::Borrowed(heading) }
    }
}

/// A value of a label.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum LabelValue {
    /// A number, such as a process's.
    Number(u64),
    /// A name without control characters, which would steer a terminal.
    Text(String),
    /// Bytes of which only the length is known.
    Data(Data),
}

impl LabelValue {
    /// A name, with `?` in place of control characters.
    pub fn text(name: &str) -> LabelValue {
        LabelValue::Text(name.replace(char::is_control, "?"))
    }

    /// A name as the kernel stores it: up to the first zero.
    pub fn of_bytes(bytes: &[u8]) -> LabelValue {
        let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        LabelValue::text(&String::from_utf8_lossy(name))
    }
}

impl std::fmt::Display for LabelValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LabelValue::Number(number) => number.fmt(f),
            LabelValue::Text(text) => text.fmt(f),
            LabelValue::Data(data) => data.fmt(f),
        }
    }
}

/// What was counted for one combination of labels.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// A value for each label of the table.
    pub labels: Vec<LabelValue>,
    /// Counted in the interval.
    pub value: Value,
    /// Counted since the start of the run: it does not begin again where the kernel makes room by evicting
    /// the idle key, as long as the key is remembered. A histogram's extremes are of intervals only.
    pub total: Value,
}

/// A value.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Value {
    /// How often something happened.
    Count(u64),
    /// Something that can go down again.
    Gauge(i64),
    /// How values are distributed.
    Histogram(Histogram),
    /// Bytes of a map of which only the length is known.
    Data(Data),
}

impl Value {
    /// How many events it counts; 0 for what counts none.
    pub fn count(&self) -> u64 {
        match self {
            Value::Count(count) => *count,
            Value::Histogram(histogram) => histogram.count(),
            Value::Gauge(_) | Value::Data(_) => 0,
        }
    }
}

impl Table {
    /// How many events the rows count together.
    pub fn count(&self) -> u64 {
        self.rows.iter().fold(0, |sum, row| sum.saturating_add(row.value.count()))
    }

    /// Keeps the last `top` rows, which are the greatest, and sums up the others in [`Table::rest`].
    pub fn keep_last(&mut self, top: Option<u32>) {
        let hidden = self.rows.len().saturating_sub(top.map_or(usize::MAX, |top| top as usize));
        for row in self.rows.drain(..hidden) {
            self.rest.rows += 1;
            self.rest.count += row.value.count();
        }
    }

    /// What stands above the values for people: the unit, or what they are if they have none.
    pub fn heading(&self) -> &str {
        match self.unit {
            Unit::Number => &self.name,
            unit => unit.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[u64]) -> Table {
        let row = |count: &u64| Row {
            labels: vec![LabelValue::Number(*count)],
            value: Value::Count(*count),
            total: Value::Count(*count),
        };
        Table {
            name: "calls".into(),
            help: "calls".into(),
            unit: Unit::Count,
            labels: vec![Label::new("pid", "PID")],
            rows: counts.iter().map(row).collect(),
            rest: Rest::default(),
        }
    }

    #[test]
    fn rows_beyond_the_greatest_are_summed_up() {
        let mut table = counts(&[1, 2, 3, 4]);
        table.keep_last(Some(2));
        assert_eq!(table.rest, Rest { rows: 2, count: 3 });
        assert_eq!(table.rows, counts(&[3, 4]).rows);
        table.keep_last(None);
        assert_eq!(table.rows.len(), 2);
    }

    #[test]
    fn a_name_cannot_steer_a_terminal() {
        assert_eq!(LabelValue::of_bytes(b"\x1b[2Jred\n\0old"), LabelValue::Text("?[2Jred?".into()));
        assert_eq!(LabelValue::text("\u{85}a"), LabelValue::Text("?a".into()));
    }
}
