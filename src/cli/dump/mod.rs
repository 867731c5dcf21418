//! `rawbpf dump`: instructions as text, from wherever they are.

mod bytes;
mod format;
mod tool;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use clap::{Args, ValueEnum};

use super::Stop;
use crate::error::Error;
use crate::insn::Endian;
pub use format::Format;
use format::Shown;
pub use tool::{LICENSE, dump};

/// Show instructions as text: those of a file, of standard input or of a tool
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// A file with raw bytes or hexadecimal text; - for standard input; or a tool's name, with its
    /// arguments behind it
    #[arg(value_name = "FILE|TOOL", required = true, num_args = 1..)]
    what: Vec<OsString>,

    /// listing, opcodes, linum, hex, c, json or raw [default: linum; a tool's: listing]
    #[arg(short, long, value_name = "FORMAT", hide_possible_values = true)]
    format: Option<Format>,

    /// Byte order of a file's instructions: little or big [default: this host's]
    #[arg(short, long, value_name = "ORDER", value_parser = endian)]
    endian: Option<Endian>,
}

const USAGE: &str = "\
rawbpf dump [OPTIONS] FILE
       rawbpf dump [OPTIONS] TOOL [-- ARGUMENTS]";

const EXAMPLES: &str = "\
Examples:
  printf 0400000001000000 | rawbpf dump -    hexadecimal text or raw bytes
  rawbpf dump program.bin --format c         a file's instructions as a C array
  rawbpf dump bitehist -- --attach tp_btf    a tool's, as its --dump-insns prints them";

fn endian(text: &str) -> Result<Endian, &'static str> {
    match text {
        "little" => Ok(Endian::Little),
        "big" => Ok(Endian::Big),
        _ => Err("it is little or big"),
    }
}

/// Files with more are refused. The longest program that a kernel takes has 8 MB.
const MOST: u64 = 64 << 20;

/// Arguments that stand for `dump` with a tool's name: the tool's own, with `--dump-insns`.
pub fn as_tool(options: &Options, is_tool: impl Fn(&str) -> bool) -> Option<Vec<OsString>> {
    let name = options.what[0].to_str().filter(|name| is_tool(name))?;
    let format = options.format.unwrap_or(Format::Listing);
    let format = format.to_possible_value()?.get_name().to_owned();
    let mut args = vec!["rawbpf".into(), name.into(), format!("--dump-insns={format}").into()];
    args.extend(options.what[1..].iter().cloned());
    Some(args)
}

pub fn run(options: &Options) -> Result<(), Stop> {
    let [file] = &options.what[..] else {
        let other = options.what[1].to_string_lossy();
        return Err(Error::usage(format!("{other:?} is too much: one file at a time")).into());
    };
    let path = Path::new(file);
    let name =
        Path::new(if file == "-" { "standard input".as_ref() } else { file.as_os_str() }).display();
    let named = |error: Error| Error { what: format!("{name}: {}", error.what), ..error };
    let read = read(path).map_err(named)?;
    let format = options.format.unwrap_or(Format::Linum);
    let shown = bytes::read(read).and_then(|bytes| of_bytes(path, bytes, options));
    let mut out = io::stdout().lock();
    let shown = shown.map_err(named)?;
    shown.print(&mut out, format)?;
    out.flush()?;
    whole(&shown).map_err(named)?;
    Ok(())
}

fn of_bytes(path: &Path, bytes: Vec<u8>, options: &Options) -> Result<Shown, Error> {
    if bytes.is_empty() {
        return Err(Error::usage("there is nothing in it"));
    }
    let name = match path.file_stem() {
        Some(stem) if stem != "-" => stem.to_string_lossy(),
        _ => "program".into(),
    };
    Shown::new(&name, bytes, options.endian.unwrap_or(Endian::HOST))
        .map_err(|error| Error::usage(error.to_string()))
}

/// What a file or standard input holds.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let from: io::Result<Box<dyn Read>> = match path.to_str() {
        Some("-") => Ok(Box::new(io::stdin().lock())),
        _ => File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
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

/// That all of it could be shown as instructions.
fn whole(shown: &Shown) -> Result<(), Error> {
    match &shown.wrong[..] {
        [] => Ok(()),
        [first, ..] => Err(Error::failed(format!(
            "{} of {} slots hold no instruction; {first}",
            shown.wrong.len(),
            shown.bytes.len() / 8
        ))),
    }
}
