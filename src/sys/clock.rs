//! The wall clock in the host's time zone.

use std::ffi::CStr;
use std::mem::MaybeUninit;

/// A local time of the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LocalTime {
    /// 2026.
    pub year: i32,
    /// From 1.
    pub month: i32,
    /// From 1.
    pub day: i32,
    /// From 0, Sunday.
    pub weekday: i32,
    /// To 23.
    pub hour: i32,
    /// To 59.
    pub minute: i32,
    /// To 59, or 60 in a leap second.
    pub second: i32,
    /// Seconds that the time zone is ahead of UTC: below 0 west of it.
    pub offset: i32,
}

/// The local time that is `seconds` after the start of 1970, UTC. The time zone is that of `TZ` or
/// /etc/localtime, else UTC. None if the year is out of range.
pub fn local_time(seconds: u64) -> Option<LocalTime> {
    let seconds = seconds.try_into().ok()?;
    let mut time = MaybeUninit::uninit();
    // SAFETY: it reads a number and writes a struct tm. It also reads the environment, which nobody
    // changes meanwhile: `std::env::set_var` demands that of its caller.
    of(unsafe { libc::localtime_r(&seconds, time.as_mut_ptr()).as_ref() }?)
}

/// The time in UTC that is `seconds` after the start of 1970. None if the year is out of range.
pub fn utc_time(seconds: u64) -> Option<LocalTime> {
    let seconds = seconds.try_into().ok()?;
    let mut time = MaybeUninit::uninit();
    // SAFETY: it reads a number and writes a struct tm.
    of(unsafe { libc::gmtime_r(&seconds, time.as_mut_ptr()).as_ref() }?)
}

/// A local time as strftime(3) writes it by this format, at most 4096 bytes. None if the year is out of
/// range or the text would be longer.
pub fn formatted(format: &CStr, seconds: u64) -> Option<Vec<u8>> {
    let seconds = seconds.try_into().ok()?;
    let mut time = MaybeUninit::uninit();
    // SAFETY: as in `local_time`.
    let time = unsafe { libc::localtime_r(&seconds, time.as_mut_ptr()).as_ref() }?;
    let mut text = vec![0_u8; 4096];
    // SAFETY: it writes at most as many bytes as there are, and reads a C string and a struct tm.
    let length =
        unsafe { libc::strftime(text.as_mut_ptr().cast(), text.len(), format.as_ptr(), time) };
    text.truncate(length);
    (length > 0 || format.is_empty()).then_some(text)
}

fn of(time: &libc::tm) -> Option<LocalTime> {
    Some(LocalTime {
        year: time.tm_year.checked_add(1900)?,
        month: time.tm_mon + 1,
        day: time.tm_mday,
        weekday: time.tm_wday,
        hour: time.tm_hour,
        minute: time.tm_min,
        second: time.tm_sec,
        offset: time.tm_gmtoff as i32,
    })
}
