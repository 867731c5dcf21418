//! Programs of Go, whose functions are called and whose stacks are kept in ways of their own.

use goblin::elf::program_header::{PT_NOTE, ProgramHeader};

use crate::elf::File;

/// The sections by which a program of Go is known; they stay when it is stripped.
pub const SECTIONS: [&str; 3] = [".go.buildinfo", ".note.go.buildid", ".gopclntab"];

/// How a program of Go passes arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Go {
    /// In registers: made by Go 1.18 or later.
    Registers,
    /// On the stack, as before Go 1.17, or nobody knows how.
    Unknown,
}

impl Go {
    /// Whether it is a program of Go, and how that passes arguments.
    pub fn of(
        elf: &File<'_>,
        segments: &[ProgramHeader],
        note: impl Fn(&ProgramHeader) -> bool,
    ) -> Option<Go> {
        let has = |name: &str| elf.sections.iter().any(|section| section.name.ends_with(name));
        let notes = segments.iter().filter(|segment| segment.p_type == PT_NOTE);
        if !SECTIONS.iter().any(|name| has(name)) && !notes.into_iter().any(note) {
            return None;
        }
        let version = elf.section(SECTIONS[0]).and_then(version);
        Some(match version {
            Some(version) if version >= (1, 18) => Go::Registers,
            _ => Go::Unknown,
        })
    }
}

/// Whether notes begin with one of Go's linker.
pub fn is_note(bytes: &[u8]) -> bool {
    // The length of the name, then that of the content and the type.
    bytes.len() >= 16
        && u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) == 4
        && bytes[12..16] == *b"Go\0\0"
}

/// The version in what the linker of Go 1.18 and later writes down: `go1.22.3`. Those before write only an
/// address.
fn version(info: &[u8]) -> Option<(u32, u32)> {
    const MAGIC: &[u8] = b"\xff Go buildinf:";
    const INLINE: u8 = 2;
    const START: usize = 32;
    let info = info.strip_prefix(MAGIC)?;
    if info.get(1)? & INLINE == 0 {
        return None;
    }
    // Its length is in one byte, as no version has 128.
    let text = info.get(START - MAGIC.len()..)?;
    let text = std::str::from_utf8(text.get(1..)?.get(..usize::from(text[0]))?).ok()?;
    // A version in development is named by its day: devel go1.23-d8c7230c97.
    let numbers = text.split_once("go")?.1;
    let mut numbers = numbers.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(flags: u8, version: &str) -> Vec<u8> {
        let mut info = b"\xff Go buildinf:\x08".to_vec();
        info.push(flags);
        info.resize(32, 0);
        info.push(version.len() as u8);
        info.extend(version.bytes());
        info
    }

    #[test]
    fn the_version_is_known_since_the_linker_writes_it_down() {
        for (text, read) in [
            ("go1.18", Some((1, 18))),
            ("go1.22.3 X:nocoverageredesign", Some((1, 22))),
            ("devel go1.23-d8c7230c97", Some((1, 23))),
            ("", None),
            ("gone", None),
        ] {
            assert_eq!(version(&info(2, text)), read, "{text}");
        }
        assert_eq!(version(&info(0, "go1.17")), None);
        let whole = info(2, "go1.18");
        assert!((0..whole.len()).all(|length| version(&whole[..length]).is_none()));
    }
}
