//! An ELF object of programs, which libbpf loads.

use super::collection::{Collection, LoadOptions, ProgramKind, ProgramSpec, resolved};
use crate::btf::ObjectMap;
use crate::elf::write::{ObjectProgram, ObjectSpec, write};
use crate::error::Error;
use crate::host::Section;
use crate::insn::Endian;
use crate::sys::{MapSpec, prog};

/// The bytes of an object of all programs and maps.
///
/// # Errors
/// An offset in a program is not known, or an object cannot say something of a program or a map.
pub fn object(collection: &Collection, endian: Endian) -> Result<Vec<u8>, Error> {
    let has_types = |map: &MapSpec| map.types.is_some() && !map.map_type.is_local_storage();
    let sections = collection.programs.iter().map(|spec| {
        resolved(&spec.program)?;
        section(spec).ok_or_else(|| {
            let ProgramSpec { name, kind, place, .. } = spec;
            Error::failed(format!("{name}: libbpf has no section for {kind} {place}"))
        })
    });
    let sections = sections.collect::<Result<Vec<_>, Error>>()?;
    let is_more = |map: &&MapSpec| {
        has_types(map) || map.frozen || map.inner.is_some() || !map.content.is_empty()
    };
    if let Some(map) = collection.maps.iter().find(is_more) {
        let has = match has_types(map) {
            true if map.needs_types() => "a lock or a timer",
            true => "types",
            false => "content or maps",
        };
        let what = format!("map {} has {has}, which rawbpf cannot write to an object", map.name);
        return Err(Error::failed(what).hint("rawbpf run and rawbpf verify accept the text itself"));
    }
    let maps = collection.maps.iter().map(|map| ObjectMap {
        name: &map.name,
        map_type: map.map_type as u32,
        key_size: map.key_size,
        value_size: map.value_size,
        max_entries: map.max_entries,
        flags: map.flags,
        ..ObjectMap::default()
    });
    let maps: Vec<_> = maps.collect();
    let programs = collection.programs.iter().zip(&sections);
    let programs = programs.map(|(ProgramSpec { name, program, .. }, section)| ObjectProgram {
        section,
        name,
        program,
    });
    let programs: Vec<_> = programs.collect();
    let license = prog::LICENSE.to_string_lossy();
    let license = collection.license.as_deref().unwrap_or(&license);
    let object = ObjectSpec { endian, license, maps: &maps, programs: &programs };
    write(&object).map_err(|error| Error::failed(error.to_string()))
}

/// libbpf's section name for a program of this type or place.
fn section(spec: &ProgramSpec) -> Option<String> {
    let (place, LoadOptions { attach_type, flags }) = (&spec.place, spec.options);
    let wanted = match spec.kind {
        // It looks for one function by its name.
        ProgramKind::Attached("kprobe") if spec.options == LoadOptions::default() => {
            return place.split('|').next().map(|first| format!("kprobe/{first}"));
        }
        ProgramKind::Attached("kprobe.multi") if place.contains(',') => return None,
        ProgramKind::Attached(name) => Section::find(name)?.0,
        ProgramKind::Section(section) => section,
        ProgramKind::Type(program_type) => Section::of_type(program_type),
        ProgramKind::Function | ProgramKind::Unknown => return None,
    };
    let attach_type = attach_type.or(wanted.attach_type);
    let same = |row: &Section| {
        (row.program_type, row.attach_type, row.flags)
            == (wanted.program_type, attach_type, wanted.flags | flags)
            && (row.has_target || !wanted.has_target)
            && row.is_known()
    };
    // Of several names for one thing its own.
    let mut all = Section::find(wanted.name).map(|(row, _)| row).into_iter().chain(Section::all());
    let name = all.find(same)?.name;
    let place = match spec.kind {
        ProgramKind::Attached("tracepoint") => place.replacen(':', "/", 1),
        _ => place.clone(),
    };
    Some(if place.is_empty() { name.to_owned() } else { format!("{name}/{place}") })
}
