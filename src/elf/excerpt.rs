//! The parts of an ELF file that somebody asks for: an executable may have gigabytes of others.

use std::io;

use goblin::container::Ctx;
use goblin::elf::Elf;
use goblin::elf::program_header::ProgramHeader;
use goblin::elf::section_header::{SHT_NOBITS, SectionHeader};

use super::file::{ElfError, string};

/// Why there is no excerpt of an ELF file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExcerptError {
    /// It is no ELF file, or one that is cut off.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// What is asked for has more than this many bytes.
    #[error("its tables have more than {} MiB", .0 >> 20)]
    TooLarge(u64),
}

impl From<goblin::error::Error> for ExcerptError {
    fn from(error: goblin::error::Error) -> ExcerptError {
        ExcerptError::Elf(error.into())
    }
}

/// Reads so much of an ELF file of `length` bytes that [`File`](super::File) finds in it the segments and
/// the sections that are `wanted`, by name and header, each with the one that it links to. Every other
/// section reaches beyond its end.
///
/// `read` fills a buffer with what is in the file from an offset on; it is asked for at most `most` bytes
/// in all.
///
/// # Errors
/// It is no ELF file, it cannot be read, or more is wanted than `most`.
pub fn excerpt(
    length: u64,
    most: u64,
    wanted: &dyn Fn(&str, &SectionHeader) -> bool,
    read: &mut dyn FnMut(u64, &mut [u8]) -> io::Result<()>,
) -> Result<Vec<u8>, ExcerptError> {
    let mut parts = Parts { length, most, read, bytes: vec![] };
    parts.add(0, length.min(HEADER))?;
    let header = Elf::parse_header(&parts.bytes)?;
    let ctx = Ctx::new(header.container()?, header.endianness()?);
    if header.e_phnum > 0 {
        let segments = u64::from(header.e_phnum) * ProgramHeader::size(ctx) as u64;
        let segments = parts.add(header.e_phoff, segments)?;
        parts.put(if ctx.is_big() { 0x20 } else { 0x1c }, segments as u64, ctx);
    }
    let size = SectionHeader::size(ctx);
    let (start, mut count) = (header.e_shoff, u64::from(header.e_shnum));
    if start == 0 {
        return Ok(parts.bytes);
    }
    let mut table = parts.add(start, size as u64)?;
    if count == 0 {
        // More sections than the header has room for: the first one says how many.
        count = SectionHeader::parse(&parts.bytes, table, 1, ctx)?[0].sh_size;
    }
    if count > 1 {
        table = parts.add(start, count.saturating_mul(size as u64))?;
    }
    parts.put(if ctx.is_big() { 0x28 } else { 0x20 }, table as u64, ctx);
    let headers = SectionHeader::parse(&parts.bytes, table, count.max(1) as usize, ctx)?;

    let mut places = vec![None; headers.len()];
    let mut keep = |index: usize, parts: &mut Parts| {
        match headers.get(index).filter(|header| header.sh_type != SHT_NOBITS) {
            // What is beyond the end of the file stays there.
            Some(header)
                if places[index].is_none() && parts.has(header.sh_offset, header.sh_size) =>
            {
                places[index] = Some(parts.add(header.sh_offset, header.sh_size)?);
            }
            _ => {}
        }
        Ok::<_, ExcerptError>(places.get(index).copied().flatten())
    };
    let names = usize::from(header.e_shstrndx);
    let strings = match keep(names, &mut parts)? {
        Some(start) => parts.bytes[start..][..headers[names].sh_size as usize].to_vec(),
        None => vec![],
    };
    for (index, header) in headers.iter().enumerate() {
        if wanted(string(&strings, header.sh_name), header) {
            keep(index, &mut parts)?;
            keep(header.sh_link as usize, &mut parts)?;
        }
    }
    for (index, place) in places.into_iter().enumerate() {
        let at = table + index * size + if ctx.is_big() { 0x18 } else { 0x10 };
        parts.put(at, place.map_or(u64::MAX, |place| place as u64), ctx);
    }
    Ok(parts.bytes)
}

/// The longer one of both classes.
const HEADER: u64 = 64;

struct Parts<'a> {
    length: u64,
    most: u64,
    read: &'a mut dyn FnMut(u64, &mut [u8]) -> io::Result<()>,
    bytes: Vec<u8>,
}

impl Parts<'_> {
    /// Whether the file has these bytes.
    fn has(&self, offset: u64, size: u64) -> bool {
        offset.checked_add(size).is_some_and(|end| end <= self.length)
    }

    /// Reads these bytes of the file, and gives their place here.
    fn add(&mut self, offset: u64, size: u64) -> Result<usize, ExcerptError> {
        let place = self.bytes.len();
        if !self.has(offset, size) {
            return Err(ElfError::Malformed("it is cut off".into()).into());
        }
        if size > self.most.saturating_sub(place as u64) {
            return Err(ExcerptError::TooLarge(self.most));
        }
        self.bytes.resize(place + size as usize, 0);
        (self.read)(offset, &mut self.bytes[place..])?;
        Ok(place)
    }

    /// Writes an offset where the file has one.
    fn put(&mut self, at: usize, value: u64, ctx: Ctx) {
        let field = &mut self.bytes[at..][..if ctx.is_big() { 8 } else { 4 }];
        let length = field.len();
        match ctx.is_little_endian() {
            true => field.copy_from_slice(&value.to_le_bytes()[..length]),
            false => field.copy_from_slice(&value.to_be_bytes()[8 - length..]),
        }
    }
}
