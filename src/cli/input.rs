//! The files that the command line names; `-` is standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use clap::Args;

use super::stop::Stop;
use super::streams;
use crate::error::Error;
use crate::host::KernelTypes;
use crate::source::{self, Collection, SourceError};
use crate::sys::io_text;
use crate::verifier::pasted;

/// A text of the largest program that the kernel takes is half of this.
const LARGEST: u64 = 64 << 20;

/// What the command line says of the maps of a file.
#[derive(Args, Clone, Debug, Default)]
pub struct MapOptions {
    /// Make the map NAME with N entries, where a loader would set them
    #[arg(long, value_name = "NAME=N", value_parser = map_entries)]
    pub map_entries: Vec<(String, u32)>,
}

fn map_entries(text: &str) -> Result<(String, u32), String> {
    let (name, entries) =
        text.split_once('=').ok_or("it must be the map's name, = and a number")?;
    let entries = entries.parse().map_err(|_| "the number must be whole, from 0 to 4294967295")?;
    Ok((name.to_owned(), entries))
}

impl MapOptions {
    /// Gives the maps the sizes that the command line says, and reports what a loader would do otherwise.
    ///
    /// # Errors
    /// The file has no map of a name.
    pub fn apply(&self, file: &Path, text: &mut Collection) -> Result<(), Error> {
        for (name, entries) in &self.map_entries {
            let found = text.maps.iter_mut().find(|map| map.name == *name);
            let Some(map) = found else {
                let names: Vec<_> = text.maps.iter().map(|map| map.name.as_str()).collect();
                let what = format!("--map-entries: {} has no map {name:?}", shown(file));
                return Err(Error::usage(what).hint(match &names[..] {
                    [] => "it has no maps".into(),
                    names => format!("its maps: {}", names.join(", ")),
                }));
            };
            map.max_entries = *entries;
        }
        for note in &text.notes {
            streams::say(&format!("note: {note}\n"));
        }
        Ok(())
    }
}

/// Reads the text at `path`.
///
/// # Errors
/// It cannot be read, or is wrong.
pub fn read(path: &Path, types: &KernelTypes) -> Result<Collection, Stop> {
    let bytes = bytes(path)?;
    source::text::read(&shown(path), &bytes, types).map_err(|wrong| or_log(wrong, path, &bytes))
}

/// Reads programs to be loaded: a text, or an ELF object as clang makes it, of which some may be left out.
///
/// # Errors
/// As [`read`].
pub fn read_any(path: &Path, types: &KernelTypes) -> Result<Collection, Stop> {
    let bytes = bytes(path)?;
    source::read(&shown(path), &bytes, types).map_err(|wrong| or_log(wrong, path, &bytes))
}

/// What is wrong with a text; if it is a verifier's log, only that it is no program.
fn or_log(wrong: SourceError, path: &Path, bytes: &[u8]) -> Stop {
    if matches!(wrong, SourceError::Mistakes(_)) && pasted::is_log(&String::from_utf8_lossy(bytes))
    {
        let what = format!("{}: this is a log of the verifier, not a program", shown(path));
        return Error::failed(what).hint(format!("try: rawbpf explain {}", path.display())).into();
    }
    wrong.into()
}

/// A file's name in errors.
pub fn shown(path: &Path) -> String {
    if path == "-" { "<stdin>".into() } else { path.display().to_string() }
}

/// What a file holds, if it is not larger than any text has to be.
///
/// # Errors
/// It cannot be read.
pub fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let name = shown(path);
    let bytes = up_to(LARGEST, path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::usage(format!("{name}: no such file")),
        _ => Error::usage(format!("{name}: it cannot be read: {}", io_text(&error))),
    })?;
    bytes.ok_or_else(|| Error::usage(format!("{name}: more than {} MiB", LARGEST >> 20)))
}

/// What a file holds; `None` if that is more than `most` bytes.
///
/// # Errors
/// It cannot be read.
pub fn up_to(most: u64, path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![];
    let length = match path == "-" {
        true => io::stdin().lock().take(most + 1).read_to_end(&mut bytes)?,
        false => File::open(path)?.take(most + 1).read_to_end(&mut bytes)?,
    };
    Ok(Some(bytes).filter(|_| length as u64 <= most))
}
