//! The kernel's types: its BTF, from the kernel itself or from a file.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::{file, refusal};
use crate::btf::{Btf, BtfError};
use crate::elf::File;
use crate::error::Error;
use crate::sys::file::{FileBytes, kernel_btf};
use crate::sys::{self, Errno};

const KERNEL: &str = "/sys/kernel/btf/vmlinux";

/// The kernel's BTF. The running kernel's own is opened when the first question is asked, since some
/// programs need none.
pub struct KernelTypes {
    file: Option<(PathBuf, FileBytes)>,
    own: OnceCell<Result<Option<FileBytes>, Error>>,
}

impl KernelTypes {
    /// Those of the running kernel.
    pub fn running() -> KernelTypes {
        KernelTypes { file: None, own: OnceCell::new() }
    }

    /// Those of the running kernel, or of the file at `path`: BTF as it is, or an ELF object with a
    /// section of it, such as a vmlinux.
    ///
    /// # Errors
    /// The file that was named cannot be read, or holds no BTF.
    pub fn new(path: Option<&Path>) -> Result<KernelTypes, Error> {
        let file = path.map(open).transpose()?;
        let types = KernelTypes { file, own: OnceCell::new() };
        if types.are_from_file() {
            types.btf()?;
        }
        Ok(types)
    }

    /// Whether they are of a file that was named. Its offsets are believed; its ids mean nothing to
    /// the running kernel.
    pub fn are_from_file(&self) -> bool {
        self.file.is_some()
    }

    /// What can be asked; `None` if the kernel has no BTF.
    ///
    /// # Errors
    /// It cannot be read, or is not BTF.
    pub fn btf(&self) -> Result<Option<Btf<'_>>, Error> {
        let bytes = match &self.file {
            Some((_, bytes)) => Some(section(bytes)?),
            None => self.own.get_or_init(own).as_ref().map_err(Error::clone)?.as_deref(),
        };
        bytes.map(|bytes| Btf::parse(bytes).map_err(|error| self.error(&error))).transpose()
    }

    /// A malformed answer, as a user should see it.
    pub fn error(&self, error: &BtfError) -> Error {
        match &self.file {
            Some((path, _)) => Error::usage(format!("{}: {error}", path.display()))
                .hint("--btf needs BTF, or an ELF object with a .BTF section"),
            None => Error::failed(format!("{KERNEL}: {error}"))
                .hint("try: --btf FILE with this kernel's types"),
        }
    }
}

/// The running kernel's BTF, if it has any.
fn own() -> Result<Option<FileBytes>, Error> {
    match kernel_btf("vmlinux") {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) => match error.errno() {
            Errno::ENOENT => Ok(None),
            _ => Err(refusal::unread(&error).unwrap_or_else(|| Error::failed(error.to_string()))),
        },
    }
}

fn open(path: &Path) -> Result<(PathBuf, FileBytes), Error> {
    let kernels = path.strip_prefix(sys::file::BTF).ok().and_then(Path::to_str);
    let bytes = match kernels {
        Some(name) => kernel_btf(name).map_err(|error| Error::usage(error.to_string()))?,
        // A vmlinux has hundreds of megabytes besides its BTF.
        None if file::is_elf(path)? => file::elf_parts(path, &|name, _| name == ".BTF")?.into(),
        None => file::read(path)?.into(),
    };
    Ok((path.to_owned(), bytes))
}

/// The BTF in a file's bytes.
fn section(bytes: &[u8]) -> Result<&[u8], Error> {
    if !bytes.starts_with(b"\x7fELF") {
        return Ok(bytes);
    }
    let elf = File::parse(bytes)
        .map_err(|error| Error::usage(format!("--btf: a broken ELF object: {error}")))?;
    let lacks = || Error::usage("--btf: an ELF object without a .BTF section");
    elf.section(".BTF").ok_or_else(lacks)
}
