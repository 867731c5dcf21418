//! The maps of a dump, wherever they are from.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use super::word::word;
use crate::btf::ObjectMap;
use crate::elf::{DefinedMap, Object};
use crate::source;
use crate::sys::object::MapInfo;
use crate::sys::{MapSpec, MapType};
use crate::view::dump::MapRow;

/// A map to be made for a program of ours.
pub fn of_spec(map: &MapSpec) -> MapRow {
    let &MapSpec { key_size, value_size, max_entries, flags, .. } = map;
    let (name, map_type) = (map.name.clone(), map.map_type.name().to_owned());
    let (lock, frozen, content) = (map.lock(), map.frozen, map.content.clone());
    let timer = map.types.as_ref().and_then(|types| types.timer);
    let inner = map.inner.as_ref().map(|inner| inner.name.clone());
    MapRow {
        id: None,
        name,
        map_type,
        key_size,
        value_size,
        max_entries,
        flags,
        lock,
        timer,
        types: None,
        frozen,
        inner,
        content,
    }
}

/// A map in the kernel, by this name.
pub fn of_loaded(map: &MapInfo, name: String) -> MapRow {
    let &MapInfo { id, key_size, value_size, max_entries, flags, .. } = map;
    let (id, map_type) = (Some(id), map_type(map.map_type));
    MapRow { id, name, map_type, key_size, value_size, max_entries, flags, ..MapRow::default() }
}

/// The maps of an object, as a loader makes them, each after those that it is made like. `own` is its BTF, and
/// `matters` says of the type of a value whether it does.
pub fn of_object(
    object: &Object<'_>,
    defined: &[DefinedMap<'_>],
    own: Option<&Arc<[u8]>>,
    matters: &mut dyn FnMut(u32, u32) -> bool,
) -> Rc<[MapRow]> {
    let (specs, left_out) = source::maps::of(object, defined, own);
    let left_out: HashSet<usize> = left_out.into_iter().map(|(place, _)| place).collect();
    let names = defined.iter().map(|map| map.definition.name);
    let names = names.chain(object.variables().map(|(section, ..)| section));
    let mut row = |spec: &MapSpec, name: String| {
        let types = spec.types.as_ref().filter(|types| matters(types.key, types.value));
        MapRow { name, types: types.map(|types| [types.key, types.value]), ..of_spec(spec) }
    };
    let mut rows = vec![];
    for (place, (spec, name)) in specs.iter().zip(names).enumerate() {
        let map = defined.get(place).map(|map| &map.definition);
        if let Some(map) = map.filter(|_| left_out.contains(&place)) {
            rows.push(unknown(map));
            continue;
        }
        let mut outer = row(spec, word(name));
        // As many as the host has CPUs.
        if let Some(map) = map.filter(|_| spec.map_type == MapType::PerfEventArray) {
            outer.max_entries = map.max_entries;
        }
        if let (Some(inner), Some(shown)) = (&spec.inner, &mut outer.inner) {
            *shown = format!("{}.inner", outer.name);
            rows.push(row(inner, shown.clone()));
        }
        rows.push(outer);
    }
    rows.into()
}

/// A map of a type that is not known here.
fn unknown(map: &ObjectMap<'_>) -> MapRow {
    let &ObjectMap { name, key_size, value_size, max_entries, flags, .. } = map;
    let (name, map_type) = (word(name), map_type(map.map_type));
    MapRow { name, map_type, key_size, value_size, max_entries, flags, ..MapRow::default() }
}

/// The name of a map's type, or its number where it is newer than this program.
fn map_type(number: u32) -> String {
    let known = MapType::from_raw(number).map(|kind| kind.name().to_owned());
    known.unwrap_or_else(|| number.to_string())
}
