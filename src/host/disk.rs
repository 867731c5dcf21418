//! Disks by name.

use std::fs;
use std::path::Path;

use crate::error::Error;

/// A whole disk, as the block layer numbers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Disk {
    /// Driver.
    pub major: u32,
    /// Device of that driver.
    pub minor: u32,
}

const BLOCK: &str = "/sys/class/block";

impl Disk {
    /// The kernel's own form of the number: 12 bits major, 20 bits minor.
    pub fn dev(self) -> u32 {
        self.major << 20 | self.minor
    }

    /// The disk of this number in the kernel's own form.
    pub fn from_dev(dev: u32) -> Disk {
        Disk { major: dev >> 20, minor: dev & 0xfffff }
    }

    /// Its name, such as vda; its numbers where the host has no such disk (any more).
    pub fn name(self) -> String {
        let number = format!("{}:{}", self.major, self.minor);
        let link = fs::read_link(Path::new("/sys/dev/block").join(&number)).ok();
        let name = link.as_deref().and_then(Path::file_name);
        name.map_or(number, |name| name.to_string_lossy().replace('!', "/"))
    }

    /// The disk called `name`, with or without `/dev/` before it.
    ///
    /// # Errors
    /// There is none, or what is there issues no requests of its own: a partition, or a device
    /// stacked on others.
    pub fn find(name: &str) -> Result<Disk, Error> {
        let name = name.strip_prefix("/dev/").unwrap_or(name);
        // A slash in a device's name appears as an exclamation mark.
        let entry = Path::new(BLOCK).join(name.replace('/', "!"));
        let number = fs::read_to_string(entry.join("dev")).ok().filter(|_| !name.is_empty());
        let number =
            number.ok_or_else(|| Error::usage(format!("no disk {name:?}")).hint(names()))?;
        if entry.join("partition").exists() {
            let whole = fs::canonicalize(&entry).ok();
            let whole = whole.as_deref().and_then(Path::parent).and_then(Path::file_name);
            let whole = whole.map(|whole| whole.to_string_lossy().into_owned());
            return Err(Error::usage(format!(
                "{name} is a partition, and the block layer counts whole disks"
            ))
            .hint(whole.map_or_else(names, |whole| format!("try: -d {whole}"))));
        }
        if !entry.join("mq").exists() {
            let below = list(&entry.join("slaves"));
            return Err(Error::usage(format!(
                "{name} issues no requests: it passes its I/O on, or does it at once"
            ))
            .hint(if below.is_empty() {
                names()
            } else {
                format!("the disks below it do: {}", below.join(", "))
            }));
        }
        let parsed = number.trim().split_once(':').and_then(|(major, minor)| {
            Some(Disk { major: major.parse().ok()?, minor: minor.parse().ok()? })
        });
        parsed.ok_or_else(|| Error::failed(format!("{name} has no device number: {number:?}")))
    }
}

/// The disks of this host, as a hint for the user.
fn names() -> String {
    let mut disks = list(Path::new(BLOCK));
    disks.retain(|disk| Path::new(BLOCK).join(disk).join("mq").exists());
    format!("the disks of this host: {}", disks.join(", "))
}

fn list(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
