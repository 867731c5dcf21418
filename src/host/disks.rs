//! Disks as users name them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::disk::{Disk, counted, listed};
use super::names::{is_exact, matches};
use super::refusal;
use crate::error::Error;
use crate::order::PutInOrder;

/// The disks whose requests are wanted: some, or all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Disks {
    names: Vec<String>,
    numbers: Vec<Disk>,
}

/// The disks of the host that issue requests of their own, each with its number of bytes.
pub fn disk_sizes() -> Vec<(String, u64)> {
    let size = |name: &String| {
        let sectors = fs::read_to_string(entry(name).join("size")).ok()?;
        // As the kernel counts them, whatever the disk's own are.
        Some((shown(name), sectors.trim().parse::<u64>().ok()?.saturating_mul(512)))
    };
    disks().iter().filter_map(size).collect()
}

/// The largest number of disks that a program compares a request's with.
const MOST: usize = 1024;

const BLOCK: &str = "/sys/class/block";

impl Disks {
    /// The disks that these words name: each is a name, with or without `/dev/` before it, the path of a node or
    /// of a link to one, `MAJOR:MINOR`, a pattern, or several of them with commas between. A multipath NVMe
    /// disk stands for its paths. No word stands for all disks.
    ///
    /// # Errors
    /// A word names no disk, or one that issues no requests of its own: a partition, or a device stacked
    /// on others.
    pub fn find<S: AsRef<str>>(words: &[S]) -> Result<Disks, Error> {
        let mut disks = Disks::default();
        for word in words.iter().map(AsRef::as_ref) {
            // A node's name may have a comma in it.
            match exact(word) {
                Some(name) => disks.add(&name, word)?,
                None => split(word).try_for_each(|part| disks.add_all(part))?,
            }
        }
        if disks.numbers.len() > MOST {
            let count = disks.numbers.len();
            return Err(Error::usage(format!(
                "{count} disks are more than {MOST}, the most for -d"
            ))
            .hint("without -d all disks are counted"));
        }
        Ok(disks)
    }

    /// Their numbers; none if all disks are wanted.
    pub fn numbers(&self) -> &[Disk] {
        &self.numbers
    }

    /// Their numbers, where nothing else tells disks apart.
    ///
    /// # Errors
    /// The kernel does not report the number of one.
    pub fn in_records(&self) -> Result<&[Disk], Error> {
        match self.numbers.iter().find_map(|disk| disk.hidden) {
            None => Ok(&self.numbers),
            Some(name) => {
                let name = String::from_utf8_lossy(&name).replace('\0', "");
                Err(Error::lacking(format!(
                    "this kernel does not report the number of {name}, which a tracepoint's record has"
                ))
                .hint("try: --attach raw_tp"))
            }
        }
    }

    /// Their names with commas between; `None` if all disks are wanted.
    pub fn names(&self) -> Option<String> {
        (!self.names.is_empty()).then(|| self.names.join(","))
    }

    /// A name or a pattern.
    fn add_all(&mut self, word: &str) -> Result<(), Error> {
        if let Some(name) = exact(word) {
            return self.add(&name, word);
        }
        if is_exact(word) {
            return Err(unknown(word));
        }
        let before = self.numbers.len();
        for name in matching(word) {
            // A pattern takes in partitions too, and others that issue no requests.
            if let Ok(numbers) = issuing(&name, &name) {
                self.insert(name, numbers);
            }
        }
        if self.numbers.len() == before && !self.any_matches(word) {
            let none = || Error::usage(format!("no disk matches {word:?}")).hint(names());
            return Err(refusal::no_sysfs().unwrap_or_else(none));
        }
        Ok(())
    }

    /// Whether a disk that was found before matches too.
    fn any_matches(&self, pattern: &str) -> bool {
        matching(pattern).iter().any(|name| self.names.contains(&shown(name)))
    }

    fn add(&mut self, name: &str, word: &str) -> Result<(), Error> {
        let numbers = issuing(name, word)?;
        self.insert(name.to_owned(), numbers);
        Ok(())
    }

    fn insert(&mut self, name: String, numbers: Vec<Disk>) {
        let name = shown(&name);
        if !self.names.contains(&name) {
            self.names.push(name);
        }
        for number in numbers {
            if !self.numbers.contains(&number) {
                self.numbers.push(number);
            }
        }
    }
}

/// What other disks than the wanted ones have done since this was made.
#[derive(Debug)]
pub struct DiskTraffic {
    wanted: Vec<Disk>,
    /// The completed requests of each device.
    before: BTreeMap<u32, u64>,
}

