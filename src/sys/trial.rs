//! Calls that change nothing, and whose answers show what stands in the way of other calls.

use std::os::fd::OwnedFd;

use nix::sys::resource::{Resource::RLIMIT_MEMLOCK, getrlimit, setrlimit};

use super::attr;
pub use super::call::SystemCall;
use super::call::{self, BpfCommand};
use super::{Errno, MapType, SysError};

/// Whether something answers the call before the kernel looks at its arguments. The kernel refuses the
/// arguments of this trial before it asks who the caller is, at least if that has the privileges.
pub fn is_filtered(call: SystemCall) -> bool {
    let answer = call::nonsense(call);
    !matches!(answer, Ok(_) | Err(Errno::E2BIG | Errno::EINVAL | Errno::EFAULT))
}

/// Whether the kernel does not permit the call that failed, whatever it is asked for: a filter, a security
/// module, or a setting.
pub fn is_refused_outright(error: &SysError) -> bool {
    let answer = match SystemCall::of(error) {
        Some(SystemCall::Bpf) => match BpfCommand::of(error.call) {
            Some(command) => call::empty_bpf(command),
            None => return false,
        },
        Some(SystemCall::PerfEventOpen) => call::empty_perf_event(),
        None => return false,
    };
    matches!(answer, Err(Errno::EPERM | Errno::EACCES))
}

/// Whether this kernel charges maps and programs to RLIMIT_MEMLOCK, as kernels before 5.11 do: makes the
/// smallest map while the limit is 0. `None` if it makes none without that limit either.
pub fn is_memlock_charged() -> Option<bool> {
    let (soft, hard) = getrlimit(RLIMIT_MEMLOCK).ok()?;
    setrlimit(RLIMIT_MEMLOCK, 0, hard).ok()?;
    let without = smallest_map();
    setrlimit(RLIMIT_MEMLOCK, soft, hard).ok()?;
    match (without, soft) {
        (Ok(_), _) => Some(false),
        (Err(_), 0) => None,
        (Err(_), _) => smallest_map().is_ok().then_some(true),
    }
}

/// A map of one page, which is gone when this is dropped.
fn smallest_map() -> Result<OwnedFd, SysError> {
    let mut attr = attr::MapCreate {
        map_type: MapType::Array as u32,
        key_size: 4,
        value_size: 8,
        max_entries: 1,
        ..attr::MapCreate::default()
    };
    // SAFETY: the attr holds no address, and the command returns a new descriptor.
    unsafe { call::bpf_fd(BpfCommand::MapCreate, &mut attr) }
}

#[cfg(test)]
mod tests {
    use super::super::call::{Call, hook};
    use super::*;

    const MAP: SysError = SysError { call: "bpf(BPF_MAP_CREATE)", errno: Errno::EPERM };

    #[test]
    fn a_filter_is_told_from_what_looks_at_the_arguments() {
        for (answer, filtered) in [
            (Errno::EPERM, true),
            (Errno::ENOSYS, true),
            (Errno::E2BIG, false),
            (Errno::EINVAL, false),
        ] {
            let _kernel = hook::install(move |call| match call {
                Call::Nonsense(_) => Some(Err(answer)),
                other => panic!("{other:?}"),
            });
            assert_eq!(is_filtered(SystemCall::of(&MAP).unwrap()), filtered, "{answer:?}");
        }
    }

    #[test]
    fn a_command_that_is_refused_outright_is_refused_without_arguments_too() {
        for (answer, outright) in
            [(Errno::EPERM, true), (Errno::EACCES, true), (Errno::EINVAL, false)]
        {
            let _kernel = hook::install(move |call| match call {
                Call::Bpf { command: BpfCommand::MapCreate, attr } => {
                    assert!(attr.iter().all(|byte| *byte == 0));
                    Some(Err(answer))
                }
                other => panic!("{other:?}"),
            });
            assert_eq!(is_refused_outright(&MAP), outright, "{answer:?}");
        }
    }

    /// On this thread no hook is installed: the kernel that runs the test answers.
    #[test]
    #[cfg_attr(miri, ignore = "calls of the kernel's")]
    fn the_kernel_refuses_the_nonsense_itself() {
        let filters = std::fs::read_to_string("/proc/self/status").unwrap();
        if filters.contains("Seccomp:\t0") && filters.contains("CapEff:\t000001f") {
            assert!(!is_filtered(SystemCall::Bpf));
            assert!(!is_filtered(SystemCall::PerfEventOpen));
            assert!(!is_refused_outright(&MAP));
        }
    }
}
