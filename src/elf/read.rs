//! The object: its sections, functions, and what instructions refer to.

use std::collections::HashMap;

use goblin::container::{Container, Ctx};
use goblin::elf::reloc::RelocSection;
use goblin::elf::section_header::{SHF_EXECINSTR, SHT_NOBITS, SHT_PROGBITS, SHT_REL};
use goblin::elf::section_header::{SHT_SYMTAB, SectionHeader};
use goblin::elf::sym::{STT_FUNC, STT_OBJECT, STT_SECTION, Symtab};
use goblin::elf::{Elf, header};

use crate::insn::{Endian, Slot};

/// Why bytes are not an object that can be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// No ELF file, or one that is cut off.
    #[error("no ELF object: {0}")]
    Malformed(String),
    /// Code for something else.
    #[error("an ELF object for {0}, not for BPF")]
    Machine(&'static str),
    /// A section reaches beyond the end of the file.
    #[error("the section {0} reaches beyond the end of the file")]
    SectionCutOff(String),
    /// No true object has sections that share bytes.
    #[error("its sections overlap")]
    Overlap,
    /// A relocation's place or symbol does not exist.
    #[error("the relocation at byte {0} of the section {1} refers to nothing")]
    Relocation(u64, String),
    /// More maps than any true object has.
    #[error("it defines {0} maps: more than can be true")]
    Maps(usize),
}

/// No name in a true object is longer.
const NAME: usize = 512;

/// A BPF object.
pub struct Object<'a> {
    /// The byte order of its instructions.
    pub endian: Endian,
    sections: Vec<Section<'a>>,
    symbols: Vec<Symbol<'a>>,
    /// Functions and variables by section and address.
    places: Vec<usize>,
    /// For each section of instructions its relocations: offset, and the symbol's index.
    relocations: HashMap<usize, HashMap<u64, usize>>,
}

struct Section<'a> {
    name: &'a str,
    bytes: &'a [u8],
    size: u64,
    is_code: bool,
}

pub(super) struct Symbol<'a> {
    pub name: &'a str,
    pub section: usize,
    pub value: u64,
    kind: u8,
}

/// A function's instructions.
#[derive(Clone, Copy, Debug)]
pub struct Function<'a> {
    /// Its name; that of its section if it has none.
    pub name: &'a str,
    /// The section it is in: of a program it tells how to attach it, such as `kprobe/vfs_read`.
    pub section: &'a str,
    /// Where in the section it begins, in bytes.
    pub start: u64,
    /// Its instructions.
    pub bytes: &'a [u8],
    index: usize,
}

