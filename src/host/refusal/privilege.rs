//! Why a process may not do something: it lacks a capability, or the host forbids it to everybody.

use std::path::Path;

use crate::error::Error;
use crate::sys::{SysError, file};

/// The capabilities that matter here, with their bits.
const CAPABILITIES: [(u32, &str); 3] =
    [(39, "CAP_BPF"), (38, "CAP_PERFMON"), (21, "CAP_SYS_ADMIN")];

/// What keeps this process from loading and attaching programs of any kind, if anything does.
pub fn privilege() -> Option<Error> {
    let held = capabilities()?;
    let missing: Vec<_> = ["CAP_BPF", "CAP_PERFMON"]
        .into_iter()
        .filter(|name| !held.contains(name) && !held.contains(&"CAP_SYS_ADMIN"))
        .collect();
    if missing.is_empty() {
        return in_user_namespace().then(|| {
            Error::lacking("not permitted: this is root of a user namespace, not of the host")
                .hint("try: outside of the container, or in a privileged container")
        });
    }
    let (verb, program) = (if missing.len() == 1 { "is" } else { "are" }, program());
    Some(Error::lacking(format!("not permitted: {} {verb} missing", missing.join(" and "))).hint(
        format!("run with sudo, or grant once: sudo setcap cap_bpf,cap_perfmon+ep {program}"),
    ))
}

/// Why something is not permitted: to this process, or to everybody.
pub fn denied(error: &SysError) -> Error {
    privilege().unwrap_or_else(|| policy(error))
}

/// Which of CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN (which includes the other two) this process has.
/// `None` if it cannot be found out.
pub fn capabilities() -> Option<Vec<&'static str>> {
    let status = file::read_text(Path::new("/proc/self/status")).ok()?;
    let hex = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    let held = u64::from_str_radix(hex.trim(), 16).ok()?;
    let held = CAPABILITIES.into_iter().filter(|(bit, _)| held >> bit & 1 == 1);
    Some(held.map(|(_, name)| name).collect())
}

/// Why the kernel refuses although no capability is missing: something forbids it to everybody.
fn policy(error: &SysError) -> Error {
    if let Some(locked) = lockdown() {
        return locked;
    }
    let paranoid = file::read_text(Path::new("/proc/sys/kernel/perf_event_paranoid"));
    let paranoid: Option<i32> = paranoid.ok().and_then(|text| text.trim().parse().ok());
    if error.call.starts_with("perf") && paranoid.is_some_and(|level| level >= 3) {
        return Error::lacking("not permitted: kernel.perf_event_paranoid is 3 or more")
            .hint("try: sudo sysctl kernel.perf_event_paranoid=2");
    }
    if let Some(limit) = locked_memory() {
        return Error::lacking(format!("not permitted: RLIMIT_MEMLOCK is {limit} bytes"))
            .hint("kernels before 5.11 charge maps and programs to it; try: ulimit -l unlimited");
    }
    Error::lacking(format!("not permitted, though no capability is missing: {error}"))
        .hint("a security module or a seccomp filter may forbid it; -v shows more")
}

/// The error for a kernel whose lockdown lets nobody read its memory. The weaker mode, integrity,
/// forbids nothing that we do.
pub(super) fn lockdown() -> Option<Error> {
    let modes = file::read_text(Path::new("/sys/kernel/security/lockdown")).unwrap_or_default();
    modes.contains("[confidentiality]").then(|| {
        Error::lacking("the kernel is locked down (mode confidentiality), which forbids tracing")
            .hint("the mode is chosen at boot: by lockdown= on the command line, or by the distribution")
    })
}

/// The limit of locked memory in bytes, if there is one.
fn locked_memory() -> Option<u64> {
    let limits = file::read_text(Path::new("/proc/self/limits")).ok()?;
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
    limit.split_whitespace().next()?.parse().ok()
}

/// Whether this is a user namespace, in which user ids differ from those on the host.
pub fn in_user_namespace() -> bool {
    let map = file::read_text(Path::new("/proc/self/uid_map")).unwrap_or_default();
    let mut numbers = map.split_whitespace();
    !map.is_empty() && numbers.nth(2) != Some("4294967295")
}

/// The path of this program's file, since a link to it cannot have capabilities.
fn program() -> String {
    let path = std::env::current_exe().unwrap_or_else(|_| "rawbpf".into());
    path.display().to_string()
}
