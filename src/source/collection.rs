//! What a source defines: programs, and the maps that they share.

use std::fmt;

use crate::elf;
use crate::error::{Error, Failure};
use crate::insn::Program;
use crate::insn::parse::Mistakes;
use crate::sys::{MapSpec, ProgramType};

/// Programs and the maps that they share, ready to be loaded.
#[derive(Clone, Debug)]
pub struct Collection {
    /// The licence, if the source names one.
    pub license: Option<String>,
    /// The programs, in their order.
    pub programs: Vec<ProgramSpec>,
    /// The maps, in the order in which the programs refer to them.
    pub maps: Vec<MapSpec>,
    /// What an object's programs ask of the kernel's types and those do not have.
    pub missing: Vec<String>,
    /// What a loader would do otherwise than it is done here, a sentence each.
    pub notes: Vec<String>,
}

impl Collection {
    /// An error of loading one of the programs; if the verifier refused it because it reached what the
    /// kernel's types do not have, the error says so.
    pub fn explained(&self, error: Error) -> Error {
        let reached = error.refused.as_ref().is_some_and(|it| it.log.contains(elf::MISSING_CALL));
        if !reached || self.missing.is_empty() {
            return error;
        }
        let missing = self.missing.join(", ");
        let what = error.without_cause();
        let what = format!("{what}, which uses what this kernel's types do not have, {missing}");
        Error { what, failure: Failure::Lacking, ..error }
            .hint("reach it only where bpf_core_field_exists() says that it is there")
    }
}

/// A program, and what is to be done with it.
#[derive(Clone, Debug)]
pub struct ProgramSpec {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ProgramKind,
    /// Where it is attached; empty for one that is not.
    pub place: String,
    /// Its instructions.
    pub program: Program,
}

/// What a program is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ProgramKind {
    /// Something that is attached to a place.
    Attached(&'static str),
    /// A type, to be test-run.
    Type(ProgramType),
}

/// As a text names it.
impl fmt::Display for ProgramKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProgramKind::Attached(kind) => f.write_str(kind),
            ProgramKind::Type(program_type) => program_type.fmt(f),
        }
    }
}

/// Every offset of the program is known.
///
/// # Errors
/// One is not, since no types of the kernel's were there.
pub fn resolved(program: &Program) -> Result<(), Error> {
    match program.unresolved() {
        None => Ok(()),
        Some(field) => Err(Error::lacking(format!(
            "{field} is not known without the kernel's types"
        ))
        .hint("try: --btf FILE with that kernel's vmlinux or BTF, or the listing, which names it")),
    }
}

/// Why a source gives no programs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SourceError {
    /// The text is wrong.
    Mistakes(Mistakes),
    /// The source is no text or no object, or the host lacks something that it needs.
    Error(Error),
}

impl std::error::Error for SourceError {}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceError::Mistakes(mistakes) => mistakes.fmt(f),
            SourceError::Error(error) => error.fmt(f),
        }
    }
}

impl From<Mistakes> for SourceError {
    fn from(mistakes: Mistakes) -> SourceError {
        SourceError::Mistakes(mistakes)
    }
}

impl From<Error> for SourceError {
    fn from(error: Error) -> SourceError {
        SourceError::Error(error)
    }
}
