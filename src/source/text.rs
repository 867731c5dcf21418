//! Programs from a text, in which the kernel's names are looked up.

use std::path::Path;
use std::sync::Arc;

use super::collection::{Collection, LoadOptions, ProgramKind, ProgramSpec, SourceError};
use super::externs;
use super::kind::{self, NamedKind, NoKind};
use super::linked;
use super::maps::{entries, of_config, unknown_type};
use super::relocate::Relocator;
use crate::btf;
use crate::btf::{Btf, BtfError, TypeKind, identifier};
use crate::elf::Extern;
use crate::error::Error;
use crate::host::KernelTypes;
use crate::insn::Source;
use crate::insn::parse::{MapLine, Mistakes, NamedProgram, ProgramLine, Word, like, parse};
use crate::sys::{MapSpec, MapType, MapTypes, ProgramType};

/// Reads the text of a file of this name. Offsets of fields come from the kernel's types; where there
/// are none, the fields keep their names. A program without a name is called as its file; a name in angle
/// brackets, such as `<stdin>`, is no file's.
///
/// # Errors
/// It is no text, or is wrong.
pub fn read(file: &str, bytes: &[u8], types: &KernelTypes) -> Result<Collection, SourceError> {
    let mut source = source(file, bytes, types)?;
    let own = linked::types(&mut source)?;
    let maps = maps(&source, own.as_ref())?;
    collection(file, source, maps, vec![])
}

/// As [`read`], with what `.extern` declares linked to what this kernel has, so that the programs can be loaded.
///
/// # Errors
/// As [`read`].
pub fn read_linked(
    file: &str,
    bytes: &[u8],
    types: &KernelTypes,
) -> Result<Collection, SourceError> {
    let mut source = source(file, bytes, types)?;
    let lines = std::mem::take(&mut source.externs);
    // Ids must be the running kernel's, even if a file provides the offsets.
    let running = KernelTypes::running();
    let externs = externs::of_text(&lines, &mut Relocator::new(&running));
    let config = source.maps.len();
    let mut broken = vec![];
    for (index, NamedProgram { line, externs: refers, program, .. }) in
        source.programs.iter_mut().enumerate()
    {
        let mut replaced = vec![];
        for (at, place) in refers {
            let name = lines[*place].name.text.as_str();
            match externs.by_name[name].linked(program.insns()[*at], Some(config)) {
                Some(insn) => replaced.push((*at, insn)),
                None => {
                    let why = match &externs.by_name[name] {
                        Extern::Unknown(why) => why,
                        _ => "it is no function",
                    };
                    let what = format!(
                        "{}: it refers to {name}, which is not here: {why}",
                        line.name.text
                    );
                    broken.push((index, Error::lacking(what)));
                    break;
                }
            }
        }
        program.link(&replaced, &externs.modules);
    }
    let own = linked::types(&mut source)?;
    let mut maps = maps(&source, own.as_ref())?;
    maps.extend(of_config(&externs.config, None));
    let missing = relocate(&mut source, own.as_ref(), types, &mut broken);
    let mut collection = collection(file, source, maps, broken)?;
    collection.programs.retain(|spec| spec.kind != ProgramKind::Function);
    Ok(Collection { missing, ..collection })
}

/// Gives the programs the numbers of the kernel's types. Returns what these do not have, by slot of a program;
/// `broken` has the programs that cannot be made, and gets more.
fn relocate(
    source: &mut Source,
    own: Option<&Arc<[u8]>>,
    types: &KernelTypes,
    broken: &mut Vec<(usize, Error)>,
) -> Vec<(usize, String)> {
    let mut missing = vec![];
    let Some(mut own) = own.and_then(|own| Btf::parse(own).ok()) else { return missing };
    let mut kernel = Relocator::new(types);
    for (index, NamedProgram { line, relocations, program, .. }) in
        source.programs.iter_mut().enumerate()
    {
        if let Err(error) = linked::relocate(program, relocations, &mut own, &mut kernel) {
            broken.push((index, error.prefix(&line.name.text)));
        }
        let asked = std::mem::take(&mut kernel.missing);
        missing.extend(program.missing().iter().copied().zip(asked.into_iter().rev()));
    }
    // Each program once.
    broken.sort_by_key(|(index, _)| *index);
    broken.dedup_by_key(|(index, _)| *index);
    missing
}

/// The content of a text, with the offsets of its fields if they are known.
fn source(file: &str, bytes: &[u8], types: &KernelTypes) -> Result<Source, SourceError> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        Error::usage(format!("{file}: this is not text"))
            .hint(format!("to see what is in an object or in bytes: rawbpf dump {file}"))
    })?;
    let mut source = parse(file, text)?;
    resolve(&mut source, types)?;
    Ok(source)
}

