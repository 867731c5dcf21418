//! kprobe.multi: one program at the entries of many functions of the kernel, by one link.

use std::ffi::CString;

use super::kind::{Attachment, Facts, Loader, PRIVILEGES, Probe, QUIET_FUNCTION, c_string};
use super::silent::ftrace_off;
use crate::error::Error;
use crate::host::names::{self, KernelFunction};
use crate::host::refusal;
use crate::host::types::KernelTypes;
use crate::insn::helper::GET_ATTACH_COOKIE;
use crate::sys::link::{self, At, KprobeFunctions};
use crate::sys::{AttachType, Errno, Link, Load, LoadError, Prog, ProgramType, SysError};

/// The entries of functions of the kernel. The program gets the index of the one it runs at as its cookie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KprobeMulti {
    functions: Vec<KernelFunction>,
}

impl KprobeMulti {
    /// The entries of these functions.
    pub fn new(functions: Vec<KernelFunction>) -> KprobeMulti {
        KprobeMulti { functions }
    }

    /// One for those with these indices, by address where all are known: of several functions that have one name, a
    /// name means only the first.
    fn link(&self, prog: &Prog, names: &[CString], indices: &[usize]) -> Result<Link, SysError> {
        let chosen = || indices.iter().map(|index| (*index, &self.functions[*index]));
        if chosen().all(|(_, function)| !function.addresses.is_empty()) {
            let places = chosen()
                .flat_map(|(index, function)| function.addresses.iter().map(move |a| (*a, index)));
            let (addresses, cookies): (Vec<_>, Vec<_>) =
                places.map(|(address, index)| (address, index as u64)).unzip();
            link::kprobe_multi(prog, KprobeFunctions::Addresses(&addresses), At::Entry, &cookies)
        } else {
            let names: Vec<_> = indices.iter().map(|index| names[*index].as_c_str()).collect();
            let cookies: Vec<_> = indices.iter().map(|index| *index as u64).collect();
            link::kprobe_multi(prog, KprobeFunctions::Names(&names), At::Entry, &cookies)
        }
    }

    /// Those among these that cannot be traced: a link takes all or none, so that they are found by halves. Fails
    /// where the tries do not suffice.
    fn untraceable(
        &self,
        prog: &Prog,
        names: &[CString],
        indices: &[usize],
        tries: &mut u32,
    ) -> Result<Vec<usize>, SysError> {
        let error = match self.link(prog, names, indices) {
            Ok(_) => return Ok(vec![]),
            Err(error) if error.errno != Errno::ESRCH || *tries == 0 => return Err(error),
            Err(error) => error,
        };
        *tries -= 1;
        match indices {
            [] => Err(error),
            [one] => Ok(vec![*one]),
            _ => {
                let (first, second) = indices.split_at(indices.len() / 2);
                let mut found = self.untraceable(prog, names, first, tries)?;
                found.extend(self.untraceable(prog, names, second, tries)?);
                Ok(found)
            }
        }
    }
}

/// So many links may be refused until it is known which functions cannot be traced: enough for some dozens among
/// thousands, and a matter of seconds.
const TRIES: u32 = 500;

impl Probe for KprobeMulti {
    const FACTS: Facts = Facts {
        words: &["kprobe.multi"],
        sections: &[("kprobe.multi", "kprobe.multi")],
        needs: "needs fprobes (CONFIG_FPROBE)",
        privileges: PRIVILEGES,
        misses_since: Some((6, 7)),
        detaches_at_once: false,
    };

    fn missing() -> Option<Error> {
        ftrace_off()
    }

    /// Kernels that do not know the helper do not know what it is for either.
    fn refused(error: &LoadError) -> Option<Error> {
        let cookie = format!("#{}\n", GET_ATTACH_COOKIE.id);
        let unknown = error.log.contains(&cookie) && error.log.contains("unknown");
        unknown.then(missing)
    }

    fn parse(_: &str, place: &str, _: &KernelTypes) -> Result<KprobeMulti, Error> {
        let functions = names::functions(&place.split(',').collect::<Vec<_>>())?;
        Ok(KprobeMulti { functions })
    }

    fn trials(_: &KernelTypes) -> Vec<(&'static str, Result<KprobeMulti, Error>)> {
        let function = KernelFunction::named(QUIET_FUNCTION);
        vec![("kprobe.multi", Ok(KprobeMulti { functions: vec![function] }))]
    }

