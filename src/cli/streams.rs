//! stdout and stderr, where nothing that comes from a file or from another process steers the terminal.

use std::io::{self, StdoutLock, Write};

use super::report::colored;
use crate::plain;
use crate::view::dump::Format;

/// Writes a line to stderr. If stderr cannot be written, there is no place to report that.
pub fn say(line: &str) {
    let stderr = io::stderr();
    let line = match line.contains('\x1b') && colored(&stderr) {
        true => plain::styled(line),
        false => plain::lines(line),
    };
    // In one write, so that it stays one line even if others write too.
    let _ = (&stderr).write_all(line.as_bytes());
}

/// stdout for text: characters that steer a terminal become `?`.
pub struct Stdout {
    lock: StdoutLock<'static>,
    passes: Passes,
}

/// What is written as it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passes {
    Text,
    /// Text with colours.
    Styled,
    /// Bytes.
    All,
}

impl Stdout {
    /// For text without colours.
    pub fn plain() -> Stdout {
        Stdout { lock: io::stdout().lock(), passes: Passes::Text }
    }

    /// For text that may have colours.
    pub fn styled(colors: bool) -> Stdout {
        let passes = if colors { Passes::Styled } else { Passes::Text };
        Stdout { passes, ..Stdout::plain() }
    }

    /// For programs in this format.
    pub fn of(format: Format) -> Stdout {
        let passes = if format == Format::Raw { Passes::All } else { Passes::Text };
        Stdout { passes, ..Stdout::plain() }
    }
}

/// Each write is a text of its own: no character may be in two of them.
impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.passes == Passes::All {
            return self.lock.write(bytes);
        }
        let text = String::from_utf8_lossy(bytes);
        let clean = match self.passes {
            Passes::Styled => plain::styled(&text),
            _ => plain::lines(&text),
        };
        self.lock.write_all(clean.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lock.flush()
    }
}
