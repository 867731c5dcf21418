//! Programs from a text, in which the kernel's names are looked up.

use std::path::Path;

use super::collection::{Collection, ProgramKind, ProgramSpec, SourceError};
use crate::btf;
use crate::btf::{Btf, BtfError, TypeKind, identifier};
use crate::error::Error;
use crate::host::{AttachKind, KernelTypes};
use crate::insn::Source;
use crate::insn::parse::{Mistakes, NamedProgram, Word, like, parse};
use crate::sys::{MapSpec, MapType, MapTypes, ProgramType};

/// Reads the text of a file of this name. Offsets of fields come from the kernel's types; where there
/// are none, the fields keep their names. A program without a name is called as its file; a name in angle
/// brackets, such as `<stdin>`, is no file's.
///
/// # Errors
/// It is no text, or is wrong.
pub fn read(file: &str, bytes: &[u8], types: &KernelTypes) -> Result<Collection, SourceError> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        Error::usage(format!("{file}: this is not text"))
            .hint(format!("to see what is in an object or in bytes: rawbpf dump {file}"))
    })?;
    let mut source = parse(file, text)?;
    resolve(&mut source, types)?;
    let maps = maps(&source)?;
    let kinds = source.programs.iter().map(|program| kind(&source, program));
    let kinds = kinds.collect::<Result<Vec<_>, _>>()?;
    let Source { license, programs, .. } = source;
    let programs = programs.into_iter().zip(kinds).map(|(NamedProgram { line, program }, kind)| {
        let name = if line.name.text.is_empty() { called(file) } else { line.name.text };
        ProgramSpec { name, kind, place: line.place.text, program }
    });
    Ok(Collection { license, programs: programs.collect(), maps, missing: vec![], notes: vec![] })
}

/// What a program without a name is called, in a file of this name.
fn called(file: &str) -> String {
    let stem = Path::new(file).file_stem().filter(|_| !file.starts_with('<'));
    identifier(&stem.map_or("program".into(), |stem| stem.to_string_lossy()))
}

fn maps(source: &Source) -> Result<Vec<MapSpec>, Mistakes> {
    let maps = source.maps.iter().map(|map| {
        let map_type = number(&map.map_type, MapType::NAMES).and_then(MapType::from_raw);
        let map_type = map_type.ok_or_else(|| {
            no_such(source, &map.map_type, "map type", &mut MapType::NAMES.iter().copied())
        })?;
        let name = &map.name.text;
        Ok(MapSpec {
            flags: map.flags,
            types: map.lock.map(|lock| {
                let (btf, key, value) = btf::locked(map.key_size, map.value_size, lock);
                MapTypes { btf: btf.into(), key, value, lock: Some(lock) }
            }),
            ..MapSpec::new(name, map_type, map.key_size, map.value_size, map.max_entries)
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
    let names: Vec<_> = names.collect();
    let help = match like(&word.text, &mut names.iter().copied()) {
        Some(likely) => format!("did you mean `{likely}`?"),
        None => format!("each {what}: {}", names.join(", ")),
    };
    source.mistake(word, format!("`{}` is no {what}", word.text), Some(help))
}

/// Puts numbers where the text has names of fields.
fn resolve(source: &mut Source, types: &KernelTypes) -> Result<(), SourceError> {
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
    let Ok(Some(found)) = btf.find(TypeKind::Struct, of) else {
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
