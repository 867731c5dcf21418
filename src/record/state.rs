//! What a part has said so far: writer and reader keep the same.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::sample::{
    Bucket, Histogram, LabelName, LabelValue, LostKind, Percentiles, Table, Unit, Value,
};

/// The most buckets of a histogram, and percentiles.
const MOST_BUCKETS: usize = 4096;

/// The most labels of a row.
pub const MOST_LABELS: usize = 64;

/// What a part has said so far.
#[derive(Default)]
pub struct State {
    pub tables: Vec<KnownTable>,
    pub layouts: Vec<Layout>,
    pub losses: Vec<Loss>,
    /// The counters of all totals.
    pub counters: usize,
    /// The counters of all rows so far, as a measure of the work that a reader has had.
    pub work: u64,
    /// When the last row ended, in nanoseconds since 1970 and since boot.
    pub end: (u64, u64),
    /// The number of the row.
    pub row: u64,
}

/// A table, and all rows that it has had.
pub struct KnownTable {
    pub name: Cow<'static, str>,
    pub subject: Cow<'static, str>,
    pub help: Cow<'static, str>,
    pub unit: Unit,
    pub labels: Vec<LabelName>,
    pub rows: Vec<KnownRow>,
    /// The places of labels among the rows: for the writer alone.
    pub places: HashMap<Vec<LabelValue>, usize>,
    /// The row of the recording that had it last.
    pub seen: u64,
}

/// The last that was said of a combination of labels.
pub struct KnownRow {
    pub labels: Vec<LabelValue>,
    pub total: Option<Value>,
    /// The row of the recording that had it last.
    pub seen: u64,
}

impl KnownTable {
    pub fn is(&self, table: &Table) -> bool {
        self.name == table.name
            && self.subject == table.subject
            && self.help == table.help
            && self.unit == table.unit
            && self.labels == table.labels
    }
}

/// Events that were not counted, but for their number.
pub struct Loss {
    pub what: LostKind,
    pub sentence: String,
    pub option: Option<Cow<'static, str>>,
    /// The row that had it last.
    pub seen: u64,
}

/// What histograms share.
pub struct Layout {
    pub unit: Unit,
    pub buckets: Arc<[Bucket]>,
    /// The lowest value of each narrow bucket, and their steps.
    pub fine: Option<(Arc<[u64]>, u32)>,
    pub percentiles: Percentiles,
    /// The bucket in which each narrow one lies.
    pub within: Vec<u32>,
}

impl Layout {
    pub fn new(
        unit: Unit,
        buckets: Arc<[Bucket]>,
        fine: Option<(Arc<[u64]>, u32)>,
        percentiles: Percentiles,
    ) -> Layout {
        let within = |low: &u64| {
            let value = low / unit.in_base();
            buckets.partition_point(|bucket| bucket.low <= value).saturating_sub(1) as u32
        };
        let lows = fine.iter().flat_map(|(lows, _)| lows.iter());
        let within = lows.map(within).collect();
        Layout { unit, buckets, fine, percentiles, within }
    }

    pub fn is(&self, unit: Unit, histogram: &Histogram) -> bool {
        let fine = match (&self.fine, &histogram.fine) {
            (Some((lows, steps)), Some(fine)) => *steps == fine.steps && same(lows, &fine.lows),
            (None, None) => true,
            _ => false,
        };
        fine && self.unit == unit
            && same(&self.buckets, &histogram.buckets)
            && self.percentiles == histogram.percentiles
    }

    /// The counts of buckets that those of the narrow ones add up to.
    pub fn sums(&self, fine: &[u64]) -> Vec<u64> {
        let mut sums = vec![0_u64; self.buckets.len()];
        for (count, within) in fine.iter().zip(&self.within).filter(|(count, _)| **count > 0) {
            if let Some(sum) = sums.get_mut(*within as usize) {
                *sum = sum.saturating_add(*count);
            }
        }
        sums
    }

    /// Whether a histogram may look like that: the code that shows one counts on rising buckets, and a reader
    /// on a limit to what a few bytes become.
    pub fn is_sound(&self) -> bool {
        let lows = self.fine.as_ref().map_or(&[][..], |(lows, _)| &lows[..]);
        self.buckets.is_sorted_by(|one, next| one.low <= next.low)
            && lows.is_sorted_by(|one, next| one <= next)
            && (1..=MOST_BUCKETS).contains(&self.buckets.len())
            && lows.len() <= MOST_BUCKETS
            && self.percentiles.len() <= MOST_BUCKETS
    }
}

/// Whether two tables are the same, mostly without a look at each element.
fn same<T: PartialEq>(one: &Arc<[T]>, other: &Arc<[T]>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

/// The total that follows from the one before and the value of the interval. What has a thousand counters is added
/// up where it is.
pub fn next_total(before: Option<Value>, value: &Value) -> Value {
    match (before, value) {
        (Some(Value::Count(before)), Value::Count(more)) => {
            Value::Count(before.saturating_add(*more))
        }
        (Some(Value::Histogram(mut sum)), Value::Histogram(more))
            if sum.counts.len() == more.counts.len() =>
        {
            sum.add(more);
            Value::Histogram(Histogram { extremes: None, ..sum })
        }
        (_, Value::Histogram(histogram)) => {
            Value::Histogram(Histogram { extremes: None, ..histogram.clone() })
        }
        (_, value) => value.clone(),
    }
}
