//! ELF files of any kind: their tables.

use goblin::container::Ctx;
use goblin::elf::program_header::ProgramHeader;
use goblin::elf::section_header::{SHT_NOBITS, SectionHeader};
use goblin::elf::sym::{STB_LOCAL, STB_WEAK, STT_SECTION, STV_HIDDEN, STV_INTERNAL, Symtab};
use goblin::elf::{Elf, Header};

/// Why bytes are not an ELF file that can be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// Not an ELF file, or one that is cut off.
    #[error("not an ELF object: {0}")]
    Malformed(String),
    /// Code for another machine.
    #[error("this ELF object is for another machine (number {0}), not for BPF (247)")]
    Machine(u16),
    /// A section reaches beyond the end of the file.
    #[error("the section {0} reaches beyond the end of the file")]
    SectionCutOff(String),
    /// Sections share bytes, or there are too many, which no true object has.
    #[error("its sections overlap")]
    Overlap,
    /// A relocation's place or symbol does not exist.
    #[error("the relocation at byte {0} of the section {1} refers to nothing")]
    Relocation(u64, String),
    /// More maps than any true object has.
    #[error("it defines {0} maps, which is too many for an object")]
    Maps(usize),
}

impl From<goblin::error::Error> for ElfError {
    fn from(error: goblin::error::Error) -> ElfError {
        ElfError::Malformed(error.to_string())
    }
}

/// The length of the longest name that is read, in bytes.
const NAME: usize = 4096;

/// An ELF file, of either class and byte order.
pub struct File<'a> {
    /// Its header.
    pub header: Header,
    /// Its sections in their order.
    pub sections: Vec<Section<'a>>,
    pub(super) bytes: &'a [u8],
    pub(super) ctx: Ctx,
}

/// A section.
pub struct Section<'a> {
    /// Its name; empty if it has none.
    pub name: &'a str,
    /// Its entry in the table of sections.
    pub header: SectionHeader,
    /// Its bytes; `None` if they reach beyond the end of the file.
    pub bytes: Option<&'a [u8]>,
}

/// A symbol.
#[derive(Clone, Copy, Debug)]
pub struct Symbol<'a> {
    /// Its name; for a section's symbol, the section's name.
    pub name: &'a str,
    /// The section that it is in; 0 if the file does not define it.
    pub section: usize,
    /// Its place: in an object the offset in the section, in a program the address.
    pub value: u64,
    /// How many bytes it has; 0 if nobody said.
    pub size: u64,
    /// `STT_FUNC` and so on.
    pub kind: u8,
    /// Whether other objects do not see it, so that a function of it counts as static.
    pub hidden: bool,
    /// Whether it may be missing.
    pub weak: bool,
}

impl<'a> File<'a> {
    /// Reads the header and the table of sections.
    ///
    /// # Errors
    /// It is not an ELF file, or it is cut off.
    pub fn parse(bytes: &'a [u8]) -> Result<File<'a>, ElfError> {
        let header = Elf::parse_header(bytes)?;
        let ctx = Ctx::new(header.container()?, header.endianness()?);
        let (start, count) = (header.e_shoff as usize, header.e_shnum.into());
        let headers = SectionHeader::parse(bytes, start, count, ctx)?;
        let names = headers.get(usize::from(header.e_shstrndx));
        let names = names.and_then(|header| contents(bytes, header)).unwrap_or_default();
        let sections = headers.into_iter().map(|header| Section {
            name: string(names, header.sh_name),
            bytes: contents(bytes, &header),
            header,
        });
        Ok(File { header, sections: sections.collect(), bytes, ctx })
    }

    /// The bytes of the section of this name.
    pub fn section(&self, name: &str) -> Option<&'a [u8]> {
        self.sections.iter().find(|section| section.name == name)?.bytes
    }

    /// The symbols in the first section of this type: `SHT_SYMTAB` or `SHT_DYNSYM`.
    ///
    /// # Errors
    /// They reach beyond the end of the file.
    pub fn symbols(&self, section_type: u32) -> Result<Vec<Symbol<'a>>, ElfError> {
        let table = self.sections.iter().find(|section| section.header.sh_type == section_type);
        let Some(SectionHeader { sh_offset, sh_size, sh_entsize, sh_link, .. }) =
            table.map(|table| &table.header)
        else {
            return Ok(vec![]);
        };
        let count = sh_size.checked_div(*sh_entsize).unwrap_or_default() as usize;
        let symbols = Symtab::parse(self.bytes, *sh_offset as usize, count, self.ctx)?;
        let section = |index: usize| self.sections.get(index);
        let names = section(*sh_link as usize).and_then(|it| it.bytes).unwrap_or_default();
        let symbols = symbols.iter().map(|symbol| {
            let kind = symbol.st_type();
            let name = match section(symbol.st_shndx).filter(|_| kind == STT_SECTION) {
                Some(section) => section.name,
                None => string(names, symbol.st_name),
            };
            let (section, value, size) = (symbol.st_shndx, symbol.st_value, symbol.st_size);
            let hidden = symbol.st_bind() != STB_LOCAL
                && matches!(symbol.st_visibility(), STV_HIDDEN | STV_INTERNAL);
            Symbol { name, section, value, size, kind, hidden, weak: symbol.st_bind() == STB_WEAK }
        });
        Ok(symbols.collect())
    }

    /// Whether its numbers are little-endian.
    pub fn is_little_endian(&self) -> bool {
        self.ctx.is_little_endian()
    }

    /// The program headers: what a program has in memory, and where it is in the file.
    ///
    /// # Errors
    /// The table reaches beyond the end of the file.
    pub fn segments(&self) -> Result<Vec<ProgramHeader>, ElfError> {
        let (start, count) = (self.header.e_phoff as usize, self.header.e_phnum.into());
        Ok(ProgramHeader::parse(self.bytes, start, count, self.ctx)?)
    }
}

/// A section's bytes; `None` if they reach beyond the end of the file.
fn contents<'a>(bytes: &'a [u8], header: &SectionHeader) -> Option<&'a [u8]> {
    if header.sh_type == SHT_NOBITS {
        return Some(&[]);
    }
    let start = usize::try_from(header.sh_offset).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(header.sh_size).ok()?)?)
}

/// The string at an offset of a table; empty if there is none.
pub(super) fn string(table: &[u8], offset: usize) -> &str {
    let tail = table.get(offset..).unwrap_or_default();
    let tail = &tail[..tail.len().min(NAME)];
    let end = memchr::memchr(0, tail).unwrap_or(tail.len());
    std::str::from_utf8(&tail[..end]).unwrap_or_default()
}
