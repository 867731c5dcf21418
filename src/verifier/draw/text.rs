//! The walk as text: a line for each instruction.

use super::wording::{self, WalkLine};
use crate::verifier::recording::Verdict;
use crate::verifier::verification::{SourceLine, Verification};
use crate::verifier::verified::Verified;
use crate::verifier::walk::{Entry, WalkStep};

/// The heading of a program's walk.
pub fn head(verified: &Verified) -> String {
    let long = verified.too_long().map(|long| format!("; {long}\n")).unwrap_or_default();
    format!(".program {}\n{long}", verified.title())
}

/// The line below a program's walk: its verdict.
pub fn end(verified: &Verified) -> String {
    format!("{}: {}\n", verified.verdict().word(), verified.totals())
}

/// A walk that is drawn part by part.
pub struct Lines<'a> {
    program: &'a Verification,
    all: bool,
    /// The source line that was shown last.
    source: Option<&'a SourceLine>,
    text: String,
}

/// The column of the values.
const COLUMN: usize = 48;

impl<'a> Lines<'a> {
    /// The walk over this program. With `all`, an instruction has the whole state after it, not only its
    /// changes.
    pub fn new(program: &'a Verification, all: bool) -> Lines<'a> {
        Lines { program, all, source: None, text: String::new() }
    }

    /// The lines of the next part.
    pub fn entry(&mut self, entry: &Entry) -> String {
        let WalkLine { text, after } = wording::line(self.program, entry, self.all);
        let depth = entry.depth();
        match entry {
            Entry::Step(step) => self.source(step),
            Entry::Branch { .. } => self.source = None,
            _ => {}
        }
        self.line(depth, &text, &after);
        if let Entry::Step(step) = entry {
            for exact in &step.exact {
                self.line(depth, &format!("      ; {}", wording::exact(exact)), "");
            }
        }
        std::mem::take(&mut self.text)
    }

    fn source(&mut self, step: &WalkStep) {
        let Some(source) = self.program.source_beside(step.at) else { return };
        let before = self.source.replace(source);
        if before.is_none_or(|it| it.place() != source.place()) {
            self.line(step.depth, &source.as_in_log(), "");
        }
    }

    fn line(&mut self, depth: usize, text: &str, after: &str) {
        let text = format!("{}{text}", wording::indent(depth));
        match after {
            "" => self.text.push_str(text.trim_end()),
            _ => self.text.push_str(&format!("{text:<COLUMN$} ; {after}")),
        }
        self.text.push('\n');
    }
}

/// Why a program is refused, or what else its log says, as `rawbpf explain` prints it; after its name if it is one
/// of `several`.
pub fn explained(one: &Verified, several: bool, color: bool) -> String {
    let title = match one.title() {
        title if several && !title.is_empty() => format!(".program {title}\n"),
        _ => String::new(),
    };
    title + &verdict(one, color)
}

/// Why a program is refused, or what else its log says.
pub fn verdict(one: &Verified, color: bool) -> String {
    match one.verdict() {
        Verdict::Refused => one.program.render(color),
        Verdict::Accepted => format!("accepted: {}\n", one.totals()),
        Verdict::Unknown if one.totals().processed.is_some() => {
            format!("no reason is in the log, only the totals: {}\n", one.totals())
        }
        Verdict::Unknown => {
            "no verdict: the log ends before the reason; load the program with a larger log \
                             buffer\n"
                .to_owned()
        }
    }
}
