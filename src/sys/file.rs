//! Reads files: small files of the kernel, and large ones line by line or mapped.

use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::ops::{ControlFlow, Deref};
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::FileError;

/// The largest file that [`read`] accepts; the kernel's small files are far smaller.
pub const SMALL: u64 = 1 << 20;

/// The largest BTF that [`kernel_btf`] reads if it cannot map it; no BTF comes close.
pub const LARGE: u64 = 256 << 20;

/// The folder of the kernel's BTF and that of its modules.
pub const BTF: &str = "/sys/kernel/btf";

/// Makes room for `count` more open files: raises this process's limit, as far as the hard limit allows.
///
/// # Errors
/// The hard limit is too low: the limit that would be enough.
pub fn want_descriptors(count: u64) -> Result<(), u64> {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return Ok(()) };
    let wanted = (count + 256).min(hard);
    if soft < wanted {
        // If that is not enough, the call that runs out of descriptors fails.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard);
    }
    if count + 256 <= hard {
        return Ok(());
    }
    // The folder is open itself while it is counted.
    let open = std::fs::read_dir("/proc/self/fd").map_or(16, |open| open.count() as u64 - 1);
    if open + count <= hard { Ok(()) } else { Err(open + count) }
}

/// The content of a small file, at most [`SMALL`] bytes. Most fit a page, though their size is 0.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    #[cfg(test)]
    if let Some(answer) = hook::answer(path) {
        return answer.map_err(|error| FileError::new(path, error));
    }
    File::open(path)
        .and_then(|file| read_up_to(file, 4096, SMALL))
        .map_err(|error| FileError::new(path, error))
}

/// Reads a small text file like [`read`]; bytes that are not UTF-8 are replaced.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    Ok(String::from_utf8_lossy(&read(path)?).into_owned())
}

/// Reads to the end, or fails beyond `cap` bytes, a number of MiB. `expected` is the expected length.
fn read_up_to(file: File, expected: u64, cap: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::with_capacity(usize::try_from(expected.min(cap)).unwrap_or(0));
    file.take(cap + 1).read_to_end(&mut content)?;
    if content.len() as u64 > cap {
        let what = format!("it has more than {} MiB", cap >> 20);
        Err(io::Error::new(io::ErrorKind::FileTooLarge, what))
    } else {
        Ok(content)
    }
}

/// Calls `line` with each line of a file, without its newline, until it breaks or the file ends. For files of
/// megabytes that the kernel writes while they are read, such as `/proc/kallsyms`.
pub fn for_each_line<B>(
    path: &Path,
    line: impl FnMut(&[u8]) -> ControlFlow<B>,
) -> Result<Option<B>, FileError> {
    #[cfg(test)]
    if let Some(answer) = hook::answer(path) {
        return answer
            .and_then(|content| lines(&content[..], line))
            .map_err(|error| FileError::new(path, error));
    }
    File::open(path).and_then(|file| lines(file, line)).map_err(|error| FileError::new(path, error))
}

fn lines<B>(
    mut from: impl Read,
    mut line: impl FnMut(&[u8]) -> ControlFlow<B>,
) -> io::Result<Option<B>> {
    // One buffer: the incomplete line at its end moves to its front before the next read.
    let mut buffer = vec![0; 64 << 10];
    let mut kept = 0;
    loop {
        let read = match from.read(&mut buffer[kept..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let filled = kept + read;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &buffer[..filled]) {
            if let ControlFlow::Break(found) = line(&buffer[start..end]) {
                return Ok(Some(found));
            }
            start = end + 1;
        }
        if read == 0 {
            let last = &buffer[start..filled];
            return Ok(if last.is_empty() { None } else { line(last).break_value() });
        }
        kept = filled - start;
        if kept == buffer.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line of more than 64 KiB"));
        }
        buffer.copy_within(start..filled, 0);
    }
}

/// The bytes of a file: read, or mapped into memory, which only the kernel's own BTF is.
#[derive(Debug)]
pub struct FileBytes(Content);

#[derive(Debug)]
enum Content {
    Mapped(memmap2::Mmap),
    Read(Vec<u8>),
}

impl FileBytes {
    /// Whether they are mapped, which costs nothing however long the file is.
    pub fn is_mapped(&self) -> bool {
        matches!(self.0, Content::Mapped(_))
    }
}

impl From<Vec<u8>> for FileBytes {
    fn from(bytes: Vec<u8>) -> FileBytes {
        FileBytes(Content::Read(bytes))
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Content::Mapped(map) => map,
            Content::Read(content) => content,
        }
    }
}

