//! Values and maps as lines of JSON: objects with spaces after colons and commas, arrays without.

use super::text;
use crate::sample::{Datum, HistogramRange, ScriptMap, ScriptMapKind};

/// A line for what `print()` writes of a value.
pub fn value(value: &Datum) -> String {
    line("value", &datum(value))
}

/// A line for what `printf()` and its like write; `kind` is the function's name.
pub fn text(kind: &str, written: &[u8]) -> String {
    // The strings of `join()` are a line, which bpftrace ends only in text.
    let written = if kind == "join" { written.trim_ascii_end() } else { written };
    line(kind, &string(written))
}

/// The line for how many probes are attached.
pub fn attached(probes: usize) -> String {
    format!(
        "{{\"type\": \"attached_probes\", \"count\": {probes}, \"data\": {{\"probes\": {probes}}}}}\n"
    )
}

/// The line for how many events were lost.
pub fn lost(events: u64) -> String {
    format!(
        "{{\"type\": \"lost_events\", \"count\": {events}, \"data\": {{\"events\": {events}}}}}\n"
    )
}

/// A line for an element that a full map did not take, at a place of a script.
pub fn helper_error(file: &str, line: u32, column: u32) -> String {
    let file = string(file.as_bytes());
    format!(
        "{{\"type\": \"helper_error\", \"msg\": \"Argument list too long\", \"helper\": \"map_update_elem\", \"retcode\": -7, \"filename\": {file}, \"line\": {line}, \"col\": {column}}}\n"
    )
}

/// A line for a division by zero at a place of a script, in bpftrace's own words.
pub fn division_by_zero(file: &str, line: u32, column: u32) -> String {
    let what = "Divide or modulo by 0 detected. This can lead to unexpected results. 1 is being used as the result.";
    runtime_error(what, file, line, column)
}

/// A line for what else went wrong at a place of a script.
pub fn runtime_error(what: &str, file: &str, line: u32, column: u32) -> String {
    message("runtime_error", what, file, line, column)
}

/// A line for what `warnf()` and its like wrote at a place of a script.
pub fn message(kind: &str, what: &str, file: &str, line: u32, column: u32) -> String {
    let [what, file] = [what, file].map(|text| string(text.as_bytes()));
    format!(
        "{{\"type\": \"{kind}\", \"msg\": {what}, \"filename\": {file}, \"line\": {line}, \"col\": {column}}}\n"
    )
}

/// A line of this type, with data that is JSON already.
pub fn line(kind: &str, data: &str) -> String {
    format!("{{\"type\": \"{kind}\", \"data\": {data}}}\n")
}

/// A line for a map once it is arranged; nothing if it is empty.
pub fn map(map: &ScriptMap) -> String {
    if map.rows.is_empty() {
        return String::new();
    }
    let kind = match map.kind {
        ScriptMapKind::Values | ScriptMapKind::Sums | ScriptMapKind::Extremes => "map",
        ScriptMapKind::Averages | ScriptMapKind::Stats => "stats",
        ScriptMapKind::Histogram { .. } | ScriptMapKind::Linear { .. } => "hist",
    };
    let rows = map.rows.iter().map(|(key, value)| match key {
        Some(key) => (true, format!("{}: {}", string(&text::key(key, ",")), datum(value))),
        None => (false, datum(value)),
    });
    let (keyed, rows): (Vec<bool>, Vec<String>) = rows.unzip();
    let rows = match keyed[0] {
        true => format!("{{{}}}", rows.join(", ")),
        false => rows.concat(),
    };
    line(kind, &format!("{{{}: {rows}}}", string(format!("@{}", map.name).as_bytes())))
}

fn datum(value: &Datum) -> String {
    match value {
        Datum::Number(number) => self::number(*number),
        Datum::Bool(flag) => flag.to_string(),
        Datum::Text(text) => string(text),
        // As bpftrace has it, bytes have a sign.
        Datum::Bytes(bytes) => array(bytes.iter().map(|byte| byte.cast_signed().to_string())),
        Datum::Stack(..) => string(&text::value(value)),
        Datum::Pointer(address) => self::number(i128::from(*address)),
        Datum::Enumerator(value, _) => self::number(i128::from(*value)),
        Datum::Tuple(values) | Datum::Array(values) => array(values.iter().map(datum)),
        Datum::Record(fields) => {
            let fields = fields.iter();
            let fields = fields
                .map(|(name, value)| format!("{}: {}", string(name.as_bytes()), datum(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Datum::Stats { count, average, total } => {
            let [average, total] = [average, total].map(|number| self::number(*number));
            format!("{{\"count\": {count}, \"average\": {average}, \"total\": {total}}}")
        }
        Datum::Histogram(ranges) => array(ranges.iter().map(range)),
    }
}

fn array(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(","))
}

fn range(range: &HistogramRange) -> String {
    let low = range.low.map(|low| format!("\"min\": {}, ", number(low))).unwrap_or_default();
    let high = range.high.map(|high| format!("\"max\": {}, ", number(high))).unwrap_or_default();
    format!("{{{low}{high}\"count\": {}}}", range.count)
}

/// A number; a string if a double cannot hold it, since readers would change it.
fn number(number: i128) -> String {
    match number as f64 as i128 == number {
        true => number.to_string(),
        false => format!("\"{number}\""),
    }
}

fn string(bytes: &[u8]) -> String {
    serde_json::Value::from(String::from_utf8_lossy(bytes)).to_string()
}
