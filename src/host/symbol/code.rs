//! The code of an executable or a library.

use std::path::{Path, PathBuf};

use goblin::elf::header::{EM_AARCH64, EM_X86_64};
use goblin::elf::program_header::{PT_LOAD, ProgramHeader};

use super::go::{self, Go};
use super::instructions;
use crate::elf::{ElfError, File};
use crate::error::Error;
use crate::host::file;

/// Code in a file, by address.
pub struct Code {
    path: PathBuf,
    machine: u16,
    /// Where a process begins, without a call.
    pub entry: u64,
    segments: Vec<ProgramHeader>,
    /// Whether it is a program of Go.
    pub go: Option<Go>,
    /// Where functions begin, as far as exceptions are concerned: they stay known when it is stripped.
    starts: Vec<u64>,
}

/// Longer functions are not walked through.
const LONGEST: u64 = 16 << 20;

/// The section with a table of where functions begin.
pub const STARTS: &str = ".eh_frame_hdr";

impl Code {
    /// The code of this file.
    ///
    /// # Errors
    /// Its segments reach beyond its end.
    pub fn of(path: &Path, elf: &File<'_>) -> Result<Code, ElfError> {
        let segments = elf.segments()?;
        let note = |segment: &ProgramHeader| {
            let mut bytes = [0; 16];
            file::read_at(path, segment.p_offset, &mut bytes).is_ok() && go::is_note(&bytes)
        };
        let starts = elf.sections.iter().find(|section| section.name == STARTS);
        Ok(Code {
            path: path.to_owned(),
            machine: elf.header.e_machine,
            entry: elf.header.e_entry,
            go: Go::of(elf, &segments, note),
            starts: starts
                .map_or(vec![], |it| starts_of(it.bytes.unwrap_or_default(), it.header.sh_addr)),
            segments,
        })
    }

    /// The offset in the file of the code at this address.
    pub fn offset_of(&self, address: u64) -> Option<u64> {
        let loaded = self.segments.iter().filter(|segment| segment.p_type == PT_LOAD);
        let mut code = loaded.filter(|segment| segment.is_executable());
        code.find_map(|segment| {
            let within = address.checked_sub(segment.p_vaddr)?;
            (within < segment.p_filesz).then(|| segment.p_offset.checked_add(within))?
        })
    }

    /// Which addresses are code: `0x1000 to 0x1fff`.
    pub fn ranges(&self) -> String {
        let code = self.segments.iter().filter(|it| it.p_type == PT_LOAD && it.is_executable());
        let range = |it: &ProgramHeader| {
            format!(
                "{:#x} to {:#x}",
                it.p_vaddr,
                it.p_vaddr.saturating_add(it.p_filesz).saturating_sub(1)
            )
        };
        code.map(range).take(4).collect::<Vec<_>>().join(", ")
    }

    /// The code from an address on: so many bytes, or fewer at the end.
    fn read(&self, address: u64, length: usize) -> Result<Vec<u8>, Error> {
        let Some(offset) = self.offset_of(address) else { return Ok(vec![]) };
        let mut bytes = vec![0; length];
        let read = file::read_at(&self.path, offset, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// How many bytes after its beginning a function is probed, where arguments and stack pointer are still
    /// the same, it is run once in a call, and a probe costs little; and whether the place is misread, see
    /// [`instructions::is_misread`].
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn probed_after(&self, address: u64) -> Result<(u64, bool), Error> {
        if self.machine != EM_X86_64 {
            return Ok((0, false));
        }
        let start = self.read(address, 48)?;
        let after =
            if self.go.is_some() { after_stack_check(&start) } else { after_endbr64(&start) };
        let after = after.unwrap_or(0);
        Ok((after as u64, instructions::is_misread(start.get(after..).unwrap_or_default())))
    }

    /// Whether a breakpoint at this address would make a process go wrong, see [`instructions::is_misread`].
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn is_misread(&self, address: u64) -> Result<bool, Error> {
        Ok(self.machine == EM_X86_64 && instructions::is_misread(&self.read(address, 16)?))
    }

    /// Where a function returns, whose parts begin at these addresses and have so many bytes: offsets in the
    /// file. None if it may be left in another way, or nobody knows.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn returns(&self, parts: &[(u64, u64)]) -> Result<Option<Vec<u64>>, Error> {
        let size: u64 = parts.iter().map(|(_, size)| *size).fold(0, u64::saturating_add);
        if self.machine != EM_X86_64 || size > LONGEST {
            return Ok(None);
        }
        let read = |(start, size): &(u64, u64)| Ok((*start, self.read(*start, *size as usize)?));
        let parts = parts.iter().map(read).collect::<Result<Vec<_>, Error>>()?;
        let returns = instructions::returns(&parts).filter(|returns| !returns.is_empty());
        Ok(returns.and_then(|all| all.into_iter().map(|address| self.offset_of(address)).collect()))
    }

    /// The function that an address is in, as far as exceptions are concerned: where it begins.
    pub fn start_before(&self, address: u64) -> Option<u64> {
        let after = self.starts.partition_point(|start| *start <= address);
        self.starts.get(after.checked_sub(1)?).copied()
    }

    /// Whether an instruction begins at `address`, if one begins at `start` before it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn is_instruction(&self, start: u64, address: u64) -> Result<bool, Error> {
        let distance = address - start;
        if distance == 0 {
            return Ok(true);
        }
        if distance > LONGEST {
            return Ok(false);
        }
        if self.machine != EM_X86_64 {
            // All of them have 4 bytes.
            return Ok(self.machine == EM_AARCH64 && distance.is_multiple_of(4));
        }
        // The last instruction has at most 15 bytes.
        let code = self.read(start, distance as usize + 15)?;
        Ok(instructions::begins_at(&code, distance as usize))
    }
}

