//! Programs of anybody's, and what is in their maps.

use super::Tool;
use crate::error::Error;
use crate::run::{Group, Plan, Session};
use crate::sample::{Data, Lost, Setting, Table};
use crate::sys::map::Entries;
use crate::sys::{Map, MapSpec, MapType};

/// Programs, each attached in its only way, and their maps.
pub struct Programs {
    /// Where they were read, as it was named.
    file: String,
    maps: Vec<MapSpec>,
    plans: Vec<Plan>,
}

impl Programs {
    /// These programs of `file`, not attached yet.
    pub fn new(file: String, maps: Vec<MapSpec>, plans: Vec<Plan>) -> Programs {
        Programs { file, maps, plans }
    }
}

impl Tool for Programs {
    fn name(&self) -> &'static str {
        "run"
    }

    fn what(&self) -> String {
        self.plans.iter().map(|plan| plan.attach.to_string()).collect::<Vec<_>>().join(", ")
    }

    fn settings(&self) -> Vec<(&'static str, Setting)> {
        vec![
            ("file", self.file.clone().into()),
            ("repeat", Setting::Unset),
            ("interpret", false.into()),
        ]
    }

    fn maps(&self) -> Vec<MapSpec> {
        self.maps.clone()
    }

    fn groups(&self) -> Vec<Group<'_>> {
        vec![Group::of(self.plans.clone())]
    }

    fn read(&mut self, session: &Session) -> Result<(Vec<Table>, Vec<Lost>), Error> {
        Ok((elements(&session.maps)?, vec![]))
    }
}

/// A table for each map whose elements are data, with all that it holds; numbers of several CPUs are added up.
///
/// # Errors
/// A map could not be read.
pub fn elements(maps: &[Map]) -> Result<Vec<Table>, Error> {
    let mut entries = Entries::new();
    let maps = maps.iter().filter(|map| holds_data(map.spec().map_type));
    let maps = maps.map(|map| {
        map.read_all(&mut entries).map_err(|error| {
            Error::failed(format!("the map {} cannot be read: {error}", map.spec().name))
        })?;
        let element =
            |(key, value): (&[u8], &[u8])| (Data::new(key), Data::of_cpus(map.cpu_values(value)));
        let MapSpec { name, map_type, .. } = map.spec();
        Ok(Table::of_map(name, map_type.name(), entries.iter().map(element).collect()))
    });
    maps.collect()
}

/// Whether a map's elements are bytes that are shown.
pub fn holds_data(map_type: MapType) -> bool {
    map_type.is_per_cpu()
        || matches!(map_type, MapType::Hash | MapType::Array | MapType::LruHash | MapType::LpmTrie)
}
