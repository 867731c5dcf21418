//! What the kernel said of each program, in a file: `--verifier-log`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::report;
use crate::cli::stop::Stop;
use crate::error::Error;
use crate::sys::file;
use crate::verifier::recording;
use crate::verifier::verified::Verified;

/// A file of logs, or stdout.
pub struct Logs {
    path: PathBuf,
    file: Option<File>,
}

impl Logs {
    /// Begins the file, `-` being stdout.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(path: &Path) -> Result<Logs, Error> {
        let file = match path.as_os_str() == "-" {
            true => None,
            false => Some(File::create(path).map_err(|error| report::unwritable(path, &error))?),
        };
        Ok(Logs { path: path.to_owned(), file })
    }

    pub fn is_stdout(&self) -> bool {
        self.file.is_none()
    }

    /// Adds what was said of a program.
    ///
    /// # Errors
    /// It could not be written.
    pub fn write(&mut self, verified: &Verified, out: &mut dyn Write) -> Result<(), Stop> {
        let Verified { name, program, .. } = verified;
        let head = recording::head(name, &verified.attach(), verified.verdict(), &release());
        let end = if program.log.ends_with('\n') || program.log.is_empty() { "" } else { "\n" };
        let text = [head.as_str(), program.log.as_str(), end].concat();
        match &mut self.file {
            None => Ok(out.write_all(text.as_bytes())?),
            Some(file) => {
                let written = file.write_all(text.as_bytes());
                Ok(written.map_err(|error| report::unwritable(&self.path, &error))?)
            }
        }
    }
}

/// The running kernel's release.
pub fn release() -> String {
    let release = file::read_text(Path::new("/proc/sys/kernel/osrelease"));
    release.map_or_else(|_| "?".to_owned(), |release| release.trim().to_owned())
}
