//! Moments by the wall clock, in a time zone of fixed offset.

use std::fmt::{self, Display};
use std::time::Duration;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const DAY: i64 = 86400;

/// A moment by the wall clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Moment {
    /// Seconds since the start of 1970 by the local clock: the offset is added.
    seconds: i64,
    nanoseconds: u32,
    /// Seconds that the local clock is ahead of UTC.
    offset: i32,
}

impl Moment {
    /// The moment this long after the start of 1970, UTC, where clocks are `offset` seconds ahead of UTC.
    pub fn new(since_1970: Duration, offset: i32) -> Moment {
        let utc = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
        let seconds = utc.saturating_add(offset.into());
        Moment { seconds, nanoseconds: since_1970.subsec_nanos(), offset }
    }

    /// The moment this much later, by a clock that is not changed meanwhile.
    pub fn after(self, time: Duration) -> Moment {
        let nanoseconds = self.nanoseconds + time.subsec_nanos();
        let whole = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let carried = i64::from(nanoseconds / 1_000_000_000);
        let seconds = self.seconds.saturating_add(whole).saturating_add(carried);
        Moment { seconds, nanoseconds: nanoseconds % 1_000_000_000, ..self }
    }

    /// Seconds since the start of 1970 by the local clock.
    pub fn local_seconds(self) -> f64 {
        self.seconds as f64 + f64::from(self.nanoseconds) / 1e9
    }

    /// Whether two moments are on the same day.
    pub fn same_day(self, other: Moment) -> bool {
        self.seconds.div_euclid(DAY) == other.seconds.div_euclid(DAY)
    }

    /// `14:03:59` with this many digits of a fraction of the second, at most nine.
    pub fn time(self, digits: usize) -> String {
        let of_day = self.seconds.rem_euclid(DAY);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        let fraction = format!("{:09}", self.nanoseconds);
        let point = if digits > 0 { "." } else { "" };
        let fraction = &fraction[..digits.min(9)];
        format!("{hour:02}:{minute:02}:{second:02}{point}{fraction}")
    }

    /// Year, month from 1 and day, by the Gregorian calendar.
    fn date(self) -> (i64, i64, i64) {
        // Years from March on have their odd day at the end. 719468 days are from March of year 0 to 1970.
        let days = self.seconds.div_euclid(DAY) + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let march = (5 * of_year + 2) / 153;
        let (day, month) = (of_year - (153 * march + 2) / 5 + 1, (march + 2) % 12 + 1);
        (era * 400 + year + i64::from(month <= 2), month, day)
    }

    /// `1 Nov`
    pub fn day(self) -> String {
        let (_, month, day) = self.date();
        format!("{day} {}", MONTHS[(month - 1) as usize])
    }

    /// `1 Nov 2026`
    pub fn day_and_year(self) -> String {
        format!("{} {}", self.day(), self.date().0)
    }

    /// The offset of its clock: `UTC`, `UTC+01:00`.
    pub fn zone(self) -> String {
        let minutes = self.offset.abs() / 60;
        match self.offset {
            0 => "UTC".into(),
            offset => {
                let sign = if offset < 0 { '-' } else { '+' };
                format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

/// As RFC 3339 has it, with milliseconds: `2026-11-01T14:03:59.250+01:00`.
impl Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let zone = self.zone().replacen("UTC", "", 1);
        let zone = if zone.is_empty() { "Z" } else { &zone };
        write!(f, "{year:04}-{month:02}-{day:02}T{}{zone}", self.time(3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_by_the_local_clock() {
        let moment = Moment::new(Duration::new(1_793_541_839, 250_000_000), 3600);
        assert_eq!(moment.to_string(), "2026-11-01T15:03:59.250+01:00");
        assert_eq!((moment.time(0), moment.time(2)), ("15:03:59".into(), "15:03:59.25".into()));
        assert_eq!((moment.day(), moment.zone()), ("1 Nov".into(), "UTC+01:00".into()));
        let later = moment.after(Duration::from_millis(9 * 3_600_000 + 800));
        assert_eq!(later.to_string(), "2026-11-02T00:04:00.050+01:00");
        assert!(!moment.same_day(later) && moment.same_day(moment.after(Duration::from_secs(60))));
        let west = Moment::new(Duration::from_secs(3600), -12_600);
        assert_eq!(west.to_string(), "1969-12-31T21:30:00.000-03:30");
    }

    #[test]
    fn leap_years_have_their_day() {
        let date = |days: u64| Moment::new(Duration::from_secs(days * 86400), 0).day_and_year();
        assert_eq!(
            [0, 58, 59, 789, 790].map(date),
            ["1 Jan 1970", "28 Feb 1970", "1 Mar 1970", "29 Feb 1972", "1 Mar 1972"]
        );
        assert_eq!(date(11_016), "29 Feb 2000");
        assert_eq!(date(47_540), "28 Feb 2100");
        assert_eq!(date(47_541), "1 Mar 2100");
    }

    #[test]
    fn no_moment_is_too_late() {
        for time in [Duration::MAX, Duration::from_secs(u64::MAX / 2)] {
            let moment = Moment::new(time, i32::MAX).after(time);
            let _ = (moment.to_string(), moment.day(), moment.local_seconds());
        }
    }
}
