//! A distribution in a few numbers.

use std::fmt;

use serde_json::{Map, Value};

/// The percentiles that are told.
const PERCENTILES: [u64; 3] = [50, 90, 99];

/// What was measured, in nanoseconds, and how it is told.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// Nanoseconds of the unit.
    pub unit: u64,
    /// The lowest and the highest value of each bucket, in the unit; None for no end.
    pub ranges: &'a [(u64, Option<u64>)],
    /// The counts of the buckets.
    pub counts: &'a [u64],
    /// All values together, in nanoseconds.
    pub sum: u64,
    /// The smallest and the greatest value, in nanoseconds.
    pub extremes: Option<(u64, u64)>,
}

impl Summary<'_> {
    fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The bucket below whose end at least that share of all values lies.
    fn percentile(&self, percent: u64) -> Option<(u64, Option<u64>)> {
        let rank = (u128::from(self.count()) * u128::from(percent)).div_ceil(100);
        let mut below = 0;
        let buckets = self.ranges.iter().zip(self.counts);
        let mut reached = buckets.skip_while(|(_, count)| {
            below += u128::from(**count);
            below < rank
        });
        reached.next().map(|(range, _)| *range)
    }

    /// Each in its bucket: of what came while the kernel's numbers were read, an extreme may belong
    /// to another interval than the count.
    fn extremes(&self) -> Option<(u64, u64)> {
        let (min, max) = self.extremes?;
        let mut used = self.ranges.iter().zip(self.counts).filter(|(_, count)| **count > 0);
        let (first, _) = used.next()?;
        let last = used.next_back().map_or(first, |(range, _)| range);
        let within = |value: u64, (low, high): (u64, Option<u64>)| {
            let end =
                high.map_or(u64::MAX, |high| high.saturating_add(1).saturating_mul(self.unit));
            value.clamp(low.saturating_mul(self.unit), end.saturating_sub(1))
        };
        Some((within(min, *first), within(max, *last)))
    }

    /// None where the sum of so great values may have been more than the kernel's 64 bits hold.
    fn average(&self) -> Option<f64> {
        let count = self.count();
        let greatest = self.extremes.map_or(0, |(_, max)| u128::from(max) * u128::from(count));
        let fits = greatest <= u128::from(u64::MAX);
        fits.then(|| self.in_unit(self.sum) / count as f64)
    }

    fn in_unit(&self, nanoseconds: u64) -> f64 {
        nanoseconds as f64 / self.unit as f64
    }

    /// The same as an object. A percentile is the end of its bucket, or null where that has none.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        let count = self.count();
        fields.insert("count".into(), count.into());
        if count == 0 {
            return fields;
        }
        fields.insert("average".into(), self.average().into());
        if let Some((min, max)) = self.extremes() {
            fields.insert("min".into(), self.in_unit(min).into());
            fields.insert("max".into(), self.in_unit(max).into());
        }
        for percent in PERCENTILES {
            let end = self.percentile(percent).and_then(|(_, high)| high);
            fields.insert(format!("p{percent}"), end.into());
        }
        fields
    }
}

/// Two lines; nothing where nothing was counted.
impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count();
        if count == 0 {
            return Ok(());
        }
        // As exact as the clock is.
        let digits = self.unit.ilog10() as usize;
        write!(f, "     count {count}")?;
        if let Some(average) = self.average() {
            write!(f, ", average {average:.*}", digits.max(1))?;
        }
        if let Some((min, max)) = self.extremes() {
            let (min, max) = (self.in_unit(min), self.in_unit(max));
            write!(f, ", min {min:.digits$}, max {max:.digits$}")?;
        }
        let percentiles = PERCENTILES.map(|percent| match self.percentile(percent) {
            Some((low, None)) => format!("p{percent} >= {low}"),
            Some((_, Some(high))) => format!("p{percent} <= {high}"),
            None => String::new(),
        });
        write!(f, "\n     by bucket: {}\n", percentiles.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGES: [(u64, Option<u64>); 3] = [(0, Some(9)), (10, Some(19)), (20, None)];

    fn summary(counts: &[u64]) -> Summary<'_> {
        let extremes = Some((5_000, 21_500));
        Summary { unit: 1000, ranges: &RANGES, counts, sum: 1_000_000, extremes }
    }

    #[test]
    fn percentiles_are_the_bounds_of_the_buckets_they_fall_into() {
        assert_eq!(
            summary(&[50, 40, 10]).to_string(),
            "     count 100, average 10.000, min 5.000, max 21.500\n\
             \x20    by bucket: p50 <= 9, p90 <= 19, p99 >= 20\n"
        );
        assert!(summary(&[49, 41, 10]).to_string().contains("p50 <= 19, p90 <= 19"));
        assert!(summary(&[99, 1, 0]).to_string().contains("p99 <= 9\n"));
        assert!(summary(&[0, 1, 0]).to_string().contains("p50 <= 19, p90 <= 19, p99 <= 19"));
    }

    #[test]
    fn as_an_object_it_says_the_same() {
        assert_eq!(
            Value::from(summary(&[50, 40, 10]).to_json()).to_string(),
            r#"{"count":100,"average":10.0,"min":5.0,"max":21.5,"p50":9,"p90":19,"p99":null}"#
        );
    }

    #[test]
    fn a_sum_that_may_not_fit_has_no_average() {
        let summary = Summary { extremes: Some((1, u64::MAX / 2)), ..summary(&[1, 0, 2]) };
        assert!(summary.to_string().starts_with("     count 3, min "), "{summary}");
        assert_eq!(summary.to_json()["average"], Value::Null);
    }

    #[test]
    fn nothing_counted_is_not_summed_up() {
        assert_eq!(summary(&[0, 0, 0]).to_string(), "");
        assert_eq!(Value::from(summary(&[0, 0, 0]).to_json()).to_string(), r#"{"count":0}"#);
    }
}
