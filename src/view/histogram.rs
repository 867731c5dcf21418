//! Counts by ranges of values: the table with stars that bitehist drew in 2015.

use std::fmt;

use serde_json::{Value, json};

/// Counts by power of two, in some unit.
#[derive(Clone, Copy, Debug)]
pub struct Log2Histogram<'a> {
    /// What the numbers at the left are.
    pub unit: &'a str,
    /// Bucket 0 reaches from 0 to `first - 1`, each further one twice as far: a power of two.
    pub first: u64,
    /// The counts.
    pub counts: &'a [u64],
}

const STARS: usize = 38;

impl Log2Histogram<'_> {
    /// The buckets from 0 to the last that counted anything: lowest and highest value, count.
    fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let used = self.counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
        self.counts[..used].iter().enumerate().map(|(index, count)| {
            let low = if index == 0 { 0 } else { self.first << (index - 1) };
            // Twice the lowest may not fit.
            (low, if index == 0 { self.first - 1 } else { low - 1 + low }, *count)
        })
    }

    /// The buckets from the first to the last that counted anything, with zeros between.
    pub fn to_json(&self) -> Value {
        let used = self.buckets().skip_while(|(_, _, count)| *count == 0);
        used.map(|(min, max, count)| json!({"min": min, "max": max, "count": count})).collect()
    }
}

/// Nothing where nothing was counted, else a header and a row a bucket.
impl fmt::Display for Log2Histogram<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(f, self.unit, &self.rows().collect::<Vec<_>>())
    }
}

impl Log2Histogram<'_> {
    fn rows(&self) -> impl Iterator<Item = Row> {
        self.buckets().map(|(low, high, count)| (low, Some(high), count))
    }

    /// The same table from the lowest bucket that counted anything, as bitesize drew it.
    pub fn from_lowest(&self) -> impl fmt::Display {
        FromLowest(*self)
    }
}

struct FromLowest<'a>(Log2Histogram<'a>);

impl fmt::Display for FromLowest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.rows().skip_while(|(.., count)| *count == 0);
        table(f, self.0.unit, &rows.collect::<Vec<_>>())
    }
}

/// Counts by any ranges, in some unit.
#[derive(Clone, Copy, Debug)]
pub struct RangeHistogram<'a> {
    /// What the numbers at the left are.
    pub unit: &'a str,
    /// The lowest and the highest value of each range; None for no end.
    pub ranges: &'a [(u64, Option<u64>)],
    /// The counts.
    pub counts: &'a [u64],
}

impl RangeHistogram<'_> {
    /// The ranges from the first to the last that counted anything.
    fn rows(&self) -> Vec<Row> {
        let rows = self.ranges.iter().zip(self.counts);
        let mut rows: Vec<Row> = rows
            .map(|((low, high), count)| (*low, *high, *count))
            .skip_while(|(.., count)| *count == 0)
            .collect();
        let used = rows.iter().rposition(|(.., count)| *count > 0).map_or(0, |last| last + 1);
        rows.truncate(used);
        rows
    }

    /// The same; where there is no end there is no `max`.
    pub fn to_json(&self) -> Value {
        let rows = self.rows().into_iter().map(|(min, max, count)| match max {
            Some(max) => json!({"min": min, "max": max, "count": count}),
            None => json!({"min": min, "count": count}),
        });
        rows.collect()
    }
}

/// Nothing where nothing was counted, else a header and a row a range.
impl fmt::Display for RangeHistogram<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(f, self.unit, &self.rows())
    }
}

/// Lowest and highest value, count.
type Row = (u64, Option<u64>, u64);

fn table(f: &mut fmt::Formatter<'_>, unit: &str, rows: &[Row]) -> fmt::Result {
    let Some(max) = rows.iter().map(|(.., count)| *count).max().filter(|max| *max > 0) else {
        return Ok(());
    };
    // Eight digits, as in 2015, are enough for all but nanoseconds.
    let widest = rows.iter().map(|(low, high, _)| high.unwrap_or(*low)).max().unwrap_or(0);
    let width = widest.to_string().len().max(8);
    writeln!(f, "     {unit:<0$} : count     distribution", 2 * width - 1)?;
    for (low, high, count) in rows {
        // The widest product of two counts and 38 does not fit 64 bits.
        let share = u128::from(*count) * STARS as u128 / u128::from(max);
        // As in 2015: the fullest bucket has one star less than the column is wide.
        let stars = "*".repeat((share as usize).saturating_sub(1));
        let high = high.map_or("...".into(), |high| high.to_string());
        writeln!(f, "{low:>width$} -> {high:<width$} : {count:<8} |{stars:<STARS$}|")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kbytes(counts: &[u64]) -> String {
        Log2Histogram { unit: "kbytes", first: 2, counts }.to_string()
    }

    #[test]
    fn rows_reach_from_the_first_bucket_to_the_last_used() {
        assert_eq!(
            kbytes(&[0, 0, 500, 0, 250, 0, 0]),
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
            kbytes(&[3]),
            "     kbytes          : count     distribution\n\
             \x20      0 -> 1        : 3        |************************************* |\n"
        );
    }

    #[test]
    fn from_the_lowest_bucket_used_empty_rows_remain_only_between_others() {
        let histogram = Log2Histogram { unit: "kbytes", first: 2, counts: &[0, 0, 8, 0, 4, 0] };
        assert_eq!(
            histogram.from_lowest().to_string(),
            "     kbytes          : count     distribution\n\
             \x20      4 -> 7        : 8        |************************************* |\n\
             \x20      8 -> 15       : 0        |                                      |\n\
             \x20     16 -> 31       : 4        |******************                    |\n"
        );
    }

    #[test]
    fn nothing_counted_is_no_table() {
        assert_eq!(kbytes(&[0, 0]), "");
    }

    #[test]
    fn counts_near_the_limit_do_not_overflow() {
        assert!(
            kbytes(&[u64::MAX, u64::MAX / 2]).contains("|*****************                     |")
        );
    }

    #[test]
    fn bytes_begin_below_a_sector() {
        let histogram = Log2Histogram { unit: "bytes", first: 512, counts: &[0, 7, 0, 1] };
        assert_eq!(
            histogram.to_json().to_string(),
            r#"[{"min":512,"max":1023,"count":7},{"min":1024,"max":2047,"count":0},{"min":2048,"max":4095,"count":1}]"#
        );
    }

    #[test]
    fn ranges_are_shown_between_the_used_ones_and_the_last_has_no_end() {
        let ranges =
            [(0, Some(9)), (10, Some(19)), (20, Some(1_234_567_889)), (1_234_567_890, None)];
        let histogram = RangeHistogram { unit: "nsecs", ranges: &ranges, counts: &[0, 4, 0, 2] };
        assert_eq!(
            histogram.to_string(),
            "     nsecs               : count     distribution\n\
             \x20       10 -> 19         : 4        |************************************* |\n\
             \x20       20 -> 1234567889 : 0        |                                      |\n\
             1234567890 -> ...        : 2        |******************                    |\n"
        );
        assert_eq!(
            histogram.to_json().to_string(),
            r#"[{"min":10,"max":19,"count":4},{"min":20,"max":1234567889,"count":0},{"min":1234567890,"count":2}]"#
        );
        let none = RangeHistogram { counts: &[0; 4], ..histogram };
        assert_eq!((none.to_string(), none.to_json().to_string()), (String::new(), "[]".into()));
    }
}
