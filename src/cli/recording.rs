//! The file of a recording, while it is written.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::output_file::unwritable;
use crate::error::Error;
use crate::host::disk_sizes;
use crate::record::{Facts, Keep, Piece, TooLarge, Writer};
use crate::sample::{Run, Sample};
use crate::sys::confine::Needs;

/// The file of a recording, and what is written next.
pub struct Recording {
    path: PathBuf,
    file: File,
    keep: Keep,
    sync: bool,
    command: Vec<String>,
    writer: Option<Writer>,
    /// Whether it was reported that a row is too large.
    told: bool,
}

impl Recording {
    /// Makes the file, before anything is attached. It is removed again if the run does not begin.
    ///
    /// # Errors
    /// It is there already, or cannot be made.
    pub fn create(
        path: &Path,
        keep: Keep,
        sync: bool,
        command: Vec<String>,
    ) -> Result<Recording, Error> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        let file = file.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                let name = path.display();
                Error::usage(format!("{name} is there already, and is not overwritten"))
                    .hint(format!("another name: -o FILE; or remove it: rm {name}"))
            }
            _ => unwritable(path, &error),
        })?;
        let (path, writer, told) = (path.to_owned(), None, false);
        Ok(Recording { path, file, keep, sync, command, writer, told })
    }

    /// What it needs once privileges are dropped.
    pub fn needs(&self) -> Needs {
        Needs { files: true, ..Needs::default() }
    }

    /// Writes the facts about a run that counts from now on.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin(&mut self, run: Run) -> Result<(), Error> {
        say!("{}: recording into {}", run.tool, self.path.display());
        let start = run.start;
        let facts = Facts {
            version: env!("CARGO_PKG_VERSION").into(),
            command: self.command.clone(),
            disks: disk_sizes(),
            run,
        };
        let writer = Writer::new(&facts, self.keep);
        let writer = writer.map_err(|TooLarge { bytes, part }| {
            Error::usage(format!(
                "the facts about this run are {bytes} bytes: too much for --keep, whose parts have {part}"
            ))
            .hint("a larger --keep, or fewer functions")
        })?;
        let piece = self.writer.insert(writer).begin(start);
        write(&self.file, &self.path, self.sync, piece)
    }

    /// Appends a row.
    ///
    /// # Errors
    /// The file cannot be written, such as for want of room. What is in it stays as it is.
    pub fn add(&mut self, sample: &Sample) -> Result<(), Error> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        match writer.push(sample) {
            Ok(piece) => write(&self.file, &self.path, self.sync, piece),
            Err(TooLarge { bytes, part }) => {
                if !std::mem::replace(&mut self.told, true) {
                    say!(
                        "record: a row of {bytes} bytes does not fit into a part of the file, {part} bytes, and \
                         is left out, as others like it are; try: fewer keys (--max-keys), or a larger --keep"
                    );
                }
                Ok(())
            }
        }
    }
}

/// A file without a run is of no use.
impl Drop for Recording {
    fn drop(&mut self) {
        if self.writer.is_none() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn write(file: &File, path: &Path, sync: bool, piece: Piece<'_>) -> Result<(), Error> {
    let written = file.write_all_at(piece.bytes, piece.place);
    let written = written.and_then(|()| if sync { file.sync_data() } else { Ok(()) });
    written.map_err(|error| {
        let error = unwritable(path, &error);
        let hint = format!("what is in it can be shown: rawbpf replay {}", path.display());
        Error { hint: error.hint.or(Some(hint)), ..error }
    })
}
