//! Control groups by number.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Where the hierarchy of version 2, of which the numbers are, is looked for: alone, and beside
/// those of version 1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// The paths of those that were asked for.
#[derive(Debug, Default)]
pub struct Cgroups {
    paths: BTreeMap<u64, String>,
}

impl Cgroups {
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
        let mount = MOUNTS.iter().map(Path::new).find(|it| it.join("cgroup.controllers").exists());
        if let Some(mount) = mount.filter(|_| !missing.is_empty()) {
            self.walk(mount, missing);
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
