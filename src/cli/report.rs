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
            eprintln!("{tool}: {kind}: {}", error.what);
            if let Some(detail) = &error.detail {
                eprintln!("  {}", detail.trim_end().replace('\n', "\n  "));
            }
        }
        let steps = session.steps.iter();
        let steps = steps.map(|(step, took)| format!("{step} {}", milliseconds(*took)));
        for place in &session.attached {
            eprintln!("{tool}: attached by {place}");
        }
        eprintln!("{tool}: {}", steps.collect::<Vec<_>>().join(", "));
    } else if let Some((_, first)) = session.skipped.first() {
        eprintln!("{tool}: {}: attached by {}", first.what, session.attached.join(", "));
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
        eprintln!("{line}");
        return Ok(());
    }
    writeln!(out, "{line}")?;
    out.flush()
}

/// Says on stderr how many events were not counted, if any.
pub fn missed(tool: &str, session: &Session) {
    let missed = session.missed();
    if missed > 0 {
        eprintln!("{tool}: {missed} events came inside another probe's and were not counted");
    }
}

/// The local time of day: `14:03:59`. UTC where the host does not tell its time zone.
pub fn time_of_day() -> String {
    let now = OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc());
    format!("{:02}:{:02}:{:02}", now.hour(), now.minute(), now.second())
}

/// The local date and time: `2026-11-22 14:03:59`.
pub fn date_and_time() -> String {
    let now = OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc());
    format!("{} {}", now.date(), time_of_day())
}
