//! The types of maps, and the ways to read them, each tried on a small map.

use super::check::{check, since};
use crate::error::Error;
use crate::host::refusal;
use crate::sys::map::{Batch, Update};
use crate::sys::{Map, MapSpec, MapType, SysError};
use crate::view::checks::Check;

const KINDS: [MapType; 6] = [
    MapType::Array,
    MapType::PercpuArray,
    MapType::Hash,
    MapType::PercpuHash,
    MapType::LruHash,
    MapType::Ringbuf,
];

pub fn checks() -> Vec<Check> {
    let kinds = KINDS.map(|kind| {
        let made = make(kind).map(|_| String::new()).map_err(|error| refusal::map(&error));
        check(kind.name(), made)
    });
    let reads = [
        ("batches of hash", batch(MapType::Hash), since(5, 6)),
        ("batches of percpu_array", batch(MapType::PercpuArray), since(5, 13)),
        ("lookup_and_delete of hash", lookup_and_delete(), since(5, 14)),
    ]
    .map(|(name, tried, needs)| {
        let tried = tried.map_err(|error| match make(MapType::Hash) {
            // Without a map there is nothing to read.
            Err(unmade) => refusal::map(&unmade),
            Ok(_) => {
                Error::lacking("this kernel does not have it").hint(needs).detail(error.to_string())
            }
        });
        check(name, tried.map(|()| String::new()))
    });
    kinds.into_iter().chain(reads).collect()
}

fn make(map_type: MapType) -> Result<Map, SysError> {
    let (key_size, value_size, max_entries) = match map_type {
        // A multiple of every page size.
        MapType::Ringbuf => (0, 0, 64 << 10),
        _ => (4, 8, 4),
    };
    Map::create(&MapSpec::new("doctor", map_type, key_size, value_size, max_entries))
}

fn batch(map_type: MapType) -> Result<(), SysError> {
    let map = make(map_type)?;
    map.lookup_batch(&mut Batch::new(&map, 4))
}

fn lookup_and_delete() -> Result<(), SysError> {
    let map = make(MapType::Hash)?;
    map.update(&[0; 4], &[0; 8], Update::Any)?;
    map.lookup_and_delete(&[0; 4], &mut [0; 8]).map(drop)
}
