//! An assembled program: its instructions, their source lines, and their names.

use std::ffi::{CStr, CString};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::instruction::{Callee, Imm64, Insn};
use super::listing::{self, Names};
use super::source_text::SourceText;

/// A map by its place among the program's maps. It becomes a file descriptor when the program
/// is loaded, so that assembling and listing need no kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct MapRef(pub u16);

impl MapRef {
    /// The map's element in a list of the program's maps, or in a list with an element for each of them.
    pub fn of<T>(self, maps: &[T]) -> Option<&T> {
        maps.get(usize::from(self.0))
    }
}

/// The source line of an instruction: of Rust, or of a program's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line<'a> {
    /// The file: for Rust its path in the project, for a text its given name.
    pub file: &'a str,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// The line's text, if it is known; for Rust, from [`Asm::with_source`](super::Asm::with_source).
    pub text: Option<&'a str>,
}

impl Line<'static> {
    /// The calling line of Rust.
    #[track_caller]
    pub(super) fn caller() -> Line<'static> {
        Line::at(Location::caller())
    }

    /// The paths of our programs begin in `src`, since they are included from there.
    pub(super) fn at(location: &'static Location<'static>) -> Line<'static> {
        let file = location.file();
        let file = file.strip_prefix("src/../").unwrap_or(file);
        Line { file, line: location.line(), column: location.column(), text: None }
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The source lines of a program's instructions, one for each.
#[derive(Clone, Debug)]
pub(super) enum Written {
    /// Lines of Rust, and the text of the file.
    Rust(Vec<&'static Location<'static>>, Option<&'static SourceText>),
    /// A text, by line and column from 1.
    Text(Arc<Text>, Vec<(u32, u32)>),
    /// The lines of an object's source, and the index of one for each instruction.
    Object(Arc<[ObjectLine]>, Vec<u32>),
}

impl Written {
    /// Says of so many more instructions that they are written where one is.
    fn repeat(&mut self, index: usize, more: usize) {
        match self {
            Written::Rust(lines, _) => drop(lines.splice(index..index, vec![lines[index]; more])),
            Written::Text(_, places) => {
                drop(places.splice(index..index, vec![places[index]; more]))
            }
            Written::Object(_, lines) => drop(lines.splice(index..index, vec![lines[index]; more])),
        }
    }
}

/// A line of an object's source.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)] // As of [`Line`].
pub struct ObjectLine {
    pub file: String,
    /// From 1; 0 if the object does not have it.
    pub line: u32,
    pub column: u32,
    pub text: String,
}

/// A text that programs are made from, and its name.
#[derive(Debug)]
pub struct Text {
    pub(super) file: String,
    pub(super) lines: Vec<String>,
}

impl Text {
    /// A text; `file` is its name.
    pub fn new(file: &str, text: &str) -> Text {
        Text { file: file.to_owned(), lines: text.lines().map(str::to_owned).collect() }
    }
}

/// A label or comment of a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// `out:`, before an instruction.
    Label(String),
    /// A comment on a line of its own, before an instruction or after the last.
    Comment(String),
    /// A comment after an instruction.
    Behind(String),
}

/// A program, made by [`Asm::finish`](super::Asm::finish), from text or from an object.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) insns: Vec<Insn>,
    pub(super) written: Written,
    /// Fields whose offset is not known, by instruction, as they are listed.
    pub(super) unresolved: Vec<(usize, String)>,
    /// By instruction, in order.
    pub(super) notes: Vec<(usize, Note)>,
    pub(super) license: Option<CString>,
    /// Of an object's program.
    pub(super) types: Option<Box<ObjectTypes>>,
    /// The kernel's modules that instructions refer to by their place here, from 1.
    pub(super) modules: Vec<String>,
    /// The slots of calls in place of what this kernel does not have.
    pub(super) missing: Vec<usize>,
}

/// An object's BTF, and what a program's instructions have to do with it.
#[derive(Clone, Debug)]
pub struct ObjectTypes {
    /// The BTF, ready to be loaded.
    pub btf: Arc<[u8]>,
    /// For each function its first slot and its type.
    pub functions: Vec<[u32; 2]>,
    /// Where source lines begin: slot, file, text, line and column as the kernel wants them.
    pub lines: Vec<[u32; 4]>,
}

