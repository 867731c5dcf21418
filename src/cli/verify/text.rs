//! The walk as text: a line for each instruction.

use std::io::{self, Write};

use super::{MOST, Verified};
use crate::verifier::verification::{Source, Verification};
use crate::verifier::walk::{Entry, Step};
use crate::verifier::wording::{self, Line};

/// Deeper branches are not indented further.
const DEEPEST: usize = 12;

/// Writes a program's walk and its verdict.
///
/// # Errors
/// It could not be written.
pub fn write(verified: &Verified, all: bool, out: &mut dyn Write) -> io::Result<()> {
    let Verified { name, kind, place, program, .. } = verified;
    writeln!(out, "{}", format!(".program {name} {kind} {place}").trim_end())?;
    let totals = verified.totals();
    if verified.long {
        let insns = totals.processed.map_or(0, |processed| processed.insns);
        writeln!(out, "; {insns} instructions are too many to show, {MOST} the most")?;
    }
    let mut lines = Lines { program, all, source: None, text: String::new() };
    verified.last(&mut |entry| {
        lines.entry(&entry);
        out.write_all(lines.text.as_bytes())?;
        lines.text.clear();
        Ok(())
    })?;
    writeln!(out, "{}: {totals}", verified.verdict())
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
        let Line { depth, text, behind } = wording::line(self.program, entry, self.all);
        match entry {
            Entry::Step(step) => self.source(step, &text),
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

    fn source(&mut self, step: &Step, insn: &str) {
        // A program's own text may be what is shown anyway.
        let source = self.program.source(step.at).filter(|source| !insn.ends_with(&source.text));
        if let Some(Source { file, line, text, .. }) = source {
            let shown = self.source.is_some_and(|it| it.line == *line && it.file == *file);
            self.source = source;
            if !shown {
                self.line(step.depth, &format!("; {text} @ {file}:{line}"), "");
            }
        }
    }

    fn line(&mut self, depth: usize, text: &str, behind: &str) {
        let text = format!("{}{text}", "| ".repeat(depth.min(DEEPEST)));
        match behind {
            "" => self.text.push_str(text.trim_end()),
            _ => self.text.push_str(&format!("{text:<COLUMN$} ; {behind}")),
        }
        self.text.push('\n');
    }
}
