//! Functions of executables and libraries, by their symbols.

mod code;
mod debug_file;
mod demangle;
mod go;
mod instructions;
mod library;
mod process;
mod table;

use std::fmt;
use std::path::{Path, PathBuf};

use goblin::elf::section_header::SectionHeader;

use super::process::check_mapped;
use super::{file, names, refusal, registers};
use crate::elf::{ElfError, File};
use crate::error::Error;
use crate::sys::Tracefs;
use crate::sys::link::At;
use code::Code;
use go::Go;
pub use process::{UserSymbol, UserSymbols};
use table::{CodeSymbol, Table};

/// A function in an executable or a library, or a place in one.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct UserFunction {
    /// The file, as this process sees it.
    pub path: PathBuf,
    /// Its name, as the source has it; of a place in a function, `SYMBOL+0x10` or `0x1234`.
    pub symbol: String,
    /// Where in the file it is probed, in bytes: at its first instruction, or where that costs much, at
    /// its second, at which arguments and stack pointer are still the same.
    pub offset: u64,
    /// Only in this process.
    pub pid: Option<u32>,
    entry: Entry,
    /// Whether the kernel would do something else than the instruction there.
    misread: bool,
    /// Where in the file it returns, in bytes, if the kernel must not watch for that: a probe at its return
    /// would be met by exceptions.
    returns: Option<Vec<u64>>,
}

