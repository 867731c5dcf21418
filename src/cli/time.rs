//! Lengths of time on the command line: `5`, `100ms`, `1.5s`, `1m30s`.

use std::time::Duration;

use clap::ValueEnum;

use crate::view::dump::Format;

const MILLISECOND: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(86400);

/// An interval: a day at most, and at least a millisecond, since printing takes time.
pub fn interval(text: &str) -> Result<Duration, String> {
    let length = parse(text).ok_or_else(|| match Format::from_str(text, false) {
        Ok(_) => format!("{UNKNOWN}; a format follows an =: --dump-insns={text}"),
        Err(_) => UNKNOWN.to_owned(),
    })?;
    match (MILLISECOND..=DAY).contains(&length) {
        true => Ok(length),
        false => Err("it must be from 1ms to 1d (0.001 to 86400 seconds)".into()),
    }
}

/// The length of a run: from a millisecond to ten years.
pub fn duration(text: &str) -> Result<Duration, String> {
    let length = parse(text).ok_or(UNKNOWN)?;
    match (MILLISECOND..=DAY * 3660).contains(&length) {
        true => Ok(length),
        false => Err("it must be from 1ms to 3660d".into()),
    }
}

const UNKNOWN: &str =
    "it is not a time: a number of seconds, or with units (ms, s, m, h, d), as in 100ms or 1m30s";

/// Whether a word can only be meant as a number or a length of time: no name begins like that.
pub fn is_number(word: &str) -> bool {
    let digits = word.trim_start_matches(['+', '-', '.']);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'))
}

/// Seconds, or a sum of numbers with a unit each. What is below 0 or beyond all measure is
/// [`Duration::ZERO`] or [`Duration::MAX`].
fn parse(text: &str) -> Option<Duration> {
    const SECOND: u64 = 1_000_000_000;
    if let Some(amount) = text.strip_prefix('-') {
        return of(amount, SECOND).map(|_| Duration::ZERO);
    }
    if let Some(time) = of(text.strip_prefix('+').unwrap_or(text), SECOND) {
        return Some(time);
    }
    let mut sum = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let unit = match unit {
            "us" => 1000,
            "ms" => 1_000_000,
            "s" | "sec" => SECOND,
            "m" | "min" => 60 * SECOND,
            "h" => 3600 * SECOND,
            "d" => 86400 * SECOND,
            _ => return None,
        };
        sum = sum.saturating_add(of(number, unit)?);
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

/// A decimal number of units of this many nanoseconds. `None` if it is no such number. Not by way of a
/// floating-point number: reading one takes 20 KB of code.
fn of(number: &str, unit: u64) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    // More digits are less than a nanosecond of a day.
    let fraction = &fraction[..fraction.len().min(15)];
    let scale = 10_u128.pow(fraction.len() as u32);
    let fraction: u128 = fraction.parse().unwrap_or(0);
    let unit = u128::from(unit);
    let whole = if whole.is_empty() { Some(0) } else { whole.parse::<u64>().ok() };
    let nanoseconds = whole.map(|whole| u128::from(whole) * unit + fraction * unit / scale);
    let time = nanoseconds.and_then(|nanoseconds| u64::try_from(nanoseconds).ok());
    Some(time.map_or(Duration::MAX, Duration::from_nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_or_has_units() {
        for (text, milliseconds) in [
            ("5", 5000),
            ("0.25", 250),
            ("100ms", 100),
            ("5000us", 5),
            ("1.5s", 1500),
            ("10sec", 10000),
            ("1m", 60_000),
            ("2min", 120_000),
            ("1m30s", 90_000),
            ("0.5h", 1_800_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(interval(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        assert_eq!(duration("30d"), Ok(DAY * 30));
    }

    #[test]
    fn what_is_no_time_is_refused_with_what_is() {
        for text in [
            "", ".", "s", "ms", "5 s", "1x", "NaN", "inf", "1e300", "1.2.3s", "1m30", "m1", "soon",
            "1M", "٣s",
        ] {
            assert_eq!(interval(text), Err(UNKNOWN.into()), "{text}");
            assert_eq!(duration(text), Err(UNKNOWN.into()), "{text}");
        }
        let beyond = ["0", "-1", "0.1ms", "1d1ms", "9999999999999999999999d"];
        for text in beyond {
            assert!(interval(text).unwrap_err().contains("0.001"), "{text}");
        }
        for text in ["0", "0s", "-0.5", "3661d"] {
            assert!(duration(text).unwrap_err().contains("3660d"), "{text}");
        }
        assert!(interval("raw").unwrap_err().contains("--dump-insns=raw"));
    }

    #[test]
    fn a_name_is_not_taken_for_a_number() {
        for word in ["1", "0.5", ".5", "-1", "100ms", "1m30s", "1.x", "1e-3"] {
            assert!(is_number(word), "{word}");
        }
        for word in
            ["inf", "nan", "vfs_read", "infinity", "*", "1*", "3proxy:main", "./5", "[0-9]*"]
        {
            assert!(!is_number(word), "{word}");
        }
    }
}
