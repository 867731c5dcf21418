//! Programs that are not loaded yet, with their source lines and comments.

use std::rc::Rc;

use super::{Dump, DumpLine, DumpRow, MapRow, Origin};
use crate::insn::parse::{ProgramLine, Word};
use crate::insn::{Endian, Program, encode};

/// A program that can be attached or run.
#[derive(Clone, Copy, Debug)]
pub struct Attachable<'a> {
    /// Its name.
    pub name: &'a str,
    /// How it is attached, or its type.
    pub kind: &'a str,
    /// Where it is attached; may be empty.
    pub place: &'a str,
    /// The flags that a text gives it.
    pub flags: u32,
    /// Its licence.
    pub license: &'a str,
    /// Its instructions.
    pub program: &'a Program,
}

impl Attachable<'_> {
    /// The program and these maps, ready to be printed.
    pub fn dump(&self, maps: Rc<[MapRow]>, endian: Endian) -> Dump {
        let Attachable { name, kind, place, flags, license, program } = *self;
        let names: Vec<&str> = maps.iter().map(|map| map.name.as_str()).collect();
        let rows =
            program.lines().zip(program.texts(&names)).map(|((slot, insn, line), listed)| {
                let text = listed.line.split_once(") ").map_or("", |(_, text)| text).to_owned();
                let (before, behind) = (listed.before, listed.behind);
                let source = line.text.unwrap_or_default().to_owned();
                let source = DumpLine { file: line.file.to_owned(), line: line.line, text: source };
                let source = Some(Rc::new(source)).filter(|source| source.line > 0);
                DumpRow {
                    slot,
                    insn: Some(*insn),
                    text,
                    note: None,
                    directives: vec![],
                    label: None,
                    source,
                    before,
                    behind,
                }
            });
        let rows = rows.collect();
        let word = |text: &str| Word { text: text.to_owned(), ..Word::default() };
        let line = ProgramLine { name: word(name), kind: word(kind), place: word(place) };
        let flags = (flags != 0).then(|| format!(".flags {flags:#x}"));
        let directives = [Some(line.to_string()), flags, Some(format!(".license \"{license}\""))];
        Dump {
            name: name.to_owned(),
            origin: Origin::Attachable {
                kind: kind.to_owned(),
                place: place.to_owned(),
                license: license.to_owned(),
            },
            directives: directives.into_iter().flatten().collect(),
            maps,
            shows_maps: true,
            rows,
            end: program.end(),
            bytes: encode(program.insns(), endian),
            endian,
            wrong: vec![],
        }
    }
}
