//! Reads programs from text, in the verifier's own syntax as [`listing`](super::listing) prints it, with
//! labels, names and comments for those who write by hand.
//!
//! ```
//! let source = rawbpf::insn::parse("drop.bpf", "
//!     .program drop xdp               ; a name and a type, or a place to attach to
//!     .map seen array key 4 value 8 entries 1
//!         r1 = map[seen][0]+0
//!         r2 = 1
//!         lock *(u64 *)(r1 + 0) += r2
//!         if r2 == 1 goto out         ; a label, or pc+2
//!         call bpf_get_prandom_u32    # helpers by name
//!     out:
//!         w0 = 1                      // XDP_DROP
//!         exit
//! ").unwrap();
//! assert_eq!(source.programs[0].line.kind.text, "xdp");
//! assert_eq!(source.programs[0].program.insns().len(), 7);
//!
//! let mistakes = rawbpf::insn::parse("drop.bpf", "call bpf_get_prandom_u31").unwrap_err();
//! assert!(mistakes.to_string().contains("did you mean `bpf_get_prandom_u32`?"));
//! ```
//!
//! Each line has an instruction, in the spelling of the verifier or of llvm-objdump. The slot and opcode
//! before it may be left out, but `(18)` means that a constant has two slots, as `ll` after it does.

mod directive;
mod mistake;
mod statement;
mod token;

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::Arc;

pub use directive::{CoreLine, ExternLine, MapLine, ProgramLine};
use directive::{Directive, directive};
use mistake::SHOWN;
pub use mistake::{Mistake, Mistakes, TextSpan, Word, like};
use statement::{Need, Statement, no_helper, statement};
use token::{Token, Tokens};

use super::helper::Helper;
use super::instruction::{Callee, Imm64, Insn};
use super::program::{Note, Program, Text, Written};

/// The content of a text.
#[derive(Clone, Debug)]
pub struct Source {
    /// The licence, if the text names one.
    pub license: Option<String>,
    /// The maps; programs refer to them by their place here.
    pub maps: Vec<MapLine>,
    /// The functions and variables of the kernel's that programs refer to, which nobody has linked: what
    /// refers to them is as in an object.
    pub externs: Vec<ExternLine>,
    /// The `.type` lines, after that word.
    pub types: Vec<Word>,
    /// The programs, at least one.
    pub programs: Vec<NamedProgram>,
    /// Fields whose offset is needed, each with its program and instruction.
    fields: Vec<(usize, usize, statement::NamedField)>,
    text: Arc<Text>,
}

/// A program of a text.
#[derive(Clone, Debug)]
pub struct NamedProgram {
    /// Its `.program` line; its words are empty if it has none.
    pub line: ProgramLine,
    /// The flags of its `.flags` lines, by the kernel's numbers.
    pub flags: u32,
    /// The instructions that refer to an extern, each with its place among those of the text.
    pub externs: Vec<(usize, usize)>,
    /// The functions whose type is given, by their first instruction, and its id.
    pub functions: Vec<(usize, u32)>,
    /// The instructions that depend on the kernel's types, in order: they are as the text has them.
    pub relocations: Vec<(usize, CoreLine)>,
    /// The program. Until [`Source::resolve`] is called, it has fields by name.
    pub program: Program,
}

/// An offset in bytes, if it is known; or the mistake in the field, and what to write instead.
pub type FieldOffset = Result<Option<u32>, (String, Option<String>)>;
/// The largest number of instructions in a program, which is the kernel's limit.
const INSTRUCTIONS: usize = 1_000_000;
/// The largest number of fields, since each costs a search through the kernel's types.
const FIELDS: usize = 1000;
/// The largest number of maps in a text. The kernel's limit is 64 for one program.
const MAPS: usize = 1000;

/// The largest number of types in a text.
const TYPES: usize = 1 << 16;

/// Reads a text; `file` is its name.
///
/// # Errors
/// The text's mistakes, line by line.
pub fn parse(file: &str, text: &str) -> Result<Source, Mistakes> {
    let mut parser = TextParser {
        text: Arc::new(Text::new(file, text)),
        license: None,
        maps: vec![],
        externs: vec![],
        types: vec![],
        restated: None,
        done: vec![],
        open: Open::default(),
        mistakes: vec![],
    };
    parser.read();
    parser.finish()
}

