//! A file that the command line names for output.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::process;

use nix::fcntl::{FallocateFlags, OFlag, fallocate, open, openat, renameat};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::stop::Stop;
use crate::error::Error;
use crate::plain;
use crate::sys::confine::Needs;
use crate::sys::{Errno, capability, io_text};

/// A file for output. It is written beside its place and then renamed, so that a failure leaves what was
/// there before. Pipes and devices are written in place. `-` is stdout, and so is whatever leads there.
///
/// [`OutputFile::open`] finds out whether the file can be written, and keeps what that takes: the open
/// folder. So it is called before anything is attached and before privileges are dropped.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Stdout,
    /// A pipe, a device, or a file in a folder that may not be changed.
    Here(File),
    Folder {
        folder: OwnedFd,
        name: OsString,
        /// The file that is there already.
        old: Option<File>,
    },
}

/// The largest number of symbolic links that the kernel follows.
const LINKS: usize = 40;

impl OutputFile {
    /// Prepares a file to be written at the end of a run. Neither leaves a new file nor changes an old one.
    /// Waits for somebody to read from a named pipe.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn open(path: &Path) -> Result<OutputFile, Error> {
        let place = match path.as_os_str() == "-" || leads_to_stdout(path) {
            true => Place::Stdout,
            false => place(path).map_err(|error| unwritable(path, &error))?,
        };
        Ok(OutputFile { path: path.to_owned(), place })
    }

    /// Whether it is stdout, so that nothing else should be printed there.
    pub fn is_stdout(&self) -> bool {
        matches!(self.place, Place::Stdout)
    }

    /// The capabilities without which [`OutputFile::write`] may fail, a bit for each number. Of system calls
    /// it uses openat, write, fchown, fchmod, fallocate, ftruncate, fdatasync, fstat, renameat, unlinkat
    /// and close.
    fn capabilities(&self) -> u64 {
        const CHOWN: u64 = 1 << 0;
        const DAC_OVERRIDE: u64 = 1 << 1;
        const FOWNER: u64 = 1 << 3;
        /// More than any capability's number.
        const NONE: u32 = 64;
        let Place::Folder { folder, old, .. } = &self.place else { return 0 };
        let made = capability::with_only(NONE, || try_out(folder));
        let owner = made.ok().and_then(Result::ok);
        let old = old.as_ref().and_then(|old| old.metadata().ok());
        let override_folder = if owner.is_none() { DAC_OVERRIDE } else { 0 };
        match old {
            // To give the new file to the owner of the old one, and to replace it in a sticky folder.
            Some(old) if owner != Some(old.uid()) => override_folder | CHOWN | FOWNER,
            _ => override_folder,
        }
    }

    /// What it takes to write it once privileges are dropped.
    pub fn needs(&self) -> Needs {
        Needs { capabilities: self.capabilities(), files: true, ..Needs::default() }
    }

    /// Writes the whole file.
    ///
    /// # Errors
    /// It cannot be written; an old file then still has its content.
    pub fn write(self, bytes: &[u8]) -> Result<(), Stop> {
        if let Place::Here(file) = &self.place {
            reserve(file, bytes.len()).map_err(|error| unwritable(&self.path, &error))?;
        }
        let mut begun = self.begin()?;
        begun.write(bytes)?;
        begun.finish()
    }

    /// Writes a text as the whole file; on stdout, nothing in it steers the terminal.
    ///
    /// # Errors
    /// As [`OutputFile::write`].
    pub fn write_text(self, text: &[u8]) -> Result<(), Stop> {
        match self.is_stdout() {
            true => self.write(plain::lines(&String::from_utf8_lossy(text)).as_bytes()),
            false => self.write(text),
        }
    }

    /// Writes the whole file, which can be done again and again: whoever reads it sees the old content or the
    /// new one. Whether either is still there after a power cut is left to the file system.
    ///
    /// # Errors
    /// It cannot be written; an old file then still has its content.
    pub fn replace(&self, bytes: &[u8]) -> Result<(), Error> {
        let replaced = match &self.place {
            Place::Stdout => io::stdout().lock().write_all(bytes),
            Place::Here(file) => reserve(file, bytes.len()).and_then(|()| write_here(file, bytes)),
            Place::Folder { folder, name, old } => folder.try_clone().and_then(|folder| {
                let mut beside = Beside::create(folder, name.clone(), old.as_ref())?;
                beside.file.write_all(bytes)?;
                beside.finish(false)
            }),
        };
        replaced.map_err(|error| unwritable(&self.path, &error))
    }

    /// Begins to write the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(self) -> Result<BegunFile, Error> {
        let OutputFile { path, place } = self;
        let begun = match place {
            Place::Stdout => Ok(Begun::Stdout),
            Place::Here(file) => Ok(Begun::Here(file)),
            Place::Folder { folder, name, old } => {
                match (Beside::create(folder, name, old.as_ref()), old) {
                    (Err(error), Some(old)) if is_about_the_folder(&error) => Ok(Begun::Here(old)),
                    (beside, old) => beside.map(|beside| Begun::Beside(beside, old)),
                }
            }
        };
        match begun {
            Ok(begun) => Ok(BegunFile { path, begun }),
            Err(error) => Err(unwritable(&path, &error)),
        }
    }
}

