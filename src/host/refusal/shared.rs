//! Errors that have the same meaning for loading, creating and attaching.

use std::fmt::Display;
use std::path::Path;

use nix::sys::resource::{Resource, getrlimit};

use super::privilege::filtered;
use crate::error::Error;
use crate::sys::trial::SystemCall;
use crate::sys::{Errno, FileError, SysError, file};

/// The errors that have the same meaning whatever was to be loaded, created or attached; `what` names it.
pub(super) fn general(what: &str, error: &SysError) -> Option<Error> {
    if let Some(filtered) = filtered(error) {
        return Some(filtered);
    }
    Some(match error.errno {
        Errno::ENOSYS => no_call(error),
        Errno::EMFILE | Errno::ENFILE => descriptors(error.errno, error),
        Errno::ENOMEM => no_memory(what),
        Errno::EAGAIN | Errno::EINTR => Error::failed(format!(
            "{what}: the kernel gave up again and again, because signals arrived for this process"
        ))
        .hint("try again"),
        Errno::EBADF => Error::failed(format!(
            "{what}: one of its descriptors is closed, or belongs to something else"
        ))
        .hint("this is a bug in rawbpf: please report it with the output of -v"),
        Errno::ENOSPC => Error::failed(format!("{what}: the kernel has no place left for it"))
            .hint("end other programs of its kind: rawbpf list shows them"),
        _ => return None,
    })
}

/// The error for a lack of memory: of the host, or of this process's control group.
pub(super) fn no_memory(what: &str) -> Error {
    let error = Error::exhausted(format!("the kernel has no memory for {what}"));
    match cgroup_limit() {
        Some((limit, file)) => Error::exhausted(format!(
            "{}; this process's control group may use {limit} bytes, including kernel memory",
            error.what
        ))
        .hint(format!("make it smaller, or write a larger number to {file}")),
        None => error.hint("make it smaller; see what is left: free -m"),
    }
}

/// The memory limit of this process's control group in bytes, and the file that sets it, if there is one.
fn cgroup_limit() -> Option<(u64, String)> {
    let groups = file::read_text(Path::new("/proc/self/cgroup")).ok()?;
    let limits = groups.lines().filter_map(|line| {
        let (_, group) = line.split_once(':')?;
        let (mount, name, path) = match group.split_once(':')? {
            ("", path) => ("", "memory.max", path),
            ("memory", path) => ("/memory", "memory.limit_in_bytes", path),
            _ => return None,
        };
        // The limits of parent groups count too; in a cgroup namespace, the group is at the root.
        Path::new(path).ancestors().find_map(|group| {
            let path = group.display().to_string();
            let file = format!("/sys/fs/cgroup{mount}{}/{name}", path.trim_end_matches('/'));
            let limit: u64 = file::read_text(Path::new(&file)).ok()?.trim().parse().ok()?;
            // In version 1, no limit is a huge number.
            (limit < 1 << 60).then_some((limit, file))
        })
    });
    limits.min()
}

/// The error for a lack of file descriptors: of this process (EMFILE) or of the host (ENFILE).
pub fn descriptors(errno: Errno, error: &dyn Display) -> Error {
    let error = Error::exhausted(format!("too few file descriptors: {error}"));
    if errno == Errno::ENFILE {
        return error.hint("the host has as many open files as it may: sudo sysctl fs.file-max=N");
    }
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    error.hint(format!("try: ulimit -n {}", (2 * limit).max(1024)))
}

/// The error for programs that need more descriptors than this process may have: `needed` in all.
pub fn too_few_descriptors(programs: usize, needed: u64) -> Error {
    let programs = if programs == 1 { "1 program".into() } else { format!("{programs} programs") };
    let what = format!("{programs} cannot be attached: that takes {needed} file descriptors");
    let limit = getrlimit(Resource::RLIMIT_NOFILE);
    let what = match limit {
        Ok((_, hard)) => format!("{what}, and this process may have {hard}"),
        Err(_) => what,
    };
    // With some to spare for files that are open for a moment.
    Error::exhausted(what).hint(format!("try: ulimit -n {}", needed + 16))
}

/// Whether a file could not be read because descriptors ran out, as an error.
pub fn file(error: &FileError) -> Option<Error> {
    let errno = error.errno();
    matches!(errno, Errno::EMFILE | Errno::ENFILE).then(|| descriptors(errno, error))
}

/// The error for a kernel without bpf(2).
pub(super) fn no_call(error: &SysError) -> Error {
    let (call, option) = match SystemCall::of(error) {
        Some(SystemCall::PerfEventOpen) => ("perf_event_open(2)", "CONFIG_PERF_EVENTS"),
        _ => ("bpf(2)", "CONFIG_BPF_SYSCALL"),
    };
    Error::lacking(format!("this kernel has no {call} ({option}), or a seccomp filter hides it"))
}