/// The BTF of the kernel (`vmlinux`) or of one of its modules: mapped without a copy if possible, otherwise
/// read, at most [`LARGE`] bytes.
///
/// It can be mapped from Linux 6.16 on, privately only; before, and that of modules, it is read.
///
/// # Errors
/// There is no such BTF, it cannot be read, or `name` is not a file's name.
pub fn kernel_btf(name: &str) -> Result<FileBytes, FileError> {
    let path = Path::new(BTF).join(name);
    if name.contains('/') || [".", ".."].contains(&name) {
        return Err(FileError::new(&path, io::ErrorKind::InvalidFilename));
    }
    #[cfg(test)]
    if let Some(answer) = hook::answer(&path) {
        return answer.map(FileBytes::from).map_err(|error| FileError::new(&path, error));
    }
    let bytes = |file: File| {
        let length = file.metadata()?.len();
        if length > 0 && is_on_sysfs(&file) {
            // SAFETY: nobody changes the bytes or makes the file shorter while they are mapped. The
            // file is the kernel's own, below a folder in which sysfs has nothing but BTF: that is
            // read-only for everybody, and what can be mapped of it is the kernel's own, which stays
            // as it is from boot on. A file that somebody has put over it is on no sysfs.
            if let Ok(map) = unsafe { memmap2::MmapOptions::new().map_copy_read_only(&file) } {
                return Ok(Content::Mapped(map));
            }
        }
        read_up_to(file, length, LARGE).map(Content::Read)
    };
    let bytes = File::open(&path).and_then(bytes).map(FileBytes);
    bytes.map_err(|error| FileError::new(&path, error))
}

/// The magic number of a control group of version 2, as [`file_system`] returns it.
pub const CGROUP2: u64 = libc::CGROUP2_SUPER_MAGIC as u64;
/// The magic number of a control group of version 1.
pub const CGROUP: u64 = libc::CGROUP_SUPER_MAGIC as u64;

/// Whether a file is on sysfs.
fn is_on_sysfs(file: &File) -> bool {
    file_system(file) == Some(libc::SYSFS_MAGIC as u64)
}

/// The magic number of the file system that a file is on.
pub fn file_system(file: &File) -> Option<u64> {
    let mut found = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the descriptor is open, and there is room for the answer.
    let failed = unsafe { libc::fstatfs(file.as_raw_fd(), found.as_mut_ptr()) } != 0;
    // SAFETY: the call succeeded, so it has written all of the answer. The types of the two differ by C
    // library and by machine.
    (!failed).then(|| unsafe { found.assume_init() }.f_type as u64)
}

#[cfg(test)]
pub(crate) mod hook {
    //! Answers in the file system's place, on the thread of one test.

    use std::cell::RefCell;
    use std::io;
    use std::path::Path;

    type Hook = Box<dyn FnMut(&Path) -> Option<io::Result<Vec<u8>>>>;

    thread_local!(static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) });

    /// Takes the hook away again when dropped.
    pub(crate) struct Installed;

    impl Drop for Installed {
        fn drop(&mut self) {
            HOOK.set(None);
        }
    }

    /// From now on `hook` answers this thread's reads; where it gives `None`, the file system does.
    pub(crate) fn install(
        hook: impl FnMut(&Path) -> Option<io::Result<Vec<u8>>> + 'static,
    ) -> Installed {
        HOOK.set(Some(Box::new(hook)));
        Installed
    }

    pub(super) fn answer(path: &Path) -> Option<io::Result<Vec<u8>>> {
        HOOK.with_borrow_mut(|hook| hook.as_mut()?(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes a few at a time.
    struct Dribble<'a>(&'a [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.1.min(buffer.len());
            self.0.read(&mut buffer[..size])
        }
    }

    #[test]
    fn lines_survive_reads_of_any_size() {
        for size in 1..12 {
            let mut seen = vec![];
            let end = lines(Dribble(b"one\n\nthree\nfour", size), |line| {
                seen.push(String::from_utf8(line.to_vec()).unwrap());
                ControlFlow::<()>::Continue(())
            });
            assert!(end.unwrap().is_none());
            assert_eq!(seen, ["one", "", "three", "four"], "reads of {size}");
        }
    }

    #[test]
    fn an_endless_line_is_an_error() {
        let error = lines(io::repeat(b'x'), |_| ControlFlow::<()>::Continue(())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_line_can_end_the_reading() {
        let found = lines(&b"a\nb\nc\n"[..], |line| {
            if line == b"b" { ControlFlow::Break(7) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(found.unwrap(), Some(7));
    }

    #[test]
    fn a_file_without_end_is_refused() {
        let error = read(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), "/dev/zero: it has more than 1 MiB");
    }

    #[test]
    fn only_what_is_below_the_folder_of_btf_is_its() {
        for name in ["../../../../proc/self/exe", "/proc/self/exe", "..", ".", ""] {
            assert!(kernel_btf(name).is_err(), "{name}");
        }
        let on_sysfs = |path| File::open(path).is_ok_and(|file| is_on_sysfs(&file));
        assert!(!on_sysfs("/proc/self/exe") && !on_sysfs("/proc/self/status"));
        assert!(on_sysfs("/sys/kernel/uevent_seqnum"));
    }
}