/// What is known where a probe is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Entry {
    /// A function is called there as C does.
    Called,
    /// A function of Go is called there.
    Go(Go),
    /// Code runs there that nobody has called, so that it does not return: a program's beginning.
    Uncalled,
    /// A function is called there that may return several times: `setjmp`.
    Twice,
    /// A function is called there through which exceptions may pass, and nobody knows how it is left.
    Throwing,
    /// Anywhere else in code.
    Within,
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
        let unreadable = || {
            let other = || Error::failed("this program cannot read its own file");
            refusal::no_proc().unwrap_or_else(other)
        };
        let path = Path::new("/proc/self/exe");
        let bytes = file::elf_parts(path, &|_, _| false).map_err(|_| unreadable())?;
        let elf = File::parse(&bytes).map_err(|_| unreadable())?;
        let code = Code::of(path, &elf).map_err(|_| unreadable())?;
        let offset = code.offset_of(code.entry).ok_or_else(unreadable)?;
        let (symbol, pid) = ("_start".to_owned(), Some(std::process::id()));
        Ok(UserFunction {
            path: path.to_owned(),
            symbol,
            offset,
            pid,
            entry: Entry::Uncalled,
            misread: false,
            returns: None,
        })
    }

    /// The function that a text names in a file. The file is a path, or the short name of a library (`c`) or
    /// a program. The text is a symbol (`malloc`, `memcpy@GLIBC_2.2.5`), what the source of C++ or Rust calls
    /// it (`Foo::bar`, `Foo::bar(int)`), an address as `nm` prints it (`0x1234`), or a place in a function
    /// (`malloc+0x10`). With a process, the file is the one that the process sees.
    ///
    /// # Errors
    /// The file cannot be read or is no ELF object, or it has no function of that name or several, or no
    /// instruction begins at that place.
    pub fn find(file: &Path, text: &str, pid: Option<u32>) -> Result<UserFunction, Error> {
        let mut found = look_up(file, text, pid, false)?;
        match found.len() {
            1 => Ok(found.swap_remove(0)),
            more => Err(Error::usage(format!("{more} functions match {text}: one is wanted"))),
        }
    }

    /// All functions that a text names or, as a pattern with `*`, `?` and `[..]`, matches: at least one, each
    /// once. A name in the source may be that of several functions with different parameters.
    ///
    /// # Errors
    /// As [`UserFunction::find`].
    pub fn find_all(file: &Path, text: &str, pid: Option<u32>) -> Result<Vec<UserFunction>, Error> {
        look_up(file, text, pid, true)
    }

    /// The functions of [`UserFunction::find_all`] for a pattern, else the one of [`UserFunction::find`]. Those
    /// that a pattern matches and that cannot be probed there are left out.
    ///
    /// # Errors
    /// As [`UserFunction::find`], or none can be probed.
    pub fn one_or_pattern(
        file: &Path,
        text: &str,
        at: At,
        pid: Option<u32>,
    ) -> Result<Vec<UserFunction>, Error> {
        let mut found = look_up(file, text, pid, false)?;
        let first = found.first().map(|function| function.check_at(at));
        found.retain(|function| function.check_at(at).is_ok());
        match (found.is_empty(), first) {
            (true, Some(Err(error))) => Err(error),
            _ => Ok(found),
        }
    }

    /// The file and the function of a word such as `/bin/app:work*` or `c:malloc`; none if it names a
    /// tracepoint (`sched:sched_switch`) or a function of the kernel. A category of tracepoints comes before
    /// a library of its name.
    pub fn split(word: &str, pid: Option<u32>) -> Option<(&str, &str)> {
        let (file, text) = word.split_once(':')?;
        if file.contains('/') || file.contains(".so") {
            return Some((file, text));
        }
        if file == "t" || file.contains(['*', '?', '[']) {
            return None;
        }
        // Without the list of tracepoints, only what is a library cannot be a category.
        let is_file = match Tracefs::find() {
            Some(tracefs) if tracefs.root().join("events").join(file).is_dir() => false,
            Some(_) => library::find(file, pid).is_ok() || library::is_library(file, pid),
            None => library::is_library(file, pid),
        };
        is_file.then_some((file, text))
    }

    /// Whether a probe leaves the processes that run into it as they are.
    ///
    /// # Errors
    /// It does not, and why.
    pub fn check(&self) -> Result<(), Error> {
        match self.misread {
            false => Ok(()),
            true => Err(Error::failed(format!(
                "{self} begins with an instruction of AVX that the kernel would take for another under a \
                 probe, which would damage the programs that run it"
            ))),
        }
    }

    /// Whether the entry or the return of the function can be probed.
    ///
    /// # Errors
    /// It cannot, and why.
    pub fn check_at(&self, at: At) -> Result<(), Error> {
        match at {
            At::Entry => self.check(),
            At::Return => self.check_return(),
        }
    }

    /// Whether the return of the function can be probed.
    ///
    /// # Errors
    /// It cannot, and why.
    pub fn check_return(&self) -> Result<(), Error> {
        self.check()?;
        match self.entry {
            Entry::Called => Ok(()),
            Entry::Go(_) => Err(Error::usage(format!(
                "{self} is a function of Go, whose stacks move: a probe at its return would end the program \
                 (\"unexpected return pc\")"
            ))
            .hint(format!("its calls can be counted: rawbpf funccount '{self}'"))),
            Entry::Uncalled => Err(Error::usage(format!(
                "{self} is not called, so that it never returns: a probe there would break the program"
            ))),
            Entry::Throwing => Err(Error::usage(format!(
                "{self} may be left by an exception, which would end the program at a probe of its return, \
                 or by a jump"
            ))
            .hint(format!("its calls can be counted: rawbpf funccount '{self}'"))),
            Entry::Twice => Err(Error::usage(format!(
                "{self} returns again later (longjmp): a probe at its return would end the program then"
            ))),
            Entry::Within => Err(Error::usage(format!(
                "{self} is not known as the beginning of a function: where it returns to is not known"
            ))),
        }
    }

    /// Where the returns of the function are instructions that are probed like any other: the places of these.
    pub(super) fn return_places(&self) -> Option<Vec<UserFunction>> {
        let place = |offset: &u64| UserFunction {
            path: self.path.clone(),
            symbol: format!("{} (return)", self.symbol),
            offset: *offset,
            pid: self.pid,
            entry: Entry::Within,
            misread: false,
            returns: None,
        };
        Some(self.returns.as_ref()?.iter().map(place).collect())
    }

    /// Whether a program at the function's return still finds the return address on the stack.
    pub fn is_at_return(&self) -> bool {
        self.returns.is_some()
    }

    /// Where the context has the function's first arguments: offsets in bytes.
    ///
    /// # Errors
    /// Nobody knows.
    pub fn arguments(&self) -> Result<&'static [i32], Error> {
        let host = registers::host().ok_or_else(|| {
            let arch = std::env::consts::ARCH;
            Error::lacking(format!("the registers of a function's arguments on {arch} are unknown"))
        })?;
        match self.entry {
            Entry::Called | Entry::Twice | Entry::Throwing | Entry::Uncalled => Ok(host.arguments),
            Entry::Go(Go::Registers) if !self.symbol.ends_with(".abi0") => {
                host.of_go.ok_or_else(|| {
                    Error::usage(format!(
                        "where functions of Go have their arguments on {} is unknown",
                        host.arch
                    ))
                })
            }
            Entry::Go(_) => Err(Error::usage(format!(
                "{self} is a function of Go that has its arguments on the stack, or was made before Go 1.18: \
                 they cannot be read"
            ))),
            Entry::Within => Err(Error::usage(format!(
                "{self} is not known as the beginning of a function: where arguments are is not known"
            ))),
        }
    }
}

