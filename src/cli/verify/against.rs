//! A program's verdict here beside those that other kernels gave: `--against`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::cli::input::{bytes, shown};
use crate::error::Error;
use crate::sys::uname;
use crate::verifier::draw::comparison;
use crate::verifier::pair::Pair;
use crate::verifier::recording::recordings;
use crate::verifier::verified::Verified;

/// The logs of other kernels.
pub struct Against<'a> {
    files: Vec<(&'a Path, String)>,
    /// What is not alike: verdicts, and programs that could not be compared.
    unlike: Vec<String>,
    /// Whether an empty line goes before the next.
    more: bool,
}

impl<'a> Against<'a> {
    /// Reads the files.
    ///
    /// # Errors
    /// One cannot be read, or there is nothing in it.
    pub fn read(paths: &'a [PathBuf]) -> Result<Against<'a>, Error> {
        let mut files = vec![];
        for path in paths {
            // A copy only of what is no UTF-8.
            let text = String::from_utf8(bytes(path)?)
                .unwrap_or_else(|other| String::from_utf8_lossy(other.as_bytes()).into_owned());
            if recordings(&text).is_empty() {
                let next = "to write one on the other host: rawbpf verify TOOL --verifier-log FILE";
                let what = format!("{}: there is no log in it", path.display());
                return Err(Error::usage(what).hint(next));
            }
            files.push((path.as_path(), text));
        }
        Ok(Against { files, unlike: vec![], more: false })
    }

    /// Writes how a program's verdict and walk compare.
    ///
    /// # Errors
    /// They could not be written.
    pub fn program(
        &mut self,
        verified: &Verified,
        as_json: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let kernel = uname::kernel_release();
        let pairs: Vec<_> =
            self.files.iter().map(|(path, text)| Pair::new(verified, shown(path), text)).collect();
        if as_json {
            let line = |pair| comparison::json(verified, pair, &kernel);
            pairs.iter().try_for_each(|pair| writeln!(out, "{}", line(pair)))?;
        } else {
            if std::mem::replace(&mut self.more, true) {
                writeln!(out)?;
            }
            write!(out, "{}", comparison::text(verified, &pairs, &kernel))?;
        }
        self.unlike.extend(pairs.iter().filter_map(|pair| pair.unlike(verified)));
        Ok(())
    }

    /// What is not alike, if anything is not.
    pub fn unlike(self) -> Option<Error> {
        (!self.unlike.is_empty()).then(|| Error::failed(self.unlike.join("\n  ")))
    }
}
