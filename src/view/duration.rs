//! Durations as text.

use std::time::Duration;

/// Seconds without needless digits: `5`, `0.25`.
pub fn seconds(duration: Duration) -> String {
    duration.as_secs_f64().to_string()
}

/// Milliseconds with two digits: `1.25 ms`.
pub fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}

/// Nanoseconds in a suitable unit, with two digits or more: `1us`, `1.3us`, `168us`, `11s`.
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

/// Nanoseconds as [`latency`] writes them, but rounded up: an upper bound.
pub fn latency_above(ns: u64) -> String {
    let unit = 1000u64.pow(ns.max(1).ilog10() / 3).min(1_000_000_000);
    // As many digits as are written.
    let step = if ns < 10 * unit { unit.div_ceil(10) } else { unit };
    latency(ns.next_multiple_of(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_not_above_what_is_written_for_it_rounded_up() {
        let known = [
            (0, "0ns"),
            (8, "8ns"),
            (999, "999ns"),
            (1000, "1us"),
            (1001, "1.1us"),
            (9_901, "10us"),
            (13_696, "14us"),
            (999_001, "1ms"),
            (2_097_152, "2.1ms"),
            (11_542_724_608, "12s"),
        ];
        for (ns, text) in known {
            assert_eq!(latency_above(ns), text, "{ns}");
        }
    }
}
