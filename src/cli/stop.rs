//! Why a run ends before its time.

use std::io::{self, ErrorKind};

use crate::error::Error;
use crate::insn::parse::Mistakes;
use crate::source::SourceError;
use crate::sys::io_text;

/// Why a run ends before its time.
pub enum Stop {
    /// Whoever read the output has gone.
    Quietly,
    /// A script ended with this exit code, which is not 0.
    Code(u8),
    /// What failed.
    Error(Error),
    /// A text is wrong.
    Mistakes(Mistakes),
}

impl From<SourceError> for Stop {
    fn from(error: SourceError) -> Stop {
        match error {
            SourceError::Mistakes(mistakes) => Stop::Mistakes(mistakes),
            SourceError::Error(error) => Stop::Error(error),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Error(error)
    }
}

/// The output could not be written.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        match error.kind() {
            ErrorKind::BrokenPipe => Stop::Quietly,
            _ => Stop::Error(Error::failed(format!(
                "the output could not be written: {}",
                io_text(&error)
            ))),
        }
    }
}