/// The functions that a text names in a file. Several if `all` are wanted, or by a pattern.
fn look_up(
    file: &Path,
    text: &str,
    pid: Option<u32>,
    all: bool,
) -> Result<Vec<UserFunction>, Error> {
    let path = library::find(&file.to_string_lossy(), pid)?;
    let in_file = |error: Error| error.prefix(path.display());
    // A program may have gigabytes; only these tables are read.
    let place = text.contains('+') || text.starts_with("0x");
    let wanted = |name: &str, header: &SectionHeader| {
        table::SECTIONS.contains(&header.sh_type)
            || debug_file::SECTIONS.contains(&name)
            || name == go::SECTIONS[0]
            || (name == code::STARTS && place)
    };
    let bytes = file::elf_parts(&path, &wanted)?;
    let elf = parsed(&bytes).map_err(in_file)?;
    let stripped = !elf.sections.iter().any(|it| it.header.sh_type == table::SECTIONS[0]);
    let debug = stripped.then(|| debug_file::find(&path, &elf)).flatten();
    let debug = debug.map(|debug| file::elf_parts(&debug, &wanted)).transpose()?;
    let debug = debug.as_deref().map(parsed).transpose().map_err(in_file)?;
    let table = Table::of(&elf, debug.as_ref()).map_err(broken).map_err(in_file)?;
    let found = Finder {
        throws: table.throws(),
        table,
        code: Code::of(&path, &elf).map_err(broken).map_err(in_file)?,
        path: &path,
        pid,
    };
    let functions = found
        .find(text, all)
        .map_err(|error| match debug_file::expected(&path, &elf) {
            Some(expected) if stripped && debug.is_none() && error.hint.is_none() => {
                error.hint(format!("its debug symbols would be found as {}", expected.display()))
            }
            _ => error,
        })
        .map_err(in_file)?;
    pid.map_or(Ok(()), |pid| check_mapped(pid, &path))?;
    Ok(functions)
}

/// Whether a file has a function that a text names, without a look at its debug symbols.
fn defines(path: &Path, text: &str) -> Result<bool, Error> {
    let bytes = file::elf_parts(path, &|_, it| table::SECTIONS.contains(&it.sh_type))?;
    let elf = parsed(&bytes)?;
    Ok(!Table::of(&elf, None).map_err(broken)?.named(text).is_empty())
}

fn parsed(bytes: &[u8]) -> Result<File<'_>, Error> {
    File::parse(bytes).map_err(broken)
}

fn broken(error: ElfError) -> Error {
    Error::usage(error.to_string())
}

/// Finds functions in a file.
struct Finder<'a> {
    table: Table<'a>,
    code: Code,
    path: &'a Path,
    pid: Option<u32>,
    /// Whether exceptions pass through its functions.
    throws: bool,
}

