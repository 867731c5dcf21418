//! kprobe and kretprobe: a breakpoint at the entry or the return of a function of the kernel, by a perf
//! event.

use std::ops::ControlFlow;

use super::kind::{Attachment, Facts, Loader, PRIVILEGES, Probe, QUIET_FUNCTION, c_string};
use super::silent::kprobes_off;
use crate::error::Error;
use crate::host::refusal;
use crate::host::types::KernelTypes;
use crate::sys::link::At;
use crate::sys::perf::has_kprobes;
use crate::sys::{Errno, Load, PerfEvent, ProgramType, SysError, kallsyms};

/// The entry or the return of a function of the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kprobe {
    functions: Vec<String>,
    at: At,
}

/// How many bytes ftrace keeps for itself at the entries of functions, on architectures whose kernel may not share
/// them with kprobes. They do nothing else: behind them, the arguments are where they were. A probe among them
/// would be lost as soon as ftrace writes there. Of a function that begins with a loop, each turn counts.
const FOR_FTRACE: Option<u64> = if cfg!(target_arch = "riscv64") { Some(8) } else { None };

impl Kprobe {
    /// The entry or the return of this function. `0xffffffff81234560` names one by its address.
    pub fn new(function: impl Into<String>, at: At) -> Kprobe {
        Kprobe { functions: vec![function.into()], at }
    }

    /// The entry of the first of these functions that the kernel can probe.
    pub fn first_of(functions: Vec<String>) -> Kprobe {
        Kprobe { functions, at: At::Entry }
    }

    /// The address that a function is named by: `0xffffffff81234560`.
    pub fn address(function: &str) -> Option<u64> {
        u64::from_str_radix(function.strip_prefix("0x")?, 16).ok()
    }

    /// A probe so many bytes after the start of the function of this name, or of a module's:
    /// `null_blk:null_queue_rq`. Some kernels find such a name (before Linux 6.7), others only the address.
    fn open_at(&self, function: &str, offset: u64) -> Result<Result<PerfEvent, SysError>, Error> {
        if let Some(address) = Kprobe::address(function) {
            return Ok(PerfEvent::kprobe_at(address.wrapping_add(offset), self.at));
        }
        let event = PerfEvent::kprobe(&c_string(function)?, offset, self.at);
        let of_module = function.split_once(':');
        if let (Some((module, name)), Err(SysError { errno: Errno::ENOENT, .. })) =
            (of_module, &event)
            && let Ok(Some(address)) = kallsyms::address_in_module(module, name)
        {
            return Ok(PerfEvent::kprobe_at(address.wrapping_add(offset), self.at));
        }
        Ok(event)
    }

    /// A probe at the function's first instruction or, where the kernel keeps that for ftrace and has no probes
    /// there (riscv64 from Linux 6.10 on), at the one behind it.
    fn open_one(&self, function: &str) -> Result<Result<PerfEvent, SysError>, Error> {
        let event = self.open_at(function, 0)?;
        match (&event, FOR_FTRACE, self.at) {
            (Err(SysError { errno: Errno::EINVAL, .. }), Some(bytes), At::Entry) => {
                // The error of the entry itself says more.
                Ok(self.open_at(function, bytes)?.or(event))
            }
            _ => Ok(event),
        }
    }

    /// A probe at the first of the functions that the kernel can probe, and which one that is.
    fn open(&self) -> Result<(&str, PerfEvent), Error> {
        let mut first = None;
        for function in &self.functions {
            match self.open_one(function)? {
                Ok(event) => return Ok((function, event)),
                Err(error) => first = first.or(Some((function, error))),
            }
        }
        let (function, error) = first.ok_or_else(|| Error::failed("no function to probe"))?;
        Err(refused(function, self.at, &error))
    }
}

impl Probe for Kprobe {
    const FACTS: Facts = Facts {
        words: &["kprobe", "kretprobe"],
        sections: &[("kprobe", "kprobe"), ("kretprobe", "kretprobe")],
        needs: "the block tools use tp_btf then",
        privileges: PRIVILEGES,
        misses_since: Some((6, 7)),
        detaches_at_once: false,
    };

    fn missing() -> Option<Error> {
        (!has_kprobes()).then(no_kprobes).or_else(kprobes_off)
    }

    fn parse(word: &str, place: &str, _: &KernelTypes) -> Result<Kprobe, Error> {
        Ok(match word {
            "kprobe" => Kprobe::first_of(place.split('|').map(str::to_owned).collect()),
            _ => Kprobe::new(place, At::Return),
        })
    }

    fn trials(_: &KernelTypes) -> Vec<(&'static str, Result<Kprobe, Error>)> {
        let trial = |at| Ok(Kprobe::new(QUIET_FUNCTION, at));
        vec![("kprobe", trial(At::Entry)), ("kretprobe", trial(At::Return))]
    }

    fn word(&self) -> &'static str {
        match self.at {
            At::Entry => "kprobe",
            At::Return => "kretprobe",
        }
    }

    fn place(&self) -> String {
        self.functions.join("|")
    }

    fn load(&self) -> Result<Load<'static>, Error> {
        Ok(Load::new(ProgramType::Kprobe))
    }

    fn attach(&self, load: &mut Loader) -> Result<Attachment, Error> {
        let (function, event) = self.open()?;
        let prog = load()?;
        let link = match self.at {
            At::Entry => event.attach(&prog),
            // It follows only some calls at a time: twice as many as there are CPUs.
            At::Return => event.attach_by_link(&prog),
        };
        let link = link.map_err(|error| refused(function, self.at, &error))?;
        Ok(Attachment::new(function.to_owned(), prog, link))
    }
}

