//! A distribution in a few numbers.

use std::fmt;

use crate::sample::{Histogram, Percentile, Unit};

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
        // With the precision of the clock.
        let digits = unit.in_base().ilog10() as usize;
        let in_unit = |value| Decimal { value, of: u128::from(unit.in_base()), digits };
        write!(f, "     count {count}")?;
        if let Some(sum) = histogram.sum {
            let of = u128::from(unit.in_base()) * u128::from(count);
            write!(f, ", average {}", Decimal { value: sum, of, digits: digits.max(1) })?;
        }
        if let Some((min, max)) = histogram.extremes {
            write!(f, ", min {}, max {}", in_unit(min), in_unit(max))?;
        }
        // Bounds of buckets have fractions only where the buckets do.
        let bound = |value| trimmed(&in_unit(value));
        let percentiles = histogram.percentiles.iter().map(|percent| {
            match histogram.percentile(*percent, *unit) {
                Some(Percentile::Below(end)) => format!("p{percent} < {}", bound(end)),
                Some(Percentile::AtLeast(low)) => format!("p{percent} >= {}", bound(low)),
                None => String::new(),
            }
        });
        // A bucket is as wide as this part of its lowest value, at most.
        let high = histogram.fine.as_ref().map(|fine| {
            let percent = Decimal { value: 100, of: fine.steps.into(), digits: 2 };
            format!(", up to {} % high", trimmed(&percent))
        });
        let high = high.unwrap_or_default();
        writeln!(f, "\n     by bucket{high}: {}", percentiles.collect::<Vec<_>>().join(", "))
    }
}

/// `value / of` with this many digits after the point, none of which is lost to floating point.
struct Decimal {
    value: u64,
    of: u128,
    digits: usize,
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decimal { value, of, digits } = *self;
        let scale = 10_u128.pow(digits as u32);
        let rounded = (u128::from(value) * scale + of / 2) / of;
        let (whole, part) = (rounded / scale, rounded % scale);
        if digits == 0 { write!(f, "{whole}") } else { write!(f, "{whole}.{part:0digits$}") }
    }
}

/// Without zeros at the end.
fn trimmed(decimal: &Decimal) -> String {
    let text = decimal.to_string();
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Bucket, FineCounts};

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
             \x20    by bucket: p50 < 10, p90 < 20, p99 >= 20\n"
        );
    }

    #[test]
    fn percentiles_of_narrower_buckets_tell_how_wide_those_are() {
        let buckets = [(0, Some(1)), (2, Some(3))].map(|(low, high)| Bucket { low, high });
        let fine = FineCounts {
            lows: [0, 125, 250, 1_000, 2_000, 2_250, 3_000].into(),
            counts: vec![1, 0, 0, 0, 9, 0, 0],
            steps: 8,
        };
        let percentiles = ["5", "99.9"].map(|percent| percent.parse().unwrap()).to_vec().into();
        let histogram = Histogram::new(buckets.into(), vec![1, 9]);
        let histogram = &Histogram { fine: Some(fine), percentiles, ..histogram };
        assert_eq!(
            Summary { unit: Unit::Microseconds, histogram }.to_string(),
            "     count 10\n     by bucket, up to 12.5 % high: p5 < 0.125, p99.9 < 2.25\n"
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

    /// What rounds to 2^53 or 2^64 in floating point.
    #[test]
    fn large_values_keep_all_their_digits() {
        let values = |unit, min, max| {
            let buckets =
                [Bucket { low: 0, high: Some(u64::MAX - 1) }, Bucket { low: u64::MAX, high: None }];
            let histogram = Histogram::new(buckets.into(), vec![1, 1]);
            let histogram = &Histogram { sum: Some(max), extremes: Some((min, max)), ..histogram };
            Summary { unit, histogram }.to_string()
        };
        assert_eq!(
            values(Unit::Number, (1 << 53) + 1, u64::MAX),
            "     count 2, average 9223372036854775807.5, min 9007199254740993, max 18446744073709551615\n\
             \x20    by bucket: p50 < 18446744073709551615, p90 >= 18446744073709551615, p99 >= 18446744073709551615\n"
        );
        assert!(
            values(Unit::Microseconds, (1 << 53) + 1, u64::MAX)
                .contains("min 9007199254740.993, max 18446744073709551.615")
        );
    }

    /// 3.989 ms lie above 3 and below 4.
    #[test]
    fn the_bound_of_a_percentile_is_above_all_values_of_its_bucket() {
        let buckets =
            [(0, Some(1)), (2, Some(3)), (4, None)].map(|(low, high)| Bucket { low, high });
        let histogram = Histogram::new(buckets.into(), vec![0, 1, 0]);
        let unit = Unit::Milliseconds;
        let histogram = &histogram.measured(unit, 3_989_000, Some((3_989_000, 3_989_000)));
        assert_eq!(
            Summary { unit, histogram }.to_string(),
            "     count 1, average 3.989000, min 3.989000, max 3.989000\n\
             \x20    by bucket: p50 < 4, p90 < 4, p99 < 4\n"
        );
    }
}
