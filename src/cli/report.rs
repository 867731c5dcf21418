//! What a running tool says beside its data.

use std::io::{self, IsTerminal, Write};

use time::OffsetDateTime;

use super::options::TraceOptions;
use crate::session::Session;
use crate::view::duration::{milliseconds, seconds};

/// Says on stderr where the programs are attached: in one line if it is not where it was looked for
/// first, and in full with `-v`.
pub fn attached(tool: &str, options: &TraceOptions, session: &Session) {
    if options.verbose {
        for (kind, error) in &session.skipped {
            say!("{tool}: {kind}: {error}");
            if let Some(detail) = &error.detail {
                say!("  {}", detail.trim_end().replace('\n', "\n  "));
            }
        }
        let steps = session.steps.iter();
        let steps = steps.map(|(step, took)| format!("{step} {}", milliseconds(*took)));
        for place in &session.attached {
            say!("{tool}: attached by {place}");
        }
        say!("{tool}: {}", steps.collect::<Vec<_>>().join(", "));
        for error in session.without_lines() {
            say!("{tool}: the kernel took no source lines: {error}");
        }
    } else if let Some((_, first)) = session.skipped.first() {
        say!("{tool}: {}: attached by {}", first.what, session.attached.join(", "));
    }
}

/// The first line: what is traced, how often it is shown, how it ends. It goes to stderr where
/// stdout is data.
///
/// # Errors
/// stdout could not be written.
pub fn tracing(what: &str, options: &TraceOptions, out: &mut dyn Write) -> io::Result<()> {
    let mut line = format!("Tracing {what}... Interval {} secs.", seconds(options.interval));
    if options.count.is_none() {
        line.push_str(" Ctrl-C to end.");
    }
    if options.json || !io::stdout().is_terminal() {
        say!("{line}");
        return Ok(());
    }
    writeln!(out, "{line}")?;
    out.flush()
}

/// What stands above a table: an empty line, and the time of day if it was asked for.
///
/// # Errors
/// The output could not be written.
pub fn head(time: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    time.map_or(Ok(()), |time| writeln!(out, "{time}"))
}

/// Says on stderr how many events were not counted, if any.
pub fn missed(tool: &str, session: &Session) {
    let missed = session.missed();
    if missed > 0 {
        say!("{tool}: {missed} events came inside another probe's and were not counted");
    }
}

/// The local time of day: `14:03:59`. UTC where the host does not tell its time zone.
pub fn time_of_day() -> String {
    let now = now();
    format!("{:02}:{:02}:{:02}", now.hour(), now.minute(), now.second())
}

/// The local date and time as ctime() writes them: `Sun Nov  1 14:03:59 2026`.
pub fn date_and_time() -> String {
    let now = now();
    // The names have no width of their own to be cut by.
    let (weekday, month) = (now.weekday().to_string(), now.month().to_string());
    let (day, year) = (now.day(), now.year());
    format!("{weekday:.3} {month:.3} {day:2} {} {year}", time_of_day())
}

fn now() -> OffsetDateTime {
    OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc())
}
