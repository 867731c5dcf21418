//! A program as text, bytes, JSON or a graph.

mod attachable;
mod json;
mod row;

use std::io::{self, Write};
use std::rc::Rc;

use thiserror::Error;

use super::graph::{Dot, Drawing, Graph, Node};
use crate::btf::identifier;
use crate::insn::graph::{Successor, blocks};
use crate::insn::{DecodeError, Endian, Insn, instructions, whole};
pub use attachable::Attachable;
pub use row::{DumpLine, DumpRow, MapRow};

/// The format of a printed program; named as in bpftool where it has the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Text in the verifier's own syntax.
    Listing,
    /// The text with each instruction's bytes.
    Opcodes,
    /// The text with the source lines.
    Linum,
    /// Bytes in hexadecimal, one instruction on each line.
    Hex,
    /// A C array.
    C,
    /// One object.
    Json,
    /// The bytes themselves.
    Raw,
    /// The control flow graph, drawn with lines.
    Visual,
    /// The control flow graph for graphviz.
    Dot,
}

/// The largest number of instructions in a program that any kernel accepts.
const INSTRUCTIONS_MAX: usize = 1_000_000;

/// A program made ready to be printed.
#[derive(Clone, Debug)]
pub struct Dump {
    /// Its name.
    pub name: String,
    /// Its origin.
    pub origin: Origin,
    /// Lines that are printed above it, such as `.program drop xdp`.
    pub directives: Vec<String>,
    /// The maps it refers to.
    pub maps: Rc<[MapRow]>,
    /// Whether the maps are printed above it too.
    pub shows_maps: bool,
    /// Its instructions, in the order of their slots.
    pub rows: Vec<DumpRow>,
    /// The comments after its last instruction, as whole lines, if it is from a text.
    pub end: String,
    /// Its bytes, 8 a slot.
    pub bytes: Vec<u8>,
    /// Their byte order.
    pub endian: Endian,
    /// The slots that hold no instruction.
    pub wrong: Vec<DecodeError>,
}

/// The origin of a program, and what is known about it there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The origin is unknown.
    Unknown,
    /// The program is from an object.
    Object {
        /// The section that it is in.
        section: String,
        /// The object's licence, if it names one.
        license: Option<String>,
    },
    /// The program can be attached or run.
    Attachable {
        /// How it is attached, or its type.
        kind: String,
        /// Where it is attached; may be empty.
        place: String,
        /// Its licence.
        license: String,
    },
    /// The program is loaded in the kernel.
    Kernel {
        /// Its id.
        id: u32,
        /// Its tag, in hexadecimal.
        tag: String,
        /// Its type.
        program_type: String,
    },
}

/// Why bytes cannot be shown as a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum DumpError {
    /// There are more instructions than any kernel accepts.
    #[error("{0} instructions: a program has at most {INSTRUCTIONS_MAX}")]
    TooMany(usize),
    /// The bytes are not whole slots.
    #[error(transparent)]
    Bytes(#[from] DecodeError),
}

impl Dump {
    /// The program in these bytes, about which nothing else is known.
    ///
    /// # Errors
    /// The bytes are not whole slots, or more than any kernel accepts.
    pub fn new(name: &str, bytes: Vec<u8>, endian: Endian) -> Result<Dump, DumpError> {
        if bytes.len() > 8 * INSTRUCTIONS_MAX {
            return Err(DumpError::TooMany(bytes.len() / 8));
        }
        let found = instructions(&bytes, endian)?;
        let errors: Vec<_> = found.filter_map(|(at, insn)| Some((at, insn.err()?))).collect();
        let mut next = errors.iter().peekable();
        let rows = whole(&bytes, endian)?.map(|(slot, insn)| {
            let error = next.next_if(|(at, _)| *at == slot);
            DumpRow {
                slot,
                insn: Some(insn).filter(|insn| !matches!(insn, Insn::Raw(_))),
                text: insn.to_string(),
                note: error.map(|(_, error)| error.to_string()),
                directives: vec![],
                label: None,
                source: None,
                before: String::new(),
                behind: String::new(),
            }
        });
        let rows = rows.collect();
        Ok(Dump {
            name: name.to_owned(),
            origin: Origin::Unknown,
            directives: vec![],
            maps: Rc::new([]),
            shows_maps: false,
            rows,
            end: String::new(),
            bytes,
            endian,
            wrong: errors.into_iter().map(|(_, error)| error).collect(),
        })
    }

