//! The functions of a file by name.

use std::collections::BTreeMap;

use goblin::elf::section_header::{
    SHT_DYNAMIC, SHT_DYNSYM, SHT_GNU_VERDEF, SHT_GNU_VERSYM, SHT_SYMTAB,
};
use goblin::elf::sym::{STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE, STT_OBJECT};

use super::demangle::SourceName;
use crate::elf::{ElfError, File, Symbol};
use crate::error::Error;
use crate::host::names;

/// The types of the sections that are read.
pub const SECTIONS: [u32; 5] =
    [SHT_SYMTAB, SHT_DYNSYM, SHT_GNU_VERSYM, SHT_GNU_VERDEF, SHT_DYNAMIC];

/// A symbol that is code.
#[derive(Clone, Copy, Debug)]
pub struct CodeSymbol<'a> {
    /// Its name, without a version.
    pub name: &'a str,
    /// The version that follows it: `GLIBC_2.2.5`.
    version: Option<&'a str>,
    /// Whether it is an old version, kept for programs that were linked long ago.
    hidden: bool,
    /// Where it begins.
    pub address: u64,
    /// How many bytes it has; 0 if nobody said.
    pub size: u64,
    /// Whether it is an IFUNC, which only chooses the function that will be called.
    picks: bool,
}

impl CodeSymbol<'_> {
    /// The name as the source has it, with what tells overloads apart.
    pub fn shown(&self) -> String {
        SourceName::of(self.name).map_or_else(|| self.name.to_owned(), |name| name.full)
    }

    /// Whether it is the part of a function that is jumped to where something rare happens.
    pub fn is_cold(&self) -> bool {
        self.name.contains(".cold")
    }

    /// Of several names of one function, the one that people use: without underscores, and short.
    fn rank(&self) -> (u64, usize, usize, &str) {
        let name = self.name.trim_start_matches('_');
        (self.address, self.name.len() - name.len(), name.len(), name)
    }
}

/// The functions that a file defines, and what else its symbols tell.
pub struct Table<'a> {
    elf: &'a File<'a>,
    functions: Vec<CodeSymbol<'a>>,
    /// Symbols that are no functions.
    others: Vec<Symbol<'a>>,
    /// Whether there are only those that other files may use.
    stripped: bool,
}

