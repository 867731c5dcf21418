//! A diagnosis as text, in the layout of compilers' messages.

use crate::insn::Insn;
use crate::plain;
use crate::verifier::diagnose::{Diagnosis, words};
use crate::verifier::verification::{SourceLine, Verification};

impl Verification {
    /// The diagnosis as text, with or without colours. If there is none, the log itself.
    pub fn render(&self, color: bool) -> String {
        let Some(diagnosis) = self.diagnose() else {
            return plain::lines(&self.log).into_owned();
        };
        let mut page =
            DiagnosisText { text: String::new(), color, width: 2, shown: None, last: None };
        page.whole(self, &diagnosis);
        page.text
    }
}

const RED: &str = "\x1b[1;31m";
const BLUE: &str = "\x1b[1;34m";
const BOLD: &str = "\x1b[1m";

struct DiagnosisText<'a> {
    text: String,
    color: bool,
    /// The width of the slots' numbers.
    width: usize,
    /// The source line and the slot that were shown last.
    shown: Option<&'a SourceLine>,
    last: Option<u32>,
}

impl<'a> DiagnosisText<'a> {
    fn whole(&mut self, program: &'a Verification, diagnosis: &Diagnosis) {
        let slots = diagnosis.history.iter().map(|told| told.at).chain(diagnosis.at);
        self.width = slots.max().unwrap_or(0).to_string().len().max(2);
        self.paint(RED, "error");
        let class = match diagnosis.class {
            "" => String::new(),
            class => format!(" [{class}]"),
        };
        self.paint(BOLD, &format!(": {}{class}\n", diagnosis.sentence));
        if let Some(at) = diagnosis.at {
            let arrow = format!("{:>1$}--> ", "", self.width);
            self.paint(BLUE, &arrow);
            let place = program.source(at).and_then(SourceLine::place_text);
            let place = place.map(|place| format!("{place}, "));
            self.push(&format!("{}instruction {at}\n", place.unwrap_or_default()));
            self.bar("");
        }
        for told in &diagnosis.history {
            let register = told.register;
            self.step(program, told.at, register, false, &told.what);
        }
        if let Some(at) = diagnosis.at {
            let is = diagnosis.value.map(words).unwrap_or_default();
            self.step(program, at, diagnosis.register, true, &is);
            self.bar("");
        }
        for (name, text) in diagnosis.notes() {
            let mark = format!("{:>1$} = ", "", self.width);
            self.paint(BLUE, &mark);
            self.paint(BOLD, name);
            self.push(&format!(": {text}\n"));
        }
    }

    fn paint(&mut self, color: &str, text: &str) {
        match self.color {
            true => self.text.push_str(&format!("{color}{}\x1b[0m", plain::lines(text))),
            false => self.push(text),
        }
    }

    /// Adds a text, some of which may be of a file or of the kernel's log.
    fn push(&mut self, text: &str) {
        self.text.push_str(&plain::lines(text));
    }

    /// A line without a number.
    fn bar(&mut self, text: &str) {
        let bar = format!("{:>1$} |", "", self.width);
        self.paint(BLUE, &bar);
        if !text.is_empty() {
            self.text.push(' ');
            self.push(text);
        }
        self.text.push('\n');
    }

    /// An instruction under its source line, with a register underlined and explained.
    fn step(
        &mut self,
        program: &'a Verification,
        at: u32,
        register: Option<u8>,
        refusal: bool,
        what: &str,
    ) {
        if self.last.is_some_and(|last| !(last..=last.saturating_add(2)).contains(&at)) {
            let gap = "...\n".to_owned();
            self.paint(BLUE, &gap);
        }
        let text = program.text(at);
        let source = program.source_beside(at);
        let place = |source: &'a SourceLine| (&source.file, source.line);
        if let Some(source) = source.filter(|it| self.shown.map(place) != Some(place(it))) {
            self.bar(&source.placed_text());
            self.shown = Some(source);
        }
        self.last = Some(at);
        let number = format!("{at:>width$} | ", width = self.width);
        self.paint(BLUE, &number);
        self.push(&format!("{text}\n"));
        let (start, length) = underlined(program.code.insn(at), &text, register, refusal);
        let mark = if refusal { "^" } else { "-" }.repeat(length);
        let bar = format!("{:>1$} | ", "", self.width);
        self.paint(BLUE, &bar);
        self.text.push_str(&" ".repeat(start));
        self.paint(if refusal { RED } else { BLUE }, &format!("{mark} {what}"));
        // Without trailing spaces.
        let end = self.text.trim_end_matches(' ').len();
        self.text.truncate(end);
        self.text.push('\n');
    }
}

/// Start and length of a register in an instruction's text; of the whole instruction if the register is
/// not in it.
pub(super) fn underlined(
    insn: Option<Insn>,
    text: &str,
    register: Option<u8>,
    refusal: bool,
) -> (usize, usize) {
    let whole = || (5.min(text.len()), text.len().saturating_sub(5).max(1));
    let Some(register) = register else { return whole() };
    let places: Vec<usize> = [format!("r{register}"), format!("w{register}")]
        .iter()
        .flat_map(|name| text.match_indices(name.as_str()))
        .map(|(at, _)| at)
        .filter(|at| {
            let end = at + 1 + register.to_string().len();
            let word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            let bytes = text.as_bytes();
            !(word(bytes.get(end)) || at.checked_sub(1).is_some_and(|at| word(bytes.get(at))))
        })
        .collect();
    // A load reads its base, which comes after the register that it writes.
    let place = match insn {
        Some(Insn::Load { .. } | Insn::LoadAcquire { .. }) if refusal => places.iter().max(),
        _ => places.iter().min(),
    };
    match place {
        Some(at) => (*at, 1 + register.to_string().len()),
        None => whole(),
    }
}