/// A file that is being written. Without [`BegunFile::finish`], an old file keeps its place.
pub struct BegunFile {
    path: PathBuf,
    begun: Begun,
}

enum Begun {
    Stdout,
    Here(File),
    /// The new file, and the old one.
    Beside(Beside, Option<File>),
}

impl BegunFile {
    /// Writes more.
    ///
    /// # Errors
    /// There is no room, or nobody reads any more.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let written = match &mut self.begun {
            Begun::Stdout => return Ok(io::stdout().lock().write_all(bytes)?),
            Begun::Here(file) => file.write_all(bytes),
            Begun::Beside(beside, _) => beside.file.write_all(bytes),
        };
        Ok(written.map_err(|error| unwritable(&self.path, &error))?)
    }

    /// Writes more text; on stdout, nothing in it steers the terminal.
    ///
    /// # Errors
    /// As [`BegunFile::write`].
    pub fn write_text(&mut self, text: &str) -> Result<(), Stop> {
        match self.begun {
            Begun::Stdout => self.write(plain::lines(text).as_bytes()),
            _ => self.write(text.as_bytes()),
        }
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// That failed.
    pub fn finish(self) -> Result<(), Stop> {
        let finished = match self.begun {
            Begun::Stdout => return Ok(io::stdout().lock().flush()?),
            Begun::Here(file) => end_here(file),
            Begun::Beside(mut beside, old) => match (beside.finish(old.is_some()), old) {
                (Err(error), Some(old)) if is_about_the_folder(&error) => beside.copy_to(old),
                (finished, _) => finished,
            },
        };
        Ok(finished.map_err(|error| unwritable(&self.path, &error))?)
    }
}

/// A new file beside the place where it belongs. Dropping it removes it.
struct Beside {
    folder: OwnedFd,
    /// The name that it gets.
    name: OsString,
    /// The name that it has.
    temporary: OsString,
    file: File,
}

impl Beside {
    /// With the owner and the mode of the old file.
    fn create(folder: OwnedFd, name: OsString, old: Option<&File>) -> io::Result<Beside> {
        let mode = if old.is_some() { 0o600 } else { 0o666 };
        let (temporary, file) = create(&folder, Mode::from_bits_truncate(mode))?;
        let beside = Beside { folder, name, temporary, file };
        if let Some(old) = old {
            let (old, new) = (old.metadata()?, beside.file.metadata()?);
            if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                fchown(&beside.file, Some(old.uid()), Some(old.gid()))?;
            }
            beside.file.set_permissions(old.permissions())?;
        }
        Ok(beside)
    }

    fn finish(&mut self, replaces: bool) -> io::Result<()> {
        if replaces {
            // Should the host go down now, one of the two files is whole.
            self.file.sync_data()?;
        }
        renameat(&self.folder, &*self.temporary, &self.folder, &*self.name)?;
        self.temporary.clear();
        Ok(())
    }

    fn copy_to(&self, mut old: File) -> io::Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let mut new = File::from(openat(&self.folder, &*self.temporary, flags, Mode::empty())?);
        reserve(&old, new.metadata()?.len() as usize)?;
        io::copy(&mut new, &mut old)?;
        end_here(old)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.temporary.is_empty() {
            let _ = unlinkat(&self.folder, &*self.temporary, UnlinkatFlags::NoRemoveDir);
        }
    }
}

