//! A program's part of the page.

use std::collections::HashMap;
use std::fmt::Write;

use crate::insn::{Callee, Insn, Reg};
use crate::plain::steers;
use crate::verifier::diagnose::{Diagnosis, words};
use crate::verifier::draw::diagnosis::underlined;
use crate::verifier::draw::wording::{self, CUT, DEEPEST, branch, learnt, marked_exact};
use crate::verifier::history::{effect, slot_at};
use crate::verifier::log::{KnownValue, Place};
use crate::verifier::totals::Totals;
use crate::verifier::verification::{SourceLine, Verification};
use crate::verifier::walk::{Entry, Known, WalkStep, name};

/// The number of rows that a browser lays out together, once they are visible.
const TOGETHER: usize = 64;

/// Each row whose number is a multiple of this has the whole state, the others only the changes.
const WHOLE: usize = 256;

/// The facts about a program beside its walk.
pub struct About<'a> {
    /// Its name.
    pub name: &'a str,
    /// How and where it is attached, or its type.
    pub attached: &'a str,
    /// Whether it was refused.
    pub refused: bool,
    /// A remark on which part of the walk is not shown; may be empty.
    pub missing: &'a str,
}

/// A program's rows.
pub struct PageSection<'a> {
    number: usize,
    program: &'a Verification,
    html: String,
    rows: Vec<PageRow>,
    /// The number of open branches.
    open: usize,
    /// Where the open list begins, and how many rows it has.
    list: Option<(usize, usize)>,
    /// The lines of source, by files and numbers.
    lines: Vec<&'a SourceLine>,
    /// The line that was shown last.
    source: Option<&'a SourceLine>,
    /// The line of the row before.
    line: Option<usize>,
    /// How many instructions came before the first row.
    skipped: usize,
    /// The row that the next one follows.
    last: Option<usize>,
    /// The state of the row before.
    known: Known<'a>,
    /// Whether that is also the state before the next row.
    known_holds: bool,
    /// The numbers of values.
    values: HashMap<String, u32>,
    /// The values in their order, as HTML.
    told: String,
}

/// An instruction of the walk.
struct PageRow {
    at: u32,
    /// The row before it on its path.
    parent: Option<usize>,
    /// Where its HTML begins.
    start: usize,
}