/// The kernel lets the processor run the instruction under a probe alone, with two more traps, unless it can
/// do itself what that does: a push, but not the endbr64 that most functions begin with. To other instructions
/// than a push, a loop may lead back.
fn after_endbr64(start: &[u8]) -> Option<usize> {
    match start.strip_prefix(&[0xf3, 0x0f, 0x1e, 0xfa])? {
        [0x50..=0x57, ..] | [0x41, 0x50..=0x57, ..] => Some(4),
        _ => None,
    }
}

/// A function of Go begins again once its stack was too small: it is probed after the comparison and the
/// jump that find that out.
fn after_stack_check(start: &[u8]) -> Option<usize> {
    let compare = match *start {
        // cmp 16(%r14),%rsp
        [0x49, 0x3b, 0x66, 0x10, ..] => 4,
        // lea -N(%rsp),%r12; cmp 16(%r14),%r12
        [0x4c, 0x8d, 0x64, 0x24, _, 0x4d, 0x3b, 0x66, 0x10, ..] => 9,
        [0x4c, 0x8d, 0xa4, 0x24, _, _, _, _, 0x4d, 0x3b, 0x66, 0x10, ..] => 12,
        _ => return None,
    };
    // jbe
    match start[compare..] {
        [0x76, ..] => Some(compare + 2),
        [0x0f, 0x86, ..] => Some(compare + 6),
        _ => None,
    }
}

/// Where functions begin, by the table that is made for exceptions; none if it has another form than every
/// linker gives it today.
fn starts_of(table: &[u8], address: u64) -> Vec<u64> {
    // Version 1; the place of the whole table, relative; a count of 4 bytes; addresses relative to here.
    const FORM: [u8; 4] = [1, 0x1b, 0x03, 0x3b];
    const HEADER: usize = 12;
    const ENTRY: usize = 8;
    if !table.starts_with(&FORM) || table.len() < HEADER {
        return vec![];
    }
    let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| i32::from_le_bytes(*bytes));
    let count = word(&table[8..]) as u32 as usize;
    let entries = table[HEADER..].chunks_exact(ENTRY).take(count);
    let mut starts: Vec<_> =
        entries.map(|entry| address.wrapping_add_signed(word(entry).into())).collect();
    starts.sort_unstable();
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_at_the_first_push_and_after_the_check_of_the_stack() {
        assert_eq!(after_endbr64(&[0xf3, 0x0f, 0x1e, 0xfa, 0x55]), Some(4));
        assert_eq!(after_endbr64(&[0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x57]), Some(4));
        assert_eq!(after_endbr64(&[0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0xff, 0xcf]), None);
        assert_eq!(after_endbr64(&[0xf3, 0x0f, 0x1e]), None);
        let (small, large) = ([0x49, 0x3b, 0x66, 0x10], [0x4d, 0x3b, 0x66, 0x10]);
        let check = |parts: &[&[u8]]| after_stack_check(&parts.concat());
        assert_eq!(check(&[&small, &[0x76, 0x30]]), Some(6));
        assert_eq!(check(&[&small, &[0x0f, 0x86, 1, 2, 3, 4]]), Some(10));
        assert_eq!(check(&[&[0x4c, 0x8d, 0x64, 0x24, 0x80], &large, &[0x76, 0]]), Some(11));
        let far = [0x4c, 0x8d, 0xa4, 0x24, 0, 0xff, 0xff, 0xff];
        assert_eq!(check(&[&far, &large, &[0x0f, 0x86, 0, 0, 0, 0]]), Some(18));
        assert_eq!(check(&[&[0x55]]), None);
    }

    #[test]
    fn the_table_of_starts_is_read_within_its_bounds() {
        let words = [-0x1000i32, 0x40, -0x800, 0x80];
        let mut table = vec![1, 0x1b, 0x03, 0x3b, 0, 0, 0, 0, 2, 0, 0, 0];
        table.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        assert_eq!(starts_of(&table, 0x5000), [0x4000, 0x4800]);
        table[8..12].fill(0xff);
        assert_eq!(starts_of(&table, 0x5000), [0x4000, 0x4800]);
        assert!((0..12).all(|length| starts_of(&table[..length], 0).is_empty()));
        table[3] = 0x1b;
        assert!(starts_of(&table, 0).is_empty());
    }
}
