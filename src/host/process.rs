//! Processes, as the PID namespace of this process numbers them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::Error;
use crate::sys::Errno;
use crate::sys::file;
use crate::sys::pidfd::PidFd;

/// A PID namespace other than the host's first one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PidNamespace {
    /// The device of its inode, in the kernel's own form: 12 bits major, 20 bits minor.
    pub device: u32,
    /// Its inode.
    pub inode: u32,
}

/// The inode of the host's first PID namespace, which is part of the kernel's interface.
const FIRST: u64 = 0xefff_fffc;

impl PidNamespace {
    /// The namespace of this process. `None` if it is the host's first one, in which numbers are what the
    /// kernel's own helpers return, or if it cannot be found out.
    pub fn own() -> Option<PidNamespace> {
        PidNamespace::at(Path::new("/proc/self/ns/pid"))
    }

    fn at(link: &Path) -> Option<PidNamespace> {
        let found = fs::metadata(link).ok().filter(|found| found.ino() != FIRST)?;
        let device = libc::major(found.dev()) << 20 | libc::minor(found.dev());
        Some(PidNamespace { device, inode: u32::try_from(found.ino()).ok()? })
    }
}

/// A process that a user names by its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Process {
    /// Its number in this process's PID namespace.
    pub pid: u32,
    /// Its number in its own namespace; on the host if that is `None`.
    pub own_pid: u32,
    /// The namespace that it is in, if this process is in another than the host's first one.
    pub namespace: Option<PidNamespace>,
}

impl Process {
    /// The process of this number in the PID namespace of this process.
    ///
    /// # Errors
    /// There is none, or the number is that of a thread.
    pub fn find(pid: u32) -> Result<Process, Error> {
        // The numbers from the namespace of /proc inwards; that may be another one than ours.
        let numbers = match PidFd::open(pid) {
            Ok(found) => found.numbers(),
            // A kernel or a filter that forbids the call says nothing about the process.
            Err(error) if FORBIDDEN.contains(&error.errno) && in_proc(pid) => vec![],
            Err(_) => return Err(unknown(pid)),
        };
        let Some(own) = PidNamespace::own() else {
            return Ok(Process { pid, own_pid: pid, namespace: None });
        };
        let inside = numbers.first().filter(|seen| **seen != 0).and_then(|seen| {
            let namespace = PidNamespace::at(Path::new(&format!("/proc/{seen}/ns/pid")))?;
            Some(Process { pid, own_pid: *numbers.last()?, namespace: Some(namespace) })
        });
        Ok(inside.unwrap_or(Process { pid, own_pid: pid, namespace: Some(own) }))
    }
}

const FORBIDDEN: [Errno; 3] = [Errno::ENOSYS, Errno::EPERM, Errno::EACCES];

fn in_proc(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Why there is no process of this number.
fn unknown(pid: u32) -> Error {
    let status = file::read_text(Path::new(&format!("/proc/{pid}/status"))).unwrap_or_default();
    let process = status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
    match process.filter(|process: &u32| *process != pid) {
        Some(process) => Error::usage(format!("{pid} is a thread of the process {process}"))
            .hint(format!("try: -p {process}")),
        None => Error::usage(format!("no process {pid}")),
    }
}
