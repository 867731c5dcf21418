//! Programs from a text, in which the kernel's names are looked up.

use std::path::Path;

use super::collection::{Collection, ProgramKind, ProgramSpec, SourceError};
use super::kind::{self, NamedKind, NoKind};
use crate::btf;
use crate::btf::{Btf, BtfError, TypeKind, identifier};
use crate::error::Error;
use crate::host::KernelTypes;
use crate::insn::Source;
use crate::insn::parse::{Mistakes, NamedProgram, ProgramLine, Word, like, parse};
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
    let kinds = source.programs.iter().map(|program| kind(&source, &program.line));
    let kinds = kinds.collect::<Result<Vec<_>, _>>()?;
    let Source { license, programs, .. } = source;
    let programs = programs.into_iter().zip(kinds);
    let programs = programs.map(|(NamedProgram { line, program }, kind)| {
        let NamedKind { kind, place, options } = kind;
        let name = if line.name.text.is_empty() { called(file) } else { line.name.text };
        ProgramSpec { name, kind, place, options, program }
    });
    let programs = programs.collect();
    let (missing, notes, left_out) = (vec![], vec![], vec![]);
    Ok(Collection { license, programs, maps, missing, notes, left_out })
}

/// What a program without a name is called, in a file of this name.
fn called(file: &str) -> String {
    let stem = Path::new(file).file_stem().filter(|_| !file.starts_with('<'));
    identifier(&stem.map_or("program".into(), |stem| stem.to_string_lossy()))
}

fn maps(source: &Source) -> Result<Vec<MapSpec>, Mistakes> {
    let maps = source.maps.iter().map(|map| {
        let map_type = kind::number(&map.map_type.text, MapType::NAMES).and_then(MapType::from_raw);
        let map_type =
            map_type.ok_or_else(|| no_such(source, &map.map_type, "map type", MapType::NAMES))?;
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

/// What a `.program` line says.
fn kind(source: &Source, line: &ProgramLine) -> Result<NamedKind, Mistakes> {
    if line.kind.text.is_empty() {
        return Ok(NamedKind::of(ProgramKind::Type(ProgramType::SocketFilter)));
    }
    kind::parse(&line.kind.text, &line.place.text).map_err(|NoKind { what, help, in_place }| {
        source.mistake(if in_place { &line.place } else { &line.kind }, what, help)
    })
}

fn no_such(source: &Source, word: &Word, what: &str, names: &[&'static str]) -> Mistakes {
    let NoKind { what, help, .. } = NoKind::of(&word.text, what, names, &[]);
    source.mistake(word, what, help)
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
