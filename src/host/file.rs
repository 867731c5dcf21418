//! Files that a user names, and that somebody may write to or cut off while they are read: they are read,
//! never mapped.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use goblin::elf::section_header::SectionHeader;

use crate::elf;
use crate::error::Error;
use crate::sys::io_text;

/// The most bytes that are read of a file: no BTF, and no program's table of symbols, comes close.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// The content of a regular file.
///
/// # Errors
/// It cannot be read, or is larger than 256 MiB.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let (file, length) = open(path)?;
    let too_large = || {
        Error::usage(format!("{}: it has more than {} MiB", path.display(), FILE_BYTES_MAX >> 20))
    };
    if length > FILE_BYTES_MAX {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(length as usize);
    // Somebody may write to it meanwhile.
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX { Err(too_large()) } else { Ok(bytes) }
}

/// An ELF file with no more of it than the segments and the sections that are `wanted`, by name and
/// header, each with the one that it links to.
///
/// # Errors
/// It is no ELF file, it cannot be read, or these sections are larger than 256 MiB.
pub(super) fn elf_parts(
    path: &Path,
    wanted: &dyn Fn(&str, &SectionHeader) -> bool,
) -> Result<Vec<u8>, Error> {
    let (file, length) = open(path)?;
    let mut read = |offset, buffer: &mut [u8]| file.read_exact_at(buffer, offset);
    let parts = elf::excerpt(length, FILE_BYTES_MAX, wanted, &mut read);
    parts.map_err(|error| Error::usage(format!("{}: {error}", path.display())))
}

/// So many of these bytes of a file from `offset` on as there are.
///
/// # Errors
/// It cannot be read.
pub(super) fn read_at(path: &Path, offset: u64, bytes: &mut [u8]) -> Result<usize, Error> {
    let (file, _) = open(path)?;
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(path, &error)),
        }
    }
    Ok(read)
}

/// Whether a file begins as an ELF file does.
///
/// # Errors
/// It cannot be read.
pub fn is_elf(path: &Path) -> Result<bool, Error> {
    let (file, _) = open(path)?;
    let mut start = [0; 4];
    match file.read_exact_at(&mut start, 0) {
        Ok(()) => Ok(start == *b"\x7fELF"),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// A regular file, and how long it is. Anything else may never end.
fn open(path: &Path) -> Result<(File, u64), Error> {
    let error = |error| unreadable(path, &error);
    let metadata = std::fs::metadata(path).map_err(error)?;
    if !metadata.is_file() {
        return Err(Error::usage(format!("{}: not a regular file", path.display())));
    }
    Ok((File::open(path).map_err(error)?, metadata.len()))
}

/// The error for a file that cannot be read.
fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::usage(format!("{}: {}", path.display(), io_text(error)))
}
