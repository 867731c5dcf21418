//! Tests on blobs made here, and what they are made with.

mod hostile;
mod reading;
mod sorted;
mod writing;

use super::TypeKind;
use byteorder::{BigEndian, ByteOrder, LittleEndian};

/// A BTF blob in the making, in either byte order. Ids count from 1 in the order of the calls.
struct Blob {
    big: bool,
    types: Vec<u8>,
    strings: Vec<u8>,
    ids: u32,
}

impl Blob {
    fn new(big: bool) -> Self {
        Self { big, types: vec![], strings: vec![0], ids: 0 }
    }

    fn words(&mut self, words: &[u32]) {
        for word in words {
            let mut bytes = [0; 4];
            match self.big {
                true => BigEndian::write_u32(&mut bytes, *word),
                false => LittleEndian::write_u32(&mut bytes, *word),
            }
            self.types.extend(bytes);
        }
    }

    fn name(&mut self, name: &str) -> u32 {
        let needle = format!("\0{name}\0").into_bytes();
        let known = memchr::memmem::find(&self.strings, &needle);
        if name.is_empty() {
            0
        } else if let Some(before) = known {
            before as u32 + 1
        } else {
            self.strings.extend(&needle[1..]);
            (self.strings.len() + 1 - needle.len()) as u32
        }
    }

    /// Any record: its name, kind, vlen or kind_flag bits, size or type, and what follows.
    fn record(
        &mut self,
        name: &str,
        kind: TypeKind,
        low_bits: u32,
        word: u32,
        tail: &[u32],
    ) -> u32 {
        let name = self.name(name);
        self.words(&[name, (kind as u32) << 24 | low_bits, word]);
        self.words(tail);
        self.ids += 1;
        self.ids
    }

    fn int(&mut self, name: &str, bytes: u32) -> u32 {
        self.record(name, TypeKind::Int, 0, bytes, &[bytes * 8])
    }

    /// A struct or union of `(name, type, bit offset)`.
    fn compound(
        &mut self,
        kind: TypeKind,
        name: &str,
        size: u32,
        members: &[(&str, u32, u32)],
    ) -> u32 {
        let tail: Vec<u32> = members
            .iter()
            .flat_map(|(name, type_id, offset)| [self.name(name), *type_id, *offset])
            .collect();
        self.record(name, kind, members.len() as u32, size, &tail)
    }

    fn refer(&mut self, name: &str, kind: TypeKind, to: u32) -> u32 {
        self.record(name, kind, 0, to, &[])
    }

    fn finish(self) -> Vec<u8> {
        let mut header = Self::new(self.big);
        let (types_len, strings_len) = (self.types.len() as u32, self.strings.len() as u32);
        header.words(&[24, 0, types_len, types_len, strings_len]);
        let magic = match self.big {
            true => [0xeb, 0x9f, 1, 0],
            false => [0x9f, 0xeb, 1, 0],
        };
        [&magic[..], &header.types, &self.types, &self.strings].concat()
    }
}

/// A blob with every kind, and structs nested in the ways C knows.
fn every_kind(big: bool) -> Vec<u8> {
    use TypeKind::*;
    let mut b = Blob::new(big);
    let int = b.int("int", 4); // 1
    let pointer = b.refer("", Ptr, 0); // 2
    let array = b.record("", Array, 0, 0, &[int, int, 6]); // 3: int[6]
    let nested = b.record("", Array, 0, 0, &[array, int, 2]); // 4: int[2][6]
    let enumeration = b.record("colour", Enum, 2, 4, &[0, 0, 0, 1]); // 5
    let wide = b.record("wide", Enum64, 1, 8, &[0, 1, 1]); // 6
    let constant = b.refer("", Const, enumeration); // 7
    let volatile = b.refer("", Volatile, constant); // 8
    let restrict = b.refer("", Restrict, pointer); // 9
    let tagged = b.refer("user", TypeTag, wide); // 10
    let typedef = b.refer("colour_t", Typedef, volatile); // 11
    let float = b.record("double", Float, 0, 8, &[]); // 12
    b.refer("elsewhere", Fwd, 0); // 13
    let inner = b.compound(Struct, "", 8, &[("left", int, 0), ("right", typedef, 32)]); // 14
    let either = b.compound(Union, "", 8, &[("", inner, 0), ("both", wide, 0)]); // 15
    let plain = b.compound(Struct, "plain", 8, &[("a", int, 0), ("b", int, 32)]); // 16
    let members = [
        ("first", pointer, 0),
        ("", either, 64),
        ("plain", plain, 128),
        ("table", nested, 192),
        ("precise", float, 576),
        ("tagged", tagged, 640),
        ("restricted", restrict, 704),
    ];
    let outer = b.compound(Struct, "outer", 96, &members); // 17
    // With kind_flag: an int of bits 0..3, one of bits 3..8, and one that is no bitfield.
    let at = ["low", "high", "whole"].map(|name| b.name(name));
    let tail = [at[0], int, 3 << 24, at[1], int, 5 << 24 | 3, at[2], int, 32];
    b.record("bits", Struct, 1 << 31 | 3, 8, &tail); // 18
    let proto = b.record("", FuncProto, 2, int, &[0, pointer, 0, pointer]); // 19
    b.record("do_it", Func, 1, proto, &[]); // 20
    let to_proto = b.refer("", Ptr, proto); // 21
    b.refer("btf_trace_it", Typedef, to_proto); // 22
    let variable = b.record("counter", Var, 0, int, &[1]); // 23
    b.record(".data", Datasec, 1, 4, &[variable, 0, 4]); // 24
    b.record("about", DeclTag, 0, outer, &[0]); // 25
    b.compound(Struct, "last", 4, &[("end", int, 0)]); // 26
    b.finish()
}