impl Finder<'_> {
    fn find(&self, text: &str, all: bool) -> Result<Vec<UserFunction>, Error> {
        if let Some(hex) = text.strip_prefix("0x") {
            let address = u64::from_str_radix(hex, 16).map_err(|_| {
                Error::usage(format!("{text} is no address: it is 0x and hexadecimal digits"))
            })?;
            return Ok(vec![self.at(text.to_owned(), address)?]);
        }
        let named = self.table.named(text);
        match &named[..] {
            [] => {}
            [one] => {
                self.table.check(one)?;
                return Ok(vec![self.function(one)?]);
            }
            several if all => return several.iter().map(|one| self.function(one)).collect(),
            several => return Err(table::several(text, several)),
        }
        if let Some((name, offset)) = offset(text) {
            match &self.table.named(name)[..] {
                [] => {}
                [one] => return Ok(vec![self.within(one, offset)?]),
                several => return Err(table::several(name, several)),
            }
        }
        if names::is_exact(text) {
            let error = self.table.unknown(text);
            return Err(match self.table.imports(text) {
                true => error.hint(format!("try: {}", self.definitions(text))),
                false => error,
            });
        }
        let matching = self.table.matching(text);
        if matching.is_empty() {
            return Err(Error::usage(format!("no function matches {text}")));
        }
        matching.iter().map(|one| self.function(one)).collect()
    }

    /// The libraries of the file that define a function, as what to type.
    fn definitions(&self, text: &str) -> String {
        let defines = |library: &&str| {
            let path = library::find(library, self.pid);
            path.and_then(|path| defines(&path, text)).unwrap_or(false)
        };
        let libraries = self.table.libraries().into_iter().filter(defines);
        let words: Vec<_> = libraries.map(|library| format!("{library}:{text}")).collect();
        if words.is_empty() { format!("LIBRARY:{text}") } else { words.join(" or ") }
    }

    fn function(&self, symbol: &CodeSymbol<'_>) -> Result<UserFunction, Error> {
        let shown = symbol.shown();
        let (skipped, misread) = self.code.probed_after(symbol.address)?;
        let offset = self.offset(&shown, symbol.address)? + skipped;
        let entry = match self.code.go {
            _ if symbol.address == self.code.entry => Entry::Uncalled,
            Some(go) => Entry::Go(go),
            None if symbol.is_cold() => Entry::Within,
            None if TWICE.contains(&symbol.name) => Entry::Twice,
            None if UNCALLED.iter().any(|name| names::matches(name, symbol.name)) => {
                Entry::Uncalled
            }
            None if self.throws => Entry::Throwing,
            None => Entry::Called,
        };
        let returns = match entry {
            Entry::Throwing if symbol.size > 0 => self.code.returns(&self.table.parts(symbol))?,
            _ => None,
        };
        let entry = if returns.is_some() { Entry::Called } else { entry };
        let (path, pid) = (self.path.to_owned(), self.pid);
        Ok(UserFunction { path, symbol: shown, offset, pid, entry, misread, returns })
    }

    /// A place in a function.
    fn within(&self, symbol: &CodeSymbol<'_>, offset: u64) -> Result<UserFunction, Error> {
        let shown = symbol.shown();
        if offset >= symbol.size.max(1) {
            return Err(Error::usage(format!("{shown} has only {} bytes", symbol.size)));
        }
        let name = format!("{shown}+{offset:#x}");
        self.at(name, symbol.address.saturating_add(offset))
    }

    /// The place at this address.
    fn at(&self, name: String, address: u64) -> Result<UserFunction, Error> {
        let offset = self.offset(&name, address)?;
        let symbol = self.table.at(address);
        let start = symbol.map(|symbol| symbol.address).or_else(|| self.code.start_before(address));
        let is_instruction = match start {
            Some(start) => self.code.is_instruction(start, address)?,
            None => false,
        };
        if !is_instruction {
            return Err(Error::usage(format!(
                "no instruction is known to begin at {name}: a probe in the middle of one would break the \
                 program"
            ))
            .hint(match symbol {
                Some(symbol) => format!("{} begins at {:#x}", symbol.shown(), symbol.address),
                None => format!("see its instructions: objdump -d {}", self.path.display()),
            }));
        }
        let (entry, returns) = match (start == Some(address), symbol) {
            (true, Some(symbol)) => {
                let function = self.function(&symbol)?;
                (function.entry, function.returns)
            }
            (true, None) if address == self.code.entry => (Entry::Uncalled, None),
            (true, None) if self.throws => (Entry::Throwing, None),
            (true, None) => (self.code.go.map_or(Entry::Called, Entry::Go), None),
            (false, _) => (Entry::Within, None),
        };
        let (path, pid) = (self.path.to_owned(), self.pid);
        let misread = self.code.is_misread(address)?;
        Ok(UserFunction { path, symbol: name, offset, pid, entry, misread, returns })
    }

    fn offset(&self, name: &str, address: u64) -> Result<u64, Error> {
        self.code.offset_of(address).ok_or_else(|| {
            Error::usage(format!("{name} is not in code that processes can run")).hint(format!(
                "addresses are those that nm prints: its code is {}",
                self.code.ranges()
            ))
        })
    }
}

/// Functions that return again later, to the address that they found at first: a probe puts another there.
const TWICE: [&str; 7] =
    ["setjmp", "_setjmp", "__setjmp", "sigsetjmp", "__sigsetjmp", "getcontext", "swapcontext"];

/// Functions that are jumped or returned to, without a call.
const UNCALLED: [&str; 5] =
    ["_start", "__restore", "__restore_rt", "__start_context", "_dl_runtime_resolve*"];

/// The name and the offset of `SYMBOL+0x10` or `SYMBOL+16`.
fn offset(text: &str) -> Option<(&str, u64)> {
    let (name, offset) = text.rsplit_once('+')?;
    let offset = match offset.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => offset.parse(),
    };
    Some((name, offset.ok()?))
}
