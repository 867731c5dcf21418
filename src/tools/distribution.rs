//! What tools that measure distributions share.

use std::sync::Arc;

use crate::aggregate::Buckets;
use crate::aggregate::Measured;
use crate::sample::{Bucket, Histogram, LabelValue, Row, Unit, Value};

/// Buckets by powers of two: the first holds all below `first`, each further one reaches twice as far.
pub fn powers_of_two(first: u64, count: u32) -> Arc<[Bucket]> {
    let bucket = |index: u32| match index {
        0 => Bucket { low: 0, high: Some(first - 1) },
        _ => {
            let low = first << (index - 1);
            Bucket { low, high: Some(low - 1 + low) }
        }
    };
    (0..count).map(bucket).collect()
}

/// The buckets that a program counts in.
pub fn buckets(buckets: &Buckets) -> Arc<[Bucket]> {
    let ranges = (0..buckets.len()).map(|index| buckets.range(index));
    ranges.map(|(low, high)| Bucket { low, high }).collect()
}

/// A row of what was measured for these labels, in `unit`.
pub fn row(labels: Vec<LabelValue>, buckets: &Arc<[Bucket]>, unit: Unit, it: &Measured) -> Row {
    let Measured { interval, total, greatest, .. } = it;
    let of = |counts: &[u64]| Histogram::new(buckets.clone(), counts.to_vec());
    let value = of(&interval.counts).measured(unit, interval.sum, interval.extremes);
    let total = of(&total.counts).summed(unit, total.sum, *greatest);
    Row { labels, value: Value::Histogram(value), total: Value::Histogram(total) }
}

/// Buckets as the option that asks for them has them: `log2`, `linear 0,100,10`, `custom 1,10`.
pub fn name(buckets: &Buckets) -> String {
    match buckets {
        Buckets::Log2 => "log2".into(),
        Buckets::Linear { min, step, steps } => {
            format!("linear {min},{},{step}", min + step * u64::from(*steps))
        }
        Buckets::Custom(bounds) => {
            let bounds = bounds.iter().map(u64::to_string).collect::<Vec<_>>();
            format!("custom {}", bounds.join(","))
        }
    }
}