/// Reserves the space for a regular file, so that the file stays as it is if there is not enough.
fn reserve(file: &File, length: usize) -> io::Result<()> {
    let (flags, length) = (FallocateFlags::FALLOC_FL_KEEP_SIZE, length.max(1) as i64);
    match fallocate(file, flags, 0, length) {
        Err(errno @ (nix::errno::Errno::ENOSPC | nix::errno::Errno::EFBIG)) => Err(errno.into()),
        // Not every file system can do that.
        _ => Ok(()),
    }
}

/// Writes a pipe, a device, or a file where it is.
fn write_here(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.rewind()?;
        file.write_all(bytes)?;
        return file.set_len(bytes.len() as u64);
    }
    file.write_all(bytes)
}

/// Cuts off what an old file has more than was written.
fn end_here(mut file: File) -> io::Result<()> {
    match file.metadata()?.is_file() {
        true => file.stream_position().and_then(|length| file.set_len(length)),
        false => Ok(()),
    }
}

/// The error for a file that cannot be written.
pub fn unwritable(path: &Path, error: &io::Error) -> Error {
    let errno = error.raw_os_error().map(Errno::from_raw);
    let why = io_text(error);
    let error = Error::failed(format!("{} cannot be written: {why}", path.display()));
    match errno {
        Some(Errno::EFBIG) => error.hint("the largest file that may be written here: ulimit -f"),
        _ => error,
    }
}

/// Whether a path is that of the file, pipe or device which is stdout.
fn leads_to_stdout(path: &Path) -> bool {
    let stdout = fstat(io::stdout());
    let found = fs::metadata(path);
    stdout.is_ok_and(|out| found.is_ok_and(|it| (it.dev(), it.ino()) == (out.st_dev, out.st_ino)))
}

/// Where to write.
fn place(path: &Path) -> io::Result<Place> {
    let old = match fs::metadata(path) {
        // This fails for a folder, and for a file that is protected.
        Ok(_) => Some(OpenOptions::new().write(true).open(path)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let old = match old {
        Some(file) if !file.metadata()?.is_file() => return Ok(Place::Here(file)),
        old => old,
    };
    let path = target(path)?;
    let name = match path.file_name() {
        Some(name) if !path.as_os_str().as_bytes().ends_with(b"/") => name.to_owned(),
        _ => return Err(io::ErrorKind::IsADirectory.into()),
    };
    let folder = match path.parent() {
        Some(folder) if folder.as_os_str() != "" => folder,
        _ => Path::new("."),
    };
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let folder = open(folder, flags, Mode::empty())?;
    match (try_out(&folder), old) {
        (Ok(_), old) => Ok(Place::Folder { folder, name, old }),
        (Err(_), Some(old)) => Ok(Place::Here(old)),
        (Err(error), None) => Err(error),
    }
}

/// The path at the end of symbolic links, also of those that lead to no file yet.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        if !fs::symlink_metadata(&path).is_ok_and(|it| it.is_symlink()) {
            return Ok(path);
        }
        let link = fs::read_link(&path)?;
        path = path.parent().unwrap_or(Path::new("")).join(link);
    }
    Err(io::Error::from_raw_os_error(Errno::ELOOP.raw()))
}

/// Makes a file in a folder and removes it. Returns the user to whom it belonged.
fn try_out(folder: &OwnedFd) -> io::Result<u32> {
    let (name, file) = create(folder, Mode::S_IRUSR)?;
    unlinkat(folder, &*name, UnlinkatFlags::NoRemoveDir)?;
    Ok(file.metadata()?.uid())
}

/// Makes a file of a name that is free.
fn create(folder: &OwnedFd, mode: Mode) -> io::Result<(OsString, File)> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let mut number = 0;
    loop {
        let name = OsString::from(format!(".rawbpf-{}-{number}", process::id()));
        match openat(folder, &*name, flags, mode) {
            Err(nix::errno::Errno::EEXIST) if number < 100 => number += 1,
            made => return Ok((name, File::from(made?))),
        }
    }
}

/// Whether a file can perhaps be written where it is, though not be replaced: its folder may not be changed,
/// its owner not be kept, or it is a mount of its own.
fn is_about_the_folder(error: &io::Error) -> bool {
    let errors = [Errno::EACCES, Errno::EPERM, Errno::EBUSY, Errno::EROFS].map(Errno::raw);
    error.raw_os_error().is_some_and(|raw| errors.contains(&raw))
}
