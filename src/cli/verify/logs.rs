//! What the kernel said of each program, in a file: `--verifier-log`.

use std::path::Path;

use crate::cli::output_file::{BegunFile, OutputFile};
use crate::cli::stop::Stop;
use crate::error::Error;
use crate::sys::uname;
use crate::verifier::recording;
use crate::verifier::verified::Verified;

/// A file of logs, or stdout.
pub struct Logs {
    file: BegunFile,
    is_stdout: bool,
}

impl Logs {
    /// Begins the file, `-` being stdout.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(path: &Path) -> Result<Logs, Error> {
        let file = OutputFile::open(path)?;
        Ok(Logs { is_stdout: file.is_stdout(), file: file.begin()? })
    }

    pub fn is_stdout(&self) -> bool {
        self.is_stdout
    }

    /// Adds what was said of a program.
    ///
    /// # Errors
    /// It could not be written.
    pub fn write(&mut self, verified: &Verified) -> Result<(), Stop> {
        let Verified { name, program, .. } = verified;
        let head =
            recording::head(name, &verified.attach(), verified.verdict(), &uname::kernel_release());
        let end = if program.log.ends_with('\n') || program.log.is_empty() { "" } else { "\n" };
        self.file.write_text(&[head.as_str(), program.log.as_str(), end].concat())
    }

    /// After the last program.
    ///
    /// # Errors
    /// It could not be written.
    pub fn finish(self) -> Result<(), Stop> {
        self.file.finish()
    }
}