impl<'a> Table<'a> {
    /// The functions of a file; `debug` has the symbols of one that was stripped.
    ///
    /// # Errors
    /// Tables reach beyond the end of the file.
    pub fn of(elf: &'a File<'a>, debug: Option<&'a File<'a>>) -> Result<Table<'a>, ElfError> {
        let local = debug.unwrap_or(elf).symbols(SHT_SYMTAB)?;
        let mut table =
            Table { elf, functions: vec![], others: vec![], stripped: local.is_empty() };
        for symbol in local {
            // These names may end in a version: nanosleep@@GLIBC_2.2.5; an old one follows a single @.
            let (name, version, hidden) = match symbol.name.split_once('@') {
                Some((name, version)) => match version.strip_prefix('@') {
                    Some(version) => (name, Some(version), false),
                    None => (name, Some(version), true),
                },
                None => (symbol.name, None, false),
            };
            table.add(&symbol, name, version, hidden);
        }
        let versions = versions(elf);
        let numbers = elf.sections.iter().find(|it| it.header.sh_type == SHT_GNU_VERSYM);
        let numbers = numbers.and_then(|section| section.bytes).unwrap_or_default();
        for (index, symbol) in elf.symbols(SHT_DYNSYM)?.into_iter().enumerate() {
            let number = half(elf, numbers, 2 * index).unwrap_or(0);
            let version = versions.get(&(number & !HIDDEN)).copied();
            table.add(&symbol, symbol.name, version, number & HIDDEN != 0);
        }
        Ok(table)
    }

    fn add(&mut self, symbol: &Symbol<'a>, name: &'a str, version: Option<&'a str>, hidden: bool) {
        let Symbol { value: address, size, kind, .. } = *symbol;
        let picks = kind == STT_GNU_IFUNC;
        match (picks || kind == STT_FUNC) && symbol.section != 0 {
            true => {
                self.functions.push(CodeSymbol { name, version, hidden, address, size, picks });
            }
            false => self.others.push(*symbol),
        }
    }

    /// All functions, each once, in the order of addresses.
    pub fn functions(self) -> Vec<CodeSymbol<'a>> {
        once(self.functions)
    }

    /// The functions that a text names: by symbol, with a version after an `@`, or as the source does. There
    /// are several if they have different parameters, or if each file of the source has one.
    pub fn named(&self, text: &str) -> Vec<CodeSymbol<'a>> {
        let by_symbol = self.functions.iter().filter(|function| match function.version {
            Some(version) if text.contains('@') => {
                let named = text.split_once('@');
                named.is_some_and(|(name, of)| {
                    name == function.name && of.trim_start_matches('@') == version
                })
            }
            _ => function.name == text && !function.hidden,
        });
        let found: Vec<_> = by_symbol.copied().collect();
        if !found.is_empty() {
            return once(found);
        }
        let part = identifier(text);
        let likely = self.functions.iter().filter(|it| !it.hidden && it.name.contains(part));
        let is = |it: &&CodeSymbol| SourceName::of(it.name).is_some_and(|name| name.is(text));
        once(likely.filter(is).copied().collect())
    }

    /// The functions that fit a pattern by symbol, or as the source names them, with parameters or without.
    pub fn matching(&self, pattern: &str) -> Vec<CodeSymbol<'a>> {
        let fits = |function: &&CodeSymbol| {
            names::matches(pattern, function.name)
                || SourceName::of(function.name).is_some_and(|name| {
                    names::matches(pattern, &name.short) || names::matches(pattern, &name.full)
                })
        };
        let functions = self.functions.iter().filter(|it| !it.hidden && !it.picks && !it.is_cold());
        once(functions.filter(fits).copied().collect())
    }

    /// Whether exceptions of C++ pass through functions here.
    pub fn throws(&self) -> bool {
        let throws = |name: &str| ["__cxa_throw", "__gxx_personality_v0"].contains(&name);
        self.others.iter().any(|other| throws(other.name))
            || self.functions.iter().any(|function| throws(function.name))
    }

    /// The parts of a function: addresses and sizes. Where something rare happens, it is in a part of its own.
    pub fn parts(&self, function: &CodeSymbol) -> Vec<(u64, u64)> {
        let cold = |it: &&CodeSymbol| {
            it.name.strip_prefix(function.name).is_some_and(|rest| rest.starts_with(".cold"))
        };
        let cold = self.functions.iter().filter(cold).map(|it| (it.address, it.size));
        [(function.address, function.size)].into_iter().chain(cold).collect()
    }

    /// The function that an address is in.
    pub fn at(&self, address: u64) -> Option<CodeSymbol<'a>> {
        let within =
            |it: &&CodeSymbol| it.address <= address && address - it.address < it.size.max(1);
        self.functions.iter().filter(within).max_by_key(|it| it.address).copied()
    }

    /// What is wrong with a function that only chooses among others.
    ///
    /// # Errors
    /// It is such a function.
    pub fn check(&self, function: &CodeSymbol) -> Result<(), Error> {
        if !function.picks {
            return Ok(());
        }
        let name = function.name;
        let choices = format!("__{}_", name.trim_start_matches('_'));
        let known = self.functions.iter().any(|it| it.name.starts_with(&choices));
        let error = Error::usage(format!(
            "{name} is an IFUNC: a program chooses among functions for several CPUs when it starts"
        ));
        Err(match known {
            true => error.hint(format!("try all of them: '{choices}*'")),
            false => error.hint("only the debug symbols of this file name them: install those"),
        })
    }

    /// Why a text names no function.
    pub fn unknown(&self, text: &str) -> Error {
        let error = Error::usage(format!("no function {text}"));
        let mut changed = self.functions.iter().filter(|it| {
            let name =
                SourceName::of(it.name).map_or_else(|| it.name.to_owned(), |name| name.short);
            name.strip_prefix(text).is_some_and(|rest| rest.starts_with('.')) && !it.is_cold()
        });
        if let Some(changed) = changed.next() {
            return Error::usage(format!(
                "no function {text} as it is in the source: the compiler made {} of it, whose arguments \
                 may be others",
                changed.shown()
            ))
            .hint(format!("try: {}", changed.shown()));
        }
        if let Some(other) = self.others.iter().find(|other| other.name == text) {
            return match (other.section, other.kind) {
                (0, _) => Error::usage(format!("{text} is used here, but is in another file")),
                (_, STT_OBJECT) => Error::usage(format!("{text} is data, no function")),
                (_, STT_NOTYPE) => Error::usage(format!(
                    "{text} is not marked as a function: its assembler text lacks .type {text}, @function"
                ))
                .hint(format!("if code begins there, try its address: {:#x}", other.value)),
                _ => error,
            };
        }
        if self.functions.is_empty() {
            return Error::usage("no symbols: it is stripped");
        }
        let source = text.contains("::") || text.contains('(');
        let shown = |function: &CodeSymbol| match SourceName::of(function.name) {
            Some(name) if source && text.contains('(') => name.full,
            Some(name) => name.short,
            None => function.name.to_owned(),
        };
        let likely = self.functions.iter().map(|function| {
            let name = shown(function);
            (strsim::jaro_winkler(text, &name), name)
        });
        match likely.max_by(|one, other| one.0.total_cmp(&other.0)) {
            Some((likeness, name)) if likeness > 0.85 => {
                error.hint(format!("did you mean {name}?"))
            }
            _ if self.stripped => Error::usage(format!(
                "no function {text}: it is stripped, so that only functions are known that other files may use"
            )),
            _ => error.hint(
                "a function that is part of all its callers (inlined) has no place of its own",
            ),
        }
    }

    /// Whether a text names a function of another file that this one uses.
    pub fn imports(&self, text: &str) -> bool {
        self.others.iter().any(|other| other.name == text && other.section == 0)
            && self.named(text).is_empty()
    }

    /// The libraries that the file uses, by name.
    pub fn libraries(&self) -> Vec<&'a str> {
        const NEEDED: u64 = 1;
        let libraries = || {
            let sections = &self.elf.sections;
            let section = sections.iter().find(|it| it.header.sh_type == SHT_DYNAMIC)?;
            let names = sections.get(section.header.sh_link as usize)?.bytes?;
            let number = |bytes: &[u8]| bytes.first_chunk().map_or(0, |it| u64::from_ne_bytes(*it));
            let entries = section.bytes?.chunks_exact(16).filter(|it| number(it) == NEEDED);
            let name = |entry: &[u8]| {
                let name = names.get(number(&entry[8..]) as usize..)?;
                std::str::from_utf8(&name[..memchr::memchr(0, name)?]).ok()
            };
            Some(entries.filter_map(name).take(LIBRARIES_MAX).collect())
        };
        libraries().unwrap_or_default()
    }
}

