//! An assembled program: instructions, where each was written, and what it refers to by name.

use std::fmt;
use std::panic::Location;

use super::instruction::{Imm64, Insn};
use super::listing::{self, Names};
use super::mem::Field;

/// A map by its place among the program's maps. It becomes a file descriptor when the program
/// is loaded, so that assembling and listing need no kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct MapRef(pub u16);

/// The line of Rust that wrote an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line(pub &'static Location<'static>);

impl Line {
    /// The file as the project's tree has it: programs are wired in by a path that begins in
    /// `src`.
    pub fn file(&self) -> &'static str {
        let file = self.0.file();
        file.strip_prefix("src/../").unwrap_or(file)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file(), self.0.line())
    }
}

/// What [`Asm::finish`](super::Asm::finish) returns.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) insns: Vec<Insn>,
    pub(super) lines: Vec<Line>,
    pub(super) unresolved: Vec<(usize, Field)>,
}

impl Program {
    /// The instructions.
    pub fn insns(&self) -> &[Insn] {
        &self.insns
    }

    /// Each instruction with its slot and the line of Rust that wrote it.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &Insn, Line)> {
        let slots = self.insns.iter().scan(0, |next, insn| {
            let slot = *next;
            *next += insn.slots();
            Some(slot)
        });
        slots.zip(&self.insns).zip(&self.lines).map(|((slot, insn), line)| (slot, insn, *line))
    }

    /// A field whose offset nobody has told; such a program can be listed but not run.
    pub fn unresolved(&self) -> Option<Field> {
        self.unresolved.first().map(|(_, field)| *field)
    }

    /// The field that instruction `index` waits for.
    pub(super) fn field(&self, index: usize) -> Option<Field> {
        self.unresolved.iter().find(|(at, _)| *at == index).map(|(_, field)| *field)
    }

    /// The instructions with file descriptors in place of the maps' places; `None` if a place
    /// has none.
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

    /// The program as the verifier prints it, maps by these names.
    pub fn listing<'a>(&'a self, maps: &'a [&'a str]) -> impl fmt::Display + 'a {
        struct Listing<'a>(&'a Program, &'a [&'a str]);
        impl fmt::Display for Listing<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (index, (slot, insn, _)) in self.0.lines().enumerate() {
                    let names = Names { maps: self.1, field: self.0.field(index) };
                    writeln!(f, "{}", listing::line(slot, insn, names))?;
                }
                Ok(())
            }
        }
        Listing(self, maps)
    }
}