/// What an instruction refers to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reference<'a> {
    /// A map.
    Map(&'a str),
    /// A global variable: the section that becomes a map, the offset in it, and the name if there
    /// is one.
    Variable(&'a str, u64, Option<&'a str>),
    /// A function of the object.
    Function(&'a str),
    /// Something of the kernel's.
    Extern(&'a str),
}

impl<'a> Object<'a> {
    /// Reads the tables of an object; no instruction is looked at.
    ///
    /// # Errors
    /// It is none, not one for BPF, or parts of it are not where it says.
    pub fn parse(bytes: &'a [u8]) -> Result<Object<'a>, ElfError> {
        let malformed = |error: goblin::error::Error| ElfError::Malformed(error.to_string());
        let header = Elf::parse_header(bytes).map_err(malformed)?;
        if header.e_machine != header::EM_BPF {
            return Err(ElfError::Machine(header::machine_to_str(header.e_machine)));
        }
        let endian = match header.e_ident[header::EI_DATA] {
            header::ELFDATA2LSB => Endian::Little,
            _ => Endian::Big,
        };
        let container = header.container().map_err(malformed)?;
        let ctx = Ctx::new(container, header.endianness().map_err(malformed)?);
        let headers =
            SectionHeader::parse(bytes, header.e_shoff as usize, header.e_shnum.into(), ctx);
        let headers = headers.map_err(malformed)?;
        // What follows looks at each section's bytes a few times: that must be bounded.
        let total = headers.iter().filter(|header| header.sh_type != SHT_NOBITS);
        let total = total.map(|header| u128::from(header.sh_size)).sum::<u128>();
        if total > bytes.len() as u128 {
            return Err(ElfError::Overlap);
        }
        let names = headers.get(usize::from(header.e_shstrndx));
        let names = names.and_then(|header| contents(bytes, header)).unwrap_or_default();
        let section = |header: &SectionHeader| {
            let name = string(names, header.sh_name);
            let bytes = contents(bytes, header);
            Ok(Section {
                name,
                bytes: bytes.ok_or_else(|| ElfError::SectionCutOff(name.to_owned()))?,
                size: header.sh_size,
                is_code: header.sh_type == SHT_PROGBITS
                    && header.sh_flags & u64::from(SHF_EXECINSTR) != 0,
            })
        };
        let mut object = Object {
            endian,
            sections: headers.iter().map(section).collect::<Result<_, _>>()?,
            symbols: vec![],
            places: vec![],
            relocations: HashMap::new(),
        };
        object.read_symbols(bytes, &headers, ctx)?;
        for header in headers.iter().filter(|header| header.sh_type == SHT_REL) {
            object.read_relocations(bytes, header, ctx)?;
        }
        Ok(object)
    }

    fn read_symbols(
        &mut self,
        bytes: &'a [u8],
        headers: &[SectionHeader],
        ctx: Ctx,
    ) -> Result<(), ElfError> {
        let Some(table) = headers.iter().find(|header| header.sh_type == SHT_SYMTAB) else {
            return Ok(());
        };
        let malformed = |error: goblin::error::Error| ElfError::Malformed(error.to_string());
        let size = if ctx.container == Container::Big { 24 } else { 16 };
        let count = (table.sh_size / size) as usize;
        let symbols = Symtab::parse(bytes, table.sh_offset as usize, count, ctx);
        let names = self.sections.get(table.sh_link as usize).map_or(&[][..], |it| it.bytes);
        self.symbols = symbols
            .map_err(malformed)?
            .iter()
            .map(|symbol| {
                let section = symbol.st_shndx;
                let own = self.sections.get(section).map_or("", |section| section.name);
                let kind = symbol.st_type();
                let name = if kind == STT_SECTION { own } else { string(names, symbol.st_name) };
                Symbol { name, section, value: symbol.st_value, kind }
            })
            .collect();
        let named = |index: &usize| matches!(self.symbols[*index].kind, STT_FUNC | STT_OBJECT);
        let mut places: Vec<_> = (0..self.symbols.len()).filter(named).collect();
        places.sort_by_key(|index| self.place(*index));
        self.places = places;
        Ok(())
    }

    fn read_relocations(
        &mut self,
        bytes: &'a [u8],
        header: &SectionHeader,
        ctx: Ctx,
    ) -> Result<(), ElfError> {
        let target = header.sh_info as usize;
        let Some(section) = self.sections.get(target).filter(|section| section.is_code) else {
            return Ok(());
        };
        let (start, size) = (header.sh_offset as usize, header.sh_size as usize);
        let relocations = RelocSection::parse(bytes, start, size, false, ctx)
            .map_err(|error| ElfError::Malformed(error.to_string()))?;
        let of_section = self.relocations.entry(target).or_default();
        for relocation in &relocations {
            let at = relocation.r_offset;
            if at % 8 != 0 || at >= section.size || relocation.r_sym >= self.symbols.len() {
                return Err(ElfError::Relocation(at, section.name.to_owned()));
            }
            of_section.insert(at, relocation.r_sym);
        }
        Ok(())
    }

    fn place(&self, index: usize) -> (usize, u64) {
        (self.symbols[index].section, self.symbols[index].value)
    }

    /// The bytes of a section, such as `.BTF`.
    pub fn section(&self, name: &str) -> Option<&'a [u8]> {
        self.sections.iter().find(|section| section.name == name).map(|section| section.bytes)
    }

    /// Its licence, where it has one.
    pub fn license(&self) -> Option<&'a str> {
        self.section("license").map(|bytes| string(bytes, 0))
    }

    /// The sections of global variables, which become maps: name and size in bytes.
    pub fn variables(&self) -> impl Iterator<Item = (&'a str, u64)> {
        let sections = self.sections.iter().filter(|section| is_data(section.name));
        sections.map(|section| (section.name, section.size)).filter(|(_, size)| *size > 0)
    }

    /// The functions in the order they stand in. All instructions are in one of them: what lies
    /// before the first or has no name bears the name of its section.
    pub fn functions(&self) -> Vec<Function<'a>> {
        let mut functions = vec![];
        for (index, section) in self.sections.iter().enumerate().filter(|(_, it)| it.is_code) {
            let size = section.bytes.len() as u64;
            let from = self.places.partition_point(|place| self.place(*place) < (index, 0));
            let to = self.places.partition_point(|place| self.place(*place) < (index, size));
            let starts = self.places[from..to].iter().map(|place| &self.symbols[*place]);
            let mut starts: Vec<_> = starts
                .filter(|symbol| symbol.kind == STT_FUNC && symbol.value % 8 == 0)
                .map(|symbol| (symbol.value, symbol.name))
                .collect();
            starts.dedup_by_key(|(start, _)| *start);
            if size > 0 && starts.first().is_none_or(|(start, _)| *start > 0) {
                starts.insert(0, (0, section.name));
            }
            for (number, (start, name)) in starts.iter().enumerate() {
                let end = starts.get(number + 1).map_or(size, |(next, _)| *next);
                let bytes = &section.bytes[*start as usize..end as usize];
                functions.push(Function {
                    name,
                    section: section.name,
                    start: *start,
                    bytes,
                    index,
                });
            }
        }
        functions
    }

    /// What the instruction whose first slot this is refers to: `at` is the slot in the function.
    pub fn reference(&self, function: &Function<'a>, at: usize) -> Option<Reference<'a>> {
        let offset = function.start + 8 * at as u64;
        let slot = function.bytes.as_chunks::<8>().0.get(at)?;
        let slot = Slot::from_bytes(*slot, self.endian);
        let is_call = slot.code == 0x85;
        let relocations = self.relocations.get(&function.index);
        let Some(symbol) = relocations.and_then(|relocations| relocations.get(&offset)) else {
            // A call inside of the section needs no relocation.
            let callee = i64::from(slot.imm) * 8 + 8 + offset as i64;
            let callee = u64::try_from(callee).ok().filter(|_| is_call && slot.src == 1)?;
            return self.named(function.index, callee, STT_FUNC).map(Reference::Function);
        };
        let symbol = &self.symbols[*symbol];
        let Some(section) = self.sections.get(symbol.section).filter(|_| symbol.section > 0) else {
            return Some(Reference::Extern(symbol.name));
        };
        // What is added stands in the instruction: of a call it counts slots from the next one.
        let added = if is_call { (i64::from(slot.imm) + 1) * 8 } else { slot.imm.into() };
        let place = symbol.value.wrapping_add_signed(added);
        Some(match section.name {
            ".maps" | "maps" => {
                let named = self.named(symbol.section, place, STT_OBJECT);
                Reference::Map(named.unwrap_or(symbol.name))
            }
            _ if section.is_code => Reference::Function(
                self.named(symbol.section, place, STT_FUNC).unwrap_or(symbol.name),
            ),
            name => Reference::Variable(name, place, self.variable(symbol.section, place)),
        })
    }

    /// The function or variable that begins there.
    fn named(&self, section: usize, value: u64, kind: u8) -> Option<&'a str> {
        let from = self.places.partition_point(|place| self.place(*place) < (section, value));
        let here = self.places[from..].iter().take_while(|it| self.place(**it) == (section, value));
        here.map(|it| &self.symbols[*it]).find(|it| it.kind == kind).map(|it| it.name)
    }

    /// The variable that begins there or before.
    fn variable(&self, section: usize, value: u64) -> Option<&'a str> {
        let after = self.places.partition_point(|place| self.place(*place) <= (section, value));
        let symbol = &self.symbols[self.places[after.checked_sub(1)?]];
        (symbol.section == section).then_some(symbol.name)
    }

    /// The symbols that are maps, and the bytes of their section.
    pub(super) fn map_symbols(&self) -> impl Iterator<Item = (&Symbol<'a>, &'a [u8])> {
        let symbols = self.places.iter().map(|place| &self.symbols[*place]);
        symbols.filter_map(|symbol| {
            let section = self.sections.get(symbol.section)?;
            matches!(section.name, ".maps" | "maps").then_some((symbol, section.bytes))
        })
    }
}

fn is_data(name: &str) -> bool {
    [".data", ".rodata", ".bss"].iter().any(|known| {
        name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// A section's bytes; `None` if they reach beyond the end of the file.
fn contents<'a>(bytes: &'a [u8], header: &SectionHeader) -> Option<&'a [u8]> {
    if header.sh_type == SHT_NOBITS {
        return Some(&[]);
    }
    let start = usize::try_from(header.sh_offset).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(header.sh_size).ok()?)?)
}

/// The string at an offset of a table; empty if it is none.
fn string(table: &[u8], offset: usize) -> &str {
    let tail = table.get(offset..).unwrap_or_default();
    let tail = &tail[..tail.len().min(NAME)];
    let end = memchr::memchr(0, tail).unwrap_or(tail.len());
    std::str::from_utf8(&tail[..end]).unwrap_or_default()
}
