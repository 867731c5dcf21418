//! Functions of executables and libraries, by their symbols.

use std::fmt;
use std::path::{Path, PathBuf};

use goblin::elf::program_header::{PT_LOAD, ProgramHeader};
use goblin::elf::section_header::{SHT_DYNSYM, SHT_GNU_VERSYM, SHT_SYMTAB};
use goblin::elf::sym::{STT_FUNC, STT_GNU_IFUNC};

use super::file;
use crate::elf::{ElfError, File};
use crate::error::Error;

/// Marks the old version of a symbol, kept for programs that were linked long ago.
const HIDDEN: u8 = 0x80;

/// A function in an executable or a library.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserFunction {
    /// The file.
    pub path: PathBuf,
    /// Its name.
    pub symbol: String,
    /// Where in the file it is probed, in bytes: at its first instruction, or where that costs much, at
    /// its second, at which arguments and stack pointer are still the same.
    pub offset: u64,
    /// Only in this process.
    pub pid: Option<u32>,
}

impl fmt::Display for UserFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.symbol)
    }
}

impl UserFunction {
    /// Where this program itself began, in this process: an instruction that has run by now.
    ///
    /// # Errors
    /// The program cannot read its own file.
    pub fn own_entry() -> Result<UserFunction, Error> {
        let unreadable = || Error::failed("this program cannot read its own file");
        let path = Path::new("/proc/self/exe");
        let bytes = file::elf_parts(path, &|_, _| false).map_err(|_| unreadable())?;
        let elf = File::parse(&bytes).map_err(|_| unreadable())?;
        let segments = elf.segments().map_err(|_| unreadable())?;
        let offset = offset_of(&segments, elf.header.e_entry).ok_or_else(unreadable)?;
        let (symbol, pid) = ("_start".to_owned(), Some(std::process::id()));
        Ok(UserFunction { path: path.to_owned(), symbol, offset, pid })
    }

    /// The function called `symbol` in the ELF object at `path`, or as Rust's source calls it:
    /// `alloc::vec::Vec<T>::push`.
    ///
    /// # Errors
    /// The file cannot be read or is no ELF object, or it has no function of that name or several.
    pub fn find(path: &Path, symbol: &str, pid: Option<u32>) -> Result<UserFunction, Error> {
        // A program may have gigabytes; only these tables are read.
        let tables = [SHT_SYMTAB, SHT_DYNSYM, SHT_GNU_VERSYM];
        let file = file::elf_parts(path, &|_, header| tables.contains(&header.sh_type))?;
        let offset = file_offset(&file, symbol).map_err(|error| {
            let what = format!("{}: {}", path.display(), error.what);
            Error { what, ..error }
        })?;
        let offset = offset + cheap_start(path, offset)?;
        Ok(UserFunction { path: path.to_owned(), symbol: demangled(symbol), offset, pid })
    }
}

/// How many bytes after the function's first instruction a probe costs less. The kernel lets the processor
/// run the instruction under a probe alone, with two more traps, unless it can do itself what that does: a
/// push, but not the endbr64 that most functions begin with.
fn cheap_start(path: &Path, offset: u64) -> Result<u64, Error> {
    const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
    let mut start = [0; 6];
    if cfg!(not(target_arch = "x86_64")) || file::read_at(path, offset, &mut start)? < start.len() {
        return Ok(0);
    }
    let is_push = matches!(start[4..], [0x50..=0x57, _] | [0x41, 0x50..=0x57]);
    Ok(if start[..4] == ENDBR64 && is_push { ENDBR64.len() as u64 } else { 0 })
}

/// The name in the source, without the hash that Rust compilers add; a name of another language stays as
/// it is.
fn demangled(symbol: &str) -> String {
    match rustc_demangle::try_demangle(symbol) {
        Ok(name) => format!("{name:#}"),
        Err(_) => symbol.to_owned(),
    }
}

/// A symbol that is code.
struct CodeSymbol<'a> {
    name: &'a str,
    address: u64,
    /// Whether it is an IFUNC, which only chooses the function that will be called.
    picks: bool,
}

