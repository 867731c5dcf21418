//! Processes, as the PID namespace of this process numbers them.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

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

/// How often a process is asked for what it has mapped, and the time in between: one that was just started
/// may not run its own file yet.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(10);

/// Checks that the process of this number has mapped a file, in which a probe would otherwise see nothing of
/// it. Where that cannot be found out, nothing is checked.
///
/// # Errors
/// The process runs, but not this file, or an older one of its name.
pub(super) fn check_mapped(pid: u32, file: &Path) -> Result<(), Error> {
    // As /proc numbers it, which may be that of another namespace.
    let seen = PidFd::open(pid).map_or_else(|_| vec![], |found| found.numbers());
    let proc = PathBuf::from(format!("/proc/{}", seen.first().unwrap_or(&pid)));
    let Ok(wanted) = fs::metadata(file).map(|found| (found.dev(), found.ino())) else {
        return Ok(());
    };
    let mut old = None;
    for round in 0..TRIES {
        match mapping(&proc, file, wanted) {
            None | Some(Mapping::Same) => return Ok(()),
            Some(Mapping::Old(range)) => old = Some(range),
            Some(Mapping::Missing) => old = None,
        }
        if round + 1 < TRIES {
            thread::sleep(PAUSE);
        }
    }
    let name = file.display();
    Err(match old {
        Some(path) => Error::usage(format!(
            "the process {pid} runs an older {name}, which has been replaced since it started"
        ))
        .hint(format!("start it again, or name what it runs: {}:SYMBOL", path.display())),
        None => Error::usage(format!("the process {pid} has not loaded {name}"))
            .hint(format!("what it has loaded: grep -F / {}/maps", proc.display())),
    })
}

/// What a process has mapped of a file.
enum Mapping {
    Same,
    /// Another file that had its path and was removed; the path by which that can be read.
    Old(PathBuf),
    Missing,
}

/// `None` if the process's mappings cannot be read.
fn mapping(proc: &Path, file: &Path, wanted: (u64, u64)) -> Option<Mapping> {
    let real = fs::canonicalize(file).ok();
    let root = proc.join("root");
    let path =
        file.strip_prefix(&root).map_or_else(|_| file.to_owned(), |path| Path::new("/").join(path));
    let mut tried = BTreeSet::new();
    let mut old = None;
    let found = file::for_each_line(&proc.join("maps"), |line| {
        // Address, permissions, offset, device, inode and, after blanks, the path.
        let line = String::from_utf8_lossy(line);
        let fields: Vec<_> = line.splitn(6, ' ').collect();
        let [range, _, _, device, inode, shown] = fields[..] else {
            return ControlFlow::Continue(());
        };
        let shown = shown.trim_start();
        if inode == "0"
            || !shown.starts_with('/')
            || !tried.insert((device.to_owned(), inode.to_owned()))
        {
            return ControlFlow::Continue(());
        }
        let link = proc.join("map_files").join(short(range));
        // The link leads to the very file, whatever has its path now. Without a privilege for that, the
        // numbers must do, which differ on some file systems.
        let same = match fs::metadata(&link) {
            Ok(found) => (found.dev(), found.ino()) == wanted,
            Err(_) => inode.parse() == Ok(wanted.1),
        };
        if same {
            return ControlFlow::Break(());
        }
        if let Some(removed) = shown.strip_suffix(" (deleted)").map(Path::new)
            && (removed == path || real.as_deref() == Some(removed))
        {
            let exe = proc.join("exe");
            let runs = fs::metadata(&exe).ok().zip(fs::metadata(&link).ok());
            let is_exe =
                runs.is_some_and(|(exe, link)| (exe.dev(), exe.ino()) == (link.dev(), link.ino()));
            old = Some(if is_exe { exe } else { link });
        }
        ControlFlow::Continue(())
    });
    match found.ok()? {
        Some(()) => Some(Mapping::Same),
        None => Some(old.map_or(Mapping::Missing, Mapping::Old)),
    }
}

/// A range of addresses as `map_files` names it: without leading zeros.
fn short(range: &str) -> String {
    let ends = range.split('-').map(|end| match end.trim_start_matches('0') {
        "" => "0",
        end => end,
    });
    ends.collect::<Vec<_>>().join("-")
}