/// What a text defines, but for the programs at these places, which cannot be made.
fn collection(
    file: &str,
    source: Source,
    maps: Vec<MapSpec>,
    broken: Vec<(usize, Error)>,
) -> Result<Collection, SourceError> {
    let kinds = source.programs.iter().map(|program| kind(&source, &program.line));
    let kinds = kinds.collect::<Result<Vec<_>, _>>()?;
    let left_out_maps = unknown_maps(&source);
    let Source { license, programs, .. } = source;
    let programs = programs.into_iter().zip(kinds);
    let programs = programs.map(|(NamedProgram { line, flags, program, .. }, kind)| {
        let NamedKind { kind, place, options } = kind;
        let options = LoadOptions { flags, ..options };
        let optional = line.kind.text.starts_with('?');
        let name = if line.name.text.is_empty() { called(file) } else { line.name.text };
        ProgramSpec { name, kind, place, optional, options, program }
    });
    let mut programs: Vec<ProgramSpec> = programs.collect();
    let (missing, notes) = (vec![], vec![]);
    let (mut left_out, mut left_out_optional) = (vec![], vec![]);
    for (place, error) in broken.into_iter().rev() {
        let spec = programs.remove(place);
        if spec.kind != ProgramKind::Function {
            left_out_optional.extend(spec.optional.then(|| spec.name.clone()));
            left_out.insert(0, (spec.name, error));
        }
    }
    Ok(Collection {
        license,
        programs,
        maps,
        missing,
        notes,
        left_out,
        left_out_optional,
        left_out_maps,
    })
}

/// What a program without a name is called, in a file of this name.
fn called(file: &str) -> String {
    let stem = Path::new(file).file_stem().filter(|_| !file.starts_with('<'));
    identifier(&stem.map_or("program".into(), |stem| stem.to_string_lossy()))
}

/// The number of a map's type: that of its name, or the number itself, as a dump has it.
fn type_number(word: &Word) -> Option<u32> {
    kind::number(&word.text, MapType::NAMES).or_else(|| word.text.parse().ok())
}

/// The maps of types that are not known here.
fn unknown_maps(source: &Source) -> Vec<(usize, Error)> {
    let unknown = source.maps.iter().enumerate().filter_map(|(place, map)| {
        let number = type_number(&map.map_type).filter(|it| MapType::from_raw(*it).is_none())?;
        Some((place, unknown_type(&map.name.text, number)))
    });
    unknown.collect()
}

fn maps(source: &Source, own: Option<&Arc<[u8]>>) -> Result<Vec<MapSpec>, Mistakes> {
    let mut maps: Vec<MapSpec> = vec![];
    for map in &source.maps {
        let number = type_number(&map.map_type);
        let number =
            number.ok_or_else(|| no_such(source, &map.map_type, "map type", MapType::NAMES))?;
        let map_type = MapType::from_raw(number).unwrap_or(MapType::Array);
        let name = &map.name.text;
        let mut content = map.content.clone();
        if !content.is_empty() {
            if !matches!(map_type, MapType::Array | MapType::Hash) || map.key_size != 4 {
                let what =
                    format!("`.data` gives the element 0 of an array or hash, not of {map_type}");
                return Err(source.mistake(&map.name, what, Some("its key has 4 bytes".into())));
            }
            content.resize(map.value_size as usize, 0);
        }
        let inner = map.inner.as_ref().map(|inner| &inner.text);
        let inner = inner.and_then(|inner| maps.iter().find(|map| map.name == *inner));
        let max_entries = entries(map_type, map.max_entries);
        maps.push(MapSpec {
            flags: map.flags,
            types: types(map, map_type, own),
            inner: inner.cloned().map(Box::new),
            content,
            frozen: map.frozen,
            ..MapSpec::new(name, map_type, map.key_size, map.value_size, max_entries)
        });
    }
    Ok(maps)
}

/// The types of a map: those that the text gives it, or some in whose values there is a lock or a timer.
fn types(map: &MapLine, map_type: MapType, own: Option<&Arc<[u8]>>) -> Option<MapTypes> {
    if let (Some([key, value]), Some(btf)) = (map.types, own) {
        return Some(MapTypes { btf: btf.clone(), key, value, lock: None, timer: None });
    }
    let fields = [("bpf_spin_lock", 4, map.lock), ("bpf_timer", 16, map.timer)];
    let fields = fields.into_iter().filter_map(|(name, size, at)| Some((name, size, at?)));
    let mut fields: Vec<_> = fields.collect();
    fields.sort_by_key(|(.., at)| *at);
    if fields.is_empty() && !map_type.is_local_storage() {
        return None;
    }
    let (btf, key, value) = btf::special(map.key_size, map.value_size, &fields);
    Some(MapTypes { btf: btf.into(), key, value, lock: map.lock, timer: map.timer })
}

/// What a `.program` line says.
fn kind(source: &Source, line: &ProgramLine) -> Result<NamedKind, Mistakes> {
    if line.kind.text.is_empty() {
        return Ok(NamedKind::of(ProgramKind::Type(ProgramType::SocketFilter)));
    }
    // A question mark says that the program need not be loaded.
    let word = line.kind.text.strip_prefix('?').unwrap_or(&line.kind.text);
    kind::parse(word, &line.place.text).map_err(|NoKind { what, help, in_place }| {
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
