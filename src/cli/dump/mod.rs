//! `rawbpf dump`: instructions as text, from a file, a tool or the kernel.

mod format;
#[cfg(test)]
mod hostile;
mod kernel;
mod maps;
mod object;
mod tool;
mod types;
mod word;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;

use clap::Args;

use super::input::up_to;
use super::select::Select;
use super::stop::Stop;
use super::streams::Stdout;
use crate::elf::clean;
use crate::error::Error;
use crate::insn::Endian;
use crate::source::hex;
use crate::sys::io_text;
use crate::view::dump::{Dump, Format};
use kernel::Loaded;
use object::ObjectDump;
pub use tool::{Dumped, dump};

/// Show the instructions of a file, of standard input, of a tool or of a loaded program as text
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// An ELF object, raw bytes or hexadecimal text, - for standard input; or a tool's name, followed
    /// by its arguments
    #[arg(value_name = "FILE|TOOL", required_unless_present = "loaded")]
    what: Vec<OsString>,

    #[command(flatten)]
    loaded: Loaded,

    #[command(flatten)]
    select: Select,

    /// listing, opcodes, linum, hex, c, json, raw, visual (the control flow graph, drawn) or dot
    /// [default: linum; listing for a tool]
    #[arg(short, long, value_name = "FORMAT", hide_possible_values = true)]
    format: Option<Format>,

    /// The byte order of raw bytes or text: little or big [default: this host's]
    #[arg(short, long, value_name = "ORDER", value_parser = endian)]
    endian: Option<Endian>,
}

const USAGE: &str = "\
rawbpf dump [OPTIONS] FILE
       rawbpf dump [OPTIONS] TOOL [-- ARGUMENTS]
       rawbpf dump [OPTIONS] --id ID | --tag TAG | --name NAME";

const EXAMPLES: &str = "\
Examples:
  printf 0400000001000000 | rawbpf dump -    hexadecimal text or raw bytes
  rawbpf dump program.o                      an object made by clang, with its source
  rawbpf dump program.o --program drop       one program of it, and the functions that it calls
  rawbpf dump program.bin --format c         raw bytes as a C array
  sudo rawbpf dump --name bitehist           a loaded program, as the kernel rewrote it
  rawbpf dump bitehist -- --attach tp_btf    a tool's programs, as its --dump-insns prints them";

fn endian(text: &str) -> Result<Endian, &'static str> {
    match text {
        "little" => Ok(Endian::Little),
        "big" => Ok(Endian::Big),
        _ => Err("it must be little or big"),
    }
}

/// The largest file, in bytes. The longest program that a kernel accepts has 8 MB.
const DUMP_BYTES_MAX: u64 = 32 << 20;

impl Options {
    /// The tool that the arguments name, with its own arguments, and the format.
    pub fn of_tool(&self, is_tool: fn(&OsStr) -> bool) -> Option<(&[OsString], Format)> {
        (is_tool(self.what.first()?) && self.select.is_empty())
            .then(|| (&self.what[..], self.format.unwrap_or(Format::Listing)))
    }
}

pub fn run(options: &Options) -> Result<(), Stop> {
    let mut out = Stdout::of(options.format.unwrap_or(Format::Linum));
    if options.what.is_empty() {
        options.select.none_of("a loaded program")?;
        kernel::dump(&mut out, &options.loaded, options.format)?;
        return Ok(out.flush()?);
    }
    let [file] = &options.what[..] else {
        let other = options.what[1].to_string_lossy();
        return Err(Error::usage(format!(
            "{other:?} is one argument too many: one file at a time"
        ))
        .into());
    };
    let path = Path::new(file);
    let name =
        Path::new(if file == "-" { "standard input".as_ref() } else { file.as_os_str() }).display();
    let named = |error: Error| error.prefix(&name);
    let input = read(path).map_err(named)?;
    let format = options.format.unwrap_or(Format::Linum);
    let mut wrong = vec![];
    if input.starts_with(b"\x7fELF") {
        let mut functions = ObjectDump::new(&input).map_err(named)?;
        let list = functions.list(&options.select).map_err(named)?;
        for (index, function) in list.iter().enumerate() {
            let shown = functions.shown(function, index == 0, &options.select).map_err(named)?;
            shown.print(&mut out, format)?;
            wrong.extend(shown.wrong);
        }
    } else {
        options.select.none_of("raw bytes").map_err(named)?;
        let shown = hex::read(input).and_then(|bytes| of_bytes(path, bytes, options));
        let shown = shown.map_err(named)?;
        shown.print(&mut out, format)?;
        wrong = shown.wrong;
    }
    out.flush()?;
    match &wrong[..] {
        [] => Ok(()),
        [only] => Err(named(Error::failed(only.to_string())).into()),
        [first, rest @ ..] => {
            let more = rest.len();
            Err(named(Error::failed(format!("{first}; {more} more slots hold no instruction")))
                .into())
        }
    }
}

fn of_bytes(path: &Path, bytes: Vec<u8>, options: &Options) -> Result<Dump, Error> {
    if bytes.is_empty() {
        return Err(Error::usage("it is empty"));
    }
    let name = match path.file_stem() {
        Some(stem) if stem != "-" => stem.to_string_lossy(),
        _ => "program".into(),
    };
    Dump::new(&clean(name.as_bytes()), bytes, options.endian.unwrap_or(Endian::HOST))
        .map_err(|error| Error::usage(error.to_string()))
}

/// The content of a file or of standard input.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let bytes = up_to(DUMP_BYTES_MAX, path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Error::usage("no such file").hint("the tools' names are in rawbpf --help")
        }
        _ => Error::usage(format!("it cannot be read: {}", io_text(&error))),
    })?;
    bytes.ok_or_else(|| Error::usage(format!("it has more than {} MB", DUMP_BYTES_MAX >> 20)))
}