/// The offset of a function's first instruction in an ELF object's bytes.
fn file_offset(bytes: &[u8], symbol: &str) -> Result<u64, Error> {
    let broken = |error: ElfError| Error::usage(error.to_string());
    let elf = File::parse(bytes).map_err(broken)?;
    let functions = functions(&elf).map_err(broken)?;
    let mut found: Vec<_> = functions.iter().filter(|function| function.name == symbol).collect();
    if found.is_empty() && symbol.contains("::") {
        found.extend(functions.iter().filter(|function| demangled(function.name) == symbol));
    }
    found.sort_by_key(|function| function.address);
    found.dedup_by_key(|function| function.address);
    let function = match found[..] {
        [function] => function,
        [] if functions.is_empty() => return Err(Error::usage("no symbols: it is stripped")),
        [] => return Err(unknown(&functions, symbol)),
        _ => {
            let symbols: Vec<_> = found.iter().take(3).map(|function| function.name).collect();
            let what = format!("{} functions named {symbol}", found.len());
            // Several functions have this name, or several symbols have this name in the source.
            return Err(match symbols.contains(&symbol) {
                true => Error::usage(what),
                false => Error::usage(what).hint(format!("try: {}", symbols.join(" or "))),
            });
        }
    };
    if function.picks {
        return Err(Error::usage(format!(
            "{symbol} is an IFUNC: a program chooses among functions for several CPUs when it starts"
        )));
    }
    let segments = elf.segments().map_err(broken)?;
    offset_of(&segments, function.address)
        .ok_or_else(|| Error::usage(format!("{symbol} is not in code that processes can run")))
}

/// The offset in the file of the code at this address.
fn offset_of(segments: &[ProgramHeader], address: u64) -> Option<u64> {
    let loaded = segments.iter().filter(|segment| segment.p_type == PT_LOAD);
    let mut code = loaded.filter(|segment| segment.is_executable());
    code.find_map(|segment| {
        let within = address.checked_sub(segment.p_vaddr)?;
        (within < segment.p_filesz).then(|| segment.p_offset.checked_add(within))?
    })
}

/// Every function that the object itself defines, under the names that programs of today use.
fn functions<'a>(elf: &File<'a>) -> Result<Vec<CodeSymbol<'a>>, ElfError> {
    let versions = elf.sections.iter().find(|it| it.header.sh_type == SHT_GNU_VERSYM);
    let versions = versions.and_then(|section| section.bytes).unwrap_or_default();
    // The bit is in the byte that is the higher one.
    let high = usize::from(elf.is_little_endian());
    let hidden = |index: usize| versions.get(2 * index + high).is_some_and(|it| it & HIDDEN != 0);
    let dynamic = elf.symbols(SHT_DYNSYM)?.into_iter().enumerate();
    let dynamic = dynamic.filter(|(index, _)| !hidden(*index)).map(|(_, symbol)| symbol);
    let all = elf.symbols(SHT_SYMTAB)?.into_iter().chain(dynamic);
    let all = all.filter(|it| matches!(it.kind, STT_FUNC | STT_GNU_IFUNC) && it.section != 0);
    let functions = all.filter_map(|symbol| {
        // These names may end in a version: nanosleep@@GLIBC_2.2.5; an old version follows a single @.
        let name = match symbol.name.split_once('@') {
            Some((name, version)) => version.starts_with('@').then_some(name)?,
            None => symbol.name,
        };
        Some(CodeSymbol { name, address: symbol.value, picks: symbol.kind == STT_GNU_IFUNC })
    });
    Ok(functions.collect())
}

fn unknown(functions: &[CodeSymbol<'_>], symbol: &str) -> Error {
    let error = Error::usage(format!("no function {symbol}"));
    let name = |function: &CodeSymbol<'_>| match symbol.contains("::") {
        true => demangled(function.name),
        false => function.name.to_owned(),
    };
    let likely = functions.iter().map(name);
    let likely = likely.map(|name| (strsim::jaro_winkler(symbol, &name), name));
    match likely.max_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((likeness, name)) if likeness > 0.85 => error.hint(format!("did you mean {name}?")),
        _ => error,
    }
}
