//! Who keeps the objects of bpf(2) in the kernel: processes that have a descriptor, files that pin one.

use std::ffi::CString;
use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::sys::file;
use crate::sys::object::{self, ObjectKind};

/// The kernel's facts about a descriptor: lines of a name and a value.
pub struct FdInfo(String);

impl FdInfo {
    /// Of a descriptor of our own; nothing where there is no /proc.
    pub fn of(fd: BorrowedFd<'_>) -> FdInfo {
        FdInfo::read(Path::new(&format!("/proc/self/fdinfo/{}", fd.as_raw_fd())))
    }

    fn read(path: &Path) -> FdInfo {
        FdInfo(file::read_text(path).unwrap_or_default())
    }

    /// Each name and its value.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.0.lines().filter_map(|line| line.split_once(":\t"));
        fields.map(|(name, value)| (name.trim(), value.trim()))
    }

    /// A value that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.fields().find(|field| field.0 == name)?.1.parse().ok()
    }

    /// The object that it is a descriptor of. A link's facts have its program too.
    fn object(&self) -> Option<ObjectKey> {
        let names = [
            (ObjectKind::Link, "link_id"),
            (ObjectKind::Map, "map_id"),
            (ObjectKind::Prog, "prog_id"),
        ];
        names.into_iter().find_map(|(kind, name)| Some((kind, self.number(name)?.try_into().ok()?)))
    }
}

/// An object by its kind and id.
type ObjectKey = (ObjectKind, u32);

/// A process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Process {
    /// Its id, in the namespace of this process.
    pub pid: u32,
    /// Its name.
    pub comm: String,
}

/// Who holds what.
#[derive(Default)]
pub struct Holders {
    processes: Vec<(ObjectKey, Process)>,
    pins: Vec<(ObjectKey, PathBuf)>,
    /// How many processes did not let this one see what they hold.
    pub hidden: usize,
}

impl Holders {
    /// Looks at every process and into every bpffs that is mounted.
    pub fn find() -> Holders {
        let mut holders = Holders::default();
        holders.find_processes();
        let mounts = file::read_text(Path::new("/proc/self/mounts")).unwrap_or_default();
        for line in mounts.lines() {
            if let [_, path, "bpf", ..] = line.split(' ').collect::<Vec<_>>()[..] {
                holders.find_pins(PathBuf::from(path.replace("\\040", " ")));
            }
        }
        holders
    }

    /// The processes that have a descriptor of it.
    pub fn processes(&self, kind: ObjectKind, id: u32) -> impl Iterator<Item = &Process> {
        let held = self.processes.iter().filter(move |(object, _)| *object == (kind, id));
        held.map(|(_, process)| process)
    }

    /// The files that pin it.
    pub fn pins(&self, kind: ObjectKind, id: u32) -> impl Iterator<Item = &Path> {
        let held = self.pins.iter().filter(move |(object, _)| *object == (kind, id));
        held.map(|(_, path)| path.as_path())
    }

    fn find_processes(&mut self) {
        for path in entries(Path::new("/proc")) {
            let pid = path.file_name().and_then(|name| name.to_str()?.parse().ok());
            let Some(pid) = pid else { continue };
            match fs::read_dir(path.join("fd")) {
                Err(error) if error.kind() == ErrorKind::PermissionDenied => self.hidden += 1,
                // It has ended.
                Err(_) => {}
                Ok(_) => self.find_descriptors(pid, &path),
            }
        }
    }

    fn find_descriptors(&mut self, pid: u32, path: &Path) {
        let mut found: Vec<ObjectKey> = vec![];
        for fd in entries(&path.join("fd")) {
            let is_ours = |to: PathBuf| to.as_os_str().as_bytes().starts_with(b"anon_inode:bpf");
            let Some(number) = fd.file_name() else { continue };
            if fs::read_link(&fd).is_ok_and(is_ours)
                && let Some(object) = FdInfo::read(&path.join("fdinfo").join(number)).object()
                && !found.contains(&object)
            {
                found.push(object);
            }
        }
        for object in found {
            let comm = file::read_text(&path.join("comm")).unwrap_or_default();
            let comm = comm.trim_end_matches('\n').to_owned();
            self.processes.push((object, Process { pid, comm }));
        }
    }

    fn find_pins(&mut self, root: PathBuf) {
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            for path in entries(&folder) {
                match fs::symlink_metadata(&path).map(|found| found.file_type()) {
                    Ok(found) if found.is_dir() => folders.push(path),
                    Ok(found) if found.is_file() => self.find_pin(path),
                    _ => {}
                }
            }
        }
    }

    fn find_pin(&mut self, path: PathBuf) {
        let fd = CString::new(path.as_os_str().as_bytes()).ok();
        let fd = fd.and_then(|path| object::open_pinned(&path).ok());
        if let Some(object) = fd.and_then(|fd| FdInfo::of(fd.as_fd()).object()) {
            self.pins.push((object, path));
        }
    }
}

/// What is in a folder; nothing if it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_no_descriptor_of_its_program() {
        let link = FdInfo("pos:\t0\nlink_type:\ttracing\nlink_id:\t7\nprog_id:\t42\n".into());
        assert_eq!(link.object(), Some((ObjectKind::Link, 7)));
        let prog = FdInfo("pos:\t0\nprog_type:\t26\nmemlock:\t4096\nprog_id:\t42\n".into());
        assert_eq!(
            (prog.object(), prog.number("memlock")),
            (Some((ObjectKind::Prog, 42)), Some(4096))
        );
        let map = FdInfo("map_type:\t3\nmap_id:\t9\nowner_prog_type:\t1\n".into());
        assert_eq!(map.object(), Some((ObjectKind::Map, 9)));
        assert_eq!(FdInfo("pos:\t0\nprog_id: 3\nlink_id:\tx\n".into()).object(), None);
    }
}