    /// Prints the program.
    ///
    /// # Errors
    /// The output could not be written.
    pub fn print(&self, out: &mut dyn Write, format: Format) -> io::Result<()> {
        match format {
            Format::Listing => self.listing(out, false, false),
            Format::Opcodes => self.listing(out, false, true),
            Format::Linum => self.listing(out, true, false),
            Format::Hex => hex_lines(out, &self.bytes, 8),
            Format::C => self.c_array(out),
            Format::Json => self.json(out),
            Format::Raw => out.write_all(&self.bytes),
            Format::Visual => write!(out, "{}", Drawing(&self.graph())),
            Format::Dot => write!(out, "{}", Dot(&self.graph())),
        }
    }

    /// Prints the text, with the source lines or the bytes if they are wanted. A source line is above the
    /// instructions made from it, as in the verifier's log.
    fn listing(&self, out: &mut dyn Write, lines: bool, opcodes: bool) -> io::Result<()> {
        for directive in &self.directives {
            writeln!(out, "{directive}")?;
        }
        for map in self.maps.iter().filter(|_| self.shows_maps) {
            writeln!(out, "{map}")?;
        }
        let mut shown = None;
        for row in &self.rows {
            for directive in &row.directives {
                writeln!(out, "{directive}")?;
            }
            if let Some(label) = &row.label {
                writeln!(out, "{label}:")?;
            }
            if lines {
                if let Some(DumpLine { file, line, text }) = row.source.as_deref()
                    && shown != row.source.as_deref()
                {
                    shown = row.source.as_deref();
                    writeln!(out, "; {text} @ {file}:{line}")?;
                }
                writeln!(out, "{}", self.line(row))?;
            } else {
                writeln!(out, "{}{}{}", row.before, self.line(row), row.behind)?;
            }
            if opcodes {
                writeln!(out, "    {}", hex(self.bytes_of(row), " "))?;
            }
        }
        if lines { Ok(()) } else { write!(out, "{}", self.end) }
    }

    fn line(&self, row: &DumpRow) -> String {
        let code = self.bytes.get(8 * row.slot).copied().unwrap_or_default();
        let note = row.note.as_ref().map(|note| format!(" ; {note}")).unwrap_or_default();
        format!("{}: ({code:02x}) {}{note}", row.slot, row.text)
    }

    fn c_array(&self, out: &mut dyn Write) -> io::Result<()> {
        let name = identifier(&self.name);
        writeln!(out, "static const unsigned char {name}[{}] = {{", self.bytes.len())?;
        for slot in self.bytes.chunks(8) {
            writeln!(out, "\t0x{},", hex(slot, ", 0x"))?;
        }
        writeln!(out, "}};")
    }

    fn graph(&self) -> Graph {
        let insns: Vec<_> = self.rows.iter().map(|row| (row.slot, row.insn)).collect();
        let nodes = blocks(&insns).into_iter().map(|block| {
            let rows = &self.rows[block.insns];
            Node {
                title: rows[0].label.clone().unwrap_or_default(),
                lines: rows.iter().map(|row| self.line(row)).collect(),
                falls: block.falls,
                jump: block.jump.map(|to| match to {
                    Successor::Block(block) => block,
                    Successor::Nowhere => usize::MAX,
                }),
            }
        });
        Graph { name: self.name.clone(), nodes: nodes.collect() }
    }

    fn bytes_of(&self, row: &DumpRow) -> &[u8] {
        let next = self.rows.partition_point(|other| other.slot <= row.slot);
        let end = self.rows.get(next).map_or(self.bytes.len(), |next| 8 * next.slot);
        self.bytes.get(8 * row.slot..end).unwrap_or_default()
    }
}

/// Writes bytes in hexadecimal, up to `a_line` of them on a line.
///
/// # Errors
/// The output could not be written.
pub fn hex_lines(out: &mut dyn Write, bytes: &[u8], a_line: usize) -> io::Result<()> {
    bytes.chunks(a_line).try_for_each(|line| writeln!(out, "{}", hex(line, " ")))
}

fn hex(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
}
