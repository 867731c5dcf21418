//! Writes the BTF of an object file: its maps, its functions and their source lines.

use super::record::Order;
use super::write::{BtfFunction, BtfLine, GLOBAL, PTR_KIND, Types, header, stretches};

const ARRAY_KIND: u32 = 3 << 24;
const STRUCT_KIND: u32 = 4 << 24;
const VAR_KIND: u32 = 14 << 24;
const DATASEC_KIND: u32 = 15 << 24;

/// A map as an object defines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ObjectMap<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type, by the kernel's number.
    pub map_type: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Elements.
    pub max_entries: u32,
    /// The kernel's `BPF_F_*` flags.
    pub flags: u32,
    /// The id of a key's type; 0 if only its size is known.
    pub key_type: u32,
    /// The id of a value's type; 0 if only its size is known.
    pub value_type: u32,
}

impl ObjectMap<'_> {
    /// The map's properties, by libbpf's names.
    fn fields(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let fields = [
            ("type", self.map_type),
            ("key_size", self.key_size),
            ("value_size", self.value_size),
            ("max_entries", self.max_entries),
            ("map_flags", self.flags),
        ];
        fields.into_iter().filter(|(_, value)| *value != 0)
    }

    /// The map's bytes in the section of maps: a pointer for each property.
    pub fn size(&self) -> u32 {
        8 * self.fields().count() as u32
    }
}

/// A section of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectSection<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether its functions are programs, not only functions that programs call.
    pub programs: bool,
    /// Its functions, by slot in the section, at least one.
    pub functions: Vec<BtfFunction<'a>>,
    /// The source lines of its instructions, by slot in the section.
    pub lines: Vec<BtfLine<'a>>,
}

/// The sections `.BTF` and `.BTF.ext`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectBtf {
    /// Types.
    pub btf: Vec<u8>,
    /// The functions and source lines of instructions.
    pub ext: Vec<u8>,
}

impl ObjectBtf {
    /// Describes maps, in the order in which `.maps` has them, and code.
    pub fn new(big_endian: bool, maps: &[ObjectMap], sections: &[ObjectSection]) -> ObjectBtf {
        let order = if big_endian { Order::Big } else { Order::Little };
        let mut types = Types::default();
        let int = types.int();
        let mut variables = vec![];
        let mut offset = 0;
        for map in maps {
            let variable = add_map(&mut types, map, int);
            variables.extend([variable, offset, map.size()]);
            offset += map.size();
        }
        if !maps.is_empty() {
            let datasec = DATASEC_KIND | maps.len() as u32;
            types.add(".maps", &[&[datasec, offset], &variables[..]].concat());
        }
        // The size of a record, then the sections: name, number of records, records.
        let (mut functions, mut lines) = (vec![8], vec![16]);
        for section in sections {
            let name = types.strings.add(section.name);
            let linkage = if section.programs { GLOBAL } else { 0 };
            let ids = types.functions(&section.functions, linkage);
            functions.extend([name, ids.len() as u32]);
            let slots = section.functions.iter().map(|function| 8 * function.slot);
            functions.extend(slots.zip(ids).flat_map(|(at, id)| [at, id]));
            let stretches = stretches(&section.functions, &section.lines);
            lines.extend([name, stretches.len() as u32]);
            for line in &stretches {
                let [slot, rest @ ..] = types.line(line);
                lines.push(8 * slot);
                lines.extend(rest);
            }
        }
        let (functions_len, lines_len) = (4 * functions.len() as u32, 4 * lines.len() as u32);
        let mut ext = header(order);
        // After the lines, there are no relocations of fields.
        let all = functions_len + lines_len;
        ext.extend(order.bytes(&[32, 0, functions_len, functions_len, lines_len, all, 0]));
        ext.extend(order.bytes(&functions));
        ext.extend(order.bytes(&lines));
        ObjectBtf { btf: types.blob(order), ext }
    }
}

/// Writes a map as libbpf expects it: a struct whose members point to arrays of the numbers' lengths, and a
/// variable of this struct. Returns the variable's id.
fn add_map(types: &mut Types, map: &ObjectMap, int: u32) -> u32 {
    let mut members = vec![];
    for (index, (name, value)) in map.fields().enumerate() {
        let array = types.add("", &[ARRAY_KIND, 0, int, int, value]);
        let pointer = types.add("", &[PTR_KIND, array]);
        members.extend([types.strings.add(name), pointer, 64 * index as u32]);
    }
    let kind = STRUCT_KIND | (members.len() / 3) as u32;
    let definition = types.add("", &[&[kind, map.size()], &members[..]].concat());
    types.add(map.name, &[VAR_KIND, definition, GLOBAL])
}
