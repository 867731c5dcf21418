//! Maps that are kept in memory.

use std::collections::HashMap;

use super::memory::{Memory, Region, RegionId, Rights, VALUES, address};
use crate::insn::parse::MapLine;

/// The largest memory of a machine's maps together.
const MEMORY: usize = 256 << 20;

/// `BPF_F_RDONLY_PROG`.
const READ_ONLY: u32 = 1 << 7;

/// What the interpreter makes of a map's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapKind {
    /// `array` and `percpu_array`, of which there is one CPU.
    Array,
    /// `hash` and `percpu_hash`.
    Hash,
    /// `lru_hash` and `lru_percpu_hash`: one that is full gives up its elements in turn.
    LruHash,
    /// `ringbuf`, from which nobody takes.
    Ringbuf,
    /// Any other, whose helpers are not here.
    Other,
}

impl MapKind {
    /// By the name of the type in a text.
    pub fn named(name: &str) -> MapKind {
        match name {
            "array" | "percpu_array" => MapKind::Array,
            "hash" | "percpu_hash" => MapKind::Hash,
            "lru_hash" | "lru_percpu_hash" => MapKind::LruHash,
            "ringbuf" => MapKind::Ringbuf,
            _ => MapKind::Other,
        }
    }
}

/// A map to be made. Sizes are in bytes.
#[derive(Clone, Debug)]
pub struct MapDef {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: MapKind,
    /// The size of a key.
    pub key_size: u32,
    /// The size of a value.
    pub value_size: u32,
    /// The largest number of elements; of a ring buffer its bytes.
    pub max_entries: u32,
    /// The first element of an array; empty for zeros.
    pub content: Vec<u8>,
    /// Its `BPF_F_*` flags.
    pub flags: u32,
}

impl From<&MapLine> for MapDef {
    fn from(line: &MapLine) -> MapDef {
        MapDef {
            name: line.name.text.clone(),
            kind: MapKind::named(&line.map_type.text),
            key_size: line.key_size,
            value_size: line.value_size,
            max_entries: line.max_entries,
            content: line.content.clone(),
            flags: line.flags,
        }
    }
}

/// A map, whose values are in a region.
#[derive(Clone, Debug)]
pub struct InterpretedMap {
    /// What it was made of.
    pub def: MapDef,
    region: RegionId,
    /// The distance of two values.
    distance: usize,
    /// Of a hash: where the value of a key is.
    index: HashMap<Vec<u8>, usize>,
    /// Of a hash: the key of each place; `None` for a place that is free.
    keys: Vec<Option<Vec<u8>>>,
    free: Vec<usize>,
    /// Of an LRU hash: the place that is given up next.
    oldest: usize,
    /// Of a ring buffer: the bytes that are taken.
    pub(super) taken: usize,
    /// Of a ring buffer: the records that were submitted, in their order.
    pub records: Vec<Vec<u8>>,
}

/// Error numbers of helpers, which are the same on all architectures that Linux has BPF for.
pub(super) const ENOENT: i64 = 2;
pub(super) const E2BIG: i64 = 7;
pub(super) const EFAULT: i64 = 14;
pub(super) const EEXIST: i64 = 17;
pub(super) const EINVAL: i64 = 22;

/// The number of an error that a helper returns.
pub type Errno = i64;

/// Makes maps, and their regions in `memory`.
///
/// # Errors
/// They need too much memory.
pub fn make(defs: &[MapDef], memory: &mut Memory) -> Result<Vec<InterpretedMap>, String> {
    let mut total = 0;
    let mut maps = vec![];
    for (def, region) in defs.iter().zip(VALUES..) {
        let size = def.value_size as usize;
        let distance = size.next_multiple_of(8).max(8);
        let bytes = match def.kind {
            MapKind::Array => distance.saturating_mul(def.max_entries as usize),
            _ => 0,
        };
        total += bytes;
        if total > MEMORY {
            return Err(format!(
                "the maps need more than the {} MiB that are here for them",
                MEMORY >> 20
            ));
        }
        let mut bytes = vec![0; bytes];
        let content = def.content.len().min(size).min(bytes.len());
        bytes[..content].copy_from_slice(&def.content[..content]);
        let rights = if def.flags & READ_ONLY != 0 { Rights::Read } else { Rights::Write };
        let values = Some((distance, size));
        *memory.region_mut(region) =
            Region { values, ..Region::new(&format!("map {}", def.name), rights, bytes) };
        maps.push(InterpretedMap {
            def: def.clone(),
            region,
            distance,
            index: HashMap::new(),
            keys: vec![],
            free: vec![],
            oldest: 0,
            taken: 0,
            records: vec![],
        });
    }
    Ok(maps)
}

