//! Reads a BPF object: its sections, functions, and the references of its instructions.

use std::collections::HashSet;

use goblin::elf::header;
use goblin::elf::reloc::RelocSection;
use goblin::elf::section_header::{SHF_EXECINSTR, SHT_NOBITS, SHT_PROGBITS, SHT_REL, SHT_SYMTAB};
use goblin::elf::sym::{STT_FUNC, STT_NOTYPE, STT_OBJECT};

use super::file::{ElfError, File, Symbol, string};
use super::places::Places;
use crate::btf::Layout;
use crate::insn::{Endian, Slot};

/// The largest number of sections; no true object has as many.
const SECTIONS: usize = 4096;

/// A BPF object.
pub struct Object<'a> {
    /// The byte order of its instructions.
    pub endian: Endian,
    pub(super) file: File<'a>,
    pub(super) symbols: Vec<Symbol<'a>>,
    /// Functions and variables.
    places: Places,
    /// The instructions that refer to a symbol, and the symbol of each.
    relocations: Places,
    referred: Vec<usize>,
    /// The same of the elements of maps.
    pub(super) map_relocations: Places,
    pub(super) map_targets: Vec<usize>,
}

/// A function's instructions.
#[derive(Clone, Copy, Debug)]
pub struct ObjectFunction<'a> {
    /// Its name; that of its section if it has none.
    pub name: &'a str,
    /// Its section. A program's section shows how to attach it, such as `kprobe/vfs_read`.
    pub section: &'a str,
    /// Its offset in the section, in bytes.
    pub start: u64,
    /// Its instructions.
    pub bytes: &'a [u8],
    /// The section's index among the sections.
    pub index: usize,
}

