//! fentry and fexit: a trampoline at the entry or the return of a function of the kernel, by its BTF id.

use std::cell::OnceCell;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use super::kind::{Attachment, Facts, Loader, PRIVILEGES, Probe, QUIET_FUNCTION, tracing};
use super::kprobe::several;
use super::silent::ftrace_off;
use crate::error::Error;
use crate::host::refusal;
use crate::host::types::{KernelTypes, TypedFunction, loaded_btf_of_module};
use crate::insn::{Asm, Endian, encode, r0};
use crate::sys::link::{self, At};
use crate::sys::{
    AttachType, Errno, Load, LoadError, LoadedBtf, ProgramType, Tracefs, kallsyms, object, prog,
};

/// The entry or the return of a function of the kernel or of a module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fentry {
    function: String,
    id: Option<u32>,
    module: Option<Module>,
    at: At,
}

/// A module whose BTF has the function. It is opened when the program is loaded.
#[derive(Clone, Debug)]
struct Module {
    name: String,
    btf: OnceCell<Rc<LoadedBtf>>,
}

impl PartialEq for Module {
    fn eq(&self, other: &Module) -> bool {
        self.name == other.name
    }
}

impl Eq for Module {}

impl Fentry {
    /// The entry or the return of this function, whose BTF id is `id`, if the kernel's BTF was there to
    /// tell it.
    pub fn new(function: impl Into<String>, id: Option<u32>, at: At) -> Fentry {
        Fentry { function: function.into(), id, module: None, at }
    }

    /// The entry or the return of the function of this name, or of a module's (`null_blk:null_queue_rq`).
    ///
    /// # Errors
    /// There is no such function, or its types are not known.
    pub fn find(place: &str, at: At, types: &KernelTypes) -> Result<Fentry, Error> {
        Fentry::of(place, &types.function(place)?, at, types)
    }

    /// The same function at its entry or its return.
    #[must_use]
    pub fn at(self, at: At) -> Fentry {
        Fentry { at, ..self }
    }

    /// [`Fentry::find`] for a function whose types were found.
    pub(in crate::host) fn of(
        place: &str,
        function: &TypedFunction<'_>,
        at: At,
        types: &KernelTypes,
    ) -> Result<Fentry, Error> {
        let id = function.running_id(place, types)?;
        let module = function.module.clone().map(|name| Module { name, btf: OnceCell::new() });
        Ok(Fentry { module, ..Fentry::new(place, id, at) })
    }

    /// No other function of this kernel has this name: the program would be at one of them, and its BTF id does not
    /// say at which. A name with its module says it.
    ///
    /// # Errors
    /// Several have it.
    pub fn check_name(function: &str) -> Result<(), Error> {
        if function.contains(':') {
            return Ok(());
        }
        let mut count = 0;
        let listed = Tracefs::find().map(|tracefs| {
            tracefs.traceable_functions(|name, _| {
                count += usize::from(name == function);
                ControlFlow::<()>::Continue(())
            })
        });
        if !matches!(listed, Some(Ok(_))) {
            count = kallsyms::count_functions(function).unwrap_or(0);
        }
        if count > 1 { Err(several(function)) } else { Ok(()) }
    }
}

impl Module {
    fn open(&self) -> Result<BorrowedFd<'_>, Error> {
        if self.btf.get().is_none() {
            let _ = self.btf.set(Rc::new(loaded_btf_of_module(&self.name)?));
        }
        let btf = self.btf.get().ok_or_else(|| refusal::no_btf_of_module(&self.name))?;
        Ok(btf.as_fd())
    }
}

impl Probe for Fentry {
    const FACTS: Facts = Facts {
        words: &["fentry", "fexit"],
        sections: &[("fentry", "fentry"), ("fexit", "fexit")],
        needs: "needs BTF and CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS",
        privileges: PRIVILEGES,
        misses_since: Some((5, 12)),
        detaches_at_once: false,
    };