impl InterpretedMap {
    fn address_of(&self, place: usize) -> u64 {
        address(self.region, place * self.distance)
    }

    /// The address of the value of a key; 0 if it has none.
    pub fn lookup(&self, key: &[u8]) -> u64 {
        let place = match self.def.kind {
            MapKind::Array => {
                let index = super::memory::number(key) as usize;
                Some(index).filter(|index| *index < self.def.max_entries as usize)
            }
            _ => self.index.get(key).copied(),
        };
        place.map_or(0, |place| self.address_of(place))
    }

    /// Writes the value of a key as `bpf_map_update_elem` does.
    ///
    /// # Errors
    /// What the kernel would return: the flags ask for what is not so, or the map is full.
    pub fn update(
        &mut self,
        memory: &mut Memory,
        key: &[u8],
        value: &[u8],
        flags: u64,
    ) -> Result<(), Errno> {
        const ADD: u64 = 1;
        const REPLACE: u64 = 2;
        // A lock of the value, which nobody else holds.
        let flags = flags & !4;
        let found = self.lookup(key);
        let array = self.def.kind == MapKind::Array;
        match (flags, found) {
            (3.., _) => return Err(EINVAL),
            (_, 0) if array => return Err(E2BIG),
            (ADD, 1..) => return Err(EEXIST),
            (REPLACE, 0) => return Err(ENOENT),
            _ => {}
        }
        let place = match found {
            0 => self.place_for(memory, key)?,
            found => found,
        };
        let region = memory.region_mut(self.region);
        let start = (place - address(self.region, 0)) as usize;
        region.bytes[start..start + value.len()].copy_from_slice(value);
        Ok(())
    }

    /// A place for one more key of a hash.
    fn place_for(&mut self, memory: &mut Memory, key: &[u8]) -> Result<u64, Errno> {
        let most = self.def.max_entries as usize;
        let mut place = self.free.pop();
        if place.is_none() && self.keys.len() == most {
            if self.def.kind != MapKind::LruHash || most == 0 {
                return Err(E2BIG);
            }
            let given_up = self.oldest;
            self.oldest = (given_up + 1) % most;
            if let Some(key) = self.keys[given_up].take() {
                self.index.remove(&key);
            }
            place = Some(given_up);
        }
        let place = place.unwrap_or(self.keys.len());
        if place == self.keys.len() {
            let region = memory.region_mut(self.region);
            if region.bytes.len() + self.distance > MEMORY {
                return Err(E2BIG);
            }
            region.bytes.resize(region.bytes.len() + self.distance, 0);
            region.range = 0..region.bytes.len();
            self.keys.push(None);
        }
        self.keys[place] = Some(key.to_vec());
        self.index.insert(key.to_vec(), place);
        Ok(self.address_of(place))
    }

    /// Removes a key as `bpf_map_delete_elem` does.
    ///
    /// # Errors
    /// What the kernel would return: there is no such key, or it is an array.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), Errno> {
        if self.def.kind == MapKind::Array {
            return Err(EINVAL);
        }
        let place = self.index.remove(key).ok_or(ENOENT)?;
        self.keys[place] = None;
        self.free.push(place);
        Ok(())
    }

    /// The first key at this place or after it, and the place after that: of an array by its index, of a hash
    /// in the order in which the places were taken.
    pub(super) fn key_from(&self, place: usize) -> Option<(Vec<u8>, usize)> {
        if self.def.kind == MapKind::Array {
            let key = u32::try_from(place).ok().filter(|key| *key < self.def.max_entries)?;
            return Some((key.to_ne_bytes().to_vec(), place + 1));
        }
        let mut taken = self.keys.iter().enumerate().skip(place);
        taken.find_map(|(place, key)| Some((key.clone()?, place + 1)))
    }

    /// The keys of all elements.
    pub fn keys(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let mut place = 0;
        std::iter::from_fn(move || {
            let (key, next) = self.key_from(place)?;
            place = next;
            Some(key)
        })
    }
}
