//! The maps of an object, as libbpf makes them.

use std::collections::HashMap;
use std::sync::Arc;

use super::collection::ProgramSpec;
use crate::btf::{Btf, TypeKind, identifier};
use crate::elf::{CONFIG, DefinedMap, Object, clean};
use crate::error::Error;
use crate::sys::{MapSpec, MapType, MapTypes, cpu, ring};

/// The maps that the object defines, then those that its sections of variables become. `own` is its BTF, to
/// be loaded. Also the places of those that have no type or one that is not known, for which arrays stand in.
pub fn of(
    object: &Object<'_>,
    defined: &[DefinedMap<'_>],
    own: Option<&Arc<[u8]>>,
) -> (Vec<MapSpec>, Vec<(usize, Error)>) {
    let has_types = object.section(".BTF").is_some();
    let (mut maps, mut left_out) = (vec![], vec![]);
    for (place, map) in defined.iter().enumerate() {
        maps.push(with_inner(map, own, has_types).unwrap_or_else(|error| {
            left_out.push((place, error));
            MapSpec::stand_in(&identifier(map.definition.name))
        }));
    }
    let sections: Vec<_> = object.variables().collect();
    let found = own.and_then(|own| {
        let mut btf = Btf::parse(own).ok()?;
        let wanted: Vec<_> = sections.iter().map(|it| (TypeKind::Datasec, it.0)).collect();
        let ids = btf.find_all(&wanted).ok()?.into_iter().map(|it| Some(it?.0));
        Some(ids.map(|id| Some((id?, btf.has_global_variables(id?).ok()?))).collect())
    });
    let described: Vec<Option<Described>> = found.unwrap_or_else(|| vec![None; sections.len()]);
    for (section, described) in sections.into_iter().zip(described) {
        maps.push(variables(section, own.zip(described)));
    }
    (maps, left_out)
}

/// Fills in what elements refer to from the beginning: maps by their place among `maps`, programs by theirs
/// among `programs`.
pub fn refer(maps: &mut [MapSpec], defined: &[DefinedMap<'_>], programs: &[ProgramSpec]) {
    let places = defined.iter().map(|it| it.definition.name).zip(0..);
    let places: HashMap<&str, usize> = places.collect();
    let programs: HashMap<&str, usize> =
        programs.iter().map(|it| it.name.as_str()).zip(0..).collect();
    for (map, defined) in maps.iter_mut().zip(defined) {
        let place = |name: &str| match map.map_type.holds_maps() {
            true => places.get(name).copied(),
            false => programs.get(identifier(name).as_str()).copied(),
        };
        let slots = defined.slots.iter();
        map.slots = slots.filter_map(|(key, it)| Some((*key, place(it)? as u32))).collect();
    }
}

/// What a loader would do otherwise, in sentences.
pub fn notes(defined: &[DefinedMap<'_>]) -> Vec<String> {
    let mut notes = vec![];
    let mut note = |is: fn(&DefinedMap<'_>) -> bool, what: &str| {
        let names = defined.iter().filter(|it| is(it));
        let names: Vec<_> = names.map(|it| identifier(it.definition.name)).collect();
        if let [first, rest @ ..] = &names[..] {
            let more =
                if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            notes.push(format!("map {first}{more}: {what}"));
        }
    };
    note(|it| it.legacy, "libbpf 1.0 and later load no maps of a section \"maps\"");
    note(
        |it| it.refused,
        "libbpf refuses a field of its definition: an unknown one, or a second size",
    );
    note(is_valued_ring, "libbpf does not load a ring buffer with the type of a value");
    note(|it| it.pinned, "a loader would share it in /sys/fs/bpf; here each run makes its own");
    notes
}

/// Whether it is a ring buffer with a type for its values, as some loaders allow.
fn is_valued_ring(map: &DefinedMap<'_>) -> bool {
    let definition = &map.definition;
    let map_type = MapType::from_raw(definition.map_type);
    map_type.is_some_and(is_ring) && definition.key_size | definition.value_size != 0
}

fn is_ring(map_type: MapType) -> bool {
    matches!(map_type, MapType::Ringbuf | MapType::UserRingbuf)
}

/// The smallest power of two of whole pages that has room for this.
fn ring_size(wanted: u32) -> u32 {
    let page = ring::page_size() as u32;
    match wanted {
        0 => 0,
        _ => wanted.max(page).checked_next_power_of_two().unwrap_or(wanted),
    }
}

/// A map that the object defines, with one like those that it holds.
fn with_inner(
    defined: &DefinedMap<'_>,
    own: Option<&Arc<[u8]>>,
    has_types: bool,
) -> Result<MapSpec, Error> {
    let mut spec = of_definition(defined, own, has_types)?;
    if let Some(inner) = &defined.inner {
        let inner = of_definition(inner, own, has_types)?;
        spec.inner = Some(Box::new(MapSpec { name: format!("{}.inner", spec.name), ..inner }));
    }
    Ok(spec)
}

/// A map that the object defines, by itself.
fn of_definition(
    defined: &DefinedMap<'_>,
    own: Option<&Arc<[u8]>>,
    has_types: bool,
) -> Result<MapSpec, Error> {
    let map = &defined.definition;
    let name = identifier(map.name);
    if map.map_type == 0 {
        let error = Error::usage(format!("the map {name} has no type"));
        return Err(match has_types {
            false => error.hint("the object has no BTF: compile it with clang -g"),
            true => error.hint("its definition needs __uint(type, BPF_MAP_TYPE_...)"),
        });
    }
    let Some(map_type) = MapType::from_raw(map.map_type) else {
        return Err(unknown_type(&name, map.map_type));
    };
    let mut spec = MapSpec {
        flags: map.flags,
        numa_node: defined.numa_node,
        extra: defined.extra,
        ..MapSpec::new(&name, map_type, map.key_size, map.value_size, map.max_entries)
    };
    let described = map.key_type | map.value_type != 0 && !is_untyped(map_type);
    spec.types = own.filter(|_| described && !is_ring(map_type)).map(|btf| MapTypes {
        btf: btf.clone(),
        key: map.key_type,
        value: map.value_type,
        lock: None,
        timer: None,
    });
    match map_type {
        // As libbpf fills in what is left out, and other loaders too.
        MapType::PerfEventArray => {
            (spec.key_size, spec.value_size) = (4, 4);
            spec.max_entries = entries(map_type, spec.max_entries);
        }
        _ if is_ring(map_type) => {
            (spec.key_size, spec.value_size) = (0, 0);
            spec.max_entries = ring_size(spec.max_entries);
        }
        _ => {}
    }
    Ok(spec)
}

/// The number of elements of a map: of an array of perf events without one, one for each CPU.
pub fn entries(map_type: MapType, wanted: u32) -> u32 {
    match (map_type, wanted) {
        (MapType::PerfEventArray, 0) => cpu::possible().map_or(1, |cpus| cpus as u32),
        _ => wanted,
    }
}

/// A map of a type that is newer than this program.
pub fn unknown_type(name: &str, map_type: u32) -> Error {
    if map_type == 0 {
        return Error::usage(format!("the map {name} has no type"));
    }
    Error::usage(format!("the map {name} is of the type {map_type}, which is not known here"))
}

/// The map of the kernel's configuration, if the object asks for any of it.
pub fn of_config(content: &[u8], own: Option<&Arc<[u8]>>) -> Option<MapSpec> {
    let id = own.and_then(|own| Btf::parse(own).ok()?.find_id(TypeKind::Datasec, CONFIG).ok()?);
    let section = (CONFIG, content.len() as u64, content);
    let map = variables(section, own.zip(id.map(|id| (id, true))));
    (!content.is_empty()).then_some(map)
}

/// Whether the kernel accepts no types for the keys and values of a type of map.
fn is_untyped(map_type: MapType) -> bool {
    use MapType::*;
    matches!(
        map_type,
        PerfEventArray
            | CgroupArray
            | StackTrace
            | ArrayOfMaps
            | HashOfMaps
            | Devmap
            | DevmapHash
            | Cpumap
            | Xskmap
            | Sockmap
            | Sockhash
            | Queue
            | Stack
            | Arena
    )
}

/// The id of a section's type, and whether the section has a variable that other objects may see.
type Described = (u32, bool);

/// The map that a section of variables becomes. Programs only read what is constant, and its values are
/// known to the verifier. `types` has the object's BTF.
fn variables(
    (section, size, content): (&str, u64, &[u8]),
    types: Option<(&Arc<[u8]>, Described)>,
) -> MapSpec {
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    let frozen = matches!(section, ".rodata" | CONFIG) || section.starts_with(".rodata.");
    // As libbpf has it, user space maps a section if other objects may see one of its variables.
    let mapped = types.is_some_and(|(_, (_, global))| global);
    let flags = [(frozen, MapSpec::READ_ONLY), (mapped, MapSpec::MMAPABLE)];
    MapSpec {
        content: content.to_vec(),
        flags: flags.iter().filter(|(is, _)| *is).map(|(_, flag)| flag).sum(),
        frozen,
        types: types.map(|(btf, (id, _))| MapTypes {
            btf: btf.clone(),
            key: 0,
            value: id,
            lock: None,
            timer: None,
        }),
        ..MapSpec::new(&clean(section.as_bytes()), MapType::Array, 4, size, 1)
    }
}
