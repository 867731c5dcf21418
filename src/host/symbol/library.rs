//! From the short name of a library or a program to its file, as the dynamic linker and the shell find it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Failure};
use crate::host::{file, refusal};
use crate::order::PutInOrder;
use crate::sys::io_text;

const CACHE: &str = "/etc/ld.so.cache";

/// The file that a word names: by its path, or by the name of a library (`c`, `libc`, `libc.so.6`) or of a
/// program. With a process, it is the file that the process sees and has mapped.
///
/// # Errors
/// There is no such file, or there are several.
pub fn find(word: &str, pid: Option<u32>) -> Result<PathBuf, Error> {
    if word.contains('/') {
        return Ok(as_seen(Path::new(word), pid));
    }
    if let Some(pid) = pid {
        return mapped(word, pid);
    }
    match libraries(word, CACHE)? {
        Some(library) => Ok(library),
        None => program(word).ok_or_else(|| {
            misspelt(
                format!("no library or program is named {word}"),
                word,
                cached(CACHE).iter().filter_map(|(name, _)| short(name)),
            )
        }),
    }
}

/// Whether a word is the short name of a library here, or of a process.
pub fn is_library(word: &str, pid: Option<u32>) -> bool {
    match pid {
        // What cannot be looked up in a process may still be a library.
        Some(pid) if mapped(word, pid).is_ok() => true,
        _ => !matches!(libraries(word, CACHE), Ok(None)),
    }
}

/// The path by which this process gets the file that another one sees at `path`, which may be in a container.
fn as_seen(path: &Path, pid: Option<u32>) -> PathBuf {
    let (Some(pid), true) = (pid, path.is_absolute()) else { return path.to_owned() };
    let theirs = PathBuf::from(format!("/proc/{pid}/root{}", path.display()));
    let file = |path: &Path| std::fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
    match (file(path), file(&theirs)) {
        (ours, Some(other)) if ours != Some(other) => theirs,
        _ => path.to_owned(),
    }
}

/// The file of this name that a process has mapped.
fn mapped(word: &str, pid: u32) -> Result<PathBuf, Error> {
    let maps = std::fs::read(format!("/proc/{pid}/maps"));
    let maps = maps.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Error::lacking(
            "not permitted: what others' processes have loaded takes CAP_SYS_PTRACE to be read",
        )
        .hint(format!(
            "run with sudo, or name the file: PATH:SYMBOL; {pid} has it in /proc/{pid}/maps"
        )),
        _ => Error::usage(format!("/proc/{pid}/maps: {}", io_text(&error))),
    })?;
    // Address, permissions, offset, device, inode and, after blanks, the path.
    let paths = maps.split(|byte| *byte == b'\n').filter_map(|line| {
        let path = line.iter().position(|byte| *byte == b'/')?;
        Some(Path::new(OsStr::from_bytes(&line[path..])))
    });
    let paths: BTreeSet<_> = paths.collect();
    let named = paths.iter().filter(|path| is_named(path, word));
    match &named.collect::<Vec<_>>()[..] {
        [path] => Ok(as_seen(path, Some(pid))),
        [] => {
            let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
            let names: Vec<_> = names.map(|name| short(name).unwrap_or(name)).collect();
            let what = format!("process {pid} has no library {word}");
            Err(misspelt(what, word, names.into_iter()))
        }
        [one, other, ..] => Err(several(word, one, other)),
    }
}

/// With the exit code of a command line that asks for something impossible.
fn misspelt<'a>(what: String, word: &str, names: impl Iterator<Item = &'a str>) -> Error {
    Error { failure: Failure::Usage, ..refusal::misspelt(what, word, names) }
}

fn several(word: &str, one: &Path, other: &Path) -> Error {
    let what = format!("several libraries are named {word}");
    Error::usage(what).hint(format!("try one of them: {} or {}", one.display(), other.display()))
}

/// Whether a file is what a word names: `libc.so.6` is `c`, `libc` and `libc.so.6`.
fn is_named(path: &Path, word: &str) -> bool {
    let Some(name) = path.file_name().and_then(OsStr::to_str) else { return false };
    name == word
        || word == name.split(".so").next().unwrap_or_default()
        || short(name) == Some(word)
}

