//! What a source defines: programs, and the maps that they share.

use std::fmt;

use crate::elf;
use crate::error::{Error, Failure};
use crate::host::{AttachKind, KernelTypes, Section, Target};
use crate::insn::Program;
use crate::insn::parse::Mistakes;
use crate::sys::{AttachType, Load, MapSpec, ProgramType};

/// Programs and the maps that they share, ready to be loaded.
#[derive(Clone, Debug)]
pub struct Collection {
    /// The licence, if the source names one.
    pub license: Option<String>,
    /// The programs, in their order.
    pub programs: Vec<ProgramSpec>,
    /// The maps, in the order in which the programs refer to them.
    pub maps: Vec<MapSpec>,
    /// What an object's programs ask of the kernel's types and those do not have, by slot of a program.
    pub missing: Vec<(usize, String)>,
    /// What a loader would do otherwise than it is done here, a sentence each.
    pub notes: Vec<String>,
    /// The programs that could not be made, by name, and why.
    pub left_out: Vec<(String, Error)>,
    /// The names of those among them that libbpf loads only if somebody asks for them.
    pub left_out_optional: Vec<String>,
    /// The maps that could not be made of what the source says, by their place, and why. Others stand in for
    /// them.
    pub left_out_maps: Vec<(usize, Error)>,
}

impl Collection {
    /// All of it, if all of its programs and maps could be made.
    ///
    /// # Errors
    /// Why the first one could not.
    pub fn whole(self) -> Result<Collection, Error> {
        let maps = self.left_out_maps.iter().map(|(_, error)| error);
        let mut errors = maps.chain(self.left_out.iter().map(|(_, error)| error)).cloned();
        errors.next().map_or(Ok(self), Err)
    }

    /// An error of loading one of the programs; if the verifier refused it because it reached what the
    /// kernel's types do not have, the error says so.
    pub fn explained(&self, error: Error) -> Error {
        let reached = error.refused.as_ref().and_then(|it| reached(&it.log));
        let missing = self.missing.iter().filter(|(slot, _)| Some(*slot) == reached);
        let mut missing: Vec<_> = missing.map(|(_, asked)| asked.as_str()).collect();
        missing.dedup();
        if missing.is_empty() {
            return error;
        }
        // Of several programs the same slot may need different things.
        let missing = missing.join(" or ");
        let what = error.without_cause();
        let what = format!("{what}, which uses what this kernel's types do not have, {missing}");
        Error { what, failure: Failure::Lacking, ..error }
            .hint("reach it only where bpf_core_field_exists() says that it is there")
    }
}

/// The slot of the instruction that needs what the kernel does not have, if the log ends there.
fn reached(log: &str) -> Option<usize> {
    let (before, _) = log.split_once(elf::MISSING_CALL)?;
    let call = before.lines().rfind(|line| line.contains(": (85) call "))?;
    call.split(':').next()?.trim().parse().ok()
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
    /// Whether libbpf loads it only if somebody asks for it: its section begins with a question mark.
    pub optional: bool,
    /// What the source says of its load besides.
    pub options: LoadOptions,
    /// Its instructions.
    pub program: Program,
}

/// What a source says of a program's load, besides what its kind says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LoadOptions {
    /// The attach type, in place of the kind's.
    pub attach_type: Option<AttachType>,
    /// The kernel's `BPF_F_*` flags, besides the kind's.
    pub flags: u32,
}

/// What a program is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ProgramKind {
    /// Something that is attached to a place.
    Attached(&'static str),
    /// A type, to be test-run.
    Type(ProgramType),
    /// What a section of libbpf's says beyond the type.
    Section(Section),
    /// It is no program, but a function that none calls, which is not judged by itself.
    Function,
    /// The source does not say it. The place is the name of its section.
    Unknown,
}

impl ProgramKind {
    /// What a section's name says of its programs, and where they are attached: nowhere, or at an empty
    /// place where that is left out. `None` where it is none that libbpf knows.
    pub fn of_section(section: &str) -> Option<(ProgramKind, &str)> {
        let (row, place) = Section::find(section)?;
        match AttachKind::word_of_section(row.name) {
            Some(word) if !place.is_empty() => Some((ProgramKind::Attached(word), place)),
            _ if row.is_plain() && place.is_empty() => {
                Some((ProgramKind::Type(row.program_type), place))
            }
            _ => Some((ProgramKind::Section(row), place)),
        }
    }

    /// How such programs are attached, whether their place is known or not; `None` for those that are not
    /// attached here.
    pub fn attach_kind(self) -> Option<AttachKind> {
        let name = match self {
            ProgramKind::Type(program_type) => Section::of_type(program_type).name,
            ProgramKind::Attached(name) => name,
            ProgramKind::Section(section) => section.name,
            ProgramKind::Function | ProgramKind::Unknown => return None,
        };
        let word = AttachKind::word_of_section(name)?;
        AttachKind::ALL.iter().copied().find(|kind| kind.facts().words.contains(&word))
    }

    /// What a program is loaded as.
    ///
    /// # Errors
    /// Nobody said it.
    fn section(self) -> Result<Section, Error> {
        let section = match self {
            ProgramKind::Attached(word) => Section::find(word).map(|(section, _)| section),
            ProgramKind::Section(section) => Some(section),
            ProgramKind::Type(program_type) => Some(Section::of_type(program_type)),
            ProgramKind::Function | ProgramKind::Unknown => None,
        };
        section.ok_or_else(|| {
            Error::lacking("nothing says what kind of program it is").hint("say it: --type TYPE")
        })
    }
}

/// The largest number of sections that an error names.
const NAMES: usize = 8;

impl ProgramSpec {
    /// What the program is loaded as, and what the kernel must know by an id that it will be attached to.
    ///
    /// # Errors
    /// Its kind is not known, or this kernel does not have what it is attached to.
    pub fn loading(&self, types: &KernelTypes) -> Result<Loading, Error> {
        let section = self.kind.section()?;
        if !section.is_known() && section.attach_type.or(self.options.attach_type).is_none() {
            let what = format!("the kernel must know what this {} program attaches to", self.kind);
            let names = Section::all().filter(|row| row.program_type == section.program_type);
            let names: Vec<_> = names.map(|row| row.name).collect();
            let shown = &names[..names.len().min(NAMES)];
            let more = match names.len() - shown.len() {
                0 => String::new(),
                more => format!(" or one of {more} more that libbpf knows"),
            };
            return Err(Error::lacking(what).hint(format!(
                "its section, .program line or --type says it: {}{more}",
                shown.join(", ")
            )));
        }
        let target = section.target(&self.place, types)?;
        Ok(Loading { section, target, options: self.options })
    }
}

/// What a program is loaded as.
#[derive(Debug)]
pub struct Loading {
    section: Section,
    target: Target,
    options: LoadOptions,
}

impl Loading {
    /// The load, but for the program itself.
    pub fn load(&self) -> Load<'_> {
        let load = self.section.load(&self.target);
        let LoadOptions { attach_type, flags } = self.options;
        let expected_attach_type = attach_type.or(load.expected_attach_type);
        Load { expected_attach_type, flags: load.flags | flags, ..load }
    }
}

/// As a text names it.
impl fmt::Display for ProgramKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProgramKind::Attached(kind) => f.write_str(kind),
            ProgramKind::Type(program_type) => program_type.fmt(f),
            ProgramKind::Section(section) => f.write_str(section.name),
            ProgramKind::Function => f.write_str("function"),
            ProgramKind::Unknown => f.write_str("unknown"),
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
