//! The values of a script, which know more kinds than those of a tool: strings, tuples, stacks of values.

use crate::order::PutInOrder;

/// A value of a script.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Datum {
    /// A whole number, with a sign or without one.
    Number(i128),
    /// `true` or `false`.
    Bool(bool),
    /// A string, which need not be UTF-8.
    Text(Vec<u8>),
    /// Bytes that are no text.
    Bytes(Vec<u8>),
    /// An address.
    Pointer(u64),
    /// An enumerator: its number and its name.
    Enumerator(i64, String),
    /// Where the kernel or a process was, from the innermost function on.
    Stack(StackForm, Vec<StackFrame>),
    /// Values in their order.
    Tuple(Vec<Datum>),
    /// Values by name.
    Record(Vec<(String, Datum)>),
    /// Values of one kind.
    Array(Vec<Datum>),
    /// How many values there were, their average and their sum.
    Stats {
        /// How many.
        count: u64,
        /// Their average, without its fraction.
        average: i128,
        /// Their sum.
        total: i128,
    },
    /// How many values there were in each range, from the first range that has some to the last.
    Histogram(Vec<HistogramRange>),
}

/// How a stack is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum StackForm {
    /// Functions and offsets.
    Bpftrace,
    /// Addresses, functions and offsets.
    Perf,
    /// Addresses.
    Raw,
}

/// A frame of a stack.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StackFrame {
    /// The address of the instruction after the call.
    pub address: u64,
    /// The function, and the bytes from its start; `None` if no function is known there.
    pub function: Option<(String, u64)>,
    /// The file that the function is in, if it is one of a process.
    pub file: Option<String>,
}

/// How many values there were from one number to another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct HistogramRange {
    /// The lowest value, if there is one.
    pub low: Option<i128>,
    /// The highest value, if there is one.
    pub high: Option<i128>,
    /// How many there were.
    pub count: u64,
}

/// What a map of a script holds, which decides its order and its form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScriptMapKind {
    /// What was assigned to it.
    Values,
    /// `count()`, `sum()`
    Sums,
    /// `min()`, `max()`
    Extremes,
    /// `avg()`
    Averages,
    /// `stats()`
    Stats,
    /// `hist()`: whether its ranges are powers of two
    Histogram {
        /// Whether each range is twice as wide as the one before.
        powers: bool,
    },
    /// `lhist()`
    Linear {
        /// The width of a range.
        step: u64,
    },
}

/// What a map of a script contains.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptMap {
    /// Its name, without the `@`.
    pub name: String,
    /// What it holds.
    pub kind: ScriptMapKind,
    /// Its values, each with its key; there is one without a key in a map that has none.
    pub rows: Vec<(Option<Datum>, Datum)>,
}

impl ScriptMap {
    /// Puts the rows in the order in which they are printed: by value where values are numbers, else by
    /// key. Then keeps the last `top` of them, and divides their values.
    pub fn arrange(&mut self, top: Option<usize>, divisor: u64) {
        let numbers = self.rows.iter().all(|(_, value)| matches!(value, Datum::Number(_)));
        match self.kind {
            ScriptMapKind::Values if !numbers => {
                self.rows.order_by(|one, other| one.0.cmp(&other.0))
            }
            kind => self.rows.order_by_key(|(key, value)| (weight(kind, value), key.clone())),
        }
        if let Some(top) = top {
            self.rows.drain(..self.rows.len().saturating_sub(top));
        }
        if divisor > 1 && !matches!(self.kind, ScriptMapKind::Linear { .. }) {
            for (_, value) in &mut self.rows {
                divide(value, divisor);
            }
        }
    }
}

/// What rows are sorted by. Extremes are sorted as numbers without a sign.
fn weight(kind: ScriptMapKind, value: &Datum) -> i128 {
    match (kind, value) {
        (ScriptMapKind::Extremes, Datum::Number(number)) => i128::from(*number as u64),
        (_, Datum::Number(number)) => *number,
        (_, Datum::Stats { average, .. }) => *average,
        (_, Datum::Histogram(ranges)) => ranges.iter().map(|range| i128::from(range.count)).sum(),
        _ => 0,
    }
}

/// Divides what `print()` divides: of statistics the average alone.
fn divide(value: &mut Datum, divisor: u64) {
    match value {
        Datum::Number(number) | Datum::Stats { average: number, .. } => {
            *number /= i128::from(divisor);
        }
        Datum::Histogram(ranges) => ranges.iter_mut().for_each(|range| range.count /= divisor),
        _ => {}
    }
}
