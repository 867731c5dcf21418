//! How an interval is written.

use std::time::Duration;

/// Seconds without needless digits: `5`, `0.25`.
pub fn seconds(duration: Duration) -> String {
    duration.as_secs_f64().to_string()
}

/// Milliseconds with two digits: `1.25 ms`.
pub fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}

/// Nanoseconds in the unit that suits, with two digits or more: `1us`, `1.3us`, `168us`, `11s`.
pub fn latency(ns: u64) -> String {
    let (unit, name) = match ns {
        0..1_000 => return format!("{ns}ns"),
        1_000..1_000_000 => (1_000, "us"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let (whole, tenth) = (ns / unit, ns % unit / (unit / 10));
    match (whole, tenth) {
        (0..10, 1..) => format!("{whole}.{tenth}{name}"),
        _ => format!("{whole}{name}"),
    }
}
