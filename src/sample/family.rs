//! What a run counted since its start, as monitoring systems store it: metrics with labels, in base units.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A metric: values of one kind and unit, by labels.
#[derive(Clone, PartialEq, Debug)]
pub struct Family {
    /// Its name, without the suffix that a counter has in Prometheus: `rawbpf_function_calls`.
    pub name: String,
    /// A sentence about the values.
    pub help: String,
    /// What its values are.
    pub kind: FamilyKind,
    /// The unit of its values.
    pub unit: BaseUnit,
    /// The names of the labels.
    pub labels: Vec<String>,
    /// The values, by the values of the labels.
    pub series: BTreeMap<Vec<String>, Series>,
}

/// What the values of a metric are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FamilyKind {
    /// A number that only grows.
    Counter,
    /// A number that can also go down.
    Gauge,
    /// A distribution, whose counts only grow.
    Histogram,
    /// A number of values and their sum.
    Summary,
}

impl FamilyKind {
    /// Its name in Prometheus: `counter`.
    pub fn name(self) -> &'static str {
        match self {
            FamilyKind::Counter => "counter",
            FamilyKind::Gauge => "gauge",
            FamilyKind::Histogram => "histogram",
            FamilyKind::Summary => "summary",
        }
    }
}

/// The unit of a metric's values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BaseUnit {
    /// A number of unknown unit, or of events.
    None,
    /// Bytes.
    Bytes,
    /// Seconds. The numbers are nanoseconds, so that nothing is rounded.
    Seconds,
}

/// The value of a metric for one combination of labels.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// The value.
    pub point: Point,
    /// The number of the sample that changed it last.
    pub changed: u64,
}

/// A value of a metric.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Point {
    /// A number.
    Number(i128),
    /// A distribution.
    Histogram {
        /// The greatest value of each bucket but the last, which has no end. The bucket after [2, 3] has
        /// the bound 7, not 8: values are whole numbers of the unit.
        bounds: Arc<[i128]>,
        /// How many values there are in each bucket: one more than there are bounds.
        counts: Vec<u64>,
        /// Their sum, if it is known.
        sum: Option<i128>,
    },
    /// How many values there were, and their sum.
    Summary {
        /// How many.
        count: u64,
        /// Their sum.
        sum: i128,
    },
}
