//! What tools that measure distributions share.

use std::sync::Arc;

use crate::aggregate::Buckets;
use crate::aggregate::Measured;
use crate::sample::{Bucket, FineCounts, Histogram, LabelValue, Percentiles, Row, Unit, Value};

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

/// How what a program counts in buckets is shown.
pub struct Shown {
    buckets: Buckets,
    unit: Unit,
    /// The buckets of the table.
    rows: Arc<[Bucket]>,
    /// The lowest value of each bucket of the program in the unit's base, if those of the table are wider.
    lows: Arc<[u64]>,
    percentiles: Percentiles,
}

impl Shown {
    /// The buckets themselves, or the powers of two that they divide.
    pub fn new(buckets: Buckets, unit: Unit, percentiles: Percentiles) -> Shown {
        let ranges = (0..buckets.len()).map(|index| buckets.range(index));
        let (rows, lows) = match buckets {
            Buckets::Log2 { .. } => {
                let used = ranges.take_while(|(low, _)| *low < u64::MAX);
                let part = unit.in_base() >> buckets.fraction(unit.in_base());
                let lows = used.map(|(low, _)| low.saturating_mul(part)).collect();
                let last = Bucket { low: 1 << 63, high: None };
                (powers_of_two(2, 63).iter().copied().chain([last]).collect(), lows)
            }
            _ => (ranges.map(|(low, high)| Bucket { low, high }).collect(), [].into()),
        };
        Shown { buckets, unit, rows, lows, percentiles }
    }

    /// A row of what was measured for these labels.
    pub fn row(&self, labels: Vec<LabelValue>, measured: &Measured) -> Row {
        let Measured { interval, total, greatest, .. } = measured;
        let (of, unit) = (|counts: &[u64]| self.histogram(counts), self.unit);
        let value = of(&interval.counts).measured(unit, interval.sum, interval.extremes);
        let total = of(&total.counts).summed(unit, total.sum, *greatest);
        Row { labels, value: Value::Histogram(value), total: Value::Histogram(total) }
    }

    fn histogram(&self, counts: &[u64]) -> Histogram {
        let new = |counts| Histogram {
            percentiles: self.percentiles.clone(),
            ..Histogram::new(self.rows.clone(), counts)
        };
        let Buckets::Log2 { bits } = self.buckets else { return new(counts.to_vec()) };
        let fraction = self.buckets.fraction(self.unit.in_base());
        let mut sums = vec![0_u64; self.rows.len()];
        for (index, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let whole = self.buckets.range(index).0 >> fraction;
            let sum = &mut sums[whole.checked_ilog2().unwrap_or(0) as usize];
            *sum = sum.saturating_add(*count);
        }
        let counts = counts[..self.lows.len()].to_vec();
        let fine = FineCounts { lows: self.lows.clone(), counts, steps: 1 << bits };
        Histogram { fine: Some(fine), ..new(sums) }
    }
}

/// Buckets as the option that asks for them has them: `log2`, `linear 0,100,10`, `custom 1,10`.
pub fn name(buckets: &Buckets) -> String {
    match buckets {
        Buckets::Log2 { .. } => "log2".into(),
        Buckets::Linear { min, step, steps } => {
            format!("linear {min},{},{step}", min + step * u64::from(*steps))
        }
        Buckets::Custom(bounds) => {
            let bounds = bounds.iter().map(u64::to_string).collect::<Vec<_>>();
            format!("custom {}", bounds.join(","))
        }
    }
}