impl DiskTraffic {
    /// `None` if all disks are wanted.
    pub fn of_others(disks: &Disks) -> Option<DiskTraffic> {
        if disks.numbers.is_empty() {
            return None;
        }
        let mut before = BTreeMap::new();
        counted(|disk, _, completed| _ = before.insert(disk.dev(), completed));
        Some(DiskTraffic { wanted: disks.numbers.clone(), before })
    }

    /// The names of the other disks that have completed requests since, up to eight.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![];
        counted(|disk, name, completed| {
            let before = self.before.get(&disk.dev()).copied().unwrap_or(0);
            let other = completed != before && !self.wanted.contains(&disk);
            if other && names.len() < 8 && has_queue(&name.replace('/', "!")) {
                names.push(name.to_owned());
            }
        });
        names
    }
}

/// At commas, but for those in a set of a pattern.
fn split(word: &str) -> impl Iterator<Item = &str> {
    let mut in_set = false;
    word.split(move |letter| {
        in_set = match letter {
            '[' => true,
            ']' => false,
            _ => in_set,
        };
        letter == ',' && !in_set
    })
}

/// The name in /sys of the block device that `word` names.
fn exact(word: &str) -> Option<String> {
    let name = word.strip_prefix("/dev/").unwrap_or(word);
    if let Some(disk) = Disk::parse(word) {
        return disk.sysfs_name().or_else(|| hidden_name(disk));
    }
    // A node's number decides, whatever the node is called.
    let by_node = || {
        let found = fs::metadata(word).ok().filter(|_| word.contains('/'));
        let found = found.or_else(|| fs::metadata(Path::new("/dev").join(name)).ok())?;
        let (major, minor) = (libc::major(found.rdev()), libc::minor(found.rdev()));
        found
            .file_type()
            .is_block_device()
            .then(|| Disk { major, minor, hidden: None }.sysfs_name())?
    };
    let by_name = || {
        // A slash in a device's name appears as an exclamation mark.
        let name = name.replace('/', "!");
        entry(&name).join("stat").exists().then_some(name)
    };
    let found =
        if word.contains('/') { by_node().or_else(by_name) } else { by_name().or_else(by_node) };
    found.or_else(|| {
        let mapped = name.strip_prefix("mapper/").unwrap_or(name);
        list(Path::new(BLOCK)).into_iter().find(|device| {
            let own = fs::read_to_string(entry(device).join("dm/name"));
            own.is_ok_and(|own| !mapped.is_empty() && own.trim_end() == mapped)
        })
    })
}

/// The names in /sys of the block devices that match, by their own names or, if the pattern is a path, by
/// those of the nodes in its folder.
fn matching(pattern: &str) -> Vec<String> {
    let name = pattern.strip_prefix("/dev/").unwrap_or(pattern);
    let Some((folder, nodes)) = name.rsplit_once('/') else {
        return list(Path::new(BLOCK)).into_iter().filter(|own| matches(name, own)).collect();
    };
    let folder = Path::new("/dev").join(folder);
    let found = list(&folder).into_iter().filter(|node| matches(nodes, node));
    found.filter_map(|node| exact(&folder.join(node).to_string_lossy())).collect()
}

/// The disks that issue the requests of the device called `name` in /sys, for which the user wrote `word`.
fn issuing(name: &str, word: &str) -> Result<Vec<Disk>, Error> {
    // A link may lead to a device of quite another name.
    let called = match word.ends_with(&shown(name)) {
        true => shown(name),
        false => format!("{word} ({})", shown(name)),
    };
    if entry(name).join("partition").exists() {
        let whole = whole(name).map(|whole| format!("try: -d {}", shown(&whole)));
        return Err(Error::usage(format!(
            "{called} is a partition, and the block layer counts whole disks"
        ))
        .hint(whole.unwrap_or_else(names)));
    }
    if has_queue(name) {
        return Ok(vec![number(name)?]);
    }
    let paths = paths(name);
    if !paths.is_empty() {
        return paths.iter().map(|path| number(path)).collect();
    }
    let mut below = vec![];
    below_all(name, &mut below, 0);
    Err(Error::usage(format!(
        "{called} issues no requests: it passes its I/O on, or does it at once"
    ))
    .hint(match below.is_empty() {
        true => names(),
        false => {
            let below: Vec<_> = below.iter().map(|name| shown(name)).collect();
            format!("it lies on {0}, try: -d {0}", below.join(","))
        }
    }))
}

