//! A program as text or bytes, whatever it came from.

use std::fmt;
use std::io::{self, Write};
use std::rc::Rc;

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::super::Stop;
use crate::btf::identifier;
use crate::error::Error;
use crate::insn::graph::{To, blocks};
use crate::insn::parse::{MapLine, Word};
use crate::insn::{DecodeError, Endian, Insn, Slot, instructions};
use crate::view::graph::{Dot, Drawing, Graph, Node};

/// How to print a program; the words are bpftool's where it has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    /// The verifier's own text
    Listing,
    /// The text with each instruction's bytes
    Opcodes,
    /// The text with the source lines
    Linum,
    /// Bytes in hexadecimal, an instruction a line
    Hex,
    /// A C array
    C,
    /// One object
    Json,
    /// The bytes themselves
    Raw,
    /// The control flow graph, drawn with lines
    Visual,
    /// The control flow graph for graphviz
    Dot,
}

/// No kernel takes a program with more instructions.
const MOST: usize = 1_000_000;

/// A program made ready to be printed.
pub struct Shown {
    pub name: String,
    /// Lines that stand above it, as `.program drop xdp`.
    pub directives: Vec<String>,
    /// The maps it refers to.
    pub maps: Rc<[MapShown]>,
    /// Whether they stand above it too.
    pub shows_maps: bool,
    pub rows: Vec<Row>,
    /// The comments of a text below its last instruction, whole lines.
    pub end: String,
    pub bytes: Vec<u8>,
    pub endian: Endian,
    /// What JSON tells besides its name and instructions.
    pub fields: Map<String, Value>,
    /// The slots that hold no instruction.
    pub wrong: Vec<DecodeError>,
}

/// A map made ready to be printed.
pub struct MapShown {
    /// Its id, if it is in the kernel.
    id: Option<u32>,
    line: MapLine,
}

impl MapShown {
    /// A map of this name and type; `sizes` are those of a key and a value, the number of elements,
    /// and the flags.
    pub fn new(id: Option<u32>, name: &str, map_type: &str, sizes: [u32; 4]) -> MapShown {
        let word = |text: &str| Word { text: text.to_owned(), ..Word::default() };
        let [key_size, value_size, max_entries, flags] = sizes;
        let (name, map_type) = (word(name), word(map_type));
        let line = MapLine { name, map_type, key_size, value_size, max_entries, flags, lock: None };
        MapShown { id, line }
    }

    /// The same with a lock at this offset of each value, if there is one.
    pub fn lock(mut self, offset: Option<u32>) -> MapShown {
        self.line.lock = offset;
        self
    }

    fn to_json(&self) -> Value {
        let mut map = json!({
            "name": self.line.name.text,
            "type": self.line.map_type.text,
            "key_size": self.line.key_size,
            "value_size": self.line.value_size,
            "max_entries": self.line.max_entries,
            "flags": self.line.flags,
        });
        if let Some(id) = self.id {
            map["id"] = id.into();
        }
        map
    }
}

/// The line that defines it.
impl fmt::Display for MapShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.line.fmt(f)?;
        self.id.map_or(Ok(()), |id| write!(f, " ; id {id}"))
    }
}

/// An instruction made ready to be printed.
pub struct Row {
    pub slot: usize,
    /// What it is; `None` for what only the kernel makes of a program.
    pub insn: Option<Insn>,
    /// The instruction in the verifier's words.
    pub text: String,
    /// What is known of it besides, shown behind a semicolon.
    pub note: Option<String>,
    /// The function that begins here.
    pub label: Option<String>,
    /// The line of source that it was made from.
    pub source: Option<Rc<Source>>,
    /// The labels and comments that a text has above it, whole lines, and the comment behind it. Its
    /// source lines show the same.
    pub before: String,
    pub behind: String,
}

/// A line of source.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    pub file: String,
    pub line: u32,
    pub text: String,
}

