//! The elements of a map of which only the sizes are known.

use std::fmt;

use crate::sample::{Table, Value};

/// A map and its elements, by key: the map's name and type, then a line for each element.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a>(pub &'a Table);

impl fmt::Display for Elements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Table { name, help: map_type, rows, .. } = self.0;
        let nothing = match (rows.is_empty(), map_type.contains("array")) {
            (false, _) => "",
            (true, true) => ": all zero",
            (true, false) => ": empty",
        };
        writeln!(f, "{name} ({map_type}){nothing}")?;
        let key = |labels: &[_]| labels.first().map_or(String::new(), ToString::to_string);
        let keys: Vec<String> = rows.iter().map(|row| key(&row.labels)).collect();
        let width = keys.iter().map(String::len).max().unwrap_or(0);
        keys.iter().zip(rows).try_for_each(|(key, row)| match &row.value {
            Value::Data(data) => writeln!(f, "  {key:>width$}: {data}"),
            value => writeln!(f, "  {key:>width$}: {}", value.count()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Data, LabelName, LabelValue, Row, Unit};

    fn map(name: &'static str, kind: &'static str, elements: &[(u64, u64)]) -> Table {
        let number = |number| Data::Numbers(vec![number]);
        let row = |(key, value): &(u64, u64)| {
            let value = Value::Data(number(*value));
            Row { labels: vec![LabelValue::Data(number(*key))], total: value.clone(), value }
        };
        Table {
            name: name.into(),
            subject: "function".into(),
            help: kind.into(),
            unit: Unit::Number,
            labels: vec![LabelName::new("key", "KEY")],
            rows: elements.iter().map(row).collect(),
            rest: vec![],
        }
    }

    #[test]
    fn keys_stand_one_below_the_other() {
        let text = Elements(&map("seen", "hash", &[(9, 1), (10, 20)])).to_string();
        assert_eq!(text, "seen (hash)\n   9: 1\n  10: 20\n");
        assert_eq!(Elements(&map("seen", "array", &[])).to_string(), "seen (array): all zero\n");
    }
}
