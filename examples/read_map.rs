//! Prints the elements of a map in the kernel: `cargo run --example read_map ID`, as root. Without
//! an id it lists the maps.

use std::os::fd::AsFd;

use rawbpf::sys::map::Entries;
use rawbpf::sys::object::{self, ObjectKind};
use rawbpf::sys::{Map, MapType, SysError};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1) {
        Some(id) => print(&Map::from_id(id.parse()?)?)?,
        None => list()?,
    }
    Ok(())
}

fn list() -> Result<(), SysError> {
    for id in object::ids(ObjectKind::Map) {
        let map = object::map_info(object::open(ObjectKind::Map, id?)?.as_fd())?;
        let kind = MapType::from_raw(map.map_type).map_or("?", MapType::name);
        println!("{} {kind} {}: {} elements at most", map.id, map.name, map.max_entries);
    }
    Ok(())
}

fn print(map: &Map) -> Result<(), SysError> {
    let mut entries = Entries::new();
    map.read_all(&mut entries)?;
    for (key, value) in entries.iter() {
        // A per-CPU map has a value for each CPU.
        let values = map.cpu_values(value).map(|value| format!("{value:02x?}"));
        println!("{key:02x?} {}", values.collect::<Vec<_>>().join(" "));
    }
    Ok(())
}
