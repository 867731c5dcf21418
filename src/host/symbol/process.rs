//! The functions of processes by their addresses.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use goblin::elf::program_header::PT_LOAD;
use goblin::elf::section_header::SectionHeader;

use super::table::{self, Table};
use super::{debug_file, demangle::SourceName, parsed};
use crate::error::Error;
use crate::host::file;
use crate::sys::file::for_each_line;

/// The most processes and files that are remembered. Beyond that all are forgotten, and read again.
const PROCESSES: usize = 1024;
const FILES: usize = 256;
/// The most mappings of a process that are looked at.
const MAPPINGS: usize = 1 << 16;
/// So long what a process has mapped is believed: it may load more.
const FRESH: Duration = Duration::from_secs(1);

/// The functions of processes. A process is remembered as it was seen last, also after its end.
#[derive(Default)]
pub struct UserSymbols {
    processes: Vec<Mapped>,
    files: Vec<(PathBuf, Option<Rc<Functions>>)>,
}

/// A function at an address.
pub struct UserSymbol {
    /// Its name, as the source has it.
    pub name: String,
    /// The bytes from its start to the address.
    pub offset: u64,
    /// The file that it is in.
    pub file: String,
}

/// What a process has mapped of files, in the order of addresses.
struct Mapped {
    pid: u32,
    /// The file that it runs.
    runs: Option<PathBuf>,
    /// When it was looked at.
    at: Instant,
    mappings: Vec<Mapping>,
}

/// Code of a file in the memory of a process.
struct Mapping {
    start: u64,
    end: u64,
    /// Where it is in the file.
    offset: u64,
    path: String,
}

/// The functions of a file, in the order of addresses.
struct Functions {
    /// Their addresses, their sizes, and where their names begin.
    places: Vec<(u64, u64, u32)>,
    /// The names, each with a zero after it.
    names: String,
    /// Parts of the file that are loaded: offset, size and address.
    loaded: Vec<(u64, u64, u64)>,
}

impl UserSymbols {
    /// Remembers a process, which may end before it is asked about.
    pub fn remember(&mut self, pid: u32) {
        // It may run another file by now, or another process may have its number.
        let runs = std::fs::read_link(format!("/proc/{pid}/exe")).ok();
        let known = self.processes.iter().position(|known| known.pid == pid);
        if let Some(known) = known.map(|index| &self.processes[index])
            && (runs.is_none() || (known.runs == runs && known.at.elapsed() < FRESH))
        {
            return;
        }
        let mapped = Mapped { pid, runs, at: Instant::now(), mappings: mappings(pid) };
        match known {
            Some(index) => self.processes[index] = mapped,
            None => {
                if self.processes.len() >= PROCESSES {
                    self.processes.clear();
                }
                self.processes.push(mapped);
            }
        }
    }

    /// The function of a process at an address; `None` if it is not known.
    pub fn at(&mut self, pid: u32, address: u64) -> Option<UserSymbol> {
        self.remember(pid);
        let mappings = &self.processes.iter().find(|known| known.pid == pid)?.mappings;
        let after = mappings.partition_point(|mapping| mapping.start <= address);
        let mapping = mappings.get(after.checked_sub(1)?).filter(|it| address < it.end)?;
        let offset = address - mapping.start + mapping.offset;
        let (start, path) = (mapping.start, mapping.path.clone());
        let end = mapping.end;
        let functions = self.functions(pid, &path, start, end)?;
        let (name, offset) = functions.at(offset)?;
        Some(UserSymbol { name, offset, file: path })
    }

    /// The functions of a file as a process has mapped it.
    fn functions(&mut self, pid: u32, path: &str, start: u64, end: u64) -> Option<Rc<Functions>> {
        // The link leads to the very file, also one that was removed, but needs a privilege.
        let link = PathBuf::from(format!("/proc/{pid}/map_files/{start:x}-{end:x}"));
        let theirs = PathBuf::from(format!("/proc/{pid}/root{path}"));
        let key = std::fs::read_link(&link).unwrap_or_else(|_| PathBuf::from(path));
        if let Some((_, known)) = self.files.iter().find(|(path, _)| *path == key) {
            return known.clone();
        }
        if self.files.len() >= FILES {
            self.files.clear();
        }
        let places = [link.as_path(), &theirs, Path::new(path)];
        let read = places.into_iter().find_map(|path| read(path).ok()).map(Rc::new);
        self.files.push((key, read.clone()));
        read
    }
}

