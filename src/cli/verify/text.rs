//! The walk as text: a line for each instruction.

use std::io::{self, Write};

use super::Verified;
use crate::verifier::draw::wording::{self, Line};
use crate::verifier::verification::{Source, Verification};
use crate::verifier::walk::{Entry, Step};

/// Writes a program's walk and its verdict.
///
/// # Errors
/// It could not be written.
pub fn write(verified: &Verified, all: bool, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, ".program {}", verified.title())?;
    if let Some(long) = verified.too_long() {
        writeln!(out, "; {long}")?;
    }
    let mut lines = Lines { program: &verified.program, all, source: None, text: String::new() };
    verified.last(&mut |entry| {
        lines.entry(&entry);
        out.write_all(lines.text.as_bytes())?;
        lines.text.clear();
        Ok(())
    })?;
    writeln!(out, "{}: {}", verified.verdict().word(), verified.totals())
}

/// The walk as text.
struct Lines<'a> {
    program: &'a Verification,
    all: bool,
    /// The source line that was shown last.
    source: Option<&'a Source>,
    text: String,
}

/// What is known stands from this column on.
const COLUMN: usize = 48;

impl Lines<'_> {
    fn entry(&mut self, entry: &Entry) {
        let Line { text, behind } = wording::line(self.program, entry, self.all);
        let depth = entry.depth();
        match entry {
            Entry::Step(step) => self.source(step),
            Entry::Branch { .. } => self.source = None,
            _ => {}
        }
        self.line(depth, &text, &behind);
        if let Entry::Step(step) = entry {
            for exact in &step.exact {
                self.line(depth, &format!("      ; {}", wording::exact(exact)), "");
            }
        }
    }

    fn source(&mut self, step: &Step) {
        let Some(source) = self.program.source_beside(step.at) else { return };
        let before = self.source.replace(source);
        if before.is_none_or(|it| it.place() != source.place()) {
            let Source { file, line, text, .. } = source;
            self.line(step.depth, &format!("; {text} @ {file}:{line}"), "");
        }
    }

    fn line(&mut self, depth: usize, text: &str, behind: &str) {
        let text = format!("{}{text}", wording::indent(depth));
        match behind {
            "" => self.text.push_str(text.trim_end()),
            _ => self.text.push_str(&format!("{text:<COLUMN$} ; {behind}")),
        }
        self.text.push('\n');
    }
}