/// Why the kernel refused a probe at the entry or the return of `function`.
fn refused(function: &str, at: At, error: &SysError) -> Error {
    let refused = match error.errno {
        Errno::ENOENT | Errno::ENODEV if error.call.starts_with("read") => no_kprobes(),
        Errno::ENOENT => refusal::no_function(function),
        Errno::EINVAL if at == At::Return && FOR_FTRACE.is_some() => Error::lacking(format!(
            "this kernel puts no kretprobe at {function}: ftrace has the function's entry for itself"
        ))
        .hint("use fexit where it works: rawbpf doctor"),
        Errno::EINVAL | Errno::EILSEQ => {
            Error::failed(format!("{function} cannot be probed: the kernel forbids it there"))
        }
        Errno::EADDRNOTAVAIL => several(function),
        Errno::EPERM | Errno::EACCES => refusal::denied(error),
        _ => refusal::occupied(function, error)
            .unwrap_or_else(|| Error::failed(format!("{function} was not probed: {error}"))),
    };
    refused.detail(error.to_string())
}

/// The error for a name that several functions have.
pub(super) fn several(function: &str) -> Error {
    Error::failed(format!("this kernel has several functions named {function}"))
        .hint(by_address(function))
}

/// How to name one of the functions that have this name.
fn by_address(function: &str) -> String {
    const SHOWN: usize = 4;
    let (mut places, mut modules) = (vec![], vec![]);
    let _ = kallsyms::for_each(|symbol| {
        if symbol.name == function && symbol.is_text() && symbol.address != 0 {
            modules.extend(symbol.module.map(|module| format!("{module}:{function}")));
            let module = symbol.module.map_or(String::new(), |module| format!(" [{module}]"));
            places.push(format!("{:#x}{module}", symbol.address));
        }
        ControlFlow::<()>::Continue(())
    });
    match places.len() {
        0 => "name one by its address, which root finds in /proc/kallsyms".to_owned(),
        count => {
            places.truncate(SHOWN);
            let more = if count > SHOWN { ", ..." } else { "" };
            let first = places[0].split(' ').next().unwrap_or_default();
            let module = modules.first();
            let module = module.map_or(String::new(), |one| format!(" or by its module, {one}"));
            format!(
                "name one by its address, such as {first}{module}: they are at {}{more}",
                places.join(", ")
            )
        }
    }
}

/// This kernel has no kprobes.
fn no_kprobes() -> Error {
    refusal::no_sysfs().unwrap_or_else(|| {
        Error::lacking("this kernel has no kprobes (CONFIG_KPROBE_EVENTS)")
            .hint(refusal::ANOTHER_KIND)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::refusal::tests::{ROOT, host, perf, says};

    #[test]
    fn a_kernel_without_kprobes_is_named() {
        let _host = host([("/proc/self/status", ROOT)]);
        let pmu = SysError { call: "read(/sys/bus/..)", errno: Errno::ENOENT };
        says(&refused("f", At::Entry, &pmu), "no kprobes", "rawbpf doctor");
    }

    #[test]
    fn what_forbids_a_probe_is_named() {
        let lockdown = ("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
        let _host = host([("/proc/self/status", ROOT), lockdown]);
        says(&refused("f", At::Entry, &perf(Errno::EPERM)), "locked down", "at boot");
    }

    #[test]
    fn a_misspelt_function_finds_the_one_that_was_meant() {
        let _host = host([
            ("/sys/kernel/tracing/available_filter_functions", "vfs_read\nvfs_write [m]\nx\n"),
            ("/proc/kallsyms", "0 T vfs_read\n0 T vfs_write\n0 D vfs_writ\n"),
        ]);
        let error = refused("vfs_wirte", At::Entry, &perf(Errno::ENOENT));
        assert_eq!(error.what, "this kernel has no function vfs_wirte");
        assert_eq!(error.hint.as_deref(), Some("did you mean vfs_write?"));
        let error = refused("something_else_altogether", At::Entry, &perf(Errno::ENOENT));
        assert_eq!(error.hint, None);
    }

    #[test]
    fn of_several_functions_of_a_name_each_has_an_address_to_name_it_by() {
        let symbols = "ffffffff81000010 t twice\n0 d twice\nffffffffc0000000 t twice\t[mod]\n";
        let _host = host([("/proc/kallsyms", symbols)]);
        let error = refused("twice", At::Entry, &perf(Errno::EADDRNOTAVAIL));
        assert_eq!(error.what, "this kernel has several functions named twice");
        let hint = error.hint.unwrap();
        assert!(hint.contains("at 0xffffffff81000010, 0xffffffffc0000000 [mod]"), "{hint}");
        assert_eq!(Kprobe::address("0xffffffff81000010"), Some(0xffff_ffff_8100_0010));
        assert_eq!((Kprobe::address("xattr"), Kprobe::address("0xattr")), (None, None));
    }

    #[test]
    fn a_function_that_must_not_be_probed_is_not_called_missing() {
        let error = refused("blk_account_io_start", At::Entry, &perf(Errno::EINVAL));
        assert!(error.what.contains("cannot be probed"), "{error}");
    }

    #[test]
    fn a_function_whose_place_is_taken_says_by_what() {
        for (errno, said) in [
            (Errno::EEXIST, "attached to sys_enter already"),
            (Errno::EBUSY, "does not share it"),
            (Errno::E2BIG, "as many programs as"),
        ] {
            let error = SysError { call: "ioctl(PERF_EVENT_IOC_SET_BPF)", errno };
            let error = refused("sys_enter", At::Entry, &error);
            assert!(error.what.contains(said) && error.hint.is_some(), "{error}");
        }
    }
}
