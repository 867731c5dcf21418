//! The messages of a running tool on stderr, beside its data.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::options::TraceOptions;
use super::output_file::OutputFile;
use super::stop::Stop;
use crate::error::Error;
use crate::host::{AttachKind, clock, refusal};
use crate::run::{AttachedProgram, LeftOutProgram, Session, SkippedKind};
use crate::view::color::{Background, Palette, Terminal};
use crate::view::duration::milliseconds;
use crate::view::wall::Moment;

/// A progress bar on a terminal's stderr, drawn only once a start takes noticeably long.
pub struct Bar {
    tool: &'static str,
    start: Instant,
    drawn: Option<Instant>,
    terminal: bool,
}

impl Bar {
    /// A bar that is not drawn yet.
    pub fn new(tool: &'static str) -> Bar {
        let terminal = io::stderr().is_terminal();
        Bar { tool, start: Instant::now(), drawn: None, terminal }
    }

    /// Shows that `done` of `of` programs are attached. The last call removes the bar.
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

/// Reports on stderr where the programs are attached: in full with `-v`, otherwise in one line if the
/// first choice did not work.
pub fn attached(tool: &str, options: &TraceOptions, session: &Session) {
    if options.verbose {
        for SkippedKind { kind, error, .. } in &session.skipped {
            say!("{tool}: {kind}: {error}");
            detail(error, "  ");
        }
        let steps = session.steps.iter();
        let steps = steps.map(|(step, took)| format!("{step} {}", milliseconds(*took)));
        for LeftOutProgram { attach, error, .. } in &session.left_out {
            say!("{tool}: left out {attach}: {}", error.what);
        }
        for attached in &session.attached {
            say!("{tool}: attached by {attached}");
        }
        if !session.alternatives.is_empty() {
            say!("{tool}: other attach kinds, not tried: {}", kinds(&session.alternatives));
        }
        say!("{tool}: kernel memory of the maps: {}", session.memory());
        say!("{tool}: {}", steps.collect::<Vec<_>>().join(", "));
        for error in session.without_lines() {
            say!("{tool}: the kernel refused the source lines: {}", refusal::lines(error));
        }
    } else if let Some(first) = session.skipped.first() {
        say!("{tool}: {}: attached by {}", first.error.what, some(&session.attached));
    }
    let mut skipped = session.skipped.iter().map(|skipped| &skipped.error);
    if let Some(error) = skipped.find(|error| error.refused.is_some()) {
        verifier_log(tool, error, options.verifier_log.as_deref());
    }
    if !options.verbose && !session.left_out.is_empty() {
        let count = session.left_out.len();
        say!(
            "{tool}: {count} functions or tracepoints cannot be probed and are left out; list them with -v"
        );
    }
}

/// Prints on stderr the details of an error that only `-v` shows: the kernel's words, and for a refused
/// program the reason.
pub fn detail(error: &Error, indent: &str) {
    let refused = error.refused.as_ref().map(|refused| refused.render(colored(&io::stderr())));
    for text in [error.detail.as_deref(), refused.as_deref()].into_iter().flatten() {
        say!("{indent}{}", text.trim_end().replace('\n', &format!("\n{indent}")));
    }
}

/// Writes the verifier's log of a refused program to a file; `-` means stdout.
pub fn verifier_log(tool: &str, error: &Error, file: Option<&Path>) {
    let (Some(refused), Some(file)) = (&error.refused, file) else { return };
    let file = OutputFile::open(file).map_err(Stop::Error);
    if let Err(Stop::Error(error)) = file.and_then(|file| file.write_text(refused.log.as_bytes())) {
        say!("{tool}: {error}");
    }
}

/// Whether the stream is a terminal with colours, and the user wants them.
pub fn colored(stream: &impl IsTerminal) -> bool {
    palette(stream, None, None) != Palette::Text
}

/// The richest palette of a stream. What the user wants is `None` where they do not say.
pub fn palette(
    stream: &impl IsTerminal,
    wanted: Option<bool>,
    background: Option<Background>,
) -> Palette {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let [no_color, term, colorterm, colorfgbg] =
        ["NO_COLOR", "TERM", "COLORTERM", "COLORFGBG"].map(variable);
    let terminal = Terminal {
        is_one: stream.is_terminal(),
        no_color: &no_color,
        term: &term,
        colorterm: &colorterm,
        colorfgbg: &colorfgbg,
    };
    Palette::of(terminal, wanted, background)
}

/// A moment by the host's clock.
pub fn moment(time: SystemTime) -> Moment {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Moment::new(since_1970, clock::offset(time))
}

/// A few of these, or the first and how many more there are.
fn some(attached: &[AttachedProgram]) -> String {
    match attached {
        [first, _, _, _, ..] => format!("{first} and {} more", attached.len() - 1),
        few => few.iter().map(AttachedProgram::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// `fentry, raw_tp, kprobe`.
pub fn kinds(kinds: &[AttachKind]) -> String {
    kinds.iter().map(AttachKind::to_string).collect::<Vec<_>>().join(", ")
}

/// Prints the first line: what is traced, the interval, and how to end. It goes to stderr if stdout is
/// data.
///
/// # Errors
/// stdout could not be written.
pub fn tracing(what: &str, options: &TraceOptions, out: &mut dyn Write) -> io::Result<()> {
    let line = format!("Tracing {what}... {}", options.schedule.sentence());
    if options.json || !io::stdout().is_terminal() {
        say!("{line}");
        return Ok(());
    }
    writeln!(out, "{line}")?;
    out.flush()
}

/// Reports on stderr how many events were not counted, if any.
pub fn missed(tool: &str, session: &Session) {
    let missed = session.missed();
    if missed > 0 {
        say!(
            "{tool}: {missed} events came while another probe's program was running, and were not counted"
        );
    }
}
