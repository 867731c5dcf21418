//! The values that a tool counted: the interface between counting and showing.
//!
//! A tool reads the kernel's maps at the end of each interval and returns a [`Sample`]. Text, JSON and
//! heat maps are functions of it, and so is anything that a user of the library does with it.

mod data;
mod datum;
mod elements;
mod family;
mod histogram;
mod lost;
mod percentile;
mod run;
mod unit;

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, SystemTime};

pub use data::Data;
pub use datum::{Datum, HistogramRange, ScriptMap, ScriptMapKind, StackForm, StackFrame};
pub use family::{BaseUnit, Family, FamilyKind, Point, Series};
pub use histogram::{Bucket, FineCounts, Histogram};
pub use lost::{Lost, LostKind};
pub use percentile::{Percent, Percentile, Percentiles, USUAL_PERCENTILES};
pub use run::{Attached, LeftOut, Run, Setting, Skipped};
pub use unit::Unit;

use crate::plain;

/// The counts of an interval.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Sample {
    /// The interval.
    pub span: Span,
    /// The tables of counts.
    pub tables: Vec<Table>,
    /// Events that were not counted, or not as they should be; only kinds that occurred.
    pub lost: Vec<Lost>,
}

impl Sample {
    /// The sample of an interval: its tables, and the events that are missing from them.
    pub fn new(span: Span, tables: Vec<Table>, lost: Vec<Lost>) -> Sample {
        Sample { span, tables, lost }
    }
}

/// A point in time, by two clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Time {
    /// The wall clock, which may be set.
    pub wall: SystemTime,
    /// The time since boot by CLOCK_BOOTTIME: it never goes back, and also advances while the host sleeps.
    pub monotonic: Duration,
}

/// An interval between two points in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The beginning: the end of the sample before, or the start of counting.
    pub start: Time,
    /// The end: the time at which the maps were read.
    pub end: Time,
}

impl Span {
    /// The length, by the monotonic clock.
    pub fn duration(&self) -> Duration {
        self.end.monotonic.saturating_sub(self.start.monotonic)
    }
}

/// A table of values of one kind, by labels.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Table {
    /// A word for the counted values: `size`, `latency`, `calls`.
    pub name: Cow<'static, str>,
    /// What has these values, as it stands in the names of metrics: `block_io`, `function`.
    pub subject: Cow<'static, str>,
    /// A sentence about the counted values.
    pub help: Cow<'static, str>,
    /// The unit of the values; those of histograms are in its base (see [`Unit::in_base`]).
    pub unit: Unit,
    /// The labels that distinguish the rows; none if there is only one row.
    pub labels: Vec<LabelName>,
    /// The rows, in the order in which they are shown. Rows with labels are missing if they counted
    /// nothing in the interval; a single row without labels is always there.
    pub rows: Vec<Row>,
    /// Rows that are not shown, because an option asks for the greatest only.
    pub rest: Vec<Row>,
}

/// A label that distinguishes rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LabelName {
    /// Its name for programs: `pid`.
    pub name: Cow<'static, str>,
    /// Its name for people, above a column: `PID`.
    pub heading: Cow<'static, str>,
}

impl LabelName {
    /// A label and its heading.
    pub const fn new(name: &'static str, heading: &'static str) -> LabelName {
        LabelName { name: Cow::Borrowed(name), heading: Cow::Borrowed(heading) }
    }
}

/// A value of a label.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum LabelValue {
    /// A number below 0.
    Negative(i64),
    /// A number, such as a process's.
    Number(u64),
    /// A name without control characters, which could control a terminal.
    Text(String),
    /// Bytes of which only the length is known.
    Data(Data),
    /// A process or thread without a number in the PID namespace of the caller.
    Outside,
}

impl LabelValue {
    /// A process or thread by its number. In a PID namespace other than the host's first one, those outside
    /// of it have the number 0.
    pub fn process(number: u32, in_namespace: bool) -> LabelValue {
        match number {
            0 if in_namespace => LabelValue::Outside,
            number => LabelValue::Number(number.into()),
        }
    }

    /// A number, perhaps below 0.
    pub fn signed(number: i64) -> LabelValue {
        u64::try_from(number).map_or(LabelValue::Negative(number), LabelValue::Number)
    }

    /// A name, with `?` in place of characters that steer a terminal.
    pub fn text(name: &str) -> LabelValue {
        LabelValue::Text(plain::line(name).into_owned())
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
            LabelValue::Negative(number) => number.fmt(f),
            LabelValue::Number(number) => number.fmt(f),
            LabelValue::Text(text) => text.fmt(f),
            LabelValue::Data(data) => data.fmt(f),
            LabelValue::Outside => "outside".fmt(f),
        }
    }
}

