//! The words by which texts and options say what a program is.

use super::collection::{LoadOptions, ProgramKind};
use crate::error::Error;
use crate::host::{AttachKind, Section};
use crate::insn::parse::like;
use crate::sys::{AttachType, ProgramType};

/// What somebody said that a program is.
#[derive(Clone, Debug)]
pub struct NamedKind {
    /// What it is.
    pub kind: ProgramKind,
    /// Where it is attached; may be empty.
    pub place: String,
    /// What else was said of its load.
    pub options: LoadOptions,
}

impl NamedKind {
    /// A kind without a place.
    pub fn of(kind: ProgramKind) -> NamedKind {
        NamedKind { kind, place: String::new(), options: LoadOptions::default() }
    }
}

/// Why words mean no kind.
#[derive(Clone, Debug)]
pub struct NoKind {
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Whether the second word is wrong, and not the first.
    pub in_place: bool,
}

impl NoKind {
    /// A word that is none of these names, all of which the help lists if no other is like it.
    pub fn of(word: &str, what: &str, names: &[&str], more: &[&str]) -> NoKind {
        let help = match like(word, &mut names.iter().chain(more).copied()) {
            Some(likely) => format!("did you mean `{likely}`?"),
            None => format!("each {what}: {}", names.join(", ")),
        };
        NoKind { what: format!("`{word}` is no {what}"), help: Some(help), in_place: false }
    }
}

impl From<NoKind> for Error {
    fn from(NoKind { what, help, .. }: NoKind) -> Error {
        Error { hint: help, ..Error::usage(what) }
    }
}

/// Reads what a program is: the name of a section of libbpf's, of which the part after the first slash may
/// stand apart as the place (`fentry do_exit`); or a type and perhaps an attach type
/// (`cgroup_sock_addr connect4`). `unknown` is said of a program of which nobody knows it, and `function` of what is
/// no program.
///
/// # Errors
/// It is neither.
pub fn parse(kind: &str, place: &str) -> Result<NamedKind, NoKind> {
    match (kind, place) {
        ("unknown", "") => return Ok(NamedKind::of(ProgramKind::Unknown)),
        ("function", "") => return Ok(NamedKind::of(ProgramKind::Function)),
        _ => {}
    }
    let section = if place.is_empty() { kind.to_owned() } else { format!("{kind}/{place}") };
    if let Some((kind, place)) = ProgramKind::of_section(&section) {
        return Ok(NamedKind { place: place.to_owned(), ..NamedKind::of(kind) });
    }
    let program_type = number(kind, ProgramType::NAMES).and_then(ProgramType::from_raw);
    let Some(program_type) = program_type else {
        let names: Vec<_> = ProgramType::NAMES.iter().copied().chain(AttachKind::words()).collect();
        let sections: Vec<_> = Section::all().map(|row| row.name).collect();
        return Err(NoKind::of(kind, "program type or way to attach", &names, &sections));
    };
    let named = NamedKind::of(ProgramKind::Type(program_type));
    if place.is_empty() {
        return Ok(named);
    }
    let of_type = || Section::all().filter(|row| row.program_type == program_type);
    if let Some(row) = of_type().find(|row| row.name.rsplit('/').next() == Some(place)) {
        return Ok(NamedKind::of(ProgramKind::Section(row)));
    }
    if let Some(number) = AttachType::NAMES.iter().position(|name| *name == place) {
        let attach_type = AttachType::from_raw(number as u32);
        return Ok(NamedKind { options: LoadOptions { attach_type, ..named.options }, ..named });
    }
    let names = of_type().filter_map(|row| row.name.split_once('/')).map(|(_, last)| last);
    let names: Vec<_> = names.collect();
    Err(NoKind {
        what: format!("`{place}` is no attach type of {program_type}"),
        help: (!names.is_empty()).then(|| format!("each of them: {}", names.join(", "))),
        in_place: true,
    })
}

/// The number of a name of one of the kernel's enums, whose numbers begin at 1 and have no gaps.
pub fn number(word: &str, names: &[&str]) -> Option<u32> {
    names.iter().position(|name| *name == word).map(|index| index as u32 + 1)
}
