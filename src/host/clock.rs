//! Times of the wall clock as the host's people read them: in its time zone, or in UTC where it does not
//! say which that is.

use std::time::{Duration, SystemTime};

use crate::sys::clock::{LocalTime, local};

/// 1970 begins: for a time before it, and for one that the C library cannot count.
const EPOCH: LocalTime = LocalTime {
    year: 1970,
    month: 1,
    day: 1,
    weekday: 4,
    hour: 0,
    minute: 0,
    second: 0,
    offset: 0,
};

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn at(time: SystemTime) -> (LocalTime, Duration) {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).ok();
    (seconds.and_then(local).unwrap_or(EPOCH), since)
}

/// `14:03:59`
pub fn time_of_day(time: SystemTime) -> String {
    let (LocalTime { hour, minute, second, .. }, _) = at(time);
    format!("{hour:02}:{minute:02}:{second:02}")
}

/// As ctime() writes it: `Sun Nov  1 14:03:59 2026`.
pub fn date_and_time(time: SystemTime) -> String {
    let (LocalTime { year, month, day, weekday, .. }, _) = at(time);
    let weekday = WEEKDAYS[usize::from(weekday) % 7];
    let month = MONTHS[usize::from(month + 11) % 12];
    format!("{weekday} {month} {day:2} {} {year}", time_of_day(time))
}

/// `2026-11-01 14:03:59`
pub fn sortable(time: SystemTime) -> String {
    let (LocalTime { year, month, day, .. }, _) = at(time);
    format!("{year}-{month:02}-{day:02} {}", time_of_day(time))
}

/// With nanoseconds and the time zone, as RFC 3339 has it: `2026-11-01T14:03:59.250000000+01:00`.
pub fn rfc3339(time: SystemTime) -> String {
    let (LocalTime { year, month, day, offset, .. }, since) = at(time);
    let (time, nanosecond) = (time_of_day(time), since.subsec_nanos());
    let sign = if offset < 0 { '-' } else { '+' };
    let (hours, minutes) = (offset.abs() / 3600, offset.abs() / 60 % 60);
    format!("{year:04}-{month:02}-{day:02}T{time}.{nanosecond:09}{sign}{hours:02}:{minutes:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_with_its_zone() {
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_777_777_777, 5);
        let text = rfc3339(time);
        let (date, rest) = text.split_at(10);
        assert!(date == "2026-05-03" || date == "2026-05-02", "{text}");
        assert_eq!(&rest[9..19], ".000000005", "{text}");
        assert!(matches!(&rest[19..20], "+" | "-") && rest.len() == 25, "{text}");
        assert_eq!(sortable(time)[..10], *date);
        assert!(date_and_time(time).contains(" May  "), "{}", date_and_time(time));
    }

    #[test]
    fn a_clock_far_from_today_is_no_panic() {
        for seconds in [0, u64::from(u32::MAX), i64::MAX as u64] {
            if let Some(time) = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)) {
                assert!(rfc3339(time).contains('T') && date_and_time(time).len() >= 24);
            }
        }
    }
}