/// How many libraries of a file are looked into.
const LIBRARIES_MAX: usize = 100;

/// Marks an old version.
const HIDDEN: u16 = 0x8000;

fn half(elf: &File<'_>, bytes: &[u8], at: usize) -> Option<u16> {
    let half = *bytes.get(at..)?.first_chunk()?;
    Some(if elf.is_little_endian() { u16::from_le_bytes(half) } else { u16::from_be_bytes(half) })
}

/// The names of the versions that a library has, by number.
fn versions<'a>(elf: &'a File<'a>) -> BTreeMap<u16, &'a str> {
    let mut versions = BTreeMap::new();
    let section = elf.sections.iter().find(|it| it.header.sh_type == SHT_GNU_VERDEF);
    let Some((section, bytes)) = section.and_then(|it| Some((it, it.bytes?))) else {
        return versions;
    };
    let names = elf.sections.get(section.header.sh_link as usize).and_then(|it| it.bytes);
    let names = names.unwrap_or_default();
    let word = |at: usize| {
        let word = *bytes.get(at..)?.first_chunk()?;
        Some(if elf.is_little_endian() {
            u32::from_le_bytes(word)
        } else {
            u32::from_be_bytes(word)
        })
    };
    let mut at = 0;
    // Each is linked to the next.
    while let (Some(number), Some(name), Some(next)) =
        (half(elf, bytes, at + 4), word(at + 12), word(at + 16))
    {
        let name = word(at + name as usize).and_then(|name| names.get(name as usize..));
        let name =
            name.and_then(|name| std::str::from_utf8(&name[..memchr::memchr(0, name)?]).ok());
        versions.insert(number, name.unwrap_or_default());
        // So that no circle is endless.
        if (next as usize) < 20 {
            break;
        }
        at += next as usize;
    }
    versions
}

/// Each function once, in the order of addresses.
fn once(mut functions: Vec<CodeSymbol<'_>>) -> Vec<CodeSymbol<'_>> {
    functions.sort_by(|one, other| one.rank().cmp(&other.rank()));
    functions.dedup_by_key(|function| function.address);
    functions
}

/// A part of a name in the source that the symbol has too, since it is written there as it is: the last
/// identifier before parameters. Empty where compilers abbreviate.
fn identifier(text: &str) -> &str {
    let end = text.find(['(', '<', '[', '{']).unwrap_or(text.len());
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = text[..end].trim_end_matches(|c| !part(c));
    let start = name.rfind(|c| !part(c)).map_or(0, |at| at + 1);
    let abbreviated = ["std", "string", "allocator", "istream", "ostream", "iostream", "const"];
    match &name[start..] {
        name if text.contains("operator") || abbreviated.contains(&name) => "",
        name => name,
    }
}

/// The error of one of several functions that a text names.
pub fn several(text: &str, found: &[CodeSymbol<'_>]) -> Error {
    let what = format!("{} functions named {text}", found.len());
    let mut names: Vec<_> = found.iter().take(4).map(CodeSymbol::shown).collect();
    names.dedup();
    if names.len() < found.len().min(4) {
        // What tells them apart is in the symbols alone, or nowhere.
        names = found.iter().take(4).map(|function| function.name.to_owned()).collect();
        names.dedup();
    }
    let error = Error::usage(what);
    match names.len() == found.len().min(4) {
        true => {
            let names: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
            error.hint(format!("try: {}", names.join(" or ")))
        }
        false => {
            let places: Vec<_> =
                found.iter().take(4).map(|it| format!("{:#x}", it.address)).collect();
            error.hint(format!("try their addresses: {}", places.join(" or ")))
        }
    }
}
