//! Moments of a recording on the command line: `14:03`, `'2026-11-01 14:03:59'`, `10m`, `-10m`.

use std::time::{Duration, SystemTime};

use super::time;
use crate::host::clock;

/// A moment of a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// This long after its start.
    After(Duration),
    /// This long before its end.
    Before(Duration),
    /// By the local clock: a day, if one is named, and the time of day.
    Local(Option<i64>, Duration),
}

const DAY: i64 = 86400;

/// Parses a moment.
pub fn when(text: &str) -> Result<When, String> {
    let wrong = || {
        "it must be 14:03 or 14:03:59, '2026-11-01 14:03', 10m after the start or -10m before the end"
            .to_owned()
    };
    if !text.contains(':') {
        let (text, is_before) = text.strip_prefix('-').map_or((text, false), |text| (text, true));
        let length = match text.trim_start_matches(['0', '.']).is_empty() && !text.is_empty() {
            true => Duration::ZERO,
            false => time::duration(text).map_err(|_| wrong())?,
        };
        return Ok(if is_before { When::Before(length) } else { When::After(length) });
    }
    let (date, of_day) = match text.rsplit_once(['T', ' ']) {
        Some((date, of_day)) => (Some(day(date).ok_or_else(wrong)?), of_day),
        None => (None, text),
    };
    let mut parts = of_day.splitn(3, ':');
    let mut number = |most: u64| -> Option<u64> {
        let part = parts.next()?;
        let is_number = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|number| is_number && *number < most)
    };
    let (hours, minutes) = (number(24).ok_or_else(wrong)?, number(60).ok_or_else(wrong)?);
    let seconds = match of_day.matches(':').count() {
        1 => 0,
        _ => number(60).ok_or_else(wrong)?,
    };
    Ok(When::Local(date, Duration::from_secs(hours * 3600 + minutes * 60 + seconds)))
}

/// The days from 1970 to a date such as 2026-11-01.
fn day(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let mut number = |digits: usize| -> Option<i64> {
        let part = parts.next()?;
        let is_number = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| is_number)
    };
    let (year, month, of_month) = (number(4)?, number(2)?, number(2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&of_month) {
        return None;
    }
    // Years that begin in March have the odd day at their end.
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + of_month - 1;
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leaps + of_year - 719_468)
}

impl When {
    /// The moment in a recording from `began` to `end`. A time of day is that of its first day, or of the next
    /// one if it had passed when the recording began.
    pub fn time(self, began: SystemTime, end: SystemTime) -> SystemTime {
        let (day, of_day) = match self {
            When::After(time) => return began.checked_add(time).unwrap_or(end),
            When::Before(time) => return end.checked_sub(time).unwrap_or(began),
            When::Local(day, of_day) => (day, of_day.as_secs() as i64),
        };
        let since = began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let since = i64::try_from(since).unwrap_or(i64::MAX - DAY);
        let offset = i64::from(clock::offset(began));
        let first = (since + offset).div_euclid(DAY);
        let at = |day: i64| day * DAY + of_day - offset;
        // A minute that had begun is not over.
        let passed = day.is_none() && at(first) + 60 <= since;
        let at = at(day.unwrap_or(first + i64::from(passed)));
        SystemTime::UNIX_EPOCH + Duration::from_secs(at.max(0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_times_of_day_or_lengths_from_an_end() {
        let seconds = Duration::from_secs;
        assert_eq!(when("10m"), Ok(When::After(seconds(600))));
        assert_eq!(when("-1.5s"), Ok(When::Before(Duration::from_millis(1500))));
        assert_eq!(when("0"), Ok(When::After(Duration::ZERO)));
        assert_eq!(when("14:03"), Ok(When::Local(None, seconds(50_580))));
        assert_eq!(when("14:03:59"), Ok(When::Local(None, seconds(50_639))));
        let day = Some(20_758);
        assert_eq!(when("2026-11-01 14:03"), Ok(When::Local(day, seconds(50_580))));
        assert_eq!(when("2026-11-01T14:03:00"), Ok(When::Local(day, seconds(50_580))));
        assert_eq!(when("1970-01-01 00:00"), Ok(When::Local(Some(0), Duration::ZERO)));
        assert_eq!(when("2000-03-01 00:00"), Ok(When::Local(Some(11_017), Duration::ZERO)));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "-",
            ":",
            "1:2",
            "24:00",
            "14:60",
            "14:03:60",
            "14:03:59:1",
            "soon",
            "14:3",
            "2026-13-01 14:03",
            "2026-11-01",
            "26-11-01 14:03",
            "x 14:03",
            "14:03 ",
            "+4:03",
        ] {
            assert!(when(text).is_err(), "{text}: {:?}", when(text));
        }
    }

    #[test]
    fn a_time_of_day_is_that_of_the_first_day_or_the_next() {
        let offset = clock::offset(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
        let at = |seconds: i64| {
            let seconds = 11_574 * DAY + seconds - i64::from(offset);
            SystemTime::UNIX_EPOCH + Duration::from_secs(seconds as u64)
        };
        let (began, end) = (at(23 * 3600), at(23 * 3600 + DAY / 2));
        assert_eq!(when("23:10").unwrap().time(began, end), at(23 * 3600 + 600));
        assert_eq!(when("03:00").unwrap().time(began, end), at(DAY + 3 * 3600));
        assert_eq!(when("-1h").unwrap().time(began, end), at(22 * 3600 + DAY / 2));
        assert_eq!(when("1h").unwrap().time(began, end), at(DAY));
    }
}
