//! What is in a map, as a table.

use super::{Data, LabelName, LabelValue, Row, Table, Unit, Value};

impl Table {
    /// The elements of a map of this name and type, as a text names it. Elements of arrays that are zero are left
    /// out; those of others are sorted by key.
    pub fn of_map(name: &str, map_type: &str, mut elements: Vec<(Data, Data)>) -> Table {
        // An array's are in order.
        match map_type.contains("array") {
            true => elements.retain(|(_, value)| !value.is_zero()),
            false => elements.sort_unstable(),
        }
        let row = |(key, value)| {
            let value = Value::Data(value);
            Row { labels: vec![LabelValue::Data(key)], total: value.clone(), value }
        };
        Table {
            name: name.to_owned().into(),
            subject: "map".into(),
            help: map_type.to_owned().into(),
            unit: Unit::Data,
            labels: vec![LabelName::new("key", "KEY")],
            rows: elements.into_iter().map(row).collect(),
            rest: vec![],
        }
    }
}
