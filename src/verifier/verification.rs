//! A program with its source lines and the verifier's log.

use super::diagnose::Diagnosis;
use super::path::Code;
pub use super::source_line::SourceLine;
use crate::insn::Program;
use crate::insn::listing::Names;

/// A program with its source lines and the verifier's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verification {
    /// The program, its maps by their places.
    pub code: Code,
    /// The maps' names.
    pub maps: Vec<String>,
    /// Its source lines, by rising slots.
    pub lines: Vec<SourceLine>,
    /// The verifier's log.
    pub log: String,
    /// How the program is attached, or its type, as a text names it: `uprobe`, `xdp`; empty where only the
    /// log is known.
    pub kind: String,
}

impl Verification {
    /// The program of a log, of which nothing else is known.
    pub fn of_log(code: Code, log: String) -> Verification {
        Verification { code, maps: vec![], lines: vec![], log, kind: String::new() }
    }

    /// The program, maps by these names, with the lines that wrote it.
    pub fn of_program(program: &Program, maps: Vec<String>, log: String) -> Verification {
        let told = program.lines().filter(|(.., line)| line.line > 0);
        let lines = told.map(|(slot, _, line)| SourceLine {
            slot: slot as u32,
            file: line.file.to_owned(),
            line: line.line,
            text: line.text.unwrap_or_default().to_owned(),
        });
        let (code, lines) = (Code::of(program.insns()), lines.collect());
        Verification { code, maps, lines, log, kind: String::new() }
    }

    /// Why it was refused, if the log says so.
    pub fn diagnose(&self) -> Option<Diagnosis<'_>> {
        super::diagnose::diagnose_of_kind(&self.code, &self.log, &self.kind, &self.lines)
    }

    /// The source line that wrote the instruction at a slot.
    pub fn source(&self, at: u32) -> Option<&SourceLine> {
        SourceLine::of(&self.lines, at)
    }

    /// The source line that wrote the instruction at a slot, unless it is the instruction's own text.
    pub fn source_beside(&self, at: u32) -> Option<&SourceLine> {
        self.source(at).filter(|source| !self.text(at).ends_with(&source.text))
    }

    /// The instruction at a slot as the verifier prints it.
    pub fn text(&self, at: u32) -> String {
        let slot = self.code.slots().get(at as usize);
        if !self.code.is_known(at) && self.code.is_rebuilt() {
            return "(??) not in the log".into();
        }
        if let (Some(text), Some(slot)) = (self.code.text_in(&self.log, at), slot) {
            return format!("({:02x}) {text}", slot.code);
        }
        let names: Vec<&str> = self.maps.iter().map(String::as_str).collect();
        match (self.code.insn(at), slot) {
            (Some(insn), Some(slot)) => {
                let text = insn.text(Names { maps: &names, field: None });
                format!("({:02x}) {text}", slot.code)
            }
            (None, Some(slot)) => {
                let bytes = slot.to_bytes(crate::insn::Endian::HOST);
                let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("({:02x}) no instruction: {}", slot.code, bytes.join(" "))
            }
            (_, None) => String::new(),
        }
    }
}
