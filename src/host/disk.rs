//! Disks by number, and the names that the kernel gives them.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use crate::sys::file;

/// A whole disk, as the block layer numbers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Disk {
    /// Driver.
    pub major: u32,
    /// Device of that driver.
    pub minor: u32,
    /// The name of a hidden disk whose number the kernel does not report (Linux 5.10 to 5.15), in place of the
    /// number.
    pub hidden: Option<[u8; 16]>,
}

impl Disk {
    /// The kernel's own form of the number: 12 bits major, 20 bits minor.
    pub fn dev(self) -> u32 {
        self.major << 20 | self.minor
    }

    /// The hidden disk of this name, whose number is not known.
    pub(super) fn hidden(name: &str) -> Option<Disk> {
        let mut hidden = [0; 16];
        hidden.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        // The zero after it is compared too.
        (name.len() < hidden.len()).then_some(Disk { major: 0, minor: 0, hidden: Some(hidden) })
    }

    /// The disk of this number in the kernel's own form.
    pub fn from_dev(dev: u32) -> Disk {
        Disk { major: dev >> 20, minor: dev & 0xfffff, hidden: None }
    }

    /// Reads `MAJOR:MINOR`.
    pub(super) fn parse(text: &str) -> Option<Disk> {
        let (major, minor) = text.split_once(':')?;
        let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
        (major < 1 << 12 && minor < 1 << 20).then_some(Disk { major, minor, hidden: None })
    }

    /// The name in /sys of the disk or partition that has this number now and a node in /dev.
    pub(super) fn sysfs_name(self) -> Option<String> {
        let number = format!("{}:{}", self.major, self.minor);
        let link = fs::read_link(Path::new("/sys/dev/block").join(number)).ok()?;
        Some(link.file_name()?.to_string_lossy().into_owned())
    }
}

/// The names of disks, by their numbers. A disk that was removed keeps the name that it had.
#[derive(Debug, Default)]
pub struct DiskNames {
    names: BTreeMap<u32, String>,
}

impl DiskNames {
    /// Stores the names of all disks that the host has now.
    pub fn look(&mut self) {
        listed(|disk, name| _ = self.names.insert(disk.dev(), name.to_owned()));
    }

    /// The name of the disk that has this number in the kernel's own form: `vda`. The number (`7:3`) if the
    /// disk was removed before anybody looked.
    pub fn name(&mut self, dev: u32) -> String {
        let disk = Disk::from_dev(dev);
        if let Some(name) = disk.sysfs_name() {
            self.names.insert(dev, name.replace('!', "/"));
        } else if !self.names.contains_key(&dev) {
            // Hidden disks, such as the paths of a multipath NVMe disk, are listed only there.
            self.look();
        }
        let number = || format!("{}:{}", disk.major, disk.minor);
        self.names.get(&dev).cloned().unwrap_or_else(number)
    }

    /// Stores a name that a program read in the kernel.
    pub fn learn(&mut self, dev: u32, name: &str) {
        self.names.entry(dev).or_insert_with(|| name.to_owned());
    }
}

/// Calls `found` with each disk and partition that `/proc/diskstats` lists, hidden disks too, and its name.
/// Linux 5.10 to 5.15 do not report the numbers of hidden disks, which are left out.
pub(super) fn listed(mut found: impl FnMut(Disk, &str)) {
    counted(|disk, name, _| found(disk, name));
}

/// As [`listed`], with how many requests the device has completed since it was made.
pub(super) fn counted(mut found: impl FnMut(Disk, &str, u64)) {
    let _ = file::for_each_line(Path::new("/proc/diskstats"), |line| {
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_ascii_whitespace();
        if let [Some(major), Some(minor), Some(name)] = [words.next(), words.next(), words.next()]
            && let Some(disk) = Disk::parse(&format!("{major}:{minor}"))
            && disk.dev() != 0
        {
            // Reads, writes, discards (Linux 4.18) and flushes (5.5), each the first of its fields.
            let fields: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
            let completed = [0, 4, 11, 15].iter().filter_map(|at| fields.get(*at));
            found(disk, name, completed.fold(0, |sum, count| sum.wrapping_add(*count)));
        }
        ControlFlow::<()>::Continue(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_kept_in_the_kernels_form() {
        let disk = Disk { major: 259, minor: 3, hidden: None };
        assert_eq!(Disk::parse("259:3"), Some(disk));
        assert_eq!(Disk::from_dev(disk.dev()), disk);
        for bad in ["", ":", "259", "259:", ":3", "4096:0", "0:1048576", "-1:2", "a:b"] {
            assert_eq!(Disk::parse(bad), None, "{bad}");
        }
    }

    /// Number 4095:1 has no node, as a hidden disk.
    #[test]
    fn a_removed_disk_keeps_its_name_and_one_never_seen_has_a_number() {
        let mut names = DiskNames::default();
        let dev = Disk { major: 4095, minor: 1, hidden: None }.dev();
        {
            let _host = file::hook::install(|path| {
                assert!(path.ends_with("diskstats"));
                Some(Ok(b"   0  0 nvme1c1n1 1 2\n4095       1 nvme0c0n1 1 0 8\nshort\n".to_vec()))
            });
            names.look();
        }
        let _host = file::hook::install(|_| Some(Ok(vec![])));
        assert_eq!(names.name(dev), "nvme0c0n1");
        assert_eq!(names.name(dev + 1), "4095:2");
        assert_eq!(names.name(0), "0:0");
    }
}
