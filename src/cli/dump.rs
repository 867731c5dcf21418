//! `--dump-insns`: a program and its maps as text, without loading them.

use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::json;

use super::Stop;
use crate::error::Error;
use crate::insn::{Endian, Program, encode};
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

/// Prints a tool's programs, one after the other.
///
/// # Errors
/// Bytes were asked for but an offset in them is not known; or the output could not be written.
pub fn dump(
    out: &mut dyn Write,
    format: Format,
    plans: &[Plan],
    maps: &[MapSpec],
) -> Result<(), Stop> {
    plans.iter().try_for_each(|plan| dump_program(out, format, plan, maps))
}

fn dump_program(
    out: &mut dyn Write,
    format: Format,
    plan: &Plan,
    maps: &[MapSpec],
) -> Result<(), Stop> {
    let names: Vec<&str> = maps.iter().map(|map| map.name.as_str()).collect();
    let program = &plan.program;
    if let Some(field) = program.unresolved()
        && !matches!(format, Format::Listing | Format::Linum | Format::Json)
    {
        return Err(Error::lacking(format!("{field} is not known without the kernel's types"))
            .next("try: --btf FILE with that kernel's vmlinux or BTF, or --dump-insns=listing")
            .into());
    }
    let written = match format {
        Format::Listing => {
            header(out, plan, maps).and_then(|()| write!(out, "{}", program.listing(&names)))
        }
        Format::Opcodes => header(out, plan, maps).and_then(|()| opcodes(out, program, &names)),
        Format::Linum => header(out, plan, maps).and_then(|()| linum(out, program, &names)),
        Format::Hex => slots(program, |bytes| writeln!(out, "{}", hex(bytes, " "))),
        Format::C => c_array(out, plan),
        Format::Json => writeln!(out, "{}", to_json(plan, maps, &names)),
        Format::Raw => out.write_all(&encode(program.insns(), Endian::HOST)),
    };
    Ok(written?)
}

/// Directives that make the text a whole program.
fn header(out: &mut dyn Write, plan: &Plan, maps: &[MapSpec]) -> io::Result<()> {
    writeln!(out, ".program {} {}", plan.name, plan.attach)?;
    writeln!(out, ".license \"{LICENSE}\"")?;
    for map in maps {
        let MapSpec { name, map_type, key_size, value_size, max_entries, .. } = map;
        writeln!(
            out,
            ".map {name} {} key {key_size} value {value_size} entries {max_entries}",
            map_type.name()
        )?;
    }
    Ok(())
}

fn opcodes(out: &mut dyn Write, program: &Program, maps: &[&str]) -> io::Result<()> {
    let listing = program.listing(maps).to_string();
    for (insn, text) in program.insns().iter().zip(listing.lines()) {
        writeln!(out, "{text}\n    {}", hex(&encode(&[*insn], Endian::HOST), " "))?;
    }
    Ok(())
}

/// A source line stands above the instructions it wrote, as in the verifier's log.
fn linum(out: &mut dyn Write, program: &Program, maps: &[&str]) -> io::Result<()> {
    let listing = program.listing(maps).to_string();
    let mut shown = None;
    for ((_, _, line), text) in program.lines().zip(listing.lines()) {
        if shown != Some(line) {
            let source = programs::line(line.file(), line.0.line());
            writeln!(out, "; {source} @ {line}")?;
            shown = Some(line);
        }
        writeln!(out, "{text}")?;
    }
    Ok(())
}

fn c_array(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    let bytes = encode(plan.program.insns(), Endian::HOST);
    writeln!(out, "static const unsigned char {}[{}] = {{", plan.name, bytes.len())?;
    slots(&plan.program, |bytes| writeln!(out, "\t0x{},", hex(bytes, ", 0x")))?;
    writeln!(out, "}};")
}

fn to_json(plan: &Plan, maps: &[MapSpec], names: &[&str]) -> serde_json::Value {
    let listing = plan.program.listing(names).to_string();
    let insns = plan.program.lines().zip(listing.lines()).map(|((slot, insn, line), text)| {
        let text = text.split_once(") ").map_or(text, |(_, text)| text);
        let slots = insn.to_slots().map(
            |s| json!({"code": s.code, "dst": s.dst, "src": s.src, "off": s.off, "imm": s.imm}),
        );
        json!({
            "slot": slot,
            "text": text,
            "slots": slots.collect::<Vec<_>>(),
            "file": line.file(),
            "line": line.0.line(),
            "source": programs::line(line.file(), line.0.line()),
        })
    });
    let maps = maps.iter().map(|map| {
        json!({
            "name": map.name,
            "type": map.map_type.name(),
            "key_size": map.key_size,
            "value_size": map.value_size,
            "max_entries": map.max_entries,
        })
    });
    json!({
        "name": plan.name,
        "attach": {"kind": plan.attach.kind().to_string(), "to": plan.attach.place()},
        "license": LICENSE,
        "maps": maps.collect::<Vec<_>>(),
        "insns": insns.collect::<Vec<_>>(),
    })
}

fn slots(program: &Program, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    encode(program.insns(), Endian::HOST).chunks(8).try_for_each(&mut each)
}

fn hex(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
}
