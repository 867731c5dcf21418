//! Counts by ranges of values: the table with stars that bitehist drew in 2015.

use std::fmt;

use crate::sample::{Bucket, Histogram};

/// A histogram as a table: a header and a row for each bucket; nothing if nothing was counted.
#[derive(Clone, Copy, Debug)]
pub struct HistogramTable<'a> {
    /// The unit of the numbers on the left.
    pub heading: &'a str,
    /// The counts.
    pub histogram: &'a Histogram,
    /// Whether the first row is that of the lowest bucket, even if it counted nothing.
    pub from_zero: bool,
}

const STARS: usize = 38;

impl fmt::Display for HistogramTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.histogram.used();
        let (Some((first, _)), Some(max)) = (used.first(), used.iter().map(|(_, n)| *n).max())
        else {
            return Ok(());
        };
        let unused = self.histogram.rows().take_while(|(bucket, _)| bucket.low < first.low);
        let unused: Vec<_> = unused.filter(|_| self.from_zero).collect();
        let rows = || unused.iter().chain(&used);
        // Eight digits, as in 2015, are enough for all but nanoseconds.
        let widest = rows().map(|(bucket, _)| bucket.high.unwrap_or(bucket.low)).max();
        let width = widest.unwrap_or(0).to_string().len().max(8);
        writeln!(f, "     {:<1$} : count     distribution", self.heading, 2 * width - 1)?;
        for (Bucket { low, high }, count) in rows() {
            // The largest product of a count and 38 does not fit 64 bits.
            let share = u128::from(*count) * STARS as u128 / u128::from(max);
            // As in 2015: the fullest bucket has one star less than the column is wide.
            let stars = "*".repeat((share as usize).saturating_sub(1));
            let high = high.map_or("...".into(), |high| high.to_string());
            writeln!(f, "{low:>width$} -> {high:<width$} : {count:<8} |{stars:<STARS$}|")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By powers of two from `first` on.
    fn log2(first: u64, counts: &[u64]) -> Histogram {
        let buckets = (0..counts.len() as u32).map(|index| match index {
            0 => Bucket { low: 0, high: Some(first - 1) },
            _ => Bucket { low: first << (index - 1), high: Some((first << index) - 1) },
        });
        Histogram::new(buckets.collect(), counts.to_vec())
    }

    fn kbytes(counts: &[u64], from_zero: bool) -> String {
        let histogram = &log2(2, counts);
        HistogramTable { heading: "kbytes", histogram, from_zero }.to_string()
    }

    #[test]
    fn rows_reach_from_the_first_bucket_to_the_last_used() {
        assert_eq!(
            kbytes(&[0, 0, 500, 0, 250, 0, 0], true),
            "     kbytes          : count     distribution\n\
             \x20      0 -> 1        : 0        |                                      |\n\
             \x20      2 -> 3        : 0        |                                      |\n\
             \x20      4 -> 7        : 500      |************************************* |\n\
             \x20      8 -> 15       : 0        |                                      |\n\
             \x20     16 -> 31       : 250      |******************                    |\n"
        );
    }

    #[test]
    fn a_table_of_the_first_bucket_alone_has_its_header() {
        assert_eq!(
            kbytes(&[3], true),
            "     kbytes          : count     distribution\n\
             \x20      0 -> 1        : 3        |************************************* |\n"
        );
    }

    #[test]
    fn from_the_lowest_bucket_used_empty_rows_remain_only_between_others() {
        assert_eq!(
            kbytes(&[0, 0, 8, 0, 4, 0], false),
            "     kbytes          : count     distribution\n\
             \x20      4 -> 7        : 8        |************************************* |\n\
             \x20      8 -> 15       : 0        |                                      |\n\
             \x20     16 -> 31       : 4        |******************                    |\n"
        );
    }

    #[test]
    fn nothing_counted_is_no_table() {
        assert_eq!(kbytes(&[0, 0], true), "");
    }

    #[test]
    fn counts_near_the_limit_do_not_overflow() {
        let table = kbytes(&[u64::MAX, u64::MAX / 2], true);
        assert!(table.contains("|*****************                     |"), "{table}");
    }

    #[test]
    fn the_last_range_has_no_end_and_long_numbers_widen_the_table() {
        let buckets =
            [(0, Some(9)), (10, Some(19)), (20, Some(1_234_567_889)), (1_234_567_890, None)];
        let buckets = buckets.map(|(low, high)| Bucket { low, high });
        let histogram = &Histogram::new(buckets.into(), vec![0, 4, 0, 2]);
        let table = HistogramTable { heading: "nsecs", histogram, from_zero: false };
        assert_eq!(
            table.to_string(),
            "     nsecs               : count     distribution\n\
             \x20       10 -> 19         : 4        |************************************* |\n\
             \x20       20 -> 1234567889 : 0        |                                      |\n\
             1234567890 -> ...        : 2        |******************                    |\n"
        );
    }
}