impl<'a> PageSection<'a> {
    /// A program without rows, the `number`th of the page.
    pub fn new(number: usize, program: &'a Verification) -> PageSection<'a> {
        let mut lines: Vec<&SourceLine> = vec![];
        for line in &program.lines {
            // They are almost in their order.
            if let Err(at) = lines.binary_search_by_key(&line.place(), |other| other.place()) {
                lines.insert(at, line);
            }
        }
        PageSection {
            number,
            program,
            html: String::new(),
            rows: vec![],
            open: 0,
            list: None,
            lines,
            source: None,
            line: None,
            skipped: 0,
            last: None,
            known: vec![],
            known_holds: false,
            values: HashMap::new(),
            told: String::new(),
        }
    }

    /// Adds a part of the walk.
    pub fn entry(&mut self, entry: &Entry<'a>) {
        match entry {
            Entry::Begin { at, changes } => {
                self.close(0);
                (self.last, self.known_holds) = (None, false);
                self.item("from", &format!("begins at {at}: {}", learnt(changes, bold, is)));
            }
            Entry::Step(step) => self.step(step),
            Entry::Branch { from, condition, to, depth, speculative, changes } => {
                let row = condition.and_then(|number| number.checked_sub(self.skipped));
                self.last = row.filter(|row| *row < self.rows.len());
                self.known_holds = false;
                // Deeper branches are not nested: browsers nest only some hundred levels.
                let deep = (*depth).clamp(1, DEEPEST);
                self.close(deep - 1);
                self.end_list();
                let branch = branch(&self.link(self.last, *from), *to, *speculative);
                let learnt = learnt(changes, bold, is);
                let _ = writeln!(self.html, "<details open><summary>{branch} {learnt}</summary>");
                self.open += 1;
                self.source = None;
            }
            Entry::Safe { at, .. } => {
                let before = self.link(self.row_of(*at), *at);
                let text = format!("{before}: safe: already known to be safe, the path ends here");
                self.item("safe", &text);
                (self.last, self.known_holds) = (None, false);
            }
            Entry::Said(text) => self.item("said", &escape(text)),
            Entry::Cut => self.item("said", CUT),
        }
    }

    fn step(&mut self, step: &WalkStep<'a>) {
        let at = step.at;
        let text = self.program.text(at);
        let source = self.program.source(at);
        if let Some(source) = self.program.source_beside(at) {
            if self.source.is_none_or(|it| it.place() != source.place()) {
                let place = escape(&source.place_text().unwrap_or_default());
                let text = escape(&source.text);
                self.item("src", &format!("<code>{text}</code> <small>{place}</small>"));
            }
            self.source = Some(source);
        }
        let row = self.rows.len();
        self.skipped = step.number - row;
        let parent = self.last.filter(|last| self.follows(*last, at));
        self.begin_item();
        let start = self.html.len();
        let _ = write!(self.html, "<li id=p{}-s{row}", self.number);
        if parent != row.checked_sub(1) {
            let parent = parent.map_or("-1".to_owned(), |parent| parent.to_string());
            let _ = write!(self.html, " data-p={parent}");
        }
        let line = |it: &SourceLine| {
            self.lines.binary_search_by_key(&it.place(), |other| other.place()).ok()
        };
        let line = source.and_then(line);
        if line != self.line {
            let number = line.map_or(String::new(), |line| line.to_string());
            let _ = write!(self.html, " data-l=\"{number}\"");
            self.line = line;
        }
        if step.frame > 0 {
            let _ = write!(self.html, " data-f={} style=--f:{0}", step.frame);
        }
        self.differences(step, row.is_multiple_of(WHOLE));
        let insn = self.program.code.insn(at);
        let does = insn.map(|insn| self.does(insn, step)).unwrap_or_default();
        self.known.clone_from(&step.known);
        if !does.is_empty() {
            let _ = write!(self.html, " data-d=\"{does}\"");
        }
        self.rows.push(PageRow { at, parent, start });
        // The verifier traced back along the path, instruction by instruction.
        let mut farthest = row;
        let mut told = String::new();
        for exact in &step.exact {
            let rows = self.back(row, &exact.over);
            farthest = rows.last().copied().unwrap_or(row).min(farthest);
            let link = |index: usize, at| self.link(rows.get(index).copied(), at);
            let _ = write!(told, "<em>{}</em>", marked_exact(exact, bold, &link));
        }
        if farthest < row {
            let _ = write!(self.html, " data-x={farthest}");
        }
        let text = escape(&text);
        let _ = write!(self.html, "><a href=#p{}-s{row}>{at}</a><code>{text}</code>", self.number);
        let learnt = learnt(&step.changes, bold, is);
        if step.times > 1 || !learnt.is_empty() {
            self.html.push_str("<span>");
            if step.times > 1 {
                let _ = write!(self.html, "<i>visit {}</i> ", step.times);
            }
            let _ = write!(self.html, "{learnt}</span>");
        }
        self.html.push_str(&told);
        self.html.push('\n');
        let ends = step.frame == 0 && matches!(insn, Some(Insn::Exit));
        (self.last, self.known_holds) = ((!ends).then_some(row), true);
    }

    /// Whether the instruction at a slot may follow this row.
    fn follows(&self, row: usize, at: u32) -> bool {
        let last = self.rows[row].at;
        // The log says where a function returns to.
        matches!(self.program.code.insn(last), Some(Insn::Exit))
            || self.program.code.targets(last).contains(&Some(at))
    }

    /// Writes the state after a step, as the difference from the row before.
    fn differences(&mut self, step: &WalkStep<'a>, whole: bool) {
        let before = if whole { &[][..] } else { &self.known };
        let same = |place: &Place, value: &KnownValue| before.contains(&(*place, *value));
        let mut parts = vec![];
        for (place, value) in step.known.iter().filter(|(place, value)| !same(place, value)) {
            let text = format!("<i title=\"{}\">{}</i>", escape(&value.text()), is(*value));
            let next = self.values.len() as u32;
            let number = self.values.get(&text).copied().unwrap_or(next);
            if number == next {
                self.told.push_str(&text);
                self.values.insert(text, next);
            }
            parts.push(format!("{}={number}", name(*place)));
        }
        let gone = |place: &Place| step.known.iter().all(|(other, _)| other != place);
        parts.extend(before.iter().map(|it| it.0).filter(gone).map(name));
        if !parts.is_empty() {
            let _ = write!(self.html, " data-k=\"{}\"", parts.join(" "));
        }
    }

    /// What an instruction writes, then what it makes it of; `?` and what it compares; with `!` if it is
    /// a call, which wipes r1 to r5.
    fn does(&self, insn: Insn, step: &WalkStep<'a>) -> String {
        let mut parts = vec![];
        match insn {
            Insn::Call(Callee::Local { .. }) => parts.push("call".to_owned()),
            Insn::Exit if step.frame > 0 => parts.push("exit".into()),
            Insn::JumpIf { dst, src, .. } => {
                parts.extend(["?".into(), dst.to_string()]);
                if let crate::insn::Operand::Reg(src) = src {
                    parts.push(src.to_string());
                }
            }
            _ => {
                // The place that it writes is known after it, and the others that it needs before it.
                let before = if self.known_holds { &self.known[..] } else { &[] };
                let written = effect(insn, |_, _| None).writes;
                let slot = |base: Reg, offset: i16| {
                    slot_at(base, offset, |number| {
                        let place = Place::Register(number);
                        let known = if written == Some(place) { before } else { &step.known };
                        known.iter().find(|(other, _)| *other == place).map(|it| it.1)
                    })
                };
                let effect = effect(insn, slot);
                let Some(place) = effect.writes else { return String::new() };
                parts.push(name(place));
                parts.extend(effect.from.into_iter().flatten().map(|number| format!("r{number}")));
                parts.extend(effect.from_stack.map(|slot| name(Place::Stack(slot))));
                if matches!(insn, Insn::Call(_) | Insn::LoadPacket { .. }) {
                    parts.push("!".into());
                }
            }
        }
        parts.join(" ")
    }

    /// The row that walked over a slot last.
    fn row_of(&self, at: u32) -> Option<usize> {
        self.rows.iter().rposition(|row| row.at == at)
    }

    /// The rows of these slots, back along the path of a row, as far as they are on the page.
    fn back(&self, row: usize, slots: &[u32]) -> Vec<usize> {
        let mut found = vec![];
        let mut next = self.rows[row].parent;
        while let Some(row) = next
            && let Some(slot) = slots.get(found.len())
        {
            if self.rows[row].at == *slot {
                found.push(row);
            }
            next = self.rows[row].parent;
        }
        found
    }

    /// A slot's number, as a link to its row.
    fn link(&self, row: Option<usize>, at: u32) -> String {
        match row {
            Some(row) => format!("<a href=#p{}-s{row}>{at}</a>", self.number),
            None => at.to_string(),
        }
    }

    /// A line that is not an instruction.
    fn item(&mut self, class: &str, html: &str) {
        self.begin_item();
        let _ = writeln!(self.html, "<li class={class}>{html}");
    }

    fn begin_item(&mut self) {
        if self.list.is_some_and(|(_, rows)| rows == TOGETHER) {
            self.end_list();
        }
        match &mut self.list {
            Some((_, rows)) => *rows += 1,
            None => {
                let _ = write!(self.html, "<ol style=\"--d:{};--n:", self.open);
                self.list = Some((self.html.len(), 1));
                self.html.push_str("64\">\n");
            }
        }
    }

    fn end_list(&mut self) {
        if let Some((start, rows)) = self.list.take() {
            // As wide as the placeholder, since rows know their positions.
            self.html.replace_range(start..start + 2, &format!("{rows:02}"));
            self.html.push_str("</ol>\n");
        }
    }

    /// Closes the branches that are deeper than this.
    fn close(&mut self, deep: usize) {
        while self.open > deep {
            self.end_list();
            self.html.push_str("</details>\n");
            self.open -= 1;
        }
    }

    /// Appends the whole section to the page.
    pub(super) fn end(mut self, about: &About, out: &mut String) {
        self.close(0);
        self.end_list();
        let why = self.program.diagnose().filter(|_| about.refused);
        let mut head = String::new();
        let _ = writeln!(
            head,
            "<section class=program id=p{}>\n<h2>{} <small>{}</small></h2>",
            self.number,
            escape(about.name),
            escape(about.attached)
        );
        let totals = Totals::of(&self.program.log);
        let verdict = if about.refused { "refused" } else { "accepted" };
        let _ = writeln!(head, "<p class={verdict}><strong>{verdict}</strong>: {totals}</p>");
        if let Some(why) = why {
            let failed = self.failed(&why);
            if let Some(row) = failed {
                let register = why.register.map_or(String::new(), |it| format!(" data-r=r{it}"));
                let failed = format!(" class=failed{register}");
                self.html.insert_str(self.rows[row].start + "<li".len(), &failed);
            }
            self.why(&why, failed, &mut head);
        }
        if !about.missing.is_empty() {
            let _ = writeln!(head, "<p>{}</p>", escape(about.missing));
        }
        out.push_str(&head);
        out.push_str("<div class=walk>\n");
        out.push_str(&self.html);
        for line in &self.lines {
            let place = escape(&line.place_text().unwrap_or_default());
            let _ = write!(self.told, "<b title=\"{place}\">{}</b>", escape(&line.text));
        }
        let _ = writeln!(out, "</div>\n<template>{}</template>\n</section>", self.told);
    }

    /// The row of the instruction that was refused.
    fn failed(&self, why: &Diagnosis) -> Option<usize> {
        self.row_of(why.at?)
    }

    /// Writes why the program is refused.
    fn why(&self, why: &Diagnosis, failed: Option<usize>, out: &mut String) {
        let class = match why.class {
            "" => String::new(),
            class => format!(" <small>[{class}]</small>"),
        };
        let sentence = escape(&why.sentence);
        let _ = writeln!(out, "<div class=why role=group aria-label=\"Why it is refused\">");
        let _ = writeln!(out, "<h3>{sentence}{class}</h3>");
        if let Some(at) = why.at {
            let slots: Vec<u32> = why.history.iter().rev().map(|told| told.at).collect();
            let rows = failed.map_or(vec![], |row| self.back(row, &slots));
            out.push_str("<ol>\n");
            for (index, told) in why.history.iter().enumerate() {
                let row = rows.get(slots.len() - 1 - index).copied();
                self.cause(told.at, row, told.register, false, &told.what, out);
            }
            let is = why.value.map(words).unwrap_or_default();
            self.cause(at, failed, why.register, true, &is, out);
            out.push_str("</ol>\n");
        }
        out.push_str("<dl>\n");
        for (term, text) in why.notes() {
            let _ = writeln!(out, "<dt>{term}<dd>{}", escape(&text));
        }
        out.push_str("</dl>\n</div>\n");
    }

    /// Writes an instruction with its source line, with a register marked and explained.
    fn cause(
        &self,
        at: u32,
        row: Option<usize>,
        register: Option<u8>,
        refusal: bool,
        what: &str,
        out: &mut String,
    ) {
        let text = self.program.text(at);
        let (start, length) = underlined(self.program.code.insn(at), &text, register, refusal);
        let (before, rest) = text.split_at_checked(start).unwrap_or(("", &text));
        let (marked, behind) = rest.split_at_checked(length).unwrap_or((rest, ""));
        let _ = write!(
            out,
            "<li{}>{} <code>{}<mark>{}</mark>{}</code> <span>{}</span>",
            if refusal { " class=failed" } else { "" },
            self.link(row, at),
            escape(before),
            escape(marked),
            escape(behind),
            escape(what)
        );
        if let Some(source) = self.program.source_beside(at) {
            let _ = write!(out, " <small>{}</small>", escape(&source.placed_text()));
        }
        out.push('\n');
    }
}

fn bold(place: Place) -> String {
    format!("<b>{}</b>", name(place))
}

fn is(value: KnownValue) -> String {
    escape(&wording::is(value))
}

/// Escapes a text for HTML or for an attribute in quotes. A character that steers a terminal becomes U+FFFD:
/// some turn the direction of the text after them in a browser too.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("    "),
            c if steers(c) => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}
