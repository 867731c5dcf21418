//! Objects as rows of a table.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::objects::Fields;
use super::options::What;
use crate::host::clock;
use crate::view::duration::latency;
use crate::view::fitted::Column;
use crate::view::table::Align::{Left, Right};

/// A column, and the field that it shows.
pub type FieldColumn = (Column<'static>, &'static str);

/// The columns of a table. The higher the last number, the sooner a column is left out where there is no
/// room for it.
pub fn columns(what: What) -> &'static [FieldColumn] {
    match what {
        What::Programs => &PROGRAM,
        What::Maps => &MAP,
        What::Links => &LINK,
    }
}

const PROGRAM: [FieldColumn; 13] = [
    (Column::new("PROGRAM", Right, 0), "id"),
    (Column::new("TYPE", Left, 0), "prog_type"),
    (Column::new("NAME", Left, 0), "name"),
    (Column::new("TAG", Left, 9), "tag"),
    (Column::new("UID", Right, 6), "uid"),
    (Column::new("LOADED", Left, 7), "loaded_at"),
    (Column::new("MEMORY", Right, 3), "bytes_memlock"),
    (Column::new("RUNS", Right, 2), "run_cnt"),
    (Column::new("TIME", Right, 4), "run_time_ns"),
    (Column::new("AVERAGE", Right, 2), AVERAGE),
    (Column::new("MISSES", Right, 1), MISSES),
    (Column::new("MAPS", Left, 8), "map_ids"),
    (Column::new("HELD BY", Left, 0), HELD_BY),
];

const MAP: [FieldColumn; 9] = [
    (Column::new("MAP", Right, 0), "id"),
    (Column::new("TYPE", Left, 0), "map_type"),
    (Column::new("NAME", Left, 0), "name"),
    (Column::new("KEY", Right, 5), "bytes_key"),
    (Column::new("VALUE", Right, 4), "bytes_value"),
    (Column::new("ENTRIES", Right, 2), "max_entries"),
    (Column::new("FLAGS", Right, 6), "flags"),
    (Column::new("MEMORY", Right, 1), "bytes_memlock"),
    (Column::new("HELD BY", Left, 0), HELD_BY),
];

const LINK: [FieldColumn; 5] = [
    (Column::new("LINK", Right, 0), "id"),
    (Column::new("TYPE", Left, 0), "link_type"),
    (Column::new("PROGRAM", Right, 0), "prog_id"),
    (Column::new("ATTACHED", Left, 0), "attached"),
    (Column::new("HELD BY", Left, 0), HELD_BY),
];

/// Runs that were left out, because the program was already running on that CPU.
pub const MISSES: &str = "recursion_misses";

/// Columns made of several fields.
const AVERAGE: &str = "average";
const HELD_BY: &str = "held_by";

/// What a table shows of a field.
pub fn cell(object: &Fields, key: &str) -> String {
    let number = |key| object.get(key).and_then(Value::as_u64);
    let field = object.get(key).unwrap_or(&Value::Null);
    let text = match (key, number(key)) {
        ("loaded_at", Some(time)) => {
            clock::sortable(SystemTime::UNIX_EPOCH + Duration::from_secs(time))
        }
        ("run_time_ns", Some(time)) => latency(time),
        ("flags", Some(flags)) => format!("{flags:#x}"),
        (AVERAGE, _) => match (number("run_time_ns"), number("run_cnt")) {
            (Some(time), Some(count @ 1..)) => latency(time / count),
            _ => String::new(),
        },
        (HELD_BY, _) => {
            let each = [
                ("processes", ""),
                ("pinned", ""),
                ("link_ids", "link "),
                ("prog_ids", "program "),
            ];
            let each = each.iter().filter_map(|(key, word)| {
                let text = text(object.get(*key)?, word);
                (!text.is_empty()).then_some(text)
            });
            each.collect::<Vec<_>>().join(", ")
        }
        _ => text(field, ""),
    };
    if text.is_empty() { "-".into() } else { text }
}

/// A field for people: the elements of a list, each after a word, with commas between.
fn text(field: &Value, word: &str) -> String {
    let joined = |texts: Vec<String>| texts.join(", ");
    match field {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            joined(list.iter().map(|each| format!("{word}{}", text(each, ""))).collect())
        }
        Value::Object(fields) => match (fields.get("comm"), fields.get("pid")) {
            (Some(comm), Some(pid)) => format!("{} {pid}", text(comm, "")),
            // The kernel's fields of a link, one of which may be a process.
            _ => joined(
                fields.iter().map(|(name, value)| format!("{name} {}", text(value, ""))).collect(),
            ),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A uprobe.multi link has a `pid` of its own, and no name.
    #[test]
    fn a_link_of_a_process_is_no_process() {
        let holder = json!({"pid": 7, "comm": "dd"});
        assert_eq!(text(&holder, ""), "dd 7");
        let link = json!({"uprobe_cnt": "1", "pid": "7", "path": "/bin/app"});
        assert_eq!(text(&link, ""), "uprobe_cnt 1, pid 7, path /bin/app");
    }
}
