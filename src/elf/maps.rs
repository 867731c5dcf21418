//! The maps that an object defines.

use super::{ElfError, Object, Symbol};
use crate::btf::{Btf, BtfError, ObjectMap, TypeKind};
use crate::insn::Endian;

/// The largest number of maps that are read; a program can use 64.
const MAPS_MAX: usize = 1024;
/// The largest number of members of a definition that are read.
const MEMBERS_MAX: usize = 64;

/// The types of maps that hold other maps.
const OF_MAPS: [u32; 2] = [12, 13];

/// A map and all that an object says of it.
#[derive(Clone, Debug, Default)]
pub struct DefinedMap<'a> {
    /// Its name, type and sizes.
    pub definition: ObjectMap<'a>,
    /// The NUMA node that its memory is on, if a flag says that it is on one.
    pub numa_node: u32,
    /// What its type makes of it.
    pub extra: u64,
    /// Whether a loader shares it with others by a file of its name.
    pub pinned: bool,
    /// Whether it is defined by numbers in a section `maps`, which libbpf 1.0 and later do not load.
    pub legacy: bool,
    /// Whether libbpf refuses its definition for a field that it does not know, or sizes that differ.
    pub refused: bool,
    /// Of a map of maps: a map like those that it holds.
    pub inner: Option<Box<DefinedMap<'a>>>,
    /// What its elements refer to from the beginning, by key: maps or programs, by name.
    pub slots: Vec<(u32, &'a str)>,
    /// Where the elements' references begin in it, in bytes.
    values: Option<u32>,
}

