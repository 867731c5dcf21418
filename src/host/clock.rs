//! Times of the wall clock as the host's people read them: in its time zone, or in UTC where it does not
//! say which that is.

use std::time::SystemTime;

use time::{OffsetDateTime, UtcOffset};

fn local(time: SystemTime) -> OffsetDateTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let time = OffsetDateTime::from_unix_timestamp_nanos(since.as_nanos() as i128);
    let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.to_offset(UtcOffset::local_offset_at(time).unwrap_or(UtcOffset::UTC))
}

/// `14:03:59`
pub fn time_of_day(time: SystemTime) -> String {
    let time = local(time);
    format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
}

/// As ctime() writes it: `Sun Nov  1 14:03:59 2026`.
pub fn date_and_time(time: SystemTime) -> String {
    let at = local(time);
    // The names have no width of their own to be cut by.
    let (weekday, month) = (at.weekday().to_string(), at.month().to_string());
    let (day, year) = (at.day(), at.year());
    format!("{weekday:.3} {month:.3} {day:2} {} {year}", time_of_day(time))
}

/// `2026-11-01 14:03:59`
pub fn sortable(time: SystemTime) -> String {
    let at = local(time);
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    format!("{year}-{month:02}-{day:02} {}", time_of_day(time))
}

/// With nanoseconds and the time zone, as RFC 3339 has it: `2026-11-01T14:03:59.250000000+01:00`.
pub fn rfc3339(time: SystemTime) -> String {
    let at = local(time);
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let (time, nanosecond) = (time_of_day(time), at.nanosecond());
    let (hours, minutes, _) = at.offset().as_hms();
    let sign = if at.offset().is_negative() { '-' } else { '+' };
    let (hours, minutes) = (hours.unsigned_abs(), minutes.unsigned_abs());
    format!("{year:04}-{month:02}-{day:02}T{time}.{nanosecond:09}{sign}{hours:02}:{minutes:02}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
    }
}
