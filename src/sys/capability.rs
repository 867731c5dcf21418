//! The capabilities of the calling thread.

use super::{Errno, SysError};

/// The number of CAP_BPF.
pub const BPF: u32 = 39;

/// CAP_SYSLOG.
pub const SYSLOG: u32 = 34;

/// The number of CAP_SYS_ADMIN.
pub const SYS_ADMIN: u32 = 21;

/// The number of CAP_SYS_PTRACE.
pub const SYS_PTRACE: u32 = 19;

/// The number of CAP_DAC_READ_SEARCH.
pub const DAC_READ_SEARCH: u32 = 2;

/// The number of CAP_CHECKPOINT_RESTORE, Linux 5.9.
pub const CHECKPOINT_RESTORE: u32 = 40;

/// `_LINUX_CAPABILITY_VERSION_3`: 64 capabilities.
const VERSION: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct`; 0 is the calling thread.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct`: half of the capabilities.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct CapabilityData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The thread's capabilities, which are restored when this is dropped.
struct Kept([CapabilityData; 2]);

impl Drop for Kept {
    fn drop(&mut self) {
        // They are still permitted, so the kernel does not refuse.
        let _ = set(&self.0);
    }
}

/// Takes all capabilities but these, a bit for each, from the calling thread, for good.
///
/// # Errors
/// The thread's capabilities cannot be read or changed.
pub(crate) fn keep(kept: u64) -> Result<(), SysError> {
    let mut data = get()?;
    for (half, data) in (0u32..).zip(&mut data) {
        let kept = (kept >> (32 * half)) as u32;
        data.permitted &= kept;
        data.effective = data.permitted;
        data.inheritable = 0;
    }
    set(&data)
}

/// Does `work` with this capability only, if the calling thread has it; with none, if there is no such
/// capability.
///
/// # Errors
/// The thread's capabilities cannot be read or changed.
pub fn with_only<T>(capability: u32, work: impl FnOnce() -> T) -> Result<T, SysError> {
    let mut data = get()?;
    let kept = Kept(data);
    let alone = 1u64.checked_shl(capability).unwrap_or(0);
    for (half, data) in (0u32..).zip(&mut data) {
        data.effective &= (alone >> (32 * half)) as u32;
    }
    set(&data)?;
    let result = work();
    drop(kept);
    Ok(result)
}

fn get() -> Result<[CapabilityData; 2], SysError> {
    let mut data = [CapabilityData::default(); 2];
    let mut header = Header { version: VERSION, pid: 0 };
    // SAFETY: both are of this function and as long as this version's, which the kernel writes.
    let answer = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    answered("capget()", answer)?;
    Ok(data)
}

fn set(data: &[CapabilityData; 2]) -> Result<(), SysError> {
    let mut header = Header { version: VERSION, pid: 0 };
    // SAFETY: the header is of this function; both are as long as this version's, which the kernel reads.
    let answer = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) };
    answered("capset()", answer)
}

fn answered(call: &'static str, answer: libc::c_long) -> Result<(), SysError> {
    let error = || Errno::from(&std::io::Error::last_os_error());
    if answer < 0 { Err(SysError { call, errno: error() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effective() -> String {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        status.lines().find(|line| line.starts_with("CapEff:")).unwrap().to_owned()
    }

    #[test]
    #[cfg_attr(miri, ignore = "a call of the kernel's")]
    fn the_others_are_gone_for_a_while() {
        let before = effective();
        let all = before.ends_with("1ffffffffff");
        let within = with_only(BPF, effective).unwrap();
        assert!(within.ends_with(if all { "\t0000008000000000" } else { "00000000" }), "{within}");
        assert_eq!(effective(), before);
        let unwound = std::panic::catch_unwind(|| with_only(BPF, || panic!("in between")));
        assert!(unwound.is_err());
        assert_eq!(effective(), before);
    }
}