/// The short name of a library: `c` of `libc.so.6`, and of `libc-2.31.so`.
fn short(name: &str) -> Option<&str> {
    let (name, version) = name.strip_prefix("lib")?.split_once(".so")?;
    if !(version.is_empty() || version.starts_with('.')) {
        return None;
    }
    match name.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => Some(name),
        _ => Some(name),
    }
}

/// The library of this name for programs like this one. The linker's cache has it, or one of the folders
/// that the linker searches.
fn libraries(word: &str, cache: &str) -> Result<Option<PathBuf>, Error> {
    let like_this = machine(Path::new("/proc/self/exe"));
    // Without /proc, all that is known is that it has a machine, which the linker's scripts (libc.so) do not.
    let is_like_this = |path: &Path| match machine(path) {
        None => false,
        machine => like_this.is_none() || machine == like_this,
    };
    let fits = |path: &PathBuf| is_named(path, word) && is_like_this(path);
    let cached = cached(cache).into_iter().map(|(_, path)| path);
    let mut found: Vec<_> = cached.filter(fits).collect();
    if found.is_empty() {
        for folder in folders() {
            let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let mut files: Vec<_> = files.map(|file| file.path()).filter(fits).collect();
            files.order();
            found.append(&mut files);
        }
    }
    // Several names of one file are links to it.
    let mut files = BTreeSet::new();
    found.retain(|path| files.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    match &found[..] {
        [] => Ok(None),
        [path] => Ok(Some(path.clone())),
        [one, other, ..] => match found.iter().find(|path| path.file_name() == Some(word.as_ref()))
        {
            // As the linker does, the first that has exactly this name.
            Some(path) => Ok(Some(path.clone())),
            None => Err(several(word, one, other)),
        },
    }
}

/// What tells a machine's programs from others': the class, the byte order and the machine.
fn machine(path: &Path) -> Option<[u8; 4]> {
    let mut start = [0; 20];
    let read = file::read_at(path, 0, &mut start).ok()?;
    (read == start.len() && start[..4] == *b"\x7fELF")
        .then(|| [start[4], start[5], start[18], start[19]])
}

/// The file of a program in the folders where the shell looks.
fn program(word: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let mut programs = std::env::split_paths(&folders).map(|folder| folder.join(word));
    programs.find(|path| file::is_elf(path).unwrap_or(false))
}

/// The folders where the linker looks: those of its configuration, and those that it always has.
fn folders() -> Vec<PathBuf> {
    let mut folders = vec![];
    configured(Path::new("/etc/ld.so.conf"), &mut folders, 0);
    let arch = std::env::consts::ARCH;
    let musl = std::fs::read_to_string(format!("/etc/ld-musl-{arch}.path")).unwrap_or_default();
    folders.extend(musl.split([':', '\n']).filter(|folder| !folder.is_empty()).map(PathBuf::from));
    for root in ["/lib", "/usr/lib"] {
        folders.push(format!("{root}/{arch}-linux-gnu").into());
        folders.push(format!("{root}64").into());
        folders.push(root.into());
    }
    folders.push("/usr/local/lib".into());
    folders
}

/// The folders that a file of the linker's configuration names, and the files that it includes.
fn configured(path: &Path, folders: &mut Vec<PathBuf>, depth: u32) {
    let text = file::read(path).unwrap_or_default();
    for line in String::from_utf8_lossy(&text).lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        match line.strip_prefix("include ").map(|pattern| Path::new(pattern.trim())) {
            // The only pattern in use is a folder's *.conf.
            Some(pattern) if depth < 4 => {
                let extension = pattern.extension();
                let files = pattern.parent().and_then(|folder| std::fs::read_dir(folder).ok());
                let files = files.into_iter().flatten().flatten().map(|file| file.path());
                let mut files: Vec<_> = files.filter(|it| it.extension() == extension).collect();
                files.order();
                files.iter().for_each(|file| configured(file, folders, depth + 1));
            }
            None if line.starts_with('/') => folders.push(line.into()),
            _ => {}
        }
    }
}

