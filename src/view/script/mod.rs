//! The values and maps of a script, as bpftrace 0.27 prints them: as text, as JSON, and by the formats of
//! `printf()`. Strings are written as they are, since a script may draw on the screen.

pub mod json;
pub mod printf;
pub mod text;

use crate::sample::{HistogramRange, ScriptMapKind};

/// The label of a range: `[2, 4)`, `[3]`, `(..., 0)`.
fn label(range: &HistogramRange, kind: ScriptMapKind) -> String {
    let number = |number: i128| match kind {
        ScriptMapKind::Histogram { powers: true } => largest_unit(number),
        ScriptMapKind::Linear { step } if step % 1024 == 0 => unit_to_mega(number),
        _ => number.to_string(),
    };
    match (range.low, range.high) {
        (Some(low), Some(high)) if low == high => format!("[{}]", number(low)),
        (Some(low), Some(high)) => format!("[{}, {})", number(low), number(high + 1)),
        (Some(low), None) => format!("[{}, ...)", number(low)),
        (None, Some(high)) => format!("(..., {})", number(high + 1)),
        (None, None) => "(..., ...)".into(),
    }
}

/// A power of two in the largest unit that fits: `512`, `1K`, `4E`.
fn largest_unit(number: i128) -> String {
    let (mut number, mut units) = (number, ["K", "M", "G", "T", "P", "E"].into_iter());
    let mut unit = "";
    while number >= 1024 {
        number /= 1024;
        unit = units.next().unwrap_or_default();
    }
    format!("{number}{unit}")
}

/// A number in mega or kilo, where that is exact.
fn unit_to_mega(number: i128) -> String {
    match number {
        0 => "0".into(),
        _ if number % (1 << 20) == 0 => format!("{}M", number >> 20),
        _ if number % (1 << 10) == 0 => format!("{}K", number >> 10),
        _ => number.to_string(),
    }
}

/// Bytes as text: those that cannot be printed as `\xNN`.
fn escaped(bytes: &[u8]) -> String {
    let escape = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte).to_string(),
        byte => format!("\\x{byte:02x}"),
    };
    bytes.iter().map(escape).collect()
}