impl Functions {
    /// The function at an offset of the file, and how far that is from its start.
    fn at(&self, offset: u64) -> Option<(String, u64)> {
        let within = |part: &&(u64, u64, u64)| offset >= part.0 && offset - part.0 < part.1;
        let (from, _, to) = self.loaded.iter().find(within)?;
        let address = (offset - from).wrapping_add(*to);
        let after = self.places.partition_point(|(start, ..)| *start <= address);
        let (start, size, name) = *self.places.get(after.checked_sub(1)?)?;
        // Functions in assembler text may have no size: they reach to the next one.
        if size > 0 && address - start >= size {
            return None;
        }
        let name = self.names.get(name as usize..)?.split('\0').next()?;
        let name = SourceName::of(name).map_or_else(|| name.to_owned(), |name| name.full);
        Some((name, address - start))
    }
}

/// The functions of a file.
fn read(path: &Path) -> Result<Functions, Error> {
    let wanted = |name: &str, header: &SectionHeader| {
        table::SECTIONS.contains(&header.sh_type) || debug_file::SECTIONS.contains(&name)
    };
    let bytes = file::elf_parts(path, &wanted)?;
    let elf = parsed(&bytes)?;
    let stripped = !elf.sections.iter().any(|it| it.header.sh_type == table::SECTIONS[0]);
    let debug = stripped.then(|| debug_file::find(path, &elf)).flatten();
    let debug = debug.map(|debug| file::elf_parts(&debug, &wanted)).transpose()?;
    let debug = debug.as_deref().map(parsed).transpose()?;
    let mut functions = Functions { places: vec![], names: String::new(), loaded: vec![] };
    for symbol in Table::of(&elf, debug.as_ref()).map_err(super::broken)?.functions() {
        functions.places.push((symbol.address, symbol.size, functions.names.len() as u32));
        functions.names.push_str(symbol.name);
        functions.names.push('\0');
    }
    let segments = elf.segments().map_err(super::broken)?.into_iter();
    let loaded = segments.filter(|segment| segment.p_type == PT_LOAD);
    functions.loaded =
        loaded.map(|segment| (segment.p_offset, segment.p_filesz, segment.p_vaddr)).collect();
    Ok(functions)
}

/// What a process has mapped of files to run it; nothing if it has ended, or others' memory is not shown.
fn mappings(pid: u32) -> Vec<Mapping> {
    let mut mappings = vec![];
    let _ = for_each_line(Path::new(&format!("/proc/{pid}/maps")), |line| {
        mappings.extend(mapping(line));
        match mappings.len() < MAPPINGS {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    mappings
}

/// Address, permissions, offset, device, inode and, after blanks, the path.
fn mapping(line: &[u8]) -> Option<Mapping> {
    let line = std::str::from_utf8(line).ok()?;
    let fields: Vec<_> = line.splitn(6, ' ').collect();
    let &[range, permissions, offset, _, _, path] = &fields[..] else { return None };
    let path = path.trim_start();
    if !permissions.contains('x') || !path.starts_with('/') {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let path = path.strip_suffix(" (deleted)").unwrap_or(path).to_owned();
    Some(Mapping { start: number(start)?, end: number(end)?, offset: number(offset)?, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_files_is_looked_at() {
        let line = b"00400000-00401000 r-xp 00002000 fd:00 12   /bin/a b (deleted)";
        let found = mapping(line).unwrap();
        assert_eq!((found.start, found.end, found.offset), (0x40_0000, 0x40_1000, 0x2000));
        assert_eq!(found.path, "/bin/a b");
        for other in [
            &b"00400000-00401000 r--p 00002000 fd:00 12   /bin/a"[..],
            b"00400000-00401000 r-xp 00000000 00:00 0   [vdso]",
            b"00400000-00401000 r-xp 00000000 00:00 0 ",
            b"x-00401000 r-xp 00002000 fd:00 12   /bin/a",
            b"\xff",
        ] {
            assert!(mapping(other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn a_function_of_this_process_is_found() {
        let mut symbols = UserSymbols::default();
        let address = a_function_of_this_process_is_found as fn() as usize as u64;
        let found = symbols.at(std::process::id(), address).unwrap();
        assert!(found.name.contains("a_function_of_this_process_is_found"), "{}", found.name);
        assert_eq!(found.offset, 0);
        assert!(symbols.at(std::process::id(), 16).is_none());
    }
}
