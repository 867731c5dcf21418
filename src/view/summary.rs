//! A distribution in a few numbers.

use std::fmt;

use crate::sample::{Bucket, Histogram, Unit};

/// The percentiles that are shown.
pub const PERCENTILES: [u64; 3] = [50, 90, 99];

/// The summary of a histogram: two lines, or nothing if nothing was counted.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// The unit in which values are shown.
    pub unit: Unit,
    /// The histogram.
    pub histogram: &'a Histogram,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { unit, histogram } = self;
        let count = histogram.count();
        if count == 0 {
            return Ok(());
        }
        let in_unit = |base: f64| base / unit.in_base() as f64;
        // With the precision of the clock.
        let digits = unit.in_base().ilog10() as usize;
        write!(f, "     count {count}")?;
        if let Some(average) = histogram.average() {
            write!(f, ", average {:.*}", digits.max(1), in_unit(average))?;
        }
        if let Some((min, max)) = histogram.extremes {
            let (min, max) = (in_unit(min as f64), in_unit(max as f64));
            write!(f, ", min {min:.digits$}, max {max:.digits$}")?;
        }
        let percentiles = PERCENTILES.map(|percent| match histogram.percentile(percent) {
            Some(Bucket { low, high: None }) => format!("p{percent} >= {low}"),
            Some(Bucket { high: Some(high), .. }) => format!("p{percent} <= {high}"),
            None => String::new(),
        });
        write!(f, "\n     by bucket: {}\n", percentiles.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(counts: &[u64], extremes: (u64, u64)) -> String {
        let bucket = |(low, high)| Bucket { low, high };
        let buckets = [(0, Some(9)), (10, Some(19)), (20, None)].map(bucket);
        let histogram = Histogram::new(buckets.into(), counts.to_vec());
        let unit = Unit::Microseconds;
        let histogram = &histogram.measured(unit, 1_000_000, Some(extremes));
        Summary { unit, histogram }.to_string()
    }

    #[test]
    fn percentiles_are_the_bounds_of_the_buckets_they_fall_into() {
        assert_eq!(
            summary(&[50, 40, 10], (5_000, 21_500)),
            "     count 100, average 10.000, min 5.000, max 21.500\n\
             \x20    by bucket: p50 <= 9, p90 <= 19, p99 >= 20\n"
        );
    }

    #[test]
    fn a_sum_that_may_not_fit_has_no_average() {
        let text = summary(&[1, 0, 2], (1, u64::MAX / 2));
        assert!(text.starts_with("     count 3, min "), "{text}");
    }

    #[test]
    fn nothing_counted_is_not_summed_up() {
        assert_eq!(summary(&[0, 0, 0], (5_000, 21_500)), "");
    }
}