impl Shown {
    /// The program in `bytes`, of which nothing else is known.
    ///
    /// # Errors
    /// The bytes are not whole slots, or more than any kernel takes.
    pub fn new(name: &str, bytes: Vec<u8>, endian: Endian) -> Result<Shown, Error> {
        if bytes.len() > 8 * MOST {
            let slots = bytes.len() / 8;
            return Err(Error::usage(format!(
                "{slots} instructions: a program has at most {MOST}"
            )));
        }
        let mut wrong = vec![];
        let insns =
            instructions(&bytes, endian).map_err(|error| Error::usage(error.to_string()))?;
        let rows = insns.map(|(slot, insn)| {
            let (text, note) = match &insn {
                Ok(insn) => (insn.to_string(), None),
                Err(error) => {
                    wrong.push(*error);
                    ("<unknown>".into(), Some(error.to_string()))
                }
            };
            Row {
                slot,
                insn: insn.ok(),
                text,
                note,
                label: None,
                source: None,
                before: String::new(),
                behind: String::new(),
            }
        });
        let rows = rows.collect();
        Ok(Shown {
            name: name.to_owned(),
            directives: vec![],
            maps: Rc::new([]),
            shows_maps: false,
            rows,
            end: String::new(),
            bytes,
            endian,
            fields: Map::new(),
            wrong,
        })
    }

    /// Prints it.
    ///
    /// # Errors
    /// The output could not be written.
    pub fn print(&self, out: &mut dyn Write, format: Format) -> Result<(), Stop> {
        let written = match format {
            Format::Listing => self.listing(out, false, false),
            Format::Opcodes => self.listing(out, false, true),
            Format::Linum => self.listing(out, true, false),
            Format::Hex => hex_lines(out, &self.bytes, 8),
            Format::C => self.c_array(out),
            Format::Json => self.json(out),
            Format::Raw => out.write_all(&self.bytes),
            Format::Visual => write!(out, "{}", Drawing(&self.graph())),
            Format::Dot => write!(out, "{}", Dot(&self.graph())),
        };
        Ok(written?)
    }

    /// The text, with the source lines or the bytes if they are wanted. A source line stands above
    /// the instructions made from it, as in the verifier's log.
    fn listing(&self, out: &mut dyn Write, lines: bool, opcodes: bool) -> io::Result<()> {
        for directive in &self.directives {
            writeln!(out, "{directive}")?;
        }
        for map in self.maps.iter().filter(|_| self.shows_maps) {
            writeln!(out, "{map}")?;
        }
        let mut shown = None;
        for row in &self.rows {
            if let Some(label) = &row.label {
                writeln!(out, "{label}:")?;
            }
            if lines {
                if let Some(Source { file, line, text }) = row.source.as_deref()
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

    fn line(&self, row: &Row) -> String {
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

    /// One object on a line, an instruction at a time: a long program's would fill the memory.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut object = Map::from_iter([("name".to_owned(), self.name.as_str().into())]);
        object.extend(self.fields.clone());
        object.insert("maps".into(), self.maps.iter().map(MapShown::to_json).collect());
        let object = Value::from(object).to_string();
        write!(out, "{},\"insns\":[", object.strip_suffix('}').unwrap_or(&object))?;
        for (index, row) in self.rows.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(out, "{comma}{}", self.row_to_json(row))?;
        }
        writeln!(out, "]}}")
    }

    fn row_to_json(&self, row: &Row) -> Value {
        let slots = self.bytes_of(row).as_chunks::<8>().0;
        let slots = slots.iter().map(|bytes| Slot::from_bytes(*bytes, self.endian)).map(
            |s| json!({"code": s.code, "dst": s.dst, "src": s.src, "off": s.off, "imm": s.imm}),
        );
        let slots: Vec<_> = slots.collect();
        let mut insn = json!({"slot": row.slot, "text": row.text, "slots": slots});
        if let Some(source) = &row.source {
            insn["file"] = source.file.as_str().into();
            insn["line"] = source.line.into();
            insn["source"] = source.text.as_str().into();
        }
        for (name, value) in [("label", &row.label), ("note", &row.note)] {
            if let Some(value) = value {
                insn[name] = value.as_str().into();
            }
        }
        insn
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
                    To::Block(block) => block,
                    To::Nowhere => usize::MAX,
                }),
            }
        });
        Graph { name: self.name.clone(), nodes: nodes.collect() }
    }

    fn bytes_of(&self, row: &Row) -> &[u8] {
        let next = self.rows.partition_point(|other| other.slot <= row.slot);
        let end = self.rows.get(next).map_or(self.bytes.len(), |next| 8 * next.slot);
        self.bytes.get(8 * row.slot..end).unwrap_or_default()
    }
}

/// So many bytes a line.
pub fn hex_lines(out: &mut dyn Write, bytes: &[u8], a_line: usize) -> io::Result<()> {
    bytes.chunks(a_line).try_for_each(|line| writeln!(out, "{}", hex(line, " ")))
}

fn hex(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
}
