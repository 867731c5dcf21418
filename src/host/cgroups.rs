//! Control groups (version 2) by path and by number.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;
use crate::sys::file;

/// Where the hierarchy of version 2, of which the numbers are, is looked for first: alone, and beside
/// those of version 1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// The folder where the hierarchy of version 2 is mounted.
fn hierarchy() -> Option<PathBuf> {
    let usual = MOUNTS.iter().map(Path::new).find(|it| it.join("cgroup.controllers").exists());
    usual.map(Path::to_owned).or_else(|| {
        // A line has a mount's folder in the fifth field, and its type after a dash.
        file::for_each_line(Path::new("/proc/self/mountinfo"), |line| {
            let line = String::from_utf8_lossy(line);
            let mounted = line.split_once(" - ").filter(|(_, of)| of.starts_with("cgroup2 "));
            match mounted.and_then(|(mount, _)| mount.split(' ').nth(4)) {
                Some(folder) => ControlFlow::Break(PathBuf::from(folder)),
                None => ControlFlow::Continue(()),
            }
        })
        .ok()
        .flatten()
    })
}

/// Nothing can be told of control groups here.
fn no_hierarchy() -> Error {
    Error::lacking(
        "this host has no control groups of version 2 mounted, and a program sees no others",
    )
    .hint("try: -c NAME or --by comm; or boot with systemd.unified_cgroup_hierarchy=1")
}

/// A control group of version 2, which stays this one when another gets its path.
#[derive(Clone, Debug)]
pub struct Cgroup {
    path: String,
    folder: Arc<File>,
}

impl Cgroup {
    /// The control group at `path`, with or without the folder where the hierarchy is mounted before it.
    ///
    /// # Errors
    /// There is none, or it is one of version 1, or this host has none of version 2.
    pub fn find(path: &str) -> Result<Cgroup, Error> {
        let mount = hierarchy().ok_or_else(no_hierarchy)?;
        let below = mount.join(path.trim_start_matches('/'));
        let open = |path: &Path| File::open(path).ok().filter(|_| path.is_dir());
        let on = |file_system| move |folder: &File| file::file_system(folder) == Some(file_system);
        let given = Path::new(path).is_absolute().then(|| open(Path::new(path))).flatten();
        if given.as_ref().is_some_and(on(file::CGROUP)) {
            return Err(Error::usage(format!("{path} is a control group of version 1"))
                .hint(format!("those of version 2 are below {}", mount.display())));
        }
        let found = Some(below).filter(|_| !path.is_empty()).as_deref().and_then(open);
        let found = found.or(given).filter(on(file::CGROUP2));
        let folder = found.ok_or_else(|| {
            Error::usage(format!("no control group {path:?} below {}", mount.display()))
                .hint("a process's own is in the last line of /proc/PID/cgroup")
        })?;
        Ok(Cgroup { path: path.to_owned(), folder: Arc::new(folder) })
    }

    /// As it was named.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// The group's descriptor, by which a map takes it.
impl AsFd for Cgroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

/// The paths of those that were asked for.
#[derive(Debug, Default)]
pub struct Cgroups {
    paths: BTreeMap<u64, String>,
}

impl Cgroups {
    /// What the paths do not tell on this host, if anything: groups of version 1 that it uses too.
    ///
    /// # Errors
    /// This host has no groups of version 2 mounted.
    pub fn check() -> Result<Option<String>, Error> {
        hierarchy().ok_or_else(no_hierarchy)?;
        let own = file::read_text(Path::new("/proc/self/cgroup")).unwrap_or_default();
        // Number, controllers and path; version 2 has no controllers here.
        let controllers = own.lines().filter_map(|line| line.split(':').nth(1));
        let old: Vec<_> = controllers
            .filter(|controllers| !controllers.is_empty() && !controllers.starts_with("name="))
            .collect();
        Ok((!old.is_empty()).then(|| {
            format!(
                "this host has control groups of version 1 too ({}), which are not shown: a task that \
                 is only in those is in / of version 2",
                old.join(", ")
            )
        }))
    }

    /// Finds the paths of these, all that are new to it in one walk over the hierarchy, and forgets
    /// all others.
    pub fn look_up(&mut self, numbers: impl Iterator<Item = u64>) {
        let mut before = std::mem::take(&mut self.paths);
        let mut missing = vec![];
        for number in numbers {
            match before.remove(&number) {
                Some(path) => drop(self.paths.insert(number, path)),
                None => missing.push(number),
            }
        }
        if let Some(mount) = hierarchy().filter(|_| !missing.is_empty()) {
            self.walk(&mount, missing);
        }
    }

    /// The path of one that was looked up, such as `/system.slice/cron.service`; its number where it is gone or
    /// out of sight.
    pub fn name(&self, number: u64) -> String {
        self.paths.get(&number).cloned().unwrap_or_else(|| number.to_string())
    }

    /// The number is that of the folder's inode.
    fn walk(&mut self, mount: &Path, mut missing: Vec<u64>) {
        let root = fs::metadata(mount).map(|root| (root.ino(), PathBuf::from("/")));
        let mut open: Vec<_> = root.into_iter().collect();
        while let Some((number, path)) = open.pop() {
            if let Some(index) = missing.iter().position(|wanted| *wanted == number) {
                missing.swap_remove(index);
                self.paths.insert(number, path.to_string_lossy().into_owned());
            }
            if missing.is_empty() {
                return;
            }
            let folder = mount.join(path.strip_prefix("/").unwrap_or(&path));
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let folders = entries.filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir()));
            open.extend(folders.map(|entry| (entry.ino(), path.join(entry.file_name()))));
        }
    }
}
