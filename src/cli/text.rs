//! Programs from a file, as `asm` and `run` read them: of a text, the words that the kernel knows.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::Stop;
use super::dump::Dumped;
use super::object;
use super::report;
use crate::btf;
use crate::btf::{Btf, BtfError, Kind, identifier};
use crate::elf;
use crate::error::{Error, Failure};
use crate::host::{AttachKind, KernelTypes};
use crate::insn::Source;
use crate::insn::parse::{Mistakes, NamedProgram, Word, like, parse};
use crate::sys::{MapSpec, MapType, MapTypes, ProgramType};

/// A text whose words are all known, or what an object holds.
pub struct Text {
    /// Its licence, where it names one.
    pub license: Option<String>,
    /// Its programs; what each is stands in `kinds`.
    pub programs: Vec<NamedProgram>,
    /// Its maps.
    pub maps: Vec<MapSpec>,
    /// What each program is.
    pub kinds: Vec<ProgramKind>,
    /// What a program without a name is called: as its file.
    pub name: String,
    /// What an object's programs ask of the kernel's types and those do not have.
    pub missing: Vec<String>,
}

/// What a program is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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

/// A text of the largest program that the kernel takes is half of this.
const LARGEST: u64 = 64 << 20;

/// Reads the text at `path`, `-` for stdin. Offsets of fields come from the kernel's types; where
/// there are none, the fields keep their names.
///
/// # Errors
/// It cannot be read, or is wrong.
pub fn read(path: &Path, types: &KernelTypes) -> Result<Text, Stop> {
    of_bytes(path, bytes(path)?, types)
}

/// Reads programs to be loaded: a text, as [`read`] does, or an ELF object as clang makes it.
///
/// # Errors
/// As [`read`].
pub fn read_any(path: &Path, types: &KernelTypes) -> Result<Text, Stop> {
    let bytes = bytes(path)?;
    if !bytes.starts_with(b"\x7fELF") {
        return of_bytes(path, bytes, types);
    }
    Ok(object::read(&bytes, types).map_err(|error| error.of(shown(path)))?)
}

/// A file's name in errors.
pub fn shown(path: &Path) -> String {
    if path == "-" { "<stdin>".into() } else { path.display().to_string() }
}

/// What a file holds, `-` for stdin, if it is not larger than any text has to be.
///
/// # Errors
/// It cannot be read.
pub fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let name = shown(path);
    let mut bytes = vec![];
    let reading = match path == "-" {
        true => io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)),
    };
    reading.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::usage(format!("{name}: no such file")),
        _ => Error::usage(format!("{name}: it cannot be read: {error}")),
    })?;
    if bytes.len() as u64 > LARGEST {
        return Err(Error::usage(format!("{name}: more than {} MiB", LARGEST >> 20)));
    }
    Ok(bytes)
}

fn of_bytes(path: &Path, bytes: Vec<u8>, types: &KernelTypes) -> Result<Text, Stop> {
    let name = shown(path);
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::usage(format!("{name}: this is not text"))
            .next(format!("to see what is in an object or in bytes: rawbpf dump {name}"))
    })?;
    let mut text = Text::parse(&name, &text, types)?;
    let stem = path.file_stem().filter(|_| path != "-").map(|stem| stem.to_string_lossy());
    text.name = identifier(stem.as_deref().unwrap_or("program"));
    Ok(text)
}

impl Text {
    /// This text; `file` is its name.
    ///
    /// # Errors
    /// It is wrong.
    pub fn parse(file: &str, text: &str, types: &KernelTypes) -> Result<Text, Stop> {
        let mut source = parse(file, text)?;
        resolve(&mut source, types)?;
        let maps = maps(&source)?;
        let kinds = source.programs.iter().map(|program| kind(&source, program));
        let kinds = kinds.collect::<Result<_, _>>()?;
        let Source { license, programs, .. } = source;
        Ok(Text { license, programs, maps, kinds, name: "program".into(), missing: vec![] })
    }

    /// The programs as they are dumped; one without a name has its file's.
    pub fn dumped(&self) -> Vec<Dumped<'_>> {
        let programs = self.programs.iter().zip(&self.kinds);
        let dumped = programs.map(|(NamedProgram { line, program }, kind)| Dumped {
            name: self.name(line.name.text.as_str()),
            kind: kind.to_string(),
            place: line.place.text.clone(),
            program,
        });
        dumped.collect()
    }

    /// Why the kernel refused a program, where it reached what the kernel's types do not have.
    pub fn explained(&self, error: Error) -> Error {
        let reached = error.refused.as_ref().is_some_and(|it| it.log.contains(elf::MISSING_CALL));
        if !reached || self.missing.is_empty() {
            return error;
        }
        let missing = self.missing.join(", ");
        let what = report::without_cause(&error);
        let what = format!("{what}, which uses what this kernel's types do not have, {missing}");
        Error { what, failure: Failure::Lacking, ..error }
            .next("reach it only where bpf_core_field_exists() says that it is there")
    }

    fn name<'a>(&'a self, name: &'a str) -> &'a str {
        if name.is_empty() { &self.name } else { name }
    }
}

