//! Frequency counts: what was counted how often, the most frequent last, where the eye is when the
//! table has scrolled by.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

/// Counts by name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frequencies {
    /// What the names are: `FUNC`.
    pub header: &'static str,
    /// Names and counts, ascending.
    rows: Vec<(String, u64)>,
    /// How many rows there are that are not shown, and their counts.
    rest: (usize, u64),
}

impl Frequencies {
    /// The `top` highest of these counts, or all; those of one name are one, and zeros are none.
    pub fn new(
        header: &'static str,
        counts: impl IntoIterator<Item = (String, u64)>,
        top: Option<usize>,
    ) -> Frequencies {
        let mut sums = BTreeMap::new();
        for (name, count) in counts {
            *sums.entry(printable(&name)).or_default() += count;
        }
        sums.retain(|_, count| *count > 0);
        // Equal counts stay in the order of their names.
        let mut rows: Vec<(String, u64)> = sums.into_iter().collect();
        rows.sort_by_key(|(_, count)| *count);
        let hidden = rows.len().saturating_sub(top.unwrap_or(usize::MAX));
        let rest = rows.drain(..hidden).fold((0, 0), |(n, sum), (_, count)| (n + 1, sum + count));
        Frequencies { header, rows, rest }
    }

    /// Each name with its count.
    pub fn to_json(&self) -> Value {
        let rows = self.rows.iter().map(|(name, count)| (name.clone(), Value::from(*count)));
        Value::from(rows.collect::<Map<_, _>>())
    }

    /// How many names are not shown, and their counts.
    pub fn rest(&self) -> (usize, u64) {
        self.rest
    }
}

/// A thread may give itself a name that would move the cursor.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Nothing where nothing was counted, else a header and a row a name.
impl fmt::Display for Frequencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return Ok(());
        }
        let (names, counts) = self.rest;
        if names > 0 {
            writeln!(f, "({names} more, counted {counts} times)")?;
        }
        writeln!(f, "{:<36} {:>8}", self.header, "COUNT")?;
        for (name, count) in &self.rows {
            writeln!(f, "{name:<36} {count:>8}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, u64)], top: Option<usize>) -> Frequencies {
        Frequencies::new("FUNC", counts.iter().map(|(name, n)| ((*name).to_owned(), *n)), top)
    }

    #[test]
    fn the_most_frequent_is_last_and_what_was_not_counted_is_left_out() {
        let table = counts(&[("vfs_read", 500), ("vfs_open", 7), ("vfs_x", 0), ("a", 7)], None);
        assert_eq!(
            table.to_string(),
            "FUNC                                    COUNT\n\
             a                                           7\n\
             vfs_open                                    7\n\
             vfs_read                                  500\n"
        );
        assert_eq!(table.to_json().to_string(), r#"{"a":7,"vfs_open":7,"vfs_read":500}"#);
    }

    #[test]
    fn nothing_counted_is_no_table() {
        assert_eq!(counts(&[("a", 0)], None).to_string(), "");
    }

    #[test]
    fn what_is_below_the_top_is_summed_up() {
        let table = counts(&[("a", 1), ("b", 2), ("c", 3), ("d", 4)], Some(2));
        assert_eq!(table.rest(), (2, 3));
        let text = table.to_string();
        assert!(text.starts_with("(2 more, counted 3 times)\nFUNC "), "{text}");
        assert_eq!(table.to_json().to_string(), r#"{"c":3,"d":4}"#);
    }

    #[test]
    fn a_name_cannot_move_the_cursor_and_names_that_look_the_same_are_one() {
        let table = counts(&[("a\u{1b}", 1), ("a\n", 2)], None);
        assert_eq!(table.to_json().to_string(), r#"{"a?":3}"#);
    }
}