    fn word(&self) -> &'static str {
        "kprobe.multi"
    }

    fn place(&self) -> String {
        let names = self.functions.iter().map(|function| &*function.name);
        names.collect::<Vec<_>>().join(",")
    }

    fn load(&self) -> Result<Load<'static>, Error> {
        let expected_attach_type = Some(AttachType::TraceKprobeMulti);
        Ok(Load { expected_attach_type, ..Load::new(ProgramType::Kprobe) })
    }

    fn attach(&self, load: &mut Loader) -> Result<Attachment, Error> {
        let functions = &self.functions;
        let names: Vec<_> =
            functions.iter().map(|function| c_string(&function.name)).collect::<Result<_, _>>()?;
        let prog = load()?;
        let mut indices: Vec<_> = (0..functions.len()).collect();
        let mut link = self.link(&prog, &names, &indices);
        let mut left_out = vec![];
        if let Err(error) = &link
            && error.errno == Errno::ESRCH
            && let Ok(untraceable) = self.untraceable(&prog, &names, &indices, &mut { TRIES })
            && untraceable.iter().all(|index| functions[*index].optional)
        {
            if untraceable.len() == functions.len() {
                let what = format!("none of these {} functions can be traced", functions.len());
                return Err(Error::lacking(what).detail(error.to_string()));
            }
            left_out = untraceable.iter().map(|index| functions[*index].clone()).collect();
            indices.retain(|index| untraceable.binary_search(index).is_err());
            link = self.link(&prog, &names, &indices);
        }
        let link = link.map_err(|error| refused(functions, &error))?;
        let place = match indices[..] {
            [index] => functions[index].name.clone(),
            _ => format!("{} functions", indices.len()),
        };
        let left_out = left_out.into_iter().map(|function| {
            let error = untraceable(&function);
            (function, error)
        });
        Ok(Attachment { left_out: left_out.collect(), ..Attachment::new(place, prog, link) })
    }
}

/// The error for a kernel that is too old for it, or whose architecture does not have it yet.
fn missing() -> Error {
    Error::lacking("this kernel has no kprobe.multi (CONFIG_FPROBE)")
}

/// Why the kernel refused a link to many functions. Each by itself may still be probed.
fn refused(functions: &[KernelFunction], error: &SysError) -> Error {
    let refused = match (error.errno, functions) {
        // Only tracefs lists the functions that can be traced.
        (Errno::ESRCH, [function]) => untraceable(function),
        (Errno::ESRCH, _) => {
            let count = functions.len();
            Error::lacking(format!("one of these {count} functions cannot be traced, and kprobe.multi takes all or none"))
                .hint("where tracefs can be read, only those that can be traced are chosen; else name a few")
        }
        _ => refused_always(error),
    };
    refused.detail(error.to_string())
}

fn untraceable(function: &KernelFunction) -> Error {
    Error::failed(format!("{} cannot be traced", function.name))
}

/// The same whatever the functions are.
fn refused_always(error: &SysError) -> Error {
    match error.errno {
        Errno::EPERM | Errno::EACCES => refusal::denied(error),
        Errno::EINVAL | Errno::EOPNOTSUPP => missing(),
        _ => Error::lacking(format!("kprobe.multi is refused: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure;

    #[test]
    fn a_function_that_cannot_be_traced_is_no_missing_process() {
        let error = SysError { call: "bpf(BPF_LINK_CREATE)", errno: Errno::ESRCH };
        let one = refused(&[KernelFunction::named("vfs_x")], &error);
        assert_eq!(one.what, "vfs_x cannot be traced");
        let many = refused(&["vfs_x", "vfs_y"].map(KernelFunction::named), &error);
        assert!(many.what.starts_with("one of these 2 functions cannot be traced"), "{many}");
        assert!(many.hint.unwrap().contains("tracefs"));
    }

    #[test]
    fn a_kernel_older_than_kprobe_multi_is_not_called_a_refusing_verifier() {
        let log = "0: (85) call unknown#174\ninvalid func unknown#174\nprocessed 1 insns\n";
        let call = "bpf(BPF_PROG_LOAD)";
        let error = LoadError { call, errno: Errno::EINVAL, log: log.into(), log_truncated: false };
        let own = <KprobeMulti as Probe>::refused(&error);
        let error = refusal::load(&"kprobe.multi", own, &error);
        assert_eq!(error.what, "this kernel has no kprobe.multi (CONFIG_FPROBE)");
        assert_eq!(error.failure, Failure::Lacking);
        assert!(error.detail.unwrap().contains(log));
    }
}
