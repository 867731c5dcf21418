//! What means the same whatever was to be loaded, made or attached.

use std::path::Path;

use crate::error::Error;
use crate::sys::{Errno, SysError, file};

/// The errors that mean the same whatever was to be loaded, made or attached; `what` is that.
pub(super) fn general(what: &str, error: &SysError) -> Option<Error> {
    Some(match error.errno {
        Errno::ENOSYS => no_bpf(),
        Errno::EMFILE | Errno::ENFILE => descriptors(error),
        Errno::ENOMEM => no_memory(what),
        Errno::EAGAIN | Errno::EINTR => Error::failed(format!(
            "{what}: the kernel broke it off again and again, since signals came for this process"
        ))
        .next("try it again"),
        Errno::EBADF => Error::failed(format!(
            "{what}: a descriptor that belongs to it is closed, or of something else"
        ))
        .next("that is a mistake in this program: please report it with what -v prints"),
        Errno::ENOSPC => Error::failed(format!("{what}: the kernel has no place left for it"))
            .next("end other programs of its kind: rawbpf list shows them"),
        _ => return None,
    })
}

/// There is no memory for what was to be made, or this process may not have as much.
pub(super) fn no_memory(what: &str) -> Error {
    let error = Error::failed(format!("the kernel has no memory for {what}"));
    match cgroup_limit() {
        Some((limit, file)) => Error::failed(format!(
            "{}; this process and its group may use {limit} bytes, with what the kernel keeps for them",
            error.what
        ))
        .next(format!("make it smaller, or write a larger number to {file}")),
        None => error.next("make it smaller; what is left: free -m"),
    }
}

/// How much memory this process's control group may use, and the file that says so, where it is limited.
fn cgroup_limit() -> Option<(u64, String)> {
    let groups = file::read_text(Path::new("/proc/self/cgroup")).ok()?;
    let limits = groups.lines().filter_map(|line| {
        let (_, group) = line.split_once(':')?;
        let (mount, name, path) = match group.split_once(':')? {
            ("", path) => ("", "memory.max", path),
            ("memory", path) => ("/memory", "memory.limit_in_bytes", path),
            _ => return None,
        };
        // A limit above counts too; in a namespace of its own the group is at the root.
        Path::new(path).ancestors().find_map(|group| {
            let path = group.display().to_string();
            let file = format!("/sys/fs/cgroup{mount}{}/{name}", path.trim_end_matches('/'));
            let limit: u64 = file::read_text(Path::new(&file)).ok()?.trim().parse().ok()?;
            // In version 1 no limit is a number as large as can be.
            (limit < 1 << 60).then_some((limit, file))
        })
    });
    limits.min()
}

/// No file descriptor is left for what was to be opened.
pub fn descriptors(error: &dyn std::fmt::Display) -> Error {
    Error::failed(format!("too few file descriptors: {error}")).next("try: ulimit -n 1024")
}

/// There is no system call.
pub(super) fn no_bpf() -> Error {
    Error::lacking("this kernel has no bpf(2) (CONFIG_BPF_SYSCALL), or a seccomp filter hides it")
}
