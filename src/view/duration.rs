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