impl Program {
    /// A program of an object. `written` has a place among the `lines` for each instruction, `labels`
    /// the functions by the instruction they begin at, in order, `types` what the object says of its types.
    ///
    /// # Panics
    /// `written` is not as long as `insns`.
    pub fn linked(
        insns: Vec<Insn>,
        lines: Arc<[ObjectLine]>,
        written: Vec<u32>,
        labels: Vec<(usize, String)>,
        license: Option<CString>,
        types: Option<Box<ObjectTypes>>,
    ) -> Program {
        assert_eq!(insns.len(), written.len(), "a line for each instruction");
        let notes = labels.into_iter().map(|(at, name)| (at, Note::Label(name))).collect();
        let written = Written::Object(lines, written);
        Program {
            insns,
            written,
            unresolved: vec![],
            notes,
            license,
            types,
            modules: vec![],
            missing: vec![],
        }
    }

    /// The instructions.
    pub fn insns(&self) -> &[Insn] {
        &self.insns
    }

    /// Each instruction with its slot and the line that wrote it.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &Insn, Line<'_>)> {
        let mut next = 0;
        self.insns.iter().enumerate().map(move |(index, insn)| {
            let slot = next;
            next += insn.slots();
            (slot, insn, self.line(index))
        })
    }

    /// The lines that the kernel accepts: those that are known, but none of what looks like the second half of a
    /// load.
    pub fn known_lines(&self) -> impl Iterator<Item = (usize, &Insn, Line<'_>)> {
        self.lines().filter(|(_, insn, line)| {
            line.line > 0 && !matches!(insn, Insn::Raw(slot) if slot.code == 0)
        })
    }

    fn line(&self, index: usize) -> Line<'_> {
        match &self.written {
            Written::Rust(lines, source) => {
                let source = source.filter(|source| source.file == lines[index].file());
                let text = source.and_then(|source| source.line(lines[index].line()));
                Line { text, ..Line::at(lines[index]) }
            }
            Written::Text(text, places) => {
                let (line, column) = places[index];
                let text_of = text.lines.get(line as usize - 1).map(|line| line.trim());
                Line { file: &text.file, line, column, text: text_of.or(Some("")) }
            }
            Written::Object(lines, places) => {
                let ObjectLine { file, line, column, text } = &lines[places[index] as usize];
                Line { file, line: *line, column: *column, text: Some(text.trim()) }
            }
        }
    }

    /// A field whose offset is not known, if there is one; such a program can be listed but not run.
    pub fn unresolved(&self) -> Option<&str> {
        self.unresolved.first().map(|(_, field)| field.as_str())
    }

    /// Labels and comments, each with the index of the instruction it belongs to. A program made from
    /// text has some, and one of an object the names of its functions.
    pub fn notes(&self) -> &[(usize, Note)] {
        &self.notes
    }

    /// The program, which at these slots has calls in place of what this kernel does not have.
    pub fn with_missing(self, missing: Vec<usize>) -> Program {
        Program { missing, ..self }
    }

    /// Says at which slots it has calls in place of what this kernel does not have.
    pub fn set_missing(&mut self, missing: Vec<usize>) {
        self.missing = missing;
    }

    /// The slots of calls in place of what this kernel does not have, in the order of the instructions.
    pub fn missing(&self) -> &[usize] {
        &self.missing
    }

    /// The program, whose instructions refer to these modules of the kernel by their place, from 1.
    pub fn with_modules(self, modules: Vec<String>) -> Program {
        Program { modules, ..self }
    }

    /// The modules of the kernel that instructions refer to by their place, from 1.
    pub fn modules(&self) -> &[String] {
        &self.modules
    }

    /// The types of an object's program.
    pub fn types(&self) -> Option<&ObjectTypes> {
        self.types.as_deref()
    }

    /// The licence that the program's text names.
    pub fn license(&self) -> Option<&CStr> {
        self.license.as_deref()
    }

    /// This program under another licence.
    pub fn with_license(self, license: CString) -> Program {
        Program { license: Some(license), ..self }
    }

    /// The program's functions: the first slot of each, and its label if it has one. The first is the program
    /// itself; the others are called, or referred to by address.
    pub fn functions(&self) -> impl Iterator<Item = (usize, Option<&str>)> {
        let mut starts = vec![false; self.insns.iter().map(Insn::slots).sum::<usize>() + 1];
        starts[0] = true;
        for (slot, insn, _) in self.lines() {
            let offset = match *insn {
                Insn::Call(Callee::Local { offset }) => offset,
                Insn::LoadImm64 { value: Imm64::Func { offset }, .. } => offset,
                _ => continue,
            };
            // Both count from the slot after the first.
            let to = usize::try_from(slot as i64 + 1 + i64::from(offset)).ok();
            if let Some(start) = to.and_then(|to| starts.get_mut(to)) {
                *start = true;
            }
        }
        let lines = self.lines().enumerate();
        lines.filter(move |(_, (slot, ..))| starts[*slot]).map(|(index, (slot, ..))| {
            let notes = self.notes.partition_point(|(at, _)| *at < index);
            let notes = self.notes[notes..].iter().take_while(|(at, _)| *at == index);
            let mut labels = notes.filter_map(|(_, note)| match note {
                Note::Label(name) => Some(name.as_str()),
                _ => None,
            });
            (slot, labels.next())
        })
    }

    /// Puts instructions in the place of others of as many slots. They refer to these modules of the kernel.
    pub fn link(&mut self, replaced: &[(usize, Insn)], modules: &[String]) {
        for (index, insn) in replaced {
            self.insns[*index] = *insn;
        }
        self.modules = modules.to_vec();
    }

    /// Puts instructions in the place of one of as many slots.
    pub fn replace(&mut self, index: usize, with: &[Insn]) {
        self.insns.splice(index..=index, with.iter().copied());
        let more = with.len() - 1;
        self.written.repeat(index, more);
        let notes = self.notes.iter_mut().map(|(at, _)| at);
        let after = notes.chain(self.unresolved.iter_mut().map(|(at, _)| at));
        after.filter(|at| **at > index).for_each(|at| *at += more);
    }

    /// Gives the program types of its own.
    pub fn set_types(&mut self, types: ObjectTypes) {
        self.types = Some(Box::new(types));
    }

    /// Whether an instruction refers to the map of this place.
    pub fn uses_map(&self, place: usize) -> bool {
        self.insns.iter().any(|insn| match *insn {
            Insn::LoadImm64 {
                value: Imm64::MapIndex(index) | Imm64::MapIndexValue { index, .. },
                ..
            } => usize::try_from(index) == Ok(place),
            _ => false,
        })
    }

    /// The instructions with file descriptors in place of the maps' indices; `None` if an index has none.
    pub fn with_map_fds(&self, fds: &[i32]) -> Option<Vec<Insn>> {
        let fd = |index: i32| fds.get(usize::try_from(index).ok()?).copied();
        let replaced = self.insns.iter().map(|insn| {
            Some(match *insn {
                Insn::LoadImm64 { dst, value: Imm64::MapIndex(index) } => {
                    Insn::LoadImm64 { dst, value: Imm64::MapFd(fd(index)?) }
                }
                Insn::LoadImm64 { dst, value: Imm64::MapIndexValue { index, offset } } => {
                    Insn::LoadImm64 { dst, value: Imm64::MapFdValue { fd: fd(index)?, offset } }
                }
                other => other,
            })
        });
        replaced.collect()
    }

    /// The program as the verifier prints it, maps by these names, with its labels and comments.
    pub fn listing<'a>(&'a self, maps: &'a [&'a str]) -> impl fmt::Display + 'a {
        struct Listing<'a>(&'a Program, &'a [&'a str]);
        impl fmt::Display for Listing<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for text in self.0.texts(self.1) {
                    f.write_str(&text.before)?;
                    writeln!(f, "{}{}", text.line, text.behind)?;
                }
                f.write_str(&self.0.end())
            }
        }
        Listing(self, maps)
    }

    /// The parts of the listing, by instruction.
    pub fn texts<'a>(&'a self, maps: &'a [&'a str]) -> impl Iterator<Item = Listed> + 'a {
        let mut notes = self.notes.iter().peekable();
        let mut fields = self.unresolved.iter().peekable();
        self.lines().enumerate().map(move |(index, (slot, insn, _))| {
            let field = fields.next_if(|(at, _)| *at == index).map(|(_, field)| field.as_str());
            let line = listing::line(slot, insn, Names { maps, field }).to_string();
            let mut listed = Listed { line, before: String::new(), behind: String::new() };
            while let Some((_, note)) = notes.next_if(|(at, _)| *at == index) {
                match note {
                    Note::Behind(text) => listed.behind = format!(" ;{text}"),
                    _ => listed.before += &note.to_string(),
                }
            }
            listed
        })
    }

    /// The comments after the last instruction.
    pub fn end(&self) -> String {
        let notes = self.notes.iter().skip_while(|(at, _)| *at < self.insns.len());
        notes.map(|(_, note)| note.to_string()).collect()
    }
}

/// The part of a listing for an instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The labels and comments before it, as whole lines.
    pub before: String,
    /// `3: (b7) r0 = 0`
    pub line: String,
    /// The comment after it.
    pub behind: String,
}

/// A line of its own.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Label(name) => writeln!(f, "{name}:"),
            Note::Comment(text) | Note::Behind(text) => writeln!(f, ";{text}"),
        }
    }
}
