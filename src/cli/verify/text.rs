//! The walk as text: a line for each instruction.

use std::io::{self, Write};

use super::{MOST, Verified};
use crate::verifier::diagnose::words;
use crate::verifier::log::Value;
use crate::verifier::verification::{Source, Verification};
use crate::verifier::walk::{Change, Entry, Exact, Step, name};

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
        match entry {
            Entry::Begin { at, changes } => {
                self.line(0, &format!("begins at {at}:"), &learnt(changes));
            }
            Entry::Step(step) => self.step(step),
            Entry::Branch { from, to, depth, speculative, changes } => {
                let guess = if *speculative { " if the CPU guesses wrongly" } else { "" };
                self.source = None;
                self.line(*depth, &format!("from {from} to {to}{guess}:"), &learnt(changes));
            }
            Entry::Safe { at, depth } => {
                self.line(
                    *depth,
                    &format!("{at:>4}: safe"),
                    "known to be so before, the path ends",
                );
            }
            Entry::Said(text) => self.text.push_str(&format!("; {text}\n")),
            Entry::Cut => self.text.push_str("; here the log is not whole: it did not fit\n"),
        }
    }

    fn step(&mut self, step: &Step) {
        let insn = self.program.text(step.at);
        // A program's own text may be what is shown anyway.
        let source = self.program.source(step.at).filter(|source| !insn.ends_with(&source.text));
        if let Some(Source { file, line, text, .. }) = source {
            let shown = self.source.is_some_and(|it| it.line == *line && it.file == *file);
            self.source = source;
            if !shown {
                self.line(step.depth, &format!("; {text} @ {file}:{line}"), "");
            }
        }
        let calls = "  ".repeat(step.frame);
        let mut behind = match self.all {
            true => {
                let known = step.known.iter().map(|(place, value)| (*place, Some(*value)));
                learnt(&known.collect::<Vec<_>>())
            }
            false => learnt(&step.changes),
        };
        if step.times > 1 {
            let comma = if behind.is_empty() { "" } else { ", " };
            behind = format!("time {}{comma}{behind}", step.times);
        }
        self.line(step.depth, &format!("{:>4}: {calls}{insn}", step.at), &behind);
        for exact in &step.exact {
            self.line(step.depth, &format!("      {}", told(exact)), "");
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

/// `r6 must be exact: back over 7, 6, 5`.
fn told(exact: &Exact) -> String {
    let places: Vec<_> = exact.places.iter().map(|place| name(*place)).collect();
    let over: Vec<_> = exact.over.iter().take(8).map(u32::to_string).collect();
    let more = match exact.over.len() - over.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let back = match over.is_empty() {
        true => String::new(),
        false => format!(": traced back over {}{more}", over.join(", ")),
    };
    format!("; the exact value of {} matters here{back}", places.join(", "))
}

/// `r0 = NULL or the address of a map value, r1 and r2 gone`.
fn learnt(changes: &[Change]) -> String {
    let mut all = vec![];
    let mut gone = vec![];
    for (place, value) in changes {
        match value {
            Some(value) => all.push(format!("{} = {}", name(*place), is(value))),
            None => gone.push(name(*place)),
        }
    }
    if !gone.is_empty() {
        all.push(format!("{} gone", gone.join(" ")));
    }
    all.join(", ")
}

fn is(value: &Value) -> String {
    let exact = if value.precise { " exactly" } else { "" };
    format!("{}{exact}", words(*value))
}