/// The values for one combination of labels.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Row {
    /// A value for each label of the table.
    pub labels: Vec<LabelValue>,
    /// The value of the interval.
    pub value: Value,
    /// The value since the start of the run. It does not restart when the kernel evicts an idle key, as long
    /// as the key is remembered. A histogram's extremes are those of the interval only.
    pub total: Value,
}

/// A value.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Value {
    /// A number of events.
    Count(u64),
    /// A number that can also go down.
    Gauge(i64),
    /// A distribution of values.
    Histogram(Histogram),
    /// Bytes of a map of which only the length is known.
    Data(Data),
}

/// The rows, those with equal labels as one: keys that differ may look the same, such as names with control
/// characters.
pub fn merge(rows: impl Iterator<Item = Row>) -> Vec<Row> {
    let mut merged: Vec<Row> = vec![];
    let mut places = HashMap::<Vec<LabelValue>, usize>::new();
    for row in rows {
        match places.entry(row.labels.clone()) {
            Entry::Occupied(place) => {
                let sum = &mut merged[*place.get()];
                sum.value.add(&row.value);
                sum.total.add(&row.total);
            }
            Entry::Vacant(place) => {
                place.insert(merged.len());
                merged.push(row);
            }
        }
    }
    merged
}

impl Value {
    /// Adds what another row with the same labels counted. Data cannot be added, and stays.
    fn add(&mut self, other: &Value) {
        match (self, other) {
            (Value::Count(sum), Value::Count(more)) => *sum = sum.saturating_add(*more),
            (Value::Gauge(sum), Value::Gauge(more)) => *sum = sum.saturating_add(*more),
            (Value::Histogram(sum), Value::Histogram(more)) => sum.add(more),
            _ => {}
        }
    }

    /// The number of events in the value; 0 if it does not count events.
    pub fn count(&self) -> u64 {
        match self {
            Value::Count(count) => *count,
            Value::Histogram(histogram) => histogram.count(),
            Value::Gauge(_) | Value::Data(_) => 0,
        }
    }
}

/// The number of events in these rows.
fn events(rows: &[Row]) -> u64 {
    rows.iter().fold(0, |sum, row| sum.saturating_add(row.value.count()))
}

impl Table {
    /// The number of events in all rows.
    pub fn count(&self) -> u64 {
        events(&self.rows)
    }

    /// The number of events in the rows that an option left out.
    pub fn rest_count(&self) -> u64 {
        events(&self.rest)
    }

    /// Keeps the last `top` rows, which are the greatest, and moves the others to [`Table::rest`].
    pub fn keep_last(&mut self, top: Option<u32>) {
        let hidden = self.rows.len().saturating_sub(top.map_or(usize::MAX, |top| top as usize));
        self.rest.extend(self.rows.drain(..hidden));
    }

    /// The heading above the values for people: the unit, or the values' name if they have none.
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
            subject: "function".into(),
            help: "calls".into(),
            unit: Unit::Count,
            labels: vec![LabelName::new("pid", "PID")],
            rows: counts.iter().map(row).collect(),
            rest: vec![],
        }
    }

    #[test]
    fn rows_beyond_the_greatest_are_set_apart() {
        let mut table = counts(&[1, 2, 3, 4]);
        table.keep_last(Some(2));
        assert_eq!(table.rest, counts(&[1, 2]).rows);
        assert_eq!(table.rows, counts(&[3, 4]).rows);
        table.keep_last(None);
        assert_eq!(table.rows.len(), 2);
    }

    #[test]
    fn rows_that_look_the_same_are_one() {
        let rows = [3, 5, 3].map(|count| counts(&[count]).rows.remove(0));
        let merged = merge(rows.into_iter());
        assert_eq!(merged.iter().map(|row| row.value.count()).collect::<Vec<_>>(), [6, 5]);
        assert_eq!(merged[0].total, Value::Count(6));
    }

    #[test]
    fn a_name_cannot_steer_a_terminal() {
        assert_eq!(LabelValue::of_bytes(b"\x1b[2Jred\n\0old"), LabelValue::Text("?[2Jred?".into()));
        assert_eq!(LabelValue::text("\u{85}a"), LabelValue::Text("?a".into()));
        assert_eq!(LabelValue::text("a\u{202e}b"), LabelValue::Text("a?b".into()));
    }
}