/// The disks that a stacked device lies on in the end, through up to 16 layers.
fn below_all(name: &str, into: &mut Vec<String>, depth: u32) {
    for lower in list(&entry(name).join("slaves")) {
        let disk = match entry(&lower).join("partition").exists() {
            true => whole(&lower).unwrap_or(lower),
            false => lower,
        };
        if has_queue(&disk) || !paths(&disk).is_empty() {
            if !into.contains(&disk) {
                into.push(disk);
            }
        } else if depth < 16 {
            below_all(&disk, into, depth + 1);
        }
    }
}

/// The disk of a partition.
fn whole(partition: &str) -> Option<String> {
    let place = fs::canonicalize(entry(partition)).ok()?;
    Some(place.parent()?.file_name()?.to_string_lossy().into_owned())
}

/// Whether the device has queues for requests of its own.
fn has_queue(name: &str) -> bool {
    entry(name).join("mq").exists()
}

/// The hidden disks that a multipath NVMe disk issues its requests to: those of `nvme0n1` are `nvme0c0n1`,
/// `nvme0c1n1` and so on.
fn paths(head: &str) -> Vec<String> {
    let Some((subsystem, namespace)) =
        head.strip_prefix("nvme").and_then(|numbers| numbers.split_once('n'))
    else {
        return vec![];
    };
    let (begin, end) = (format!("nvme{subsystem}c"), format!("n{namespace}"));
    let mut found = list(Path::new(BLOCK));
    found.retain(|name| {
        let controller = name.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(&end));
        controller.is_some_and(|number| number.parse::<u32>().is_ok())
    });
    found
}

fn number(name: &str) -> Result<Disk, Error> {
    let text = fs::read_to_string(entry(name).join("dev")).ok();
    let own = text.and_then(|text| Disk::parse(text.trim()));
    let found = own.or_else(|| hidden_number(name)).or_else(|| Disk::hidden(name));
    found.ok_or_else(|| Error::failed(format!("the disk {name} has no number")))
}

/// Whether the host has hidden disks whose numbers the kernel does not report.
pub fn some_lack_numbers() -> bool {
    let hidden = |name: &String| {
        fs::read(entry(name).join("hidden")).is_ok_and(|text| text.starts_with(b"1"))
            && hidden_number(name).is_none()
    };
    list(Path::new(BLOCK)).iter().any(hidden)
}

fn hidden_number(name: &str) -> Option<Disk> {
    let mut found = None;
    listed(|disk, own| found = found.or((own == name).then_some(disk)));
    found
}

fn hidden_name(disk: Disk) -> Option<String> {
    let mut found = None;
    listed(|own, name| {
        if own == disk {
            found = Some(name.replace('/', "!"));
        }
    });
    found
}

/// The error for a word that names no disk: with the disks of this host, the likeliest first if one is meant.
fn unknown(word: &str) -> Error {
    if let Some(missing) = refusal::no_sysfs() {
        return missing;
    }
    if word.contains('/') && Path::new(word).exists() {
        return Error::usage(format!("{word} is no block device")).hint(names());
    }
    let error = Error::usage(format!("no disk {word:?}"));
    let name = word.strip_prefix("/dev/").unwrap_or(word);
    let likeness = |disk: &String| strsim::jaro_winkler(name, disk);
    let meant = disks().into_iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    match meant.filter(|meant| likeness(meant) > 0.8) {
        Some(meant) => error.hint(format!("did you mean {meant}? {}", names())),
        None => error.hint(names()),
    }
}

/// The disks of this host that issue requests, as users name them.
fn disks() -> Vec<String> {
    let mut disks = list(Path::new(BLOCK));
    // Users name a multipath disk, not its hidden paths, and seldom a loop device without a file.
    disks.retain(|disk| {
        let node = entry(disk).join("dev").exists();
        node && !is_empty(disk) && (has_queue(disk) || !paths(disk).is_empty())
    });
    disks.iter().map(|disk| shown(disk)).collect()
}

/// Whether it has no sectors, as a loop device without a file.
fn is_empty(name: &str) -> bool {
    fs::read_to_string(entry(name).join("size")).is_ok_and(|size| size.trim() == "0")
}

/// The disks of this host, as a hint for the user.
fn names() -> String {
    let disks = disks();
    if disks.is_empty() {
        return format!("{BLOCK} shows no disk that issues requests");
    }
    let shown = &disks[..disks.len().min(24)];
    let more = disks.len() - shown.len();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("the disks of this host: {}{more}", shown.join(", "))
}

fn entry(name: &str) -> PathBuf {
    Path::new(BLOCK).join(name)
}

/// As the kernel prints it: a slash where /sys has an exclamation mark.
fn shown(name: &str) -> String {
    name.replace('!', "/")
}

fn list(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.order();
    names
}
