//! Values and maps as text.

use std::io::Write;

use super::{escaped, label};
use crate::sample::{Datum, HistogramRange, ScriptMap, ScriptMapKind, StackForm, StackFrame};

/// The width of a bar.
const BAR: usize = 52;

/// A value as `print()` and `%s` write it.
pub fn value(value: &Datum) -> Vec<u8> {
    let mut out = vec![];
    append(&mut out, value, ", ");
    out
}

/// A key as a map writes it: a tuple has no parentheses.
pub(super) fn key(key: &Datum, separator: &str) -> Vec<u8> {
    let mut out = vec![];
    match key {
        Datum::Tuple(values) => append_all(&mut out, values, separator),
        key => append(&mut out, key, separator),
    }
    out
}

fn append(out: &mut Vec<u8>, value: &Datum, separator: &str) {
    match value {
        Datum::Number(number) => out.extend(number.to_string().bytes()),
        Datum::Bool(flag) => out.extend(flag.to_string().bytes()),
        Datum::Text(text) => out.extend(text),
        Datum::Bytes(bytes) => out.extend(escaped(bytes).bytes()),
        Datum::Pointer(address) => out.extend(format!("0x{address:x}").bytes()),
        Datum::Enumerator(_, name) => out.extend(name.bytes()),
        Datum::Tuple(values) => {
            out.push(b'(');
            append_all(out, values, separator);
            out.push(b')');
        }
        Datum::Record(fields) => {
            for (index, (name, value)) in fields.iter().enumerate() {
                out.extend(if index == 0 { "{ ." } else { ", ." }.bytes());
                out.extend(name.bytes());
                out.extend(b" = ");
                append(out, value, separator);
            }
            out.extend(b" }");
        }
        Datum::Array(values) => {
            out.push(b'[');
            append_all(out, values, ",");
            out.push(b']');
        }
        Datum::Stack(form, frames) => {
            out.push(b'\n');
            for frame in frames {
                out.extend(self::frame(*form, frame).bytes());
                out.push(b'\n');
            }
        }
        Datum::Stats { count, average, total } => out.extend(
            format!("{{ .count = {count}, .average = {average}, .total = {total} }}").bytes(),
        ),
        // A histogram is a map's value, and drawn there.
        Datum::Histogram(_) => {}
    }
}

fn frame(form: StackForm, StackFrame { address, function, file }: &StackFrame) -> String {
    let function = match function {
        Some((name, offset)) => format!("{name}+{offset}"),
        None => format!("0x{address:x}"),
    };
    match form {
        StackForm::Bpftrace => format!("        {function}"),
        StackForm::Perf => match file {
            Some(file) => format!("\t{address:x} {function} ({file})"),
            None => format!("\t{address:x} {function}"),
        },
        StackForm::Raw => format!("{address:x}"),
    }
}

fn append_all(out: &mut Vec<u8>, values: &[Datum], separator: &str) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.extend(separator.bytes());
        }
        append(out, value, separator);
    }
}

/// A map as `print()` writes it, once it is arranged: a line for each value, or a picture of each
/// histogram with an empty line after it.
pub fn map(map: &ScriptMap) -> Vec<u8> {
    let mut out = vec![];
    for (key, value) in &map.rows {
        out.push(b'@');
        out.extend(map.name.bytes());
        if let Some(key) = key {
            out.push(b'[');
            out.extend(self::key(key, ", "));
            out.push(b']');
        }
        out.push(b':');
        match value {
            Datum::Histogram(ranges) => {
                out.push(b'\n');
                histogram(&mut out, ranges, map.kind);
            }
            value => {
                out.push(b' ');
                append(&mut out, value, ", ");
            }
        }
        out.push(b'\n');
    }
    out
}

fn histogram(out: &mut Vec<u8>, ranges: &[HistogramRange], kind: ScriptMapKind) {
    let most = ranges.iter().map(|range| range.count).max().unwrap_or_default().max(1);
    for range in ranges {
        // With the precision of bpftrace's own arithmetic: some bars are a character shorter than exact.
        let share = range.count as f32 / most as f32 * BAR as f32;
        let bar = "@".repeat(share as usize);
        let label = label(range, kind);
        let _ = writeln!(out, "{label:<16}{:>8} |{bar:<BAR$}|", range.count);
    }
}