/// The instruction in a line of the verifier's log, from its opcode and its text: kernel functions, whose
/// names only that kernel knows, by number. `None` if it is no instruction that we know.
///
/// ```
/// use rawbpf::insn::{Callee, Insn, parse::logged};
///
/// assert_eq!(logged(0x95, "exit"), Some(Insn::Exit));
/// let call = Callee::Kfunc { id: 84967, fd_index: 0 };
/// assert_eq!(logged(0x85, "call bpf_rcu_read_lock#84967"), Some(Insn::Call(call)));
/// ```
pub fn logged(code: u8, text: &str) -> Option<Insn> {
    if let Some(callee) = text.strip_prefix("call ").filter(|callee| !callee.starts_with("pc")) {
        let (name, id) = callee.split_once('#').unwrap_or(("", callee));
        let id = id.trim_end().parse().ok()?;
        // Helpers are numbered from 1, kernel functions by types, of which there are thousands before them.
        let is_helper = name != "kernel-function" && (matches!(name, "" | "unknown") || id < 1000);
        let callee = if is_helper { Callee::Helper(id) } else { Callee::Kfunc { id, fd_index: 0 } };
        return Some(Insn::Call(callee));
    }
    // Linux before 5.1.
    let older = text.contains("(u32) r").then(|| text.replace("(u32) r", "w"));
    let insn = statement(&mut Tokens::new(older.as_deref().unwrap_or(text), 0), code == 0x18);
    let Statement { insn, need: Need::Nothing } = insn.ok()? else { return None };
    insn.to_slots().next().is_some_and(|slot| slot.code == code).then_some(insn)
}

/// A program that is being read.
#[derive(Default)]
struct Open {
    line: ProgramLine,
    flags: u32,
    insns: Vec<Insn>,
    places: Vec<(u32, u32)>,
    notes: Vec<(usize, Note)>,
    /// The labels, each with its index in `placed`.
    labels: HashMap<String, u32>,
    /// For each label the instruction after it, and the label's place in the text.
    placed: Vec<(usize, TextSpan)>,
    needs: Vec<(usize, Need)>,
    externs: Vec<(usize, usize)>,
    functions: Vec<(usize, u32)>,
    relocations: Vec<(usize, CoreLine)>,
}

impl Open {
    /// The instruction after a label, and the label's place in the text.
    fn placed(&self, label: &str) -> Option<(usize, TextSpan)> {
        self.labels.get(label).map(|index| self.placed[*index as usize])
    }
}

struct TextParser {
    text: Arc<Text>,
    license: Option<Word>,
    maps: Vec<MapLine>,
    externs: Vec<ExternLine>,
    types: Vec<Word>,
    /// The last map that was defined again, whose content is then given again too.
    restated: Option<usize>,
    done: Vec<Open>,
    open: Open,
    mistakes: Vec<Mistake>,
}

impl TextParser {
    fn read(&mut self) {
        let text = self.text.clone();
        for (number, line) in (1..).zip(&text.lines) {
            if let Err(mistake) = self.line(line, number) {
                self.mistakes.push(*mistake);
            }
            let too_long = self.open.insns.len() == INSTRUCTIONS && !self.mistakes.is_empty();
            if self.mistakes.len() == SHOWN || too_long {
                return;
            }
        }
        self.close();
    }

    fn line(&mut self, line: &str, number: u32) -> Result<(), Box<Mistake>> {
        let (code, comment) = token::comment(line);
        if code.trim_start().starts_with('.') && !is_label(code) {
            return self.directive(directive(code, number)?);
        }
        let mut tokens = Tokens::new(code, number);
        let wide = prefix(&mut tokens)?;
        let before = self.open.insns.len();
        while let Some(label) = label(&mut tokens)? {
            self.label(label)?;
        }
        if tokens.peek() != Token::End {
            let TextSpan { line, start, .. } = tokens.span();
            let Statement { insn, need } = statement(&mut tokens, wide)?;
            if before == INSTRUCTIONS {
                return Err(Mistake::new(
                    tokens.span(),
                    "no program has more than a million instructions",
                ));
            }
            let column = code[..start].chars().count() as u32 + 1;
            self.open.insns.push(insn);
            self.open.places.push((line, column));
            if !matches!(need, Need::Nothing) {
                self.open.needs.push((before, need));
            }
        }
        if let Some(comment) = comment.map(str::to_owned) {
            not_code(code, &comment, number)?;
            let alone = code.trim().is_empty() || self.open.insns.len() == before;
            let note = if alone { Note::Comment(comment) } else { Note::Behind(comment) };
            self.open.notes.push((before, note));
        }
        Ok(())
    }

