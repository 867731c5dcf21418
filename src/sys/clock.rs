//! The host's time zone, as its C library knows it.

use std::mem::MaybeUninit;

/// A moment as the host's people read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalTime {
    /// The year.
    pub year: i64,
    /// From 1.
    pub month: u8,
    /// Of the month, from 1.
    pub day: u8,
    /// From 0, which is Sunday.
    pub weekday: u8,
    /// From 0.
    pub hour: u8,
    /// From 0.
    pub minute: u8,
    /// From 0; 60 for a leap second.
    pub second: u8,
    /// How far it is ahead of UTC, in seconds.
    pub offset: i64,
}

/// A time since 1970 in seconds in the time zone of `$TZ` or /etc/localtime, in UTC where neither names
/// one. None for a year beyond what the C library can count.
pub fn local(seconds: i64) -> Option<LocalTime> {
    let mut found = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are to values of this function that live until it returns, and localtime_r
    // keeps none of them. All zeros are a valid tm.
    let found = unsafe {
        (!libc::localtime_r(&seconds, found.as_mut_ptr()).is_null()).then(|| found.assume_init())
    }?;
    let small = |number: i32| u8::try_from(number).ok();
    Some(LocalTime {
        year: i64::from(found.tm_year) + 1900,
        month: small(found.tm_mon + 1)?,
        day: small(found.tm_mday)?,
        weekday: small(found.tm_wday)?,
        hour: small(found.tm_hour)?,
        minute: small(found.tm_min)?,
        second: small(found.tm_sec)?,
        offset: found.tm_gmtoff,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_moves_the_clock_by_its_offset() {
        let at = local(1_777_777_777).unwrap();
        let day = i64::from(at.hour) * 3600 + i64::from(at.minute) * 60 + i64::from(at.second);
        assert_eq!(day, (1_777_777_777 + at.offset).rem_euclid(86400));
        assert_eq!(local(i64::MAX), None);
    }
}
