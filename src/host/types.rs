//! The kernel's types: its BTF and that of its modules, from the kernel itself, or from a file.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::{file, refusal};
use crate::btf::{Btf, BtfError, Signature, TypeKind};
use crate::elf::File;
use crate::error::Error;
use crate::order::PutInOrder;
use crate::sys::file::{FileBytes, kernel_btf};
use crate::sys::{self, Errno, LoadedBtf, kallsyms, object};

const KERNEL: &str = "/sys/kernel/btf/vmlinux";

/// The kernel's BTF. The running kernel's own is opened when the first question is asked, since some
/// programs need none.
pub struct KernelTypes {
    file: Option<(PathBuf, FileBytes)>,
    own: OnceCell<Result<Option<FileBytes>, Error>>,
    modules: Modules,
}

/// The BTF of the modules that were asked for, each after the others, so that what was read stays.
#[derive(Default)]
struct Modules(OnceCell<Box<ModuleTypes>>);

struct ModuleTypes {
    name: String,
    /// `None` if the kernel has none of the module.
    bytes: Option<FileBytes>,
    next: Modules,
}

/// A function of the kernel or of a module.
pub struct TypedFunction<'a> {
    /// The module that it is in, if it is known to be in one.
    pub module: Option<String>,
    /// The BTF that has its types; `None` if there is none.
    pub btf: Option<Btf<'a>>,
    /// Its id there, if it is there.
    pub id: Option<u32>,
    /// Its parameters and its result, if they are there.
    pub signature: Option<Signature>,
}

impl TypedFunction<'_> {
    /// Its id in the running kernel.
    ///
    /// # Errors
    /// BTF is there but does not have the function; `place` is its name.
    pub fn running_id(&self, place: &str, types: &KernelTypes) -> Result<Option<u32>, Error> {
        match (self.id, &self.module) {
            (None, _) if types.are_from_file() => Err(refusal::no_function(place)),
            (None, module) if self.btf.is_some() || module.is_some() => {
                Err(refusal::no_types(place, module.as_deref()))
            }
            (id, _) => Ok(id.filter(|_| !types.are_from_file())),
        }
    }
}

impl KernelTypes {
    /// Those of the running kernel.
    pub fn running() -> KernelTypes {
        KernelTypes { file: None, own: OnceCell::new(), modules: Modules::default() }
    }

    /// Those of the running kernel, or of the file at `path`: BTF as it is, or an ELF object with a
    /// section of it, such as a vmlinux.
    ///
    /// # Errors
    /// The file that was named cannot be read, or holds no BTF.
    pub fn new(path: Option<&Path>) -> Result<KernelTypes, Error> {
        let file = path.map(open).transpose()?;
        let types = KernelTypes { file, own: OnceCell::new(), modules: Modules::default() };
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
            None => {
                self.own.get_or_init(|| own("vmlinux")).as_ref().map_err(Error::clone)?.as_deref()
            }
        };
        bytes.map(|bytes| Btf::parse(bytes).map_err(|error| self.error(&error))).transpose()
    }

    /// What can be asked of a module; `None` if the kernel has no BTF of it: before Linux 5.11, without
    /// CONFIG_DEBUG_INFO_BTF_MODULES, or if the types are of a file.
    ///
    /// # Errors
    /// It cannot be read, or is not BTF.
    pub fn btf_of_module(&self, name: &str) -> Result<Option<Btf<'_>>, Error> {
        if self.are_from_file() {
            return Ok(None);
        }
        let mut modules = &self.modules;
        let module = loop {
            let module = match modules.0.get() {
                Some(module) => module,
                None => {
                    let (name, bytes) = (name.to_owned(), own(name)?);
                    let next = Modules::default();
                    modules.0.get_or_init(|| Box::new(ModuleTypes { name, bytes, next }))
                }
            };
            if module.name == name {
                break module;
            }
            modules = &module.next;
        };
        let (Some(bytes), Some(base)) = (module.bytes.as_deref(), self.btf()?) else {
            return Ok(None);
        };
        let failed = |error| Error::failed(format!("{}/{name}: {error}", sys::file::BTF));
        Btf::parse_split(bytes, base).map(Some).map_err(failed)
    }

    /// The modules whose types the running kernel has; none if the types are of a file.
    pub fn modules(&self) -> Vec<String> {
        let all = std::fs::read_dir(sys::file::BTF).into_iter().flatten().flatten();
        let names = all.filter_map(|entry| entry.file_name().into_string().ok());
        let is_module = |name: &String| name != "vmlinux" && !self.are_from_file();
        let mut names: Vec<_> = names.filter(is_module).collect();
        names.order();
        names
    }

    /// The types of a function, which may be named with its module: `null_blk:null_queue_rq`. The kernel's own
    /// functions come first; only if it has none of the name, its symbols and the types of a module are read.
    ///
    /// # Errors
    /// There is no such function, or several modules have one; or the types cannot be read or are malformed.
    pub fn function(&self, place: &str) -> Result<TypedFunction<'_>, Error> {
        let (module, name) = match place.split_once(':') {
            Some((module, name)) => (Some(module), name),
            None => (None, place),
        };
        if let Some(module) = module {
            let btf = self.btf_of_module(module)?;
            return self.function_in(btf, name, Some(module.to_owned()));
        }
        let found = self.function_in(self.btf()?, name, None)?;
        let named_by_address = name.starts_with("0x");
        if found.id.is_some() || found.btf.is_none() || self.are_from_file() || named_by_address {
            return Ok(found);
        }
        let Ok(modules) = kallsyms::modules_with(name) else {
            return Ok(found);
        };
        let module = match &modules[..] {
            [] => return Err(refusal::no_function(name)),
            [None, ..] => return Ok(found),
            [Some(module)] => module.clone(),
            several => return Err(refusal::several_functions(name, several)),
        };
        self.function_in(self.btf_of_module(&module)?, name, Some(module))
    }

    fn function_in<'a>(
        &self,
        mut btf: Option<Btf<'a>>,
        name: &str,
        module: Option<String>,
    ) -> Result<TypedFunction<'a>, Error> {
        let (mut id, mut signature) = (None, None);
        if let Some(btf) = &mut btf {
            let found = btf.find_all(&[(TypeKind::Func, name)]);
            if let Some((found, record)) = found.map_err(|error| self.error(&error))?[0] {
                id = Some(found);
                signature = btf.signature(&record).map_err(|error| self.error(&error))?;
            }
        }
        Ok(TypedFunction { module, btf, id, signature })
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

/// The running kernel's BTF, or that of a module, if it has any.
fn own(name: &str) -> Result<Option<FileBytes>, Error> {
    match kernel_btf(name) {
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

/// The BTF of a module, as the kernel has it.
///
/// # Errors
/// The kernel does not hand it out, or it has none.
pub(super) fn loaded_btf_of_module(module: &str) -> Result<LoadedBtf, Error> {
    let btf = object::btf_of_module(module).map_err(|error| refusal::module_btf(module, &error))?;
    btf.ok_or_else(|| refusal::no_btf_of_module(module))
}
