//! What a running tool says beside its data.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use time::{OffsetDateTime, UtcOffset};

use super::options::TraceOptions;
use crate::error::Error;
use crate::host::refusal;
use crate::session::Session;
use crate::view::color::{Palette, Terminal};
use crate::view::duration::{milliseconds, seconds};

/// A bar on a terminal's stderr, drawn once something has taken longer than one notices.
pub struct Bar {
    tool: &'static str,
    start: Instant,
    drawn: Option<Instant>,
    terminal: bool,
}

impl Bar {
    /// Nothing is drawn yet.
    pub fn new(tool: &'static str) -> Bar {
        let terminal = io::stderr().is_terminal();
        Bar { tool, start: Instant::now(), drawn: None, terminal }
    }

    /// So many are attached of so many; the last wipes the bar away.
    pub fn draw(&mut self, done: usize, of: usize) {
        let shown = self.drawn.unwrap_or(self.start);
        if !self.terminal || done < of && shown.elapsed() < Duration::from_millis(200) {
            return;
        }
        if done < of {
            let hashes = "#".repeat(30 * done / of);
            let _ = write!(io::stderr(), "\r{}: attaching [{hashes:<30}] {done}/{of} ", self.tool);
            self.drawn = Some(Instant::now());
        } else if self.drawn.take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Says on stderr where the programs are attached: in one line if it is not where it was looked for
/// first, and in full with `-v`.
pub fn attached(tool: &str, options: &TraceOptions, session: &Session) {
    if options.verbose {
        for (kind, error) in &session.skipped {
            say!("{tool}: {kind}: {error}");
            detail(error, "  ");
        }
        let steps = session.steps.iter();
        let steps = steps.map(|(step, took)| format!("{step} {}", milliseconds(*took)));
        for (place, error) in &session.left_out {
            say!("{tool}: left out {place}: {}", error.what);
        }
        for place in &session.attached {
            say!("{tool}: attached by {place}");
        }
        say!("{tool}: {} of maps", session.memory());
        say!("{tool}: {}", steps.collect::<Vec<_>>().join(", "));
        for error in session.without_lines() {
            say!("{tool}: the kernel took no source lines: {}", refusal::lines(error));
        }
    } else if let Some((_, first)) = session.skipped.first() {
        say!("{tool}: {}: attached by {}", first.what, some(&session.attached));
    }
    let skipped = session.skipped.iter().map(|(_, error)| error);
    if let Some(error) = skipped.into_iter().find(|error| error.refused.is_some()) {
        verifier_log(tool, error, options.verifier_log.as_deref());
    }
    if !options.verbose && !session.left_out.is_empty() {
        let count = session.left_out.len();
        say!("{tool}: {count} that cannot be probed are left out; which and why: -v");
    }
}

/// Says on stderr what only `-v` says of an error: the kernel's words, and of a refused program why.
pub fn detail(error: &Error, indent: &str) {
    let refused = error.refused.as_ref().map(|refused| refused.render(colored(&io::stderr())));
    for text in [error.detail.as_deref(), refused.as_deref()].into_iter().flatten() {
        say!("{indent}{}", text.trim_end().replace('\n', &format!("\n{indent}")));
    }
}

/// Writes the verifier's log of a refused program to this file, `-` being stdout.
pub fn verifier_log(tool: &str, error: &Error, file: Option<&Path>) {
    let (Some(refused), Some(file)) = (&error.refused, file) else { return };
    let written = match file.as_os_str() == "-" {
        true => io::stdout().write_all(refused.log.as_bytes()),
        false => std::fs::write(file, &refused.log),
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => say!("{tool}: {}", unwritable(file, &error).what),
        Ok(()) => {}
    }
}

/// What to say of a file that cannot be written.
pub fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::failed(format!("{} cannot be written: {error}", path.display()))
}

/// Whether this stream shows colours and they are welcome.
pub fn colored(stream: &impl IsTerminal) -> bool {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let (no_color, term) = (variable("NO_COLOR"), variable("TERM"));
    let terminal =
        Terminal { is_one: stream.is_terminal(), no_color: &no_color, term: &term, colorterm: "" };
    Palette::of(terminal, None) != Palette::Text
}

/// The first of these, and how many more there are.
fn some(places: &[String]) -> String {
    match places {
        [first, _, _, _, ..] => format!("{first} and {} more", places.len() - 1),
        few => few.join(", "),
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

/// A time since 1970 as local date and time: `2026-11-01 14:03:59`. UTC as above.
pub fn date_and_time_of(time: Duration) -> String {
    let Ok(time) = OffsetDateTime::from_unix_timestamp(time.as_secs() as i64) else {
        return String::new();
    };
    let time = time.to_offset(UtcOffset::local_offset_at(time).unwrap_or(UtcOffset::UTC));
    let (date, hour, minute, second) = (time.date(), time.hour(), time.minute(), time.second());
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

fn now() -> OffsetDateTime {
    OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc())
}
