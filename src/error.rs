//! Failures, in words from which the reader knows what to do next.

use std::fmt;

use crate::insn::AsmError;
use crate::plain;
use crate::verifier::verification::Verification;

/// How a failed run ends: its exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// It was tried and failed: 1.
    Failed,
    /// Descriptors or memory ran out, as they would for any other place or attach kind: 1.
    Exhausted,
    /// The command line asks for something impossible: 2.
    Usage,
    /// This host lacks something that is needed, such as a privilege: 77, as test suites expect of a
    /// program that cannot run here.
    Lacking,
}

impl Failure {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Failure::Failed | Failure::Exhausted => 1,
            Failure::Usage => 2,
            Failure::Lacking => 77,
        }
    }
}

/// One failure: a sentence for what happened and why on this host, one for what to type next,
/// and the details that only `-v` shows.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Error {
    /// How the run ends.
    pub failure: Failure,
    /// What happened and why.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The kernel's own words, for `-v`.
    pub detail: Option<String>,
    /// The program that the verifier refused, if that is the failure.
    pub refused: Option<Box<Verification>>,
}

impl Error {
    /// It was tried and failed.
    pub fn failed(what: impl Into<String>) -> Error {
        let (what, failure) = (what.into(), Failure::Failed);
        Error { failure, what, hint: None, detail: None, refused: None }
    }

    /// Descriptors or memory ran out.
    pub fn exhausted(what: impl Into<String>) -> Error {
        Error { failure: Failure::Exhausted, ..Error::failed(what) }
    }

    /// The command line asks for something impossible.
    pub fn usage(what: impl Into<String>) -> Error {
        Error { failure: Failure::Usage, ..Error::failed(what) }
    }

    /// This host lacks something that is needed.
    pub fn lacking(what: impl Into<String>) -> Error {
        Error { failure: Failure::Lacking, ..Error::failed(what) }
    }

    /// With a sentence for what to do about it.
    pub fn hint(self, hint: impl Into<String>) -> Error {
        Error { hint: Some(hint.into()), ..self }
    }

    /// With the details that only `-v` shows.
    pub fn detail(self, detail: impl Into<String>) -> Error {
        Error { detail: Some(detail.into()), ..self }
    }

    /// With the program that the verifier refused.
    pub fn refused(self, refused: Verification) -> Error {
        Error { refused: Some(Box::new(refused)), ..self }
    }

    /// With the name of its subject in front.
    pub fn prefix(self, name: impl fmt::Display) -> Error {
        Error { what: format!("{name}: {}", self.what), ..self }
    }

    /// What happened, without the cause of a refusal: [`Verification::render`] explains that at length.
    pub fn without_cause(&self) -> &str {
        const END: &str = " program: ";
        match self.what.find(END) {
            Some(at) if self.refused.is_some() => &self.what[..at + END.len() - 2],
            _ => &self.what,
        }
    }

    /// With the name of the program in front if there are several programs.
    pub fn prefix_if_several(self, name: &str, programs: usize) -> Error {
        if programs > 1 { self.prefix(name) } else { self }
    }
}

/// The largest number of characters that are shown of what happened: it may name a word of a file.
const LONGEST: usize = 1200;

impl std::error::Error for Error {}

/// A program that is not built right.
impl From<AsmError> for Error {
    fn from(error: AsmError) -> Error {
        Error::failed(error.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain::line(&plain::short(&self.what, LONGEST)))?;
        match &self.hint {
            Some(hint) => write!(f, "\n  {}", plain::lines(hint)),
            None => Ok(()),
        }
    }
}