    fn label(&mut self, Word { text, span }: Word) -> Result<(), Box<Mistake>> {
        let at = self.open.insns.len();
        if let Some((_, first)) = self.open.placed(&text) {
            let what = format!("the label `{text}` is placed twice");
            return Err(
                Mistake::new(span, what).help(format!("it is placed first in line {}", first.line))
            );
        }
        self.open.notes.push((at, Note::Label(text.clone())));
        self.open.labels.insert(text, self.open.placed.len() as u32);
        self.open.placed.push((at, span));
        Ok(())
    }

    fn directive(&mut self, directive: Directive) -> Result<(), Box<Mistake>> {
        match directive {
            Directive::Program(line) => {
                self.close();
                self.open.line = line;
            }
            Directive::Flags(word, flags) => {
                if !self.open.insns.is_empty() {
                    return Err(Mistake::new(word.span, "flags stand before the instructions")
                        .help("after the .program line, or at the beginning"));
                }
                self.open.flags |= flags;
            }
            Directive::Extern(line) => {
                if self.externs.len() == MAPS {
                    let what = format!("more than {MAPS} names of the kernel's");
                    return Err(Mistake::new(line.name.span, what));
                }
                self.externs.push(line);
            }
            Directive::Type(line) => {
                if self.types.len() == TYPES {
                    return Err(Mistake::new(line.span, format!("more than {TYPES} types")));
                }
                self.types.push(line);
            }
            Directive::Function(id) => self.open.functions.push((self.open.insns.len(), id)),
            Directive::Core(line) => self.open.relocations.push((self.open.insns.len(), line)),
            Directive::Data(name, bytes) => {
                let index = self.map(&name.text).ok_or_else(|| self.no_map(&name))? as usize;
                let map = &mut self.maps[index];
                if self.restated.take_if(|restated| *restated == index).is_some() {
                    map.content.clear();
                }
                map.content.extend(bytes);
                if map.content.len() > map.value_size as usize {
                    let (all, most) = (map.content.len(), map.value_size);
                    let what =
                        format!("{all} bytes are more than the map's value, which has {most}");
                    return Err(Mistake::new(name.span, what));
                }
            }
            Directive::License(license) => {
                if license.text.contains('\0') {
                    return Err(Mistake::new(license.span, "a licence cannot contain a NUL"));
                }
                match &self.license {
                    Some(first) if first.text != license.text => {
                        let what = format!("the licence was \"{}\" before", first.text);
                        return Err(Mistake::new(license.span, what)
                            .help("all programs of a file have one licence"));
                    }
                    _ => self.license = Some(license),
                }
            }
            Directive::Map(map) => {
                if let Some(inner) = &map.inner
                    && self.map(&inner.text).is_none()
                {
                    return Err(self.no_map(inner));
                }
                let index = self.map(&map.name.text).map(|index| index as usize);
                match index.map(|index| &self.maps[index]) {
                    None if self.maps.len() < MAPS => self.maps.push(map),
                    None => {
                        let what = format!("more than {MAPS} maps");
                        return Err(Mistake::new(map.name.span, what));
                    }
                    // In a listing each program has its maps above it.
                    Some(first) if first.same(&map) => self.restated = index,
                    Some(first) => {
                        let what = format!("another map is called `{}`", map.name.text);
                        return Err(Mistake::new(map.name.span, what)
                            .help(format!("it is in line {}", first.name.span.line)));
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends the program that is being read.
    fn close(&mut self) {
        let open = std::mem::take(&mut self.open);
        let end = open.insns.len();
        if end > 0 {
            let late = open.relocations.last().filter(|(at, _)| *at == end);
            if let Some((_, line)) = late {
                self.mistakes.push(*Mistake::new(line.kind.span, "no instruction follows"));
            }
            self.done.push(open);
            return;
        }
        // Comments above the first program are its own.
        match open.line.name.text.is_empty() && open.labels.is_empty() {
            true => {
                self.open = Open {
                    notes: open.notes,
                    flags: open.flags,
                    functions: open.functions,
                    ..Open::default()
                }
            }
            false => {
                let span = open.placed.first().map_or(open.line.name.span, |(_, span)| *span);
                self.mistakes.push(*Mistake::new(span, "the program has no instructions"));
            }
        }
    }

    fn finish(mut self) -> Result<Source, Mistakes> {
        let mut programs = vec![];
        let mut fields = vec![];
        let done = std::mem::take(&mut self.done);
        let license = self.license.take().map(|license| license.text);
        for (index, mut open) in done.into_iter().enumerate() {
            let mut unresolved = vec![];
            let slots = slots(&open.insns);
            for (at, need) in std::mem::take(&mut open.needs) {
                if let Need::Field(field) = need {
                    let statement::NamedField { of, member, .. } = &field;
                    unresolved.push((at, format!("offsetof(struct {of}, {member})")));
                    fields.push((index, at, field));
                } else if self.mistakes.len() < SHOWN
                    && let Err(mistake) = self.supply(&mut open, &slots, at, need)
                {
                    self.mistakes.push(*mistake);
                }
            }
            programs.push(NamedProgram {
                line: open.line,
                flags: open.flags,
                externs: open.externs,
                functions: open.functions,
                relocations: open.relocations,
                program: Program {
                    insns: open.insns,
                    written: Written::Text(self.text.clone(), open.places),
                    unresolved,
                    notes: open.notes,
                    license: license.as_deref().and_then(|text| CString::new(text).ok()),
                    types: None,
                    modules: vec![],
                    missing: vec![],
                },
            });
        }
        if let Some((_, _, field)) = fields.get(FIELDS) {
            self.mistakes.push(*Mistake::new(field.span, format!("more than {FIELDS} fields")));
        }
        if programs.is_empty() && self.mistakes.is_empty() {
            let span = TextSpan { line: 1, ..TextSpan::default() };
            self.mistakes.push(*Mistake::new(span, "the text has no instructions"));
        }
        let TextParser { text, maps, externs, types, mistakes, .. } = self;
        if mistakes.is_empty() {
            return Ok(Source { license, maps, externs, types, programs, fields, text });
        }
        Err(shown(&text, mistakes))
    }

    /// Replaces the name in an instruction by its number.
    fn supply(
        &self,
        open: &mut Open,
        slots: &[usize],
        at: usize,
        need: Need,
    ) -> Result<(), Box<Mistake>> {
        let insn = open.insns[at];
        open.insns[at] = match (insn, need) {
            (Insn::LoadImm64 { dst, value }, Need::Map(word)) => {
                let index = self.map(&word.text).ok_or_else(|| self.no_map(&word))?;
                let value = match value {
                    Imm64::MapIndexValue { offset, .. } => Imm64::MapIndexValue { index, offset },
                    _ => Imm64::MapIndex(index),
                };
                Insn::LoadImm64 { dst, value }
            }
            (Insn::LoadImm64 { dst, .. }, Need::Symbol(word)) => match self.map(&word.text) {
                Some(index) => Insn::LoadImm64 { dst, value: Imm64::MapIndex(index) },
                None if open.labels.contains_key(&word.text) => {
                    with_distance(insn, distance(open, slots, at, &word)?, &word)?
                }
                None => return Err(self.no_map(&word)),
            },
            (_, Need::Extern(word)) => match self.extern_(&word) {
                Some(place) => {
                    open.externs.push((at, place));
                    insn
                }
                None => return Err(no_extern(&word)),
            },
            // As an object has it before it is linked.
            (Insn::Call(_), Need::Callee(word))
                if self.extern_(&word).is_some() && !open.labels.contains_key(&word.text) =>
            {
                open.externs.extend(self.extern_(&word).map(|place| (at, place)));
                Insn::Call(Callee::Local { offset: -1 })
            }
            (Insn::Call(_), Need::Callee(word)) if !open.labels.contains_key(&word.text) => {
                match Helper::by_name(&format!("bpf_{}", word.text)) {
                    Some(helper) => Insn::Call(Callee::Helper(helper.id as i32)),
                    None => {
                        let label = like(&word.text, &mut open.labels.keys().map(String::as_str));
                        let wrong = no_helper(&word);
                        return Err(match label {
                            Some(label) => wrong.help(format!("did you mean `{label}`?")),
                            None => wrong,
                        });
                    }
                }
            }
            (_, Need::Label(word) | Need::Callee(word)) => {
                with_distance(insn, distance(open, slots, at, &word)?, &word)?
            }
            (insn, _) => insn,
        };
        Ok(())
    }

    fn extern_(&self, word: &Word) -> Option<usize> {
        self.externs.iter().position(|line| line.name.text == word.text)
    }

    fn map(&self, name: &str) -> Option<i32> {
        self.maps.iter().position(|map| map.name.text == name).map(|index| index as i32)
    }

    fn no_map(&self, word: &Word) -> Box<Mistake> {
        let mut names = self.maps.iter().map(|map| map.name.text.as_str());
        Mistake::new(word.span, format!("no map is called `{}`", word.text))
            .meant(&word.text, &mut names)
            .or_help(&format!("define it: .map {} array key 4 value 8 entries 1", word.text))
    }
}

fn no_extern(word: &Word) -> Box<Mistake> {
    let what = format!("`{}` is not declared", word.text);
    Mistake::new(word.span, what).help(format!("declare it: .extern {}", word.text))
}

/// The mistakes in the order of the text.
fn shown(text: &Text, mut mistakes: Vec<Mistake>) -> Mistakes {
    for end in 1..mistakes.len() {
        let before = mistakes[..end].partition_point(|it| it.span.line <= mistakes[end].span.line);
        mistakes[before..=end].rotate_right(1);
    }

    let line = |number: u32| text.lines.get(number as usize - 1).cloned().unwrap_or_default();
    let all = mistakes.into_iter().map(|mistake| {
        let line = line(mistake.span.line.max(1));
        (mistake, line)
    });
    Mistakes { file: text.file.clone(), all: all.take(SHOWN).collect() }
}

impl Source {
    /// Replaces the names of fields by their offsets, which `offset` returns: a number, `None` if it is not
    /// known and the name must stay, or the mistake and what to write instead.
    ///
    /// # Errors
    /// The mistakes that `offset` returned, or an offset that does not fit its instruction.
    pub fn resolve(
        &mut self,
        offset: &mut dyn FnMut(&str, &str) -> FieldOffset,
    ) -> Result<(), Mistakes> {
        let mut known: Vec<(&str, &str, FieldOffset)> = vec![];
        let mut mistakes = vec![];
        for (program, at, field) in &self.fields {
            let statement::NamedField { of, member, span } = field;
            let asked = match known.iter().position(|(o, m, _)| o == of && m == member) {
                Some(index) => index,
                None => {
                    known.push((of, member, offset(of, member)));
                    known.len() - 1
                }
            };
            let asked = &known[asked].2;
            let program = &mut self.programs[*program].program;
            match asked {
                Ok(None) => {}
                Err((what, help)) => {
                    mistakes.push(Mistake { span: *span, what: what.clone(), help: help.clone() });
                }
                Ok(Some(offset)) => match with_offset(program.insns[*at], *offset) {
                    Some(insn) => {
                        program.insns[*at] = insn;
                        program.unresolved.retain(|(index, _)| index != at);
                    }
                    None => mistakes.push(*Mistake::new(
                        *span,
                        format!("the offset {offset} does not fit the instruction"),
                    )),
                },
            }
        }
        match mistakes.is_empty() {
            true => Ok(()),
            false => Err(shown(&self.text, mistakes)),
        }
    }

    /// What somebody found wrong who knows more than the text: with a map's type or a place.
    pub fn mistake(&self, word: &Word, what: String, help: Option<String>) -> Mistakes {
        shown(&self.text, vec![Mistake { span: word.span, what, help }])
    }
}

/// The slot of each instruction, and of the end.
fn slots(insns: &[Insn]) -> Vec<usize> {
    let mut slots = vec![0; insns.len() + 1];
    for (index, insn) in insns.iter().enumerate() {
        slots[index + 1] = slots[index] + insn.slots();
    }
    slots
}

/// The distance from the end of an instruction's first slot to a label.
fn distance(open: &Open, slots: &[usize], at: usize, word: &Word) -> Result<i64, Box<Mistake>> {
    match open.placed(&word.text) {
        Some((to, span)) if to == open.insns.len() => {
            Err(Mistake::new(span, "no instruction follows this label"))
        }
        Some((to, _)) => Ok(slots[to] as i64 - slots[at] as i64 - 1),
        None => Err(Mistake::new(word.span, format!("no label is called `{}`", word.text))
            .meant(&word.text, &mut open.labels.keys().map(String::as_str))),
    }
}

/// The instruction with its jump set.
fn with_distance(insn: Insn, distance: i64, word: &Word) -> Result<Insn, Box<Mistake>> {
    let too_far = |help: &str| {
        let what = format!("`{}` is {distance} slots away, more than 16 bits hold", word.text);
        Mistake::new(word.span, what).help(help)
    };
    let short = i16::try_from(distance).ok();
    let long = distance as i32; // A program has far fewer slots.
    Ok(match insn {
        Insn::Goto { .. } => {
            let offset = short.ok_or_else(|| too_far("gotol reaches further (Linux 6.6)"))?;
            Insn::Goto { offset }
        }
        Insn::MayGoto { .. } | Insn::JumpIf { .. } => {
            let help = "jump the other way over a gotol (Linux 6.6)";
            let offset = short.ok_or_else(|| too_far(help))?;
            match insn {
                Insn::JumpIf { width, cond, dst, src, .. } => {
                    Insn::JumpIf { width, cond, dst, src, offset }
                }
                _ => Insn::MayGoto { offset },
            }
        }
        Insn::Gotol { .. } => Insn::Gotol { offset: long },
        Insn::Call(_) => Insn::Call(Callee::Local { offset: long }),
        Insn::LoadImm64 { dst, .. } => Insn::LoadImm64 { dst, value: Imm64::Func { offset: long } },
        other => other,
    })
}

/// The instruction with the offset of a field.
fn with_offset(insn: Insn, bytes: u32) -> Option<Insn> {
    let offset = i16::try_from(bytes);
    let mut insn = insn;
    match &mut insn {
        Insn::Alu { src, .. } => {
            *src = super::Operand::Imm(i32::try_from(bytes).ok()?);
        }
        Insn::Load { offset: at, .. }
        | Insn::Store { offset: at, .. }
        | Insn::Atomic { offset: at, .. }
        | Insn::LoadAcquire { offset: at, .. }
        | Insn::StoreRelease { offset: at, .. } => *at = offset.ok()?,
        _ => return None,
    }
    Some(insn)
}

/// Refuses a comment that is an instruction: elsewhere `;` separates statements, and `r0 = 0; exit` must
/// not silently lose its exit.
fn not_code(code: &str, comment: &str, line: u32) -> Result<(), Box<Mistake>> {
    let touches = code.ends_with(|c: char| !c.is_whitespace());
    if !touches || statement(&mut Tokens::new(comment, line), false).is_err() {
        return Ok(());
    }
    let span = TextSpan { line, start: code.len(), end: code.len() + 1 };
    Err(Mistake::new(span, "`;` begins a comment, but this comment is an instruction")
        .help("write one instruction on a line, or a space before `;`"))
}

/// Skips the part of a listing before an instruction: `3: (b7)`, or `3: b7 00 00 00 00 00 00 00` as
/// llvm-objdump prints it. Returns whether the opcode is that of a two-slot load.
fn prefix(tokens: &mut Tokens) -> Result<bool, Box<Mistake>> {
    let mut ahead = tokens.clone();
    if let Token::Number(_) = ahead.next()
        && ahead.eat(":")
    {
        *tokens = ahead;
    }
    let mut ahead = tokens.clone();
    if ahead.eat("(")
        && let Some(code) = byte(&mut ahead)
        && ahead.eat(")")
    {
        *tokens = ahead;
        return Ok(code == 0x18);
    }
    let mut ahead = tokens.clone();
    let bytes: Vec<u8> = std::iter::from_fn(|| byte(&mut ahead)).take(16).collect();
    if matches!(bytes.len(), 8 | 16) {
        *tokens = ahead;
    }
    Ok(bytes.len() == 16)
}

/// Two hexadecimal digits.
fn byte(tokens: &mut Tokens) -> Option<u8> {
    let (Token::Name(text) | Token::Number(text)) = tokens.peek() else { return None };
    let byte = u8::from_str_radix(text, 16).ok().filter(|_| text.len() == 2)?;
    tokens.next();
    Some(byte)
}

/// Whether a line that begins with a point begins with a label: `.L1:`.
fn is_label(code: &str) -> bool {
    let mut tokens = Tokens::new(code, 0);
    tokens.next();
    tokens.peek() == Token::Sign(":")
}

/// A label, if one is next.
fn label(tokens: &mut Tokens) -> Result<Option<Word>, Box<Mistake>> {
    let mut ahead = tokens.clone();
    let Token::Name(_) = ahead.peek() else { return Ok(None) };
    let word = ahead.word("a label")?;
    if !ahead.eat(":") {
        return Ok(None);
    }
    let number = word.text.strip_prefix(['r', 'w']).unwrap_or("?");
    if number.bytes().all(|digit| digit.is_ascii_digit()) && !number.is_empty()
        || matches!(word.text.as_str(), "pc" | "fp" | "s")
    {
        return Err(Mistake::new(word.span, format!("`{}` cannot be a label", word.text)));
    }
    *tokens = ahead;
    Ok(Some(word))
}