fn maps(source: &Source) -> Result<Vec<MapSpec>, Mistakes> {
    let maps = source.maps.iter().map(|map| {
        let map_type = number(&map.map_type, MapType::NAMES).and_then(MapType::from_raw);
        let map_type = map_type.ok_or_else(|| {
            no_such(source, &map.map_type, "map type", &mut MapType::NAMES.iter().copied())
        })?;
        Ok(MapSpec {
            name: map.name.text.clone(),
            map_type,
            key_size: map.key_size,
            value_size: map.value_size,
            max_entries: map.max_entries,
            flags: map.flags,
            types: map.lock.map(|lock| {
                let (btf, key, value) = btf::locked(map.key_size, map.value_size, lock);
                MapTypes { btf, key, value, lock }
            }),
            content: vec![],
        })
    });
    maps.collect()
}

fn kind(source: &Source, program: &NamedProgram) -> Result<ProgramKind, Mistakes> {
    let line = &program.line;
    if line.kind.text.is_empty() {
        return Ok(ProgramKind::Type(ProgramType::SocketFilter));
    }
    if let Some(attached) = AttachKind::words().find(|name| *name == line.kind.text) {
        if line.place.text.is_empty() {
            let what = format!("where is this {attached} to be attached?");
            let help = format!(".program {} {attached} PLACE", line.name.text);
            return Err(source.mistake(&line.kind, what, Some(help)));
        }
        return Ok(ProgramKind::Attached(attached));
    }
    let program_type = number(&line.kind, ProgramType::NAMES).and_then(ProgramType::from_raw);
    let Some(program_type) = program_type else {
        let mut types = ProgramType::NAMES.iter().copied().chain(AttachKind::words());
        return Err(no_such(source, &line.kind, "program type or way to attach", &mut types));
    };
    if !line.place.text.is_empty() {
        let what = format!("a program of type {program_type} has no place here");
        return Err(source.mistake(&line.place, what, None));
    }
    Ok(ProgramKind::Type(program_type))
}

/// The number of a name of one of the kernel's enums, whose numbers begin at 1 and have no gaps.
fn number(word: &Word, names: &[&str]) -> Option<u32> {
    names.iter().position(|name| *name == word.text).map(|index| index as u32 + 1)
}

fn no_such(
    source: &Source,
    word: &Word,
    what: &str,
    names: &mut dyn Iterator<Item = &'static str>,
) -> Mistakes {
    let help = like(&word.text, names).map(|likely| format!("did you mean `{likely}`?"));
    source.mistake(word, format!("`{}` is no {what}", word.text), help)
}

/// Puts numbers where the text has names of fields.
fn resolve(source: &mut Source, types: &KernelTypes) -> Result<(), Stop> {
    if source.programs.iter().all(|program| program.program.unresolved().is_none()) {
        return Ok(());
    }
    let Some(mut btf) = types.btf()? else { return Ok(()) };
    let mut broken = None;
    let resolved = source.resolve(&mut |of, member| match btf.placements(&[(of, member)]) {
        Ok(found) => match found[0] {
            Some(placement) => Ok(Some(placement.offset)),
            None => Err(no_field(&mut btf, of, member)),
        },
        Err(error @ BtfError::Bitfield(_)) => Err((error.to_string(), None)),
        Err(error) => {
            broken.get_or_insert(error);
            Ok(None)
        }
    });
    resolved?;
    broken.map_or(Ok(()), |error| Err(types.error(&error).into()))
}

/// What is wrong with a field that the kernel's types do not have.
fn no_field(btf: &mut Btf, of: &str, member: &str) -> (String, Option<String>) {
    let Ok(Some(found)) = btf.find(Kind::Struct, of) else {
        return (format!("the kernel's types have no struct {of}"), None);
    };
    let names: Vec<String> = found
        .members()
        .filter_map(|member| Some(String::from_utf8_lossy(member.name().ok()?).into_owned()))
        .collect();
    let likely = like(member, &mut names.iter().map(String::as_str));
    let help = likely.map(|likely| format!("did you mean `{likely}`?"));
    (format!("struct {of} has no member {member}"), help)
}
