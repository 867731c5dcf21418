//! `--dump-insns`: a program and its maps as text, without loading them.

use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::json;

use super::Stop;
use crate::btf::identifier;
use crate::error::Error;
use crate::insn::parse::{MapLine, ProgramLine, Word};
use crate::insn::{Endian, Listed, Program, encode};
use crate::programs;
use crate::session::Plan;
use crate::sys::map::MapSpec;

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

/// The licence programs are loaded under: the kernel takes it as compatible with the GPL, which
/// bpf_probe_read_kernel demands.
pub const LICENSE: &str = "Dual MIT/GPL";

/// A program as it is dumped.
pub struct Dumped<'a> {
    /// Its name.
    pub name: &'a str,
    /// How it is attached, or its type.
    pub kind: String,
    /// Where it is attached; may be empty.
    pub place: String,
    /// Its instructions.
    pub program: &'a Program,
}

impl<'a> From<&'a Plan> for Dumped<'a> {
    fn from(plan: &'a Plan) -> Dumped<'a> {
        let attach = plan.attach.to_string();
        let (kind, place) = attach.split_once(' ').unwrap_or((&attach, ""));
        let (kind, place) = (kind.to_owned(), place.to_owned());
        Dumped { name: plan.name, kind, place, program: &plan.program }
    }
}

impl Dumped<'_> {
    fn license(&self) -> &str {
        self.program.license().and_then(|license| license.to_str().ok()).unwrap_or(LICENSE)
    }
}

/// Prints programs, one after the other.
///
/// # Errors
/// Bytes were asked for but an offset in them is not known; or the output could not be written.
pub fn dump(
    out: &mut dyn Write,
    format: Format,
    endian: Endian,
    programs: &[Dumped],
    maps: &[MapSpec],
) -> Result<(), Stop> {
    programs.iter().try_for_each(|program| dump_program(out, format, endian, program, maps))
}

fn dump_program(
    out: &mut dyn Write,
    format: Format,
    endian: Endian,
    dumped: &Dumped,
    maps: &[MapSpec],
) -> Result<(), Stop> {
    let names: Vec<&str> = maps.iter().map(|map| map.name.as_str()).collect();
    let program = dumped.program;
    if !matches!(format, Format::Listing | Format::Linum | Format::Json) {
        resolved(program)?;
    }
    let written = match format {
        Format::Listing => {
            header(out, dumped, maps).and_then(|()| write!(out, "{}", program.listing(&names)))
        }
        Format::Opcodes => {
            header(out, dumped, maps).and_then(|()| opcodes(out, program, &names, endian))
        }
        Format::Linum => header(out, dumped, maps).and_then(|()| linum(out, program, &names)),
        Format::Hex => slots(program, endian, |bytes| writeln!(out, "{}", hex(bytes, " "))),
        Format::C => c_array(out, dumped, endian),
        Format::Json => writeln!(out, "{}", to_json(dumped, maps, &names)),
        Format::Raw => out.write_all(&encode(program.insns(), endian)),
    };
    Ok(written?)
}

/// Every offset of the program is known.
pub fn resolved(program: &Program) -> Result<(), Error> {
    match program.unresolved() {
        None => Ok(()),
        Some(field) => Err(Error::lacking(format!(
            "{field} is not known without the kernel's types"
        ))
        .next("try: --btf FILE with that kernel's vmlinux or BTF, or the listing, which names it")),
    }
}

/// Directives that make the text a whole program.
fn header(out: &mut dyn Write, dumped: &Dumped, maps: &[MapSpec]) -> io::Result<()> {
    let word = |text: &str| Word { text: text.to_owned(), ..Word::default() };
    let (kind, place) = (word(&dumped.kind), word(&dumped.place));
    writeln!(out, "{}", ProgramLine { name: word(dumped.name), kind, place })?;
    writeln!(out, ".license \"{}\"", dumped.license())?;
    for map in maps {
        let MapSpec { name, map_type, key_size, value_size, max_entries, flags } = map;
        let line = MapLine {
            name: word(name),
            map_type: word(map_type.name()),
            key_size: *key_size,
            value_size: *value_size,
            max_entries: *max_entries,
            flags: *flags,
        };
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn opcodes(
    out: &mut dyn Write,
    program: &Program,
    maps: &[&str],
    endian: Endian,
) -> io::Result<()> {
    for (insn, Listed { before, line, behind }) in program.insns().iter().zip(program.texts(maps)) {
        let bytes = hex(&encode(&[*insn], endian), " ");
        writeln!(out, "{before}{line}{behind}\n    {bytes}")?;
    }
    write!(out, "{}", program.end())
}

/// A source line stands above the instructions it wrote, as in the verifier's log.
fn linum(out: &mut dyn Write, program: &Program, maps: &[&str]) -> io::Result<()> {
    let mut shown = None;
    for ((_, _, line), text) in program.lines().zip(program.texts(maps)) {
        if shown != Some(line) {
            writeln!(out, "; {} @ {line}", programs::source(&line))?;
            shown = Some(line);
        }
        writeln!(out, "{}", text.line)?;
    }
    Ok(())
}

fn c_array(out: &mut dyn Write, dumped: &Dumped, endian: Endian) -> io::Result<()> {
    let bytes = encode(dumped.program.insns(), endian);
    let name = identifier(dumped.name);
    writeln!(out, "static const unsigned char {name}[{}] = {{", bytes.len())?;
    slots(dumped.program, endian, |bytes| writeln!(out, "\t0x{},", hex(bytes, ", 0x")))?;
    writeln!(out, "}};")
}

fn to_json(dumped: &Dumped, maps: &[MapSpec], names: &[&str]) -> serde_json::Value {
    let program = dumped.program;
    let insns = program.lines().zip(program.texts(names)).map(|((slot, insn, line), text)| {
        let text = text.line;
        let text = text.split_once(") ").map_or(&*text, |(_, text)| text);
        let slots = insn.to_slots().map(
            |s| json!({"code": s.code, "dst": s.dst, "src": s.src, "off": s.off, "imm": s.imm}),
        );
        json!({
            "slot": slot,
            "text": text,
            "slots": slots.collect::<Vec<_>>(),
            "file": line.file,
            "line": line.line,
            "source": programs::source(&line),
        })
    });
    let maps = maps.iter().map(|map| {
        json!({
            "name": map.name,
            "type": map.map_type.name(),
            "key_size": map.key_size,
            "value_size": map.value_size,
            "max_entries": map.max_entries,
            "flags": map.flags,
        })
    });
    json!({
        "name": dumped.name,
        "attach": {"kind": dumped.kind, "to": dumped.place},
        "license": dumped.license(),
        "maps": maps.collect::<Vec<_>>(),
        "insns": insns.collect::<Vec<_>>(),
    })
}

fn slots(
    program: &Program,
    endian: Endian,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    encode(program.insns(), endian).chunks(8).try_for_each(&mut each)
}

fn hex(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
}
