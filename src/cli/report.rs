//! What a running tool says beside its data.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::options::TraceOptions;
use crate::session::Session;
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
            eprint!("\r{}: attaching [{hashes:<30}] {done}/{of} ", self.tool);
            self.drawn = Some(Instant::now());
        } else if self.drawn.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

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
        for (place, error) in &session.left_out {
            eprintln!("{tool}: left out {place}: {}", error.what);
        }
        for place in &session.attached {
            eprintln!("{tool}: attached by {place}");
        }
        eprintln!("{tool}: {}", steps.collect::<Vec<_>>().join(", "));
    } else if let Some((_, first)) = session.skipped.first() {
        eprintln!("{tool}: {}: attached by {}", first.what, some(&session.attached));
    }
    if !options.verbose && !session.left_out.is_empty() {
        let count = session.left_out.len();
        eprintln!("{tool}: {count} that cannot be probed are left out; which and why: -v");
    }
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