/// The libraries in the linker's cache, by name and path; none if it has no cache, or one in another form.
fn cached(path: &str) -> Vec<(String, PathBuf)> {
    file::read(Path::new(path)).map_or(vec![], |bytes| entries(&bytes).unwrap_or_default())
}

/// The entries of a cache: names and paths are strings at offsets from the header.
fn entries(bytes: &[u8]) -> Option<Vec<(String, PathBuf)>> {
    const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
    const HEADER: usize = 48;
    const ENTRY: usize = 24;
    // Before it may be the form that libraries of 1996 read.
    let start = memchr::memmem::find(bytes, MAGIC)?;
    let bytes = &bytes[start..];
    let word = |at: usize| Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?) as usize);
    let text = |at: usize| {
        let text = bytes.get(at..)?;
        let text = &text[..text.len().min(4096)];
        text.get(..memchr::memchr(0, text)?)
    };
    let entries = bytes.get(HEADER..)?.chunks_exact(ENTRY).take(word(MAGIC.len())?);
    let entry = |index: usize| {
        let at = HEADER + index * ENTRY;
        let name = std::str::from_utf8(text(word(at + 4)?)?).ok()?;
        Some((name.to_owned(), PathBuf::from(OsStr::from_bytes(text(word(at + 8)?)?))))
    };
    Some((0..entries.len()).filter_map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_has_several_names() {
        for (file, word) in [
            ("/lib/libc.so.6", "c"),
            ("/lib/libc.so.6", "libc"),
            ("/lib/libc.so.6", "libc.so.6"),
            ("/lib/libc-2.31.so", "c"),
            ("/lib/libstdc++.so.6.0.33", "stdc++"),
            ("/usr/bin/bash", "bash"),
            ("/lib/ld-linux-x86-64.so.2", "ld-linux-x86-64"),
        ] {
            assert!(is_named(Path::new(file), word), "{file} {word}");
        }
        for (file, word) in [
            ("/lib/libcrypt.so.1", "c"),
            ("/lib/libc.so.6", ""),
            ("/lib/libc.so.6", "libc.so"),
            ("/lib/libc.sort", "c"),
        ] {
            assert!(!is_named(Path::new(file), word), "{file} {word}");
        }
    }

    /// A cache with these libraries.
    fn cache(libraries: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = b"ld.so-1.7.0\0glibc-ld.so.cache1.1".to_vec();
        let word = |bytes: &mut Vec<u8>, word: usize| bytes.extend((word as u32).to_ne_bytes());
        word(&mut bytes, libraries.len());
        bytes.extend([0; 24]);
        let mut strings = vec![];
        for (name, path) in libraries {
            let mut at = 48 + 24 * libraries.len() + strings.len();
            word(&mut bytes, 3);
            for text in [name, path] {
                word(&mut bytes, at);
                at += text.len() + 1;
                strings.extend(text.bytes().chain([0]));
            }
            bytes.extend([0; 12]);
        }
        [bytes, strings].concat()
    }

    #[test]
    fn the_cache_of_the_linker_is_read_within_its_bounds() {
        let libraries = [("libc.so.6", "/lib/libc.so.6"), ("libm.so.6", "/lib/libm.so.6")];
        let whole = cache(&libraries);
        let owned = libraries.map(|(name, path)| (name.to_owned(), PathBuf::from(path)));
        assert_eq!(entries(&whole).unwrap(), owned);
        for length in 0..whole.len() {
            let mut bytes = whole[..length].to_vec();
            assert!(entries(&bytes).unwrap_or_default().len() <= 2);
            bytes.resize(whole.len(), 0xff);
            assert!(entries(&bytes).unwrap_or_default().len() <= 2);
        }
    }

    #[test]
    fn the_c_library_of_this_host_is_found() {
        let found = find("c", None).unwrap();
        assert!(found.ends_with("libc.so.6") || found.starts_with("/lib"), "{found:?}");
        let error = find("no-such-library", None).unwrap_err();
        assert!(error.what.contains("no library or program"), "{error}");
    }
}
