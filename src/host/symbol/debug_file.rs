//! The separate file with the symbols of an executable or library that was stripped.

use std::fs::File as Opened;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::elf::File;
use crate::host::file;

/// The sections that name it.
pub const SECTIONS: [&str; 2] = [BUILD_ID, DEBUG_LINK];
const BUILD_ID: &str = ".note.gnu.build-id";
const DEBUG_LINK: &str = ".gnu_debuglink";
/// The folder of such files.
const FOLDER: &str = "/usr/lib/debug";

/// Where the symbols of a file are, if they are in a file of their own here: one with the same build id, or
/// one that the file names, with the checksum that it names.
pub fn find(path: &Path, elf: &File<'_>) -> Option<PathBuf> {
    let (root, within) = split_root(path);
    let id = elf.section(BUILD_ID).and_then(build_id);
    if let Some(path) = id.and_then(|id| path_of_build_id(&root, id))
        && file::elf_parts(&path, &|name, _| name == BUILD_ID).is_ok_and(|bytes| {
            File::parse(&bytes).is_ok_and(|other| other.section(BUILD_ID).and_then(build_id) == id)
        })
    {
        return Some(path);
    }
    let (name, checksum) = elf.section(DEBUG_LINK).and_then(|link| debug_link(link, elf))?;
    // A link's folder is where the file itself is.
    let canonical = path.canonicalize().ok();
    let folders = [Some(path), canonical.as_deref()].into_iter().flatten().filter_map(Path::parent);
    let near = folders.flat_map(|folder| [folder.join(name), folder.join(".debug").join(name)]);
    let folders = [within.parent(), canonical.as_deref().and_then(Path::parent)];
    let far = folders.into_iter().flatten().map(|folder| {
        let folder = folder.strip_prefix("/").unwrap_or(folder);
        root.join(FOLDER.trim_start_matches('/')).join(folder).join(name)
    });
    let itself = std::fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
    near.chain(far).find(|candidate| {
        let there = std::fs::metadata(candidate).ok().filter(|it| it.is_file());
        there.is_some_and(|it| Some((it.dev(), it.ino())) != itself)
            && checksum_of(candidate).is_ok_and(|its| its == checksum)
    })
}

/// The place where a file with this file's build id would be, for those who have to install it.
pub fn expected(path: &Path, elf: &File<'_>) -> Option<PathBuf> {
    path_of_build_id(&split_root(path).0, elf.section(BUILD_ID).and_then(build_id)?)
}

/// The root folder of the process whose file this is, and the path from there on.
fn split_root(path: &Path) -> (PathBuf, PathBuf) {
    let mut parts = path.components();
    let root: PathBuf = parts.by_ref().take(4).collect();
    match root.starts_with("/proc") && root.ends_with("root") {
        true => (root, Path::new("/").join(parts.as_path())),
        false => ("/".into(), path.to_owned()),
    }
}

fn path_of_build_id(root: &Path, id: &[u8]) -> Option<PathBuf> {
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, rest) = hex.split_at_checked(2).filter(|(_, rest)| !rest.is_empty())?;
    let folder = root.join(FOLDER.trim_start_matches('/')).join(".build-id").join(first);
    Some(folder.join(format!("{rest}.debug")))
}

/// The build id in a note: the lengths of its name and content, its type, the name GNU, the content.
fn build_id(note: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| Some(u32::from_ne_bytes(*note.get(at..)?.first_chunk()?));
    let length = word(4)? as usize;
    (word(0)? == 4 && word(8)? == 3 && note.get(12..16)? == b"GNU\0" && length <= 64)
        .then(|| note.get(16..16 + length))?
}

/// The name of the file, and after blank bytes its checksum.
fn debug_link<'a>(link: &'a [u8], elf: &File<'_>) -> Option<(&'a str, u32)> {
    let end = memchr::memchr(0, link)?;
    let name = std::str::from_utf8(&link[..end]).ok().filter(|name| !name.contains('/'))?;
    let checksum = *link.get((end + 4) & !3..)?.first_chunk()?;
    Some((
        name,
        match elf.is_little_endian() {
            true => u32::from_le_bytes(checksum),
            false => u32::from_be_bytes(checksum),
        },
    ))
}

/// The checksum of a whole file: the CRC that zlib uses.
fn checksum_of(path: &Path) -> io::Result<u32> {
    let mut file = Opened::open(path)?;
    let mut table = [0u32; 256];
    for (byte, entry) in (0..).zip(&mut table) {
        *entry =
            (0..8).fold(byte, |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 });
    }
    let (mut crc, mut buffer) = (!0, vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(!crc),
            Ok(length) => {
                crc = buffer[..length]
                    .iter()
                    .fold(crc, |crc, byte| (crc >> 8) ^ table[usize::from(crc as u8 ^ byte)]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_within_its_bounds() {
        let words = [4u32, 3, 3].map(u32::to_ne_bytes).concat();
        let note = [&words[..], b"GNU\0", &[0xab, 0xcd, 0xef]].concat();
        let id = build_id(&note).unwrap();
        let path = path_of_build_id(Path::new("/proc/1/root"), id).unwrap();
        assert_eq!(path, Path::new("/proc/1/root/usr/lib/debug/.build-id/ab/cdef.debug"));
        assert!((0..note.len()).all(|length| build_id(&note[..length]).is_none()));
        assert_eq!(path_of_build_id(Path::new("/"), &[1]), None);
    }

    #[test]
    fn the_root_of_a_process_is_told_from_the_path_in_it() {
        let split = |path: &str| {
            let (root, path) = split_root(Path::new(path));
            (root.display().to_string(), path.display().to_string())
        };
        assert_eq!(split("/proc/7/root/bin/x"), ("/proc/7/root".into(), "/bin/x".into()));
        assert_eq!(split("/usr/bin/x"), ("/".into(), "/usr/bin/x".into()));
        assert_eq!(split("x"), ("/".into(), "x".into()));
    }
}
