//! What a histogram comes to: count, average, extremes, percentiles.

use std::fmt;

use serde_json::{Map, Value, json};

use super::histogram::Log2Histogram;

/// A histogram with the numbers that its buckets do not tell.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// The counts, in some unit.
    pub histogram: Log2Histogram<'a>,
    /// How much of what was measured makes that unit: 1000, where nanoseconds were and it is
    /// microseconds.
    pub per_unit: u64,
    /// All that was measured together.
    pub sum: u64,
    /// The smallest and the greatest that was measured, if that is known.
    pub extremes: Option<(u64, u64)>,
}

/// Of a hundred values so many are not above a percentile.
const PERCENTILES: [u64; 3] = [50, 90, 99];

impl Summary<'_> {
    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.histogram.counts.iter().sum()
    }

    fn average(&self) -> f64 {
        self.sum as f64 / self.count() as f64 / self.per_unit as f64
    }

    /// Each in its bucket: of what came while the kernel's numbers were read, an extreme may belong
    /// to another interval than the count.
    fn extremes(&self) -> Option<(f64, f64)> {
        let (min, max) = self.extremes?;
        let mut used = self.histogram.buckets().filter(|(_, _, count)| *count > 0);
        let first = used.next()?;
        let last = used.last().unwrap_or(first);
        let within = |value: u64, (low, high, _): (u64, u64, u64)| {
            let low = low.saturating_mul(self.per_unit);
            let high = high.saturating_mul(self.per_unit).saturating_add(self.per_unit - 1);
            value.clamp(low, high) as f64 / self.per_unit as f64
        };
        Some((within(min, first), within(max, last)))
    }

    /// The upper bound of the bucket that holds the value which so many of a hundred do not exceed.
    fn percentile(&self, percent: u64) -> u64 {
        let rank = (u128::from(self.count()) * u128::from(percent)).div_ceil(100);
        let mut seen = 0;
        let bucket = self.histogram.buckets().find(|(_, _, count)| {
            seen += u128::from(*count);
            seen >= rank
        });
        bucket.map_or(0, |(_, high, _)| high)
    }

    /// The numbers of the line, and the buckets.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("hist".into(), self.histogram.to_json());
        fields.insert("count".into(), self.count().into());
        if self.count() > 0 {
            fields.insert("average".into(), self.average().into());
            if let Some((min, max)) = self.extremes() {
                fields.insert("min".into(), min.into());
                fields.insert("max".into(), max.into());
            }
            let bounds = PERCENTILES.map(|p| (format!("p{p}"), json!(self.percentile(p))));
            // A percentile is at most this, and at least what its bucket begins with.
            fields.insert("at_most".into(), Value::Object(bounds.into_iter().collect()));
        }
        fields
    }
}

/// Nothing where nothing was counted, else the histogram and a line.
impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count() == 0 {
            return Ok(());
        }
        write!(f, "{}", self.histogram)?;
        write!(f, "     count {}, average {}", self.count(), Digits(self.average()))?;
        if let Some((min, max)) = self.extremes() {
            write!(f, ", min {}, max {}", Digits(min), Digits(max))?;
        }
        for percent in PERCENTILES {
            write!(f, ", p{percent} <= {}", self.percentile(percent))?;
        }
        writeln!(f)
    }
}

/// Three digits, or more where there are more before the point.
struct Digits(f64);

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind = match self.0 {
            value if value < 9.995 => 2,
            value if value < 99.95 => 1,
            _ => 0,
        };
        write!(f, "{:.behind$}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usecs(counts: &[u64], sum: u64, extremes: Option<(u64, u64)>) -> Summary<'_> {
        let histogram = Log2Histogram { unit: "usecs", first: 2, counts };
        Summary { histogram, per_unit: 1000, sum, extremes }
    }

    fn line(summary: Summary<'_>) -> String {
        summary.to_string().lines().last().unwrap_or_default().to_owned()
    }

    #[test]
    fn the_line_stands_under_the_histogram() {
        assert_eq!(
            usecs(&[0, 3, 0, 1], 17_250, Some((2_000, 9_990))).to_string(),
            "     usecs           : count     distribution\n\
             \x20      0 -> 1        : 0        |                                      |\n\
             \x20      2 -> 3        : 3        |************************************* |\n\
             \x20      4 -> 7        : 0        |                                      |\n\
             \x20      8 -> 15       : 1        |***********                           |\n\
             \x20    count 4, average 4.31, min 2.00, max 9.99, p50 <= 3, p90 <= 15, p99 <= 15\n"
        );
    }

    #[test]
    fn nothing_counted_is_nothing_said() {
        assert_eq!(usecs(&[0, 0], 0, None).to_string(), "");
        assert_eq!(
            Value::from(usecs(&[0], 0, None).to_json()).to_string(),
            r#"{"hist":[],"count":0}"#
        );
    }

    #[test]
    fn extremes_that_are_not_known_are_left_out() {
        let summary = usecs(&[0, 1], 2_500, None);
        assert_eq!(line(summary), "     count 1, average 2.50, p50 <= 3, p90 <= 3, p99 <= 3");
        assert!(!summary.to_json().contains_key("min"));
    }

    #[test]
    fn an_extreme_of_another_interval_does_not_leave_the_bucket() {
        let summary = usecs(&[0, 0, 3], 15_000, Some((1_500, 9_000)));
        assert!(line(summary).contains("min 4.00, max 8.00,"), "{summary}");
        // Half a microsecond under eight still belongs to the bucket up to seven.
        let summary = usecs(&[0, 0, 3], 15_000, Some((4_000, 7_500)));
        assert!(line(summary).contains("min 4.00, max 7.50,"), "{summary}");
    }

    #[test]
    fn a_percentile_is_the_bound_of_the_bucket_that_reaches_it() {
        // 50 of 100 are in the first bucket, 90 in the first two, 99 in the first three.
        assert!(line(usecs(&[50, 40, 9, 1], 0, None)).ends_with("p50 <= 1, p90 <= 3, p99 <= 7"));
        assert!(line(usecs(&[49, 40, 9, 2], 0, None)).ends_with("p50 <= 3, p90 <= 7, p99 <= 15"));
    }

    #[test]
    fn counts_near_the_limit_do_not_overflow() {
        assert!(line(usecs(&[u64::MAX / 2, u64::MAX / 2], 0, None)).ends_with("p99 <= 3"));
    }

    #[test]
    fn numbers_have_three_digits_or_all_before_the_point() {
        let texts = [0.0, 0.126, 9.994, 9.996, 99.94, 99.96, 1234.5].map(|n| Digits(n).to_string());
        assert_eq!(texts, ["0.00", "0.13", "9.99", "10.0", "99.9", "100", "1234"]);
    }

    #[test]
    fn json_has_the_same_numbers_in_full() {
        let summary = usecs(&[0, 0, 4], 20_500, Some((4_001, 7_999)));
        assert_eq!(
            Value::from(summary.to_json()).to_string(),
            r#"{"hist":[{"min":4,"max":7,"count":4}],"count":4,"average":5.125,"min":4.001,"max":7.999,"at_most":{"p50":7,"p90":7,"p99":7}}"#
        );
    }
}
