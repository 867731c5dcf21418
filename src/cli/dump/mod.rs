//! `rawbpf dump`: instructions as text, from a file, a tool or the kernel.

mod format;
#[cfg(test)]
mod hostile;
mod kernel;
mod object;
mod tool;

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

use clap::Args;

use super::options::whole;
use super::{Command, Stop};
use crate::elf::clean;
use crate::error::Error;
use crate::insn::Endian;
use crate::source::hex;
use crate::sys::MapType;
use crate::sys::object::ProgInfo;
use crate::view::dump::{Dump, Format};
use object::Functions;
pub use tool::{Dumped, LICENSE, dump};

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

    /// listing, opcodes, linum, hex, c, json, raw, visual (the control flow graph, drawn) or dot
    /// [default: linum; listing for a tool]
    #[arg(short, long, value_name = "FORMAT", hide_possible_values = true)]
    format: Option<Format>,

    /// The byte order of raw bytes or text: little or big [default: this host's]
    #[arg(short, long, value_name = "ORDER", value_parser = endian)]
    endian: Option<Endian>,
}

/// Selects programs that are loaded in the kernel.
#[derive(Args, Debug)]
#[group(id = "loaded", conflicts_with_all = ["what", "endian"])]
struct Loaded {
    /// The loaded program with this id, as the verifier rewrote it
    #[arg(long, value_name = "ID", group = "which", value_parser = whole(0..=u32::MAX))]
    id: Option<u32>,

    /// The loaded programs with this tag, 16 hexadecimal digits
    #[arg(long, value_name = "TAG", group = "which")]
    tag: Option<String>,

    /// The loaded programs with this name
    #[arg(long, value_name = "NAME", group = "which")]
    name: Option<String>,

    /// Show the machine code instead, as hex or raw
    #[arg(long, requires = "which")]
    jit: bool,
}

impl Loaded {
    fn matches(&self, program: &ProgInfo) -> bool {
        let tag: String = program.tag.iter().map(|byte| format!("{byte:02x}")).collect();
        // The kernel keeps 15 bytes of a name.
        let cut = |name: &str| name.get(..15).unwrap_or(name) == program.name;
        self.tag.as_ref().is_some_and(|wanted| wanted.eq_ignore_ascii_case(&tag))
            || self.name.as_ref().is_some_and(|name| cut(name))
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.tag, &self.name) {
            (Some(tag), _) => write!(f, "tag {tag}"),
            (_, Some(name)) => write!(f, "name {name}"),
            _ => Ok(()),
        }
    }
}

const USAGE: &str = "\
rawbpf dump [OPTIONS] FILE
       rawbpf dump [OPTIONS] TOOL [-- ARGUMENTS]
       rawbpf dump [OPTIONS] --id ID | --tag TAG | --name NAME";

const EXAMPLES: &str = "\
Examples:
  printf 0400000001000000 | rawbpf dump -    hexadecimal text or raw bytes
  rawbpf dump program.o                      an object made by clang, with its source
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
const MOST: u64 = 32 << 20;

impl Options {
    /// The tool that the arguments name, with its own arguments, and the format.
    pub fn of_tool(&self) -> Option<(&[OsString], Format)> {
        Command::is_tool(self.what.first()?)
            .then(|| (&self.what[..], self.format.unwrap_or(Format::Listing)))
    }
}

pub fn run(options: &Options) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    if options.what.is_empty() {
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
    let named = |error: Error| error.of(&name);
    let input = read(path).map_err(named)?;
    let format = options.format.unwrap_or(Format::Linum);
    let mut wrong = vec![];
    if input.starts_with(b"\x7fELF") {
        let mut functions = Functions::new(&input).map_err(named)?;
        for (index, function) in functions.list().iter().enumerate() {
            let shown = functions.shown(function, index == 0).map_err(named)?;
            shown.print(&mut out, format)?;
            wrong.extend(shown.wrong);
        }
    } else {
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
    let from = match path.to_str() {
        Some("-") => io::stdin().as_fd().try_clone_to_owned().map(File::from),
        _ => File::open(path),
    };
    let mut bytes = vec![];
    match from.and_then(|from| from.take(MOST + 1).read_to_end(&mut bytes)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Error::usage("no such file").next("the tools' names are in rawbpf --help"))
        }
        Err(error) => Err(Error::usage(format!("it cannot be read: {error}"))),
        Ok(length) if length as u64 > MOST => {
            Err(Error::usage(format!("it has more than {} MB", MOST >> 20)))
        }
        Ok(_) => Ok(bytes),
    }
}

/// The name of a map's type, or its number if it is newer than rawbpf.
fn map_type(number: u32) -> String {
    let known = MapType::from_raw(number).map(|kind| kind.name().to_owned());
    known.unwrap_or_else(|| number.to_string())
}