impl<'a> Object<'a> {
    /// The maps in their order: those of `.maps` as the types in `btf` describe them, or those of `maps`
    /// and `maps/NAME` as numbers.
    ///
    /// # Errors
    /// There are too many.
    pub fn maps(&self, mut btf: Option<&mut Btf<'a>>) -> Result<Vec<DefinedMap<'a>>, ElfError> {
        let symbols: Vec<_> = self.map_symbols().collect();
        if symbols.len() > MAPS_MAX {
            return Err(ElfError::Maps(symbols.len()));
        }
        let types = btf.as_mut().and_then(|btf| {
            let wanted: Vec<_> = symbols.iter().map(|it| (TypeKind::Var, it.0.name)).collect();
            let found = btf.find_all(&wanted).ok()?;
            Some(found.into_iter().map(|var| Some(var?.1.size_or_type())).collect())
        });
        let types: Vec<Option<u32>> = types.unwrap_or_else(|| vec![None; symbols.len()]);
        let mut maps = vec![];
        let mut numbers = vec![];
        for ((symbol, bytes, end), id) in symbols.iter().zip(types) {
            let described = id.zip(btf.as_mut());
            let described = described.and_then(|(id, btf)| from_type(btf, id, true).ok());
            let (mut map, words) = match described.filter(|map| map.definition.map_type != 0) {
                Some(map) => (map, vec![]),
                None => from_numbers(bytes, symbol.value, *end, self.endian),
            };
            map.definition.name = symbol.name;
            map.slots = self.slots(symbol, &map);
            maps.push(map);
            numbers.push(words);
        }
        // How old loaders name the map that is like those in a map of maps: by a number of its own (iproute2),
        // or by its place.
        for index in 0..maps.len() {
            let inner = match numbers[index][..] {
                _ if !OF_MAPS.contains(&maps[index].definition.map_type) => continue,
                [_, _, _, _, _, _, _, id, ..] => {
                    numbers.iter().position(|words| words.get(5) == Some(&id))
                }
                [_, _, _, _, _, place, ..] => Some(place as usize),
                _ => continue,
            };
            let inner = inner.filter(|inner| *inner != index).and_then(|inner| maps.get(inner));
            maps[index].inner = inner
                .cloned()
                .map(|inner| Box::new(DefinedMap { inner: None, slots: vec![], ..inner }));
        }
        Ok(maps)
    }

    /// What the elements of a map refer to.
    fn slots(&self, symbol: &Symbol<'a>, map: &DefinedMap<'a>) -> Vec<(u32, &'a str)> {
        let Some(values) = map.values else { return vec![] };
        let start = symbol.value.saturating_add(values.into());
        let end = symbol.value.saturating_add(symbol.size);
        let here = self.map_relocations.from(symbol.section, start);
        let here = here.take_while(|(at, _)| *at < end);
        let named = here.filter_map(|(at, relocation)| {
            let target = self.symbols.get(self.map_targets[relocation])?;
            Some((((at - start) / 8) as u32, target.name))
        });
        named.take(map.definition.max_entries as usize).collect()
    }
}

/// A map from a struct whose members are pointers: to an array whose length is the number, or to the type
/// of a key or value. `outer` if it may describe maps in it.
fn from_type<'a>(btf: &mut Btf<'a>, id: u32, outer: bool) -> Result<DefinedMap<'a>, BtfError> {
    let mut map = DefinedMap::default();
    let record = btf.behind_modifiers(id)?.1;
    for member in record.members().take(MEMBERS_MAX) {
        let name = member.name()?;
        let pointer = btf.behind_modifiers(member.type_id)?.1;
        if let (b"values", true, Some((element, _))) = (name, outer, pointer.array()) {
            map.values = Some(member.bit_offset / 8);
            // Only these types hold maps or programs.
            map.refused |= !matches!(map.definition.map_type, 3 | 12 | 13);
            map.definition.value_size = 4;
            let element = btf.behind_modifiers(element)?.1;
            if OF_MAPS.contains(&map.definition.map_type) && element.kind() == TypeKind::Ptr {
                map.inner = Some(Box::new(from_type(btf, element.size_or_type(), false)?));
            }
            continue;
        }
        // `__uint` and `__ulong`.
        let target = match pointer.kind() {
            TypeKind::Ptr => pointer.size_or_type(),
            _ => 0,
        };
        let number = match (target, pointer.enumerator(0)) {
            (0, Some((_, value))) => value,
            (0, None) => {
                map.refused = true;
                continue;
            }
            (target, _) => {
                let array = btf.behind_modifiers(target).ok().and_then(|it| it.1.array());
                array.map_or(0, |(_, count)| count.into())
            }
        };
        let definition = &mut map.definition;
        let before = (definition.key_size, definition.value_size);
        match name {
            b"type" => definition.map_type = number as u32,
            b"key_size" => definition.key_size = number as u32,
            b"value_size" => definition.value_size = number as u32,
            b"max_entries" => definition.max_entries = number as u32,
            b"map_flags" => definition.flags = number as u32,
            b"numa_node" => map.numa_node = number as u32,
            b"map_extra" => map.extra = number,
            b"pinning" => {
                map.pinned = number != 0;
                map.refused |= !outer;
            }
            b"key" => {
                (definition.key_size, definition.key_type) = (btf.size_of(target)?, target);
            }
            b"value" => {
                (definition.value_size, definition.value_type) = (btf.size_of(target)?, target);
            }
            _ => map.refused = true,
        }
        let differs = |before, now| before != 0 && before != now;
        let ObjectMap { key_size, value_size, .. } = map.definition;
        map.refused |= differs(before.0, key_size) || differs(before.1, value_size);
    }
    Ok(map)
}

/// A map from `struct bpf_map_def`: five numbers, which objects had before BTF; and all numbers, since some
/// loaders had more. They end at `end`.
fn from_numbers<'a>(bytes: &[u8], at: u64, end: u64, endian: Endian) -> (DefinedMap<'a>, Vec<u32>) {
    let end = bytes.len().min(usize::try_from(end).unwrap_or(usize::MAX));
    let start = usize::try_from(at).unwrap_or(usize::MAX).min(end);
    let words = bytes[start..end].as_chunks::<4>().0.iter().map(|word| match endian {
        Endian::Little => u32::from_le_bytes(*word),
        Endian::Big => u32::from_be_bytes(*word),
    });
    let words: Vec<u32> = words.take(9).collect();
    let number = |index: usize| words.get(index).copied().unwrap_or_default();
    let definition = ObjectMap {
        map_type: number(0),
        key_size: number(1),
        value_size: number(2),
        max_entries: number(3),
        flags: number(4),
        ..ObjectMap::default()
    };
    (DefinedMap { definition, legacy: true, ..DefinedMap::default() }, words)
}
