//! A program as text or bytes, whatever it came from.

use std::io::{self, Write};
use std::rc::Rc;

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::super::Stop;
use crate::insn::{DecodeError, Endian, Insn, Slot, instructions};

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
}

/// A program made ready to be printed.
pub struct Shown {
    pub name: String,
    /// Lines that stand above it, as `.map hist array key 4 value 8 entries 1`.
    pub directives: Vec<String>,
    pub rows: Vec<Row>,
    pub bytes: Vec<u8>,
    pub endian: Endian,
    /// What JSON tells besides its name and instructions.
    pub fields: Map<String, Value>,
    /// The slots that hold no instruction.
    pub wrong: Vec<DecodeError>,
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
    /// The bytes are not whole slots.
    pub fn new(name: &str, bytes: Vec<u8>, endian: Endian) -> Result<Shown, DecodeError> {
        let mut wrong = vec![];
        let rows = instructions(&bytes, endian)?.map(|(slot, insn)| {
            let (text, note) = match &insn {
                Ok(insn) => (insn.to_string(), None),
                Err(error) => {
                    wrong.push(*error);
                    ("<unknown>".into(), Some(error.to_string()))
                }
            };
            Row { slot, insn: insn.ok(), text, note, label: None, source: None }
        });
        let rows = rows.collect();
        let (name, directives) = (name.to_owned(), vec![]);
        Ok(Shown { name, directives, rows, bytes, endian, fields: Map::new(), wrong })
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
            Format::Json => writeln!(out, "{}", self.to_json()),
            Format::Raw => out.write_all(&self.bytes),
        };
        Ok(written?)
    }

    /// The text, with the source lines or the bytes if they are wanted. A source line stands above
    /// the instructions made from it, as in the verifier's log.
    fn listing(&self, out: &mut dyn Write, lines: bool, opcodes: bool) -> io::Result<()> {
        for directive in &self.directives {
            writeln!(out, "{directive}")?;
        }
        let mut shown = None;
        for row in &self.rows {
            if let Some(label) = &row.label {
                writeln!(out, "{label}:")?;
            }
            if let Some(Source { file, line, text }) = row.source.as_deref().filter(|_| lines)
                && shown != row.source.as_deref()
            {
                shown = row.source.as_deref();
                writeln!(out, "; {text} @ {file}:{line}")?;
            }
            writeln!(out, "{}", self.line(row))?;
            if opcodes {
                writeln!(out, "    {}", hex(self.bytes_of(row), " "))?;
            }
        }
        Ok(())
    }

    fn line(&self, row: &Row) -> String {
        let code = self.bytes.get(8 * row.slot).copied().unwrap_or_default();
        let note = row.note.as_ref().map(|note| format!(" ; {note}")).unwrap_or_default();
        format!("{}: ({code:02x}) {}{note}", row.slot, row.text)
    }

    fn c_array(&self, out: &mut dyn Write) -> io::Result<()> {
        let name = self.name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        writeln!(out, "static const unsigned char {name}[{}] = {{", self.bytes.len())?;
        for slot in self.bytes.chunks(8) {
            writeln!(out, "\t0x{},", hex(slot, ", 0x"))?;
        }
        writeln!(out, "}};")
    }

    fn to_json(&self) -> Value {
        let insns = self.rows.iter().map(|row| {
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
        });
        let mut object = Map::from_iter([("name".to_owned(), self.name.as_str().into())]);
        object.extend(self.fields.clone());
        object.insert("insns".into(), insns.collect());
        object.into()
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
