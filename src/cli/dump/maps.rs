//! The maps of a dump, wherever they are from.

use super::word::word;
use crate::btf::ObjectMap;
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

/// A map that an object defines.
pub fn of_object(map: &ObjectMap<'_>) -> MapRow {
    let &ObjectMap { name, key_size, value_size, max_entries, flags, .. } = map;
    let (name, map_type) = (word(name), map_type(map.map_type));
    MapRow { name, map_type, key_size, value_size, max_entries, flags, ..MapRow::default() }
}

/// The map that an object's section of variables becomes.
pub fn of_variables((section, size, _): (&str, u64, &[u8])) -> MapRow {
    MapRow {
        name: word(section),
        map_type: MapType::Array.name().to_owned(),
        key_size: 4,
        value_size: size as u32,
        max_entries: 1,
        ..MapRow::default()
    }
}

/// The name of a map's type, or its number where it is newer than this program.
fn map_type(number: u32) -> String {
    let known = MapType::from_raw(number).map(|kind| kind.name().to_owned());
    known.unwrap_or_else(|| number.to_string())
}
