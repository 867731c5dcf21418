//! Why a function of the kernel or of a module is not found, or not its types.

use std::ops::ControlFlow;
use std::path::Path;

use super::{MostLike, descriptors, similar};
use crate::error::Error;
use crate::host::registers::ARGUMENTS;
use crate::sys::{Errno, SysError, file, kallsyms};

/// The error for a function that this kernel does not have, or a module (`null_blk:null_queue_rq`), with a name
/// that is spelt almost like it.
pub fn no_function(function: &str) -> Error {
    if let Some((module, name)) = function.split_once(':') {
        return no_function_of_module(module, name);
    }
    let error = Error::failed(format!("this kernel has no function {function}"));
    match similar(function) {
        Some(name) => error.hint(format!("did you mean {name}?")),
        None => error,
    }
}

fn no_function_of_module(module: &str, name: &str) -> Error {
    let (mut most, mut loaded) = (MostLike::new(name), false);
    let _ = kallsyms::for_each(|symbol| match symbol.module == Some(module) && symbol.is_text() {
        true => {
            loaded = true;
            most.compare(symbol.name)
        }
        false => ControlFlow::Continue(()),
    });
    if !loaded {
        return Error::failed(format!("no module {module} is loaded, and no tracepoint is there"))
            .hint(format!("see: cat /proc/modules; or, if it is not loaded: modprobe {module}"));
    }
    let error = Error::failed(format!("the module {module} has no function {name}"));
    match most.found {
        Some(name) => error.hint(format!("did you mean {module}:{name}?")),
        None => error,
    }
}

/// The error for a name that functions of several modules have.
pub(in crate::host) fn several_functions(name: &str, modules: &[Option<String>]) -> Error {
    let named: Vec<_> =
        modules.iter().flatten().take(4).map(|module| format!("{module}:{name}")).collect();
    let what = format!("{} modules have a function named {name}", modules.len());
    Error::failed(what).hint(format!("name one with its module: {}", named.join(" or ")))
}

/// The error for a function that is there, perhaps in a module, but whose types are not.
pub(in crate::host) fn no_types(function: &str, module: Option<&str>) -> Error {
    let name = function.split_once(':').map_or(function, |(_, name)| name);
    if let Ok(there) = kallsyms::modules_with(name)
        && !there.iter().any(|one| one.as_deref() == module)
    {
        return no_function(function);
    }
    let error = match module {
        Some(module) if !Path::new(file::BTF).join(module).exists() => Error::lacking(format!(
            "{name} is in the module {module}, of whose types this kernel has no BTF (Linux 5.11, \
             CONFIG_DEBUG_INFO_BTF_MODULES)"
        )),
        Some(module) => {
            Error::failed(format!("the BTF of the module {module} does not have {name}"))
        }
        None => Error::failed(format!("the kernel's BTF does not have {name}")),
    };
    error.hint(format!(
        "try: --attach kprobe, of whose arguments {ARGUMENTS} and retval need no types"
    ))
}

/// The error for a module whose BTF the kernel does not hand out.
pub(in crate::host) fn module_btf(module: &str, error: &SysError) -> Error {
    let refused = match error.errno {
        Errno::EPERM | Errno::EACCES => Error::lacking(format!(
            "fentry of a function of the module {module} needs CAP_SYS_ADMIN"
        ))
        .hint("run with sudo, or try: --attach kprobe"),
        Errno::EMFILE | Errno::ENFILE => descriptors(error.errno, error),
        _ => Error::failed(format!("the types of the module {module} were not found: {error}")),
    };
    refused.detail(error.to_string())
}

/// The error for a module of which the kernel has no BTF to attach by.
pub(in crate::host) fn no_btf_of_module(module: &str) -> Error {
    Error::lacking(format!(
        "this kernel has no BTF of the module {module} (Linux 5.11, CONFIG_DEBUG_INFO_BTF_MODULES)"
    ))
    .hint("try: --attach kprobe")
}
