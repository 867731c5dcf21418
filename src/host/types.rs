//! The kernel's types: its BTF, from the kernel itself or from a file.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use goblin::elf::Elf;

use crate::btf::{Btf, BtfError};
use crate::error::Error;
use crate::sys::file::{Bytes, map_or_read};

const KERNEL: &str = "/sys/kernel/btf/vmlinux";

/// The kernel's BTF. It is opened when the first question is asked, since some programs need none.
pub struct KernelTypes {
    path: Option<PathBuf>,
    opened: OnceCell<(Result<Bytes, Error>, Duration)>,
}

impl KernelTypes {
    /// Those of the running kernel, or of the file at `path`: BTF as it is, or an ELF object with a
    /// section of it, such as a vmlinux.
    pub fn new(path: Option<&Path>) -> KernelTypes {
        KernelTypes { path: path.map(Path::to_owned), opened: OnceCell::new() }
    }

    /// What can be asked; `None` if the kernel has no BTF.
    ///
    /// # Errors
    /// It cannot be read, or is not BTF.
    pub fn btf(&self) -> Result<Option<Btf<'_>>, Error> {
        let (bytes, _) = self.opened.get_or_init(|| {
            let start = Instant::now();
            (self.open(), start.elapsed())
        });
        match bytes {
            Ok(bytes) => Btf::parse(section(bytes)?).map(Some).map_err(|error| self.error(&error)),
            // The kernel has none, which only some questions mind. A file that was named must be
            // there.
            Err(_) if self.path.is_none() => Ok(None),
            Err(error) => Err(error.clone()),
        }
    }

    /// How long opening took; `None` if nothing was asked.
    pub fn opened_in(&self) -> Option<Duration> {
        self.opened.get().map(|(_, duration)| *duration)
    }

    /// A malformed answer, as a user should see it.
    pub fn error(&self, error: &BtfError) -> Error {
        let error = Error::failed(format!("{}: {error}", self.path().display()));
        match self.path {
            Some(_) => error.next("--btf takes BTF, or an ELF object with a .BTF section"),
            None => error.next("try: --attach tracepoint, which needs no BTF"),
        }
    }

    fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(KERNEL))
    }

    fn open(&self) -> Result<Bytes, Error> {
        map_or_read(self.path()).map_err(|error| Error::usage(error.to_string()))
    }
}

/// The BTF in a file's bytes.
fn section(bytes: &[u8]) -> Result<&[u8], Error> {
    if !bytes.starts_with(goblin::elf::header::ELFMAG) {
        return Ok(bytes);
    }
    let elf = Elf::parse(bytes)
        .map_err(|error| Error::usage(format!("--btf: a broken ELF object: {error}")))?;
    let found = elf
        .section_headers
        .iter()
        .find(|section| elf.shdr_strtab.get_at(section.sh_name) == Some(".BTF"));
    found
        .and_then(|section| bytes.get(section.file_range()?))
        .ok_or_else(|| Error::usage("--btf: an ELF object without a .BTF section"))
}
