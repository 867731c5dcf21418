//! The process of `-c`.

use std::env;
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::host;
use crate::sys::child::WaitingChild;

/// A process that will run a command: the path or name of an executable, and its arguments.
pub fn waiting(command: &str) -> Result<WaitingChild, Error> {
    let words: Vec<&str> = command.split_ascii_whitespace().collect();
    let Some(first) = words.first() else { return Err(Error::usage("-c: the command is empty")) };
    let path = executable(first).ok_or_else(|| {
        Error::usage(format!("-c: {first} is not an executable program"))
            .hint("a shell script needs its shell: -c '/bin/sh SCRIPT'")
    })?;
    let c_string = |word: &str| CString::new(word).unwrap_or_default();
    let words: Vec<_> = words.iter().map(|word| c_string(word)).collect();
    WaitingChild::new(&c_string(&path.to_string_lossy()), &words)
        .map_err(|error| Error::failed(format!("-c: no process could be made: {error}")))
}

/// The ELF file that a command means: by its path, or the first of its name in the folders of PATH.
fn executable(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| is_elf(path));
    }
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| is_elf(path))
}

fn is_elf(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|of| of.permissions().mode() & 0o111 != 0)
        && host::is_elf(path).unwrap_or(false)
}
