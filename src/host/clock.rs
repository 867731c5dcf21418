//! Times of the wall clock as the host's people read them: in its time zone, or in UTC where the host does not
//! say which that is, or where its offset cannot be written.

use std::time::SystemTime;

use crate::sys::clock::{LocalTime, local_time, utc_time};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// The time with its nanoseconds.
fn local(time: SystemTime) -> (LocalTime, u32) {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // RFC 3339 cannot write the offset of a zone that is a day or more from UTC, or seconds.
    let written = |at: &LocalTime| at.offset % 60 == 0 && at.offset.abs() < 86400;
    let at = local_time(since.as_secs()).filter(written).or_else(|| utc_time(since.as_secs()));
    (at.unwrap_or_default(), since.subsec_nanos())
}

/// Seconds that the host's clock is ahead of UTC at this time: below 0 west of it.
pub fn offset(time: SystemTime) -> i32 {
    local(time).0.offset
}

/// `14:03:59`
pub fn time_of_day(time: SystemTime) -> String {
    let (LocalTime { hour, minute, second, .. }, _) = local(time);
    format!("{hour:02}:{minute:02}:{second:02}")
}

/// As ctime() writes it: `Sun Nov  1 14:03:59 2026`.
pub fn date_and_time(time: SystemTime) -> String {
    let (LocalTime { year, month, day, weekday, .. }, _) = local(time);
    let month = MONTHS.get((month - 1) as usize).unwrap_or(&"");
    let weekday = WEEKDAYS.get(weekday as usize).unwrap_or(&"");
    format!("{weekday} {month} {day:2} {} {year}", time_of_day(time))
}

/// `2026-11-01`
fn date(LocalTime { year, month, day, .. }: LocalTime) -> String {
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2026-11-01 14:03:59`
pub fn sortable(time: SystemTime) -> String {
    format!("{} {}", date(local(time).0), time_of_day(time))
}

/// With nanoseconds and the time zone, as RFC 3339 has it: `2026-11-01T14:03:59.250000000+01:00`.
pub fn rfc3339(time: SystemTime) -> String {
    let (at, nanosecond) = local(time);
    let sign = if at.offset < 0 { '-' } else { '+' };
    let minutes = at.offset.abs() / 60;
    let (hours, minutes) = (minutes / 60, minutes % 60);
    format!("{}T{}.{nanosecond:09}{sign}{hours:02}:{minutes:02}", date(at), time_of_day(time))
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    /// A time zone, and how it writes one and the same time.
    const ZONES: [(&str, &str, &str); 6] = [
        ("AAA-0:00:30", "2026-11-01T14:03:59.000000005+00:00", "Sun Nov  1 14:03:59 2026"),
        ("<+25>-25", "2026-11-01T14:03:59.000000005+00:00", "Sun Nov  1 14:03:59 2026"),
        ("UTC0", "2026-11-01T14:03:59.000000005+00:00", "Sun Nov  1 14:03:59 2026"),
        ("XXX-5:30", "2026-11-01T19:33:59.000000005+05:30", "Sun Nov  1 19:33:59 2026"),
        ("YYY3:30", "2026-11-01T10:33:59.000000005-03:30", "Sun Nov  1 10:33:59 2026"),
        ("ZZZ-12", "2026-11-02T02:03:59.000000005+12:00", "Mon Nov  2 02:03:59 2026"),
    ];

    /// Runs itself in each zone, since a process has one.
    #[test]
    fn a_time_is_written_in_the_hosts_zone() {
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_793_541_839, 5);
        let own = env::var("TZ").unwrap_or_default();
        if let Some((_, exact, words)) = ZONES.iter().find(|(zone, ..)| *zone == own) {
            assert_eq!(rfc3339(time), *exact);
            assert_eq!(date_and_time(time), *words);
            assert_eq!(sortable(time), exact[..19].replace('T', " "));
            return;
        }
        for (zone, ..) in ZONES {
            let name = "host::clock::tests::a_time_is_written_in_the_hosts_zone";
            let mut child = Command::new(env::current_exe().unwrap());
            let output = child.args(["--exact", name]).env("TZ", zone).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{zone}: {said}");
        }
    }
}