/// A reference of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reference<'a> {
    /// A map.
    Map(&'a str),
    /// A global variable: the section, which becomes a map, the offset in it, and the name if there is
    /// one.
    Variable(&'a str, u64, Option<&'a str>),
    /// A function of the object.
    Function(&'a str),
    /// A function or variable of the kernel.
    Extern(&'a str),
}

impl<'a> Object<'a> {
    /// Reads the tables of an object, but not its instructions.
    ///
    /// # Errors
    /// It is not an object, not for BPF, or parts of it are missing.
    pub fn parse(bytes: &'a [u8]) -> Result<Object<'a>, ElfError> {
        let file = File::parse(bytes)?;
        // Old compilers named no machine.
        if !matches!(file.header.e_machine, header::EM_BPF | header::EM_NONE) {
            return Err(ElfError::Machine(file.header.e_machine));
        }
        let endian = if file.is_little_endian() { Endian::Little } else { Endian::Big };
        // The bytes of each section are read a few times, which must be bounded.
        let stored = file.sections.iter().filter(|it| it.header.sh_type != SHT_NOBITS);
        let total: u128 = stored.map(|section| u128::from(section.header.sh_size)).sum();
        if total > bytes.len() as u128 || file.sections.len() > SECTIONS {
            return Err(ElfError::Overlap);
        }
        if let Some(section) = file.sections.iter().find(|section| section.bytes.is_none()) {
            return Err(ElfError::SectionCutOff(section.name.to_owned()));
        }
        let symbols = file.symbols(SHT_SYMTAB)?;
        let places = Places::new(symbols.iter().map(|symbol| match symbol.kind {
            STT_FUNC | STT_OBJECT => (symbol.section, symbol.value),
            STT_NOTYPE if is_maps(&file, symbol.section) => (symbol.section, symbol.value),
            _ => (symbol.section, u64::MAX),
        }));
        let mut object = Object {
            endian,
            file,
            symbols,
            places,
            relocations: Places::default(),
            referred: vec![],
            map_relocations: Places::default(),
            map_targets: vec![],
        };
        object.read_relocations()?;
        Ok(object)
    }

    fn read_relocations(&mut self) -> Result<(), ElfError> {
        let mut places = vec![];
        let mut of_maps = vec![];
        let tables = self.file.sections.iter().filter(|it| it.header.sh_type == SHT_REL);
        for table in tables.map(|table| &table.header) {
            let target = table.sh_info as usize;
            let of_map = self
                .file
                .sections
                .get(target)
                .is_some_and(|it| it.name == ".maps" || is_struct_ops(it.name));
            let code = self.code(target).unwrap_or_default();
            if code.is_empty() && !of_map {
                continue;
            }
            let (start, size) = (table.sh_offset as usize, table.sh_size as usize);
            let bytes = self.file.bytes;
            for relocation in &RelocSection::parse(bytes, start, size, false, self.file.ctx)? {
                let (at, symbol) = (relocation.r_offset, relocation.r_sym);
                if of_map {
                    of_maps.push((target, at));
                    self.map_targets.push(symbol);
                    continue;
                }
                if at % 8 != 0 || at >= code.len() as u64 || symbol >= self.symbols.len() {
                    let section = self.file.sections[target].name.to_owned();
                    return Err(ElfError::Relocation(at, section));
                }
                places.push((target, at));
                self.referred.push(symbol);
            }
        }
        self.relocations = Places::new(places.into_iter());
        self.map_relocations = Places::new(of_maps.into_iter());
        Ok(())
    }

    /// The bytes of a section of instructions.
    fn code(&self, section: usize) -> Option<&'a [u8]> {
        let section = self.file.sections.get(section)?;
        let is_code = section.header.sh_type == SHT_PROGBITS
            && section.header.sh_flags & u64::from(SHF_EXECINSTR) != 0;
        section.bytes.filter(|_| is_code)
    }

    /// The index of the section with this name.
    pub fn section_index(&self, name: &[u8]) -> Option<usize> {
        self.file.sections.iter().position(|section| section.name.as_bytes() == name)
    }

    /// The bytes of a section, such as `.BTF`.
    pub fn section(&self, name: &str) -> Option<&'a [u8]> {
        self.file.section(name)
    }

    /// Its licence, if it has one.
    pub fn license(&self) -> Option<&'a str> {
        self.section("license").map(|bytes| string(bytes, 0))
    }

    /// The sections of global variables, which become maps: name, size in bytes, and initial bytes; empty
    /// for zeros.
    pub fn variables(&self) -> impl Iterator<Item = (&'a str, u64, &'a [u8])> {
        let sections = self.file.sections.iter().filter(|section| is_data(section.name));
        let sized = sections.map(|section| {
            (section.name, section.header.sh_size, section.bytes.unwrap_or_default())
        });
        sized.filter(|(_, size, _)| *size > 0)
    }

    /// Where its variables are, and which functions and variables count as static.
    pub fn layout(&self) -> Layout<'a> {
        let sections = self.file.sections.iter();
        let sections = sections.map(|section| {
            (section.name, u32::try_from(section.header.sh_size).unwrap_or(u32::MAX))
        });
        let symbols = || self.symbols.iter();
        let variables = symbols().filter(|it| it.kind == STT_OBJECT && it.section > 0);
        // Only functions that are called may be static: a program is global in any case.
        let is_called = |symbol: &Symbol<'_>| {
            let section = self.file.sections.get(symbol.section);
            symbol.kind != STT_FUNC || section.is_some_and(|section| section.name == ".text")
        };
        let hidden = symbols().filter(|symbol| symbol.hidden && is_called(symbol));
        Layout {
            sections: sections.collect(),
            variables: variables.map(|it| (it.name, it.value as u32)).collect(),
            hidden: hidden.map(|symbol| symbol.name).collect(),
        }
    }

    /// The names that may be missing.
    pub fn weak_symbols(&self) -> HashSet<&'a str> {
        self.symbols.iter().filter(|symbol| symbol.weak).map(|symbol| symbol.name).collect()
    }

    /// The functions in their order. Every instruction is in one of them: those before the first function,
    /// or in a function without a name, get the name of their section.
    pub fn functions(&self) -> Vec<ObjectFunction<'a>> {
        let mut functions = vec![];
        for index in 0..self.file.sections.len() {
            let Some(code) = self.code(index).filter(|code| !code.is_empty()) else { continue };
            let section = self.file.sections[index].name;
            let starts = self.places.from(index, 0).filter(|(start, symbol)| {
                let is_function = self.symbols[*symbol].kind == STT_FUNC;
                is_function && start % 8 == 0 && *start < code.len() as u64
            });
            let mut starts: Vec<_> =
                starts.map(|(start, symbol)| (start, self.symbols[symbol].name)).collect();
            starts.dedup_by_key(|(start, _)| *start);
            if starts.first().is_none_or(|(start, _)| *start > 0) {
                starts.insert(0, (0, section));
            }
            for (number, &(start, name)) in starts.iter().enumerate() {
                let end = starts.get(number + 1).map_or(code.len(), |(next, _)| *next as usize);
                let bytes = &code[start as usize..end];
                functions.push(ObjectFunction { name, section, index, start, bytes });
            }
        }
        functions
    }

    /// The reference of an instruction, given by its first slot: `at` is the slot in the function.
    pub fn reference(&self, function: &ObjectFunction<'a>, at: usize) -> Option<Reference<'a>> {
        let offset = function.start + 8 * at as u64;
        let slot = function.bytes.as_chunks::<8>().0.get(at)?;
        let slot = Slot::from_bytes(*slot, self.endian);
        let is_call = slot.code == 0x85;
        let Some(relocation) = self.relocations.at(function.index, offset).next() else {
            // A call inside of the section needs no relocation.
            let callee = i64::from(slot.imm) * 8 + 8 + offset as i64;
            let callee = u64::try_from(callee).ok().filter(|_| is_call && slot.src == 1)?;
            return self.named(function.index, callee, STT_FUNC).map(Reference::Function);
        };
        let symbol = &self.symbols[self.referred[relocation]];
        let sections = &self.file.sections;
        let Some(section) = sections.get(symbol.section).filter(|_| symbol.section > 0) else {
            return Some(Reference::Extern(symbol.name));
        };
        // What is added stands in the instruction: of a call it counts slots from the next one.
        let added = if is_call { (i64::from(slot.imm) + 1) * 8 } else { slot.imm.into() };
        let place = symbol.value.wrapping_add_signed(added);
        let named = |kind| self.named(symbol.section, place, kind).unwrap_or(symbol.name);
        Some(match section.name {
            _ if is_maps(&self.file, symbol.section) => Reference::Map(self.map_at(symbol, place)),
            _ if self.code(symbol.section).is_some() => Reference::Function(named(STT_FUNC)),
            name => {
                let variable = self.places.up_to(symbol.section, place);
                Reference::Variable(name, place, variable.map(|it| self.symbols[it].name))
            }
        })
    }

    /// The function or variable that begins there.
    pub(super) fn named(&self, section: usize, value: u64, kind: u8) -> Option<&'a str> {
        let mut here = self.places.at(section, value).map(|symbol| &self.symbols[symbol]);
        here.find(|symbol| symbol.kind == kind).map(|symbol| symbol.name)
    }

    /// The name of the map at a place to which this symbol leads.
    fn map_at(&self, symbol: &Symbol<'a>, place: u64) -> &'a str {
        let mut here = self.places.at(symbol.section, place).map(|it| self.symbols[it].name);
        here.find(|name| !name.is_empty()).unwrap_or(symbol.name)
    }

    /// The symbols that are maps, the bytes of their section, and the offset where the next map begins.
    pub(super) fn map_symbols(&self) -> impl Iterator<Item = (&Symbol<'a>, &'a [u8], u64)> {
        let sections = self.file.sections.iter().enumerate();
        let maps = sections.filter(|(index, _)| is_maps(&self.file, *index));
        maps.flat_map(move |(index, section)| {
            let mut here = self.places.from(index, 0).peekable();
            std::iter::from_fn(move || {
                let (_, symbol) = here.next()?;
                let end = here.peek().map_or(u64::MAX, |(next, _)| *next);
                let symbol = &self.symbols[symbol];
                Some((symbol, section.bytes.unwrap_or_default(), end))
            })
            .filter(|(symbol, ..)| !symbol.name.is_empty())
        })
    }
}

/// Whether a section has the definitions of maps.
fn is_maps(file: &File<'_>, section: usize) -> bool {
    let name = file.sections.get(section).map_or("", |section| section.name);
    matches!(name, ".maps" | "maps") || name.starts_with("maps/")
}

/// The sections of structs whose members are programs.
pub(super) fn is_struct_ops(section: &str) -> bool {
    matches!(section.trim_start_matches('?'), ".struct_ops" | ".struct_ops.link")
}

fn is_data(name: &str) -> bool {
    [".data", ".rodata", ".bss"].iter().any(|known| {
        name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}
