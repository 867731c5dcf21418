//! What a script prints, as lines of JSON: docs/json.md is their schema.

use serde_json::{Map, Value as Json, json};

use crate::plain;
use crate::sample::{Datum, HistogramRange, ScriptMap, StackFrame};

/// A line for what a function such as `printf()` wrote.
pub fn text(by: &str, text: &[u8]) -> String {
    line(json!({"type": "text", "by": by, "text": String::from_utf8_lossy(text)}))
}

/// A line for what `print()` wrote of a value.
pub fn value(value: &Datum) -> String {
    line(json!({"type": "value", "value": datum(value)}))
}

/// A line for a map, in the order in which it is printed.
pub fn map(map: &ScriptMap) -> String {
    let rows = map.rows.iter().map(|(key, value)| {
        let key = match key {
            Some(Datum::Tuple(all)) => all.iter().map(datum).collect(),
            Some(one) => Json::from(vec![datum(one)]),
            None => Json::from(Vec::<Json>::new()),
        };
        let mut row = Map::from_iter([("key".to_owned(), key)]);
        match value {
            Datum::Histogram(ranges) => {
                row.insert("buckets".into(), ranges.iter().map(bucket).collect())
            }
            Datum::Stats { count, average, total } => {
                row.insert("count".into(), (*count).into());
                row.insert("average".into(), number(*average));
                row.insert("sum".into(), number(*total))
            }
            value => row.insert("value".into(), datum(value)),
        };
        Json::Object(row)
    });
    line(json!({"type": "map", "name": format!("@{}", map.name), "rows": rows.collect::<Json>()}))
}

/// A line for what went wrong at a place of a script: its line, and its first column and the one after its
/// last, from 1.
pub fn warning(what: &str, file: &str, [at, column, end]: [u32; 3]) -> String {
    line(json!({
        "type": "warning", "sentence": what, "file": file, "line": at, "column": column, "end": end
    }))
}

/// A line for events that did not fit.
pub fn lost(count: u64) -> String {
    line(json!({"type": "lost", "count": count}))
}

/// A line for elements that did not fit into a map.
pub fn beyond(map: &str, count: u64) -> String {
    line(json!({"type": "lost", "count": count, "map": format!("@{map}")}))
}

fn line(line: Json) -> String {
    plain::json(line.to_string())
}

fn bucket(HistogramRange { low, high, count }: &HistogramRange) -> Json {
    let mut bucket = Map::new();
    for (name, bound) in [("min", low), ("max", high)] {
        if let Some(bound) = bound {
            bucket.insert(name.into(), number(*bound));
        }
    }
    bucket.insert("count".into(), (*count).into());
    Json::Object(bucket)
}

fn number(number: i128) -> Json {
    match (i64::try_from(number), u64::try_from(number)) {
        (Ok(number), _) => number.into(),
        (_, Ok(number)) => number.into(),
        _ => number.to_string().into(),
    }
}

fn datum(value: &Datum) -> Json {
    match value {
        Datum::Number(value) => number(*value),
        Datum::Bool(flag) => (*flag).into(),
        Datum::Text(text) | Datum::Bytes(text) => String::from_utf8_lossy(text).into(),
        Datum::Pointer(address) => (*address).into(),
        Datum::Enumerator(_, name) => name.clone().into(),
        Datum::Tuple(all) | Datum::Array(all) => all.iter().map(datum).collect(),
        Datum::Record(fields) => {
            Json::Object(fields.iter().map(|(name, value)| (name.clone(), datum(value))).collect())
        }
        Datum::Stack(_, frames) => frames.iter().map(frame).collect(),
        // They stand alone in a row of a map.
        Datum::Histogram(_) | Datum::Stats { .. } => Json::Null,
    }
}

fn frame(StackFrame { address, function, .. }: &StackFrame) -> Json {
    match function {
        Some((name, offset)) => json!({"address": address, "function": name, "offset": offset}),
        None => json!({"address": address}),
    }
}
