//! The maps that an object defines.

use super::{ElfError, Object};
use crate::btf::{Btf, BtfError, ObjectMap, TypeKind};
use crate::insn::Endian;

/// The largest number of maps that are read; a program can use 64.
const MAPS_MAX: usize = 1024;

impl<'a> Object<'a> {
    /// The maps in their order: those of `.maps` as the types in `btf` describe them, or those of `maps`
    /// as numbers.
    ///
    /// # Errors
    /// There are too many.
    pub fn maps(&self, btf: Option<&mut Btf<'a>>) -> Result<Vec<ObjectMap<'a>>, ElfError> {
        let symbols: Vec<_> = self.map_symbols().collect();
        if symbols.len() > MAPS_MAX {
            return Err(ElfError::Maps(symbols.len()));
        }
        let types = btf.and_then(|btf| {
            let wanted: Vec<_> = symbols.iter().map(|(it, _)| (TypeKind::Var, it.name)).collect();
            let found = btf.find_all(&wanted).ok()?;
            Some(found.into_iter().map(|var| from_type(btf, var?.1.size_or_type()).ok()).collect())
        });
        let types: Vec<Option<ObjectMap<'a>>> = types.unwrap_or_default();
        Ok(symbols
            .iter()
            .enumerate()
            .map(|(index, (symbol, bytes))| {
                let told = types.get(index).cloned().flatten();
                let told = told.unwrap_or_else(|| from_numbers(bytes, symbol.value, self.endian));
                ObjectMap { name: symbol.name, ..told }
            })
            .collect())
    }
}

/// A map from a struct whose members are pointers: to an array whose length is the number, or to the type
/// of a key or value.
fn from_type<'a>(btf: &mut Btf<'a>, id: u32) -> Result<ObjectMap<'a>, BtfError> {
    let mut map = ObjectMap::default();
    let record = btf.behind_modifiers(id)?.1;
    for member in record.members().take(64) {
        let field: &mut u32 = match member.name()? {
            b"type" => &mut map.map_type,
            b"key" | b"key_size" => &mut map.key_size,
            b"value" | b"value_size" => &mut map.value_size,
            b"max_entries" => &mut map.max_entries,
            b"map_flags" => &mut map.flags,
            _ => continue,
        };
        let pointer = btf.behind_modifiers(member.type_id)?.1;
        if pointer.kind() != TypeKind::Ptr {
            continue;
        }
        match member.name()? {
            b"key" => map.key_type = pointer.size_or_type(),
            b"value" => map.value_type = pointer.size_or_type(),
            _ => {}
        }
        let target = btf.behind_modifiers(pointer.size_or_type())?.1;
        *field = match (member.name()?, target.array()) {
            (b"key" | b"value", _) | (_, None) => btf.size_of(pointer.size_or_type())?,
            (_, Some((_, count))) => count,
        };
    }
    Ok(map)
}

/// A map from `struct bpf_map_def`: five numbers, which objects had before BTF.
fn from_numbers<'a>(bytes: &[u8], at: u64, endian: Endian) -> ObjectMap<'a> {
    let number = |index: usize| {
        let start = usize::try_from(at).ok()?.checked_add(4 * index)?;
        let word = *bytes.get(start..)?.first_chunk::<4>()?;
        Some(match endian {
            Endian::Little => u32::from_le_bytes(word),
            Endian::Big => u32::from_be_bytes(word),
        })
    };
    let number = |index| number(index).unwrap_or_default();
    ObjectMap {
        name: "",
        map_type: number(0),
        key_size: number(1),
        value_size: number(2),
        max_entries: number(3),
        flags: number(4),
        ..ObjectMap::default()
    }
}
