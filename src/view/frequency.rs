//! Counts by name: the most frequent last, where the reader looks after the table has scrolled by.

use std::fmt;

use crate::sample::{Row, Table, Value};

/// A table of counts: a header and a row for each count; nothing if nothing was counted.
#[derive(Clone, Copy, Debug)]
pub struct Frequencies<'a>(pub &'a Table);

impl fmt::Display for Frequencies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Table { labels, rows, rest, .. } = self.0;
        if rows.is_empty() {
            return Ok(());
        }
        if !rest.is_empty() {
            writeln!(f, "({} more, counted {} times)", rest.len(), self.0.rest_count())?;
        }
        let headings: Vec<_> = labels.iter().map(|label| &*label.heading).collect();
        writeln!(f, "{:<36} {:>8}", headings.join(" "), "COUNT")?;
        for Row { labels, value, .. } in rows {
            let names: Vec<_> = labels.iter().map(ToString::to_string).collect();
            let name = names.join(" ");
            match value {
                Value::Gauge(gauge) => writeln!(f, "{name:<36} {gauge:>8}")?,
                value => writeln!(f, "{name:<36} {:>8}", value.count())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{LabelName, LabelValue, Unit};

    fn table(counts: &[(&str, u64)]) -> Table {
        let row = |(name, count): &(&str, u64)| Row {
            labels: vec![LabelValue::text(name)],
            value: Value::Count(*count),
            total: Value::Count(*count),
        };
        Table {
            name: "calls".into(),
            subject: "function".into(),
            help: "Calls".into(),
            unit: Unit::Count,
            labels: vec![LabelName::new("function", "FUNC")],
            rows: counts.iter().map(row).collect(),
            rest: vec![],
        }
    }

    #[test]
    fn names_and_counts_stand_in_columns() {
        assert_eq!(
            Frequencies(&table(&[("vfs_open", 7), ("vfs_read", 500)])).to_string(),
            "FUNC                                    COUNT\n\
             vfs_open                                    7\n\
             vfs_read                                  500\n"
        );
        assert_eq!(Frequencies(&table(&[])).to_string(), "");
    }

    #[test]
    fn what_is_below_the_top_is_summed_up() {
        let mut table = table(&[("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
        table.keep_last(Some(2));
        let text = Frequencies(&table).to_string();
        assert!(text.starts_with("(2 more, counted 3 times)\nFUNC "), "{text}");
    }
}