    fn missing() -> Option<Error> {
        ftrace_off()
    }

    fn refused(error: &LoadError) -> Option<Error> {
        if refusal::privilege().is_some() || refusal::reason(error).is_some() {
            return None;
        }
        let (missing, next) = match error.errno {
            Errno::EPERM => (
                "this kernel refuses fentry programs: it has no trampolines for them",
                refusal::ANOTHER_KIND,
            ),
            // What lacks is not memory then, but what would make the trampoline.
            Errno::ENOMEM if !has_jit() => (
                "fentry needs the JIT compiler for BPF (CONFIG_BPF_JIT), which this kernel does not use",
                refusal::no_jit(),
            ),
            _ => return None,
        };
        Some(Error::lacking(missing).hint(next))
    }

    fn parse(word: &str, place: &str, types: &KernelTypes) -> Result<Fentry, Error> {
        let at = if word == "fentry" { At::Entry } else { At::Return };
        Fentry::find(place, at, types)
    }

    fn trials(types: &KernelTypes) -> Vec<(&'static str, Result<Fentry, Error>)> {
        let entry = Fentry::parse("fentry", QUIET_FUNCTION, types);
        let exit = entry.clone().map(|entry| Fentry { at: At::Return, ..entry });
        vec![("fentry", entry), ("fexit", exit)]
    }

    fn word(&self) -> &'static str {
        match self.at {
            At::Entry => "fentry",
            At::Return => "fexit",
        }
    }

    fn place(&self) -> String {
        self.function.clone()
    }

    fn load(&self) -> Result<Load<'_>, Error> {
        let attach_type = match self.at {
            At::Entry => AttachType::TraceFentry,
            At::Return => AttachType::TraceFexit,
        };
        let attach_btf = self.module.as_ref().map(Module::open).transpose()?;
        Ok(Load { attach_btf, ..tracing("fentry", attach_type, self.id)? })
    }

    fn attach(&self, load: &mut Loader) -> Result<Attachment, Error> {
        let prog = load()?;
        let link = link::tracing(&prog);
        let link = link.map_err(|error| refusal::attach("fentry", &self.function, &error))?;
        Ok(Attachment::new(self.place(), prog, link))
    }
}

/// Whether the kernel compiles programs: it reports the size of their machine code.
fn has_jit() -> bool {
    let mut a = Asm::new();
    a.mov(r0, 0);
    a.exit();
    let Ok(program) = a.finish() else { return true };
    let insns = &encode(program.insns(), Endian::HOST);
    let prog = prog::load(&Load { name: "jit", insns, ..Load::new(ProgramType::SocketFilter) });
    let info = prog.ok().and_then(|prog| object::prog_info(prog.as_fd()).ok());
    info.is_none_or(|info| info.jited_len > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::refusal::tests::{ROOT, host, says};

    #[test]
    fn a_name_of_several_functions_is_refused() {
        let _host = host([("/proc/kallsyms", "1000 t twice\n1020 t other\n2000 t twice\n")]);
        assert!(Fentry::check_name("other").is_ok() && Fentry::check_name("third").is_ok());
        let error = Fentry::check_name("twice").unwrap_err();
        assert!(error.what.contains("several functions named twice"), "{error}");
    }

    #[test]
    fn a_host_without_trampolines_is_named_unless_the_verifier_has_a_reason() {
        let _host = host([("/proc/self/status", ROOT)]);
        let refused = |log: &str| {
            let (call, errno) = ("bpf(BPF_PROG_LOAD)", Errno::EPERM);
            let error = LoadError { call, errno, log: log.into(), log_truncated: false };
            <Fentry as Probe>::refused(&error)
        };
        says(&refused("processed 0 insns\n").unwrap(), "no trampolines", "rawbpf doctor");
        assert_eq!(refused("0: (bf) r0 = r7\nR7 !read_ok\n"), None);
    }
}
