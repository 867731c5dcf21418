//! The right answers to well-formed blobs.

use super::{Blob, every_kind};
use crate::btf::{Btf, BtfError, FieldInfo, Relocation, TraceArgs, TypeKind};

/// `struct s { int a; };` by hand, in little-endian order.
const LITTLE: &[u8] = &[
    0x9f, 0xeb, 1, 0, 24, 0, 0, 0, // magic, version, flags, hdr_len
    0, 0, 0, 0, 40, 0, 0, 0, // type_off, type_len
    40, 0, 0, 0, 9, 0, 0, 0, // str_off, str_len
    1, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 32, 0, 0, 1, // 1: int, 4 bytes, signed, 32 bits
    5, 0, 0, 0, 1, 0, 0, 4, 4, 0, 0, 0, // 2: struct s, 1 member, 4 bytes
    7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, // a: type 1, bit 0
    0, b'i', b'n', b't', 0, b's', 0, b'a', 0,
];

/// The same in big-endian order.
const BIG: &[u8] = &[
    0xeb, 0x9f, 1, 0, 0, 0, 0, 24, //
    0, 0, 0, 0, 0, 0, 0, 40, //
    0, 0, 0, 40, 0, 0, 0, 9, //
    0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 32, //
    0, 0, 0, 5, 4, 0, 0, 1, 0, 0, 0, 4, //
    0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, //
    0, b'i', b'n', b't', 0, b's', 0, b'a', 0,
];

#[test]
fn reads_both_byte_orders_to_the_byte() {
    for blob in [LITTLE, BIG] {
        let mut btf = Btf::parse(blob).unwrap();
        let field = FieldInfo { offset: 0, size: 4, type_id: 1, kind: TypeKind::Int };
        assert_eq!(btf.field("s", "a"), Ok(Some(field)));
        assert_eq!(btf.field("s", "b"), Ok(None));
        assert_eq!(btf.field("int", "a"), Ok(None));
        assert_eq!(btf.find_id(TypeKind::Struct, "s"), Ok(Some(2)));
        assert_eq!(btf.by_id(1).unwrap().name(), Ok(&b"int"[..]));
        assert_eq!(btf.by_id(3).unwrap_err(), BtfError::NoSuchType(3));
        assert_eq!(btf.by_id(0).unwrap_err(), BtfError::NoSuchType(0));
    }
}

#[test]
fn takes_longer_headers_and_sections_anywhere_behind() {
    let mut blob = LITTLE[..24].to_vec();
    blob[4] = 28; // hdr_len
    blob.extend([0xaa; 4 + 8]); // the header's rest, and a gap before the types
    blob[8] = 8; // type_off
    blob[16] = 48; // str_off
    blob.extend(&LITTLE[24..]);
    let mut btf = Btf::parse(&blob).unwrap();
    assert_eq!(btf.find_id(TypeKind::Struct, "s"), Ok(Some(2)));
}

#[test]
fn skips_kinds_that_only_the_layout_section_knows() {
    let mut blob = LITTLE[..24].to_vec();
    blob[4] = 32; // hdr_len
    // The layout section, after types of 40 + 24 and strings of 9 bytes: 21 kinds, of which
    // number 20 has 4 bytes and 8 for each element.
    blob.extend([73, 0, 0, 0, 84, 0, 0, 0]);
    blob[12] = 40 + 24;
    blob[16] = 40 + 24;
    blob.extend(&LITTLE[24..40]);
    blob.extend([0, 0, 0, 0, 1, 0, 0, 20, 0, 0, 0, 0]);
    blob.extend([0xff; 12]);
    blob.extend(&LITTLE[40..]);
    blob.extend([0; 80]);
    blob.extend([4, 8, 0, 0]);
    let mut btf = Btf::parse(&blob).unwrap();
    assert_eq!(btf.find_id(TypeKind::Struct, "s"), Ok(Some(3)));
    let unknown = BtfError::UnknownKind { position: 16, kind: 20 };
    assert_eq!(btf.by_id(2).unwrap_err(), unknown);
}

#[test]
fn refuses_what_the_header_gets_wrong() {
    let changed = |at: usize, to: u8| {
        let mut blob = LITTLE.to_vec();
        blob[at] = to;
        Btf::parse(&blob).unwrap_err()
    };
    assert_eq!(changed(0, 0xeb), BtfError::NoMagic(vec![0xeb, 0xeb]));
    assert_eq!(changed(2, 2), BtfError::UnknownVersion(2));
    let wanted = 200;
    let found = LITTLE.len();
    assert_eq!(changed(4, 200), BtfError::HeaderCutOff { wanted, found });
    let cut_off = |section, end| BtfError::SectionCutOff { section, end, found: 49 };
    assert_eq!(changed(12, 50), cut_off("type", 50));
    assert_eq!(changed(20, 10), cut_off("string", 50));
    assert_eq!(changed(20, 8), BtfError::StringsUnterminated);
    assert_eq!(changed(64, 1), BtfError::StringsUnterminated);
}

#[test]
fn finds_fields_through_every_kind() {
    // (path, offset, size, kind)
    let fields = [
        ("first", 0, 8, TypeKind::Ptr),
        ("left", 8, 4, TypeKind::Int),
        ("right", 12, 4, TypeKind::Enum),
        ("both", 8, 8, TypeKind::Enum64),
        ("plain", 16, 8, TypeKind::Struct),
        ("plain.a", 16, 4, TypeKind::Int),
        ("plain.b", 20, 4, TypeKind::Int),
        ("table", 24, 48, TypeKind::Array),
        ("precise", 72, 8, TypeKind::Float),
        ("tagged", 80, 8, TypeKind::Enum64),
        ("restricted", 88, 8, TypeKind::Ptr),
    ];
    for big in [false, true] {
        let blob = every_kind(big);
        let mut btf = Btf::parse(&blob).unwrap();
        for (path, offset, size, kind) in fields {
            let found = btf.field("outer", path).unwrap().unwrap();
            assert_eq!((found.offset, found.size, found.kind), (offset, size, kind), "{path}");
        }
        assert_eq!(btf.field("last", "end").unwrap().unwrap().type_id, 1);
        assert_eq!(btf.field("outer", "absent"), Ok(None));
        assert_eq!(btf.field("outer", "plain.absent"), Ok(None));
        for empty in ["", ".", "plain.", ".a"] {
            assert_eq!(btf.field("outer", empty), Ok(None), "{empty:?}");
        }
        let many = [("outer", "left"), ("absent", "a"), ("plain", "b")];
        let many = btf.fields(&many).unwrap();
        let offsets: Vec<_> = many.iter().map(|field| field.map(|field| field.offset)).collect();
        assert_eq!(offsets, [Some(8), None, Some(4)]);
    }
}

#[test]
fn names_a_bitfield_and_a_member_without_members() {
    let blob = every_kind(false);
    let mut btf = Btf::parse(&blob).unwrap();
    for name in ["low", "high"] {
        let error = btf.field("bits", name).unwrap_err();
        assert_eq!(error, BtfError::Bitfield(name.to_owned()));
    }
    assert_eq!(btf.field("bits", "whole").unwrap().unwrap().offset, 4);
    let error = btf.field("outer", "first.second").unwrap_err();
    assert_eq!(error, BtfError::NoMembers("first".to_owned()));
    assert_eq!(error.to_string(), "first is not a struct or union: it has no members");
}

/// Before kernel 5.0 a bitfield was an int of fewer bits than its bytes have.
#[test]
fn names_a_bitfield_of_the_old_form() {
    let mut b = Blob::new(false);
    let partial = b.record("int", TypeKind::Int, 0, 4, &[3]);
    b.compound(TypeKind::Struct, "bits", 4, &[("low", partial, 0)]);
    let blob = b.finish();
    let error = Btf::parse(&blob).unwrap().field("bits", "low").unwrap_err();
    assert_eq!(error, BtfError::Bitfield("bits.low".to_owned()));
}

#[test]
fn finds_the_ids_of_several_types_in_one_walk() {
    for big in [false, true] {
        let blob = every_kind(big);
        let mut btf = Btf::parse(&blob).unwrap();
        let wanted = [
            (TypeKind::Struct, "last"),
            (TypeKind::Func, "do_it"),
            (TypeKind::Struct, "do_it"),
            (TypeKind::Datasec, ".data"),
            (TypeKind::Int, "int"),
            (TypeKind::Int, "int"),
            (TypeKind::Int, ""),
            (TypeKind::Fwd, "elsewhere"),
        ];
        let ids: Vec<_> = btf.find_all(&wanted).unwrap().iter().map(|f| f.map(|f| f.0)).collect();
        let expected = [Some(26), Some(20), None, Some(24), Some(1), Some(1), None, Some(13)];
        assert_eq!(ids, expected);
        assert_eq!(btf.find_all(&[]).unwrap().len(), 0);
    }
}

#[test]
fn counts_a_tracepoints_arguments_without_its_own_data() {
    let blob = every_kind(false);
    let mut btf = Btf::parse(&blob).unwrap();
    let args = TraceArgs { type_id: 22, args: 1 };
    assert_eq!(btf.trace_args("it"), Ok(Some(args)));
    assert_eq!(btf.trace_args("other"), Ok(None));
    let colour = btf.find_all(&[(TypeKind::Typedef, "colour_t")]).unwrap()[0].unwrap();
    let error = btf.trace_args_of(colour.0, &colour.1).unwrap_err();
    assert_eq!(error, BtfError::NoTraceFunction("colour_t".to_owned()));
}

#[test]
fn sizes_what_has_a_size() {
    let blob = every_kind(false);
    let mut btf = Btf::parse(&blob).unwrap();
    for (id, size) in [(2, 8), (4, 48), (11, 4), (15, 8), (17, 96), (23, 4), (24, 4)] {
        assert_eq!(btf.size_of(id), Ok(size), "type {id}");
    }
    let kind = TypeKind::Func;
    assert_eq!(btf.size_of(20), Err(BtfError::NoSize { id: 20, kind }));
    assert_eq!(btf.size_of(0), Err(BtfError::NoSuchType(0)));
}

/// Ids are the same whether the record is walked to from the beginning or from a milestone.
#[test]
fn finds_every_id_again() {
    let mut b = Blob::new(false);
    for i in 0..2000 {
        b.compound(
            TypeKind::Struct,
            &format!("s{i}"),
            i,
            &[("m", 1, 0), ("n", 1, 32)][..i as usize % 3],
        );
    }
    let blob = b.finish();
    let mut btf = Btf::parse(&blob).unwrap();
    for id in [2000, 1, 256, 257, 258, 512, 513, 1999].into_iter().chain(1..=2000) {
        let name = format!("s{}", id - 1);
        assert_eq!(btf.by_id(id).unwrap().name(), Ok(name.as_bytes()));
        assert_eq!(btf.find_id(TypeKind::Struct, &name), Ok(Some(id)));
    }
    assert_eq!(btf.by_id(2001).unwrap_err(), BtfError::NoSuchType(2001));
}

/// A module's types: a struct with a member of the base's type, whose name the base has too, a pointer to
/// it, and a function.
fn split(base: &[u8], big: bool) -> Vec<u8> {
    let mut b = Blob { strings: b"module_struct\0end\0do_more\0".to_vec(), ..Blob::new(big) };
    let strings = Btf::parse(base).unwrap().strings.own;
    let own = strings.len() as u32;
    let known = memchr::memmem::find(strings, b"\0last\0").unwrap() as u32 + 1;
    let kind = |kind: TypeKind| (kind as u32) << 24;
    // 27: module_struct { end: int (1); last: struct last (26) }
    b.words(&[own, kind(TypeKind::Struct) | 2, 8, own + 14, 1, 0, known, 26, 32]);
    b.words(&[0, kind(TypeKind::Ptr), 27]); // 28
    b.words(&[0, kind(TypeKind::FuncProto) | 1, 0, 0, 28]); // 29
    b.words(&[own + 18, kind(TypeKind::Func), 29]); // 30: do_more
    b.words(&[known, kind(TypeKind::Struct), 16]); // 31: another struct last
    b.finish()
}

/// An object's types: its own struct, with a member in another place.
#[test]
fn relocations_are_resolved_by_the_types_of_a_module() {
    for big in [false, true] {
        let mut b = Blob::new(big);
        let int = b.int("int", 4);
        let members = [("nosuch", int, 0), ("end", int, 32)];
        let record = b.compound(TypeKind::Struct, "module_struct___mine", 8, &members);
        let object = b.finish();
        let base = every_kind(big);
        let module = split(&base, big);
        let mut object = Btf::parse(&object).unwrap();
        let mut kernel = Btf::parse_split(&module, Btf::parse(&base).unwrap()).unwrap();
        let relocation = |access, kind| Relocation { type_id: record, access, kind };
        let found = object.candidates(&relocation(b"0:1", 0), &mut kernel).unwrap();
        assert_eq!(found, [27]);
        let mut resolve = |access, kind| {
            object.resolve(&relocation(access, kind), &mut kernel, &found).unwrap().value
        };
        assert_eq!(resolve(b"0:1", 0), Some(0));
        assert_eq!(resolve(b"2:1", 0), Some(16));
        assert_eq!(resolve(b"0:1", 1), Some(4));
        assert_eq!([resolve(b"0:1", 2), resolve(b"0:0", 2)], [Some(1), Some(0)]);
        assert_eq!(resolve(b"0:0", 0), None);
        assert_eq!([resolve(b"0", 6), resolve(b"0", 7)], [Some(record.into()), Some(27)]);
        assert_eq!([resolve(b"0", 8), resolve(b"0", 9)], [Some(1), Some(8)]);
    }
}

#[test]
fn split_btf_continues_its_base() {
    for big in [false, true] {
        let base = every_kind(big);
        let module = split(&base, big);
        let mut btf = Btf::parse_split(&module, Btf::parse(&base).unwrap()).unwrap();
        assert_eq!(btf.find_id(TypeKind::Func, "do_more").unwrap(), Some(30));
        assert_eq!(btf.find_id(TypeKind::Struct, "module_struct").unwrap(), Some(27));
        // By name only among its own, by number all.
        assert_eq!(btf.find_id(TypeKind::Struct, "last").unwrap(), Some(31));
        assert_eq!(btf.find_id(TypeKind::Struct, "outer").unwrap(), None);
        assert_eq!(btf.by_id(26).unwrap().name().unwrap(), b"last");
        assert_eq!(btf.by_id(17).unwrap().name().unwrap(), b"outer");
        let function = btf.by_id(30).unwrap();
        let signature = btf.signature(&function).unwrap().unwrap();
        let record = btf.pointee(signature.parameters[0].type_id).unwrap().unwrap();
        assert_eq!(record.name().unwrap(), b"module_struct");
        let field = btf.field_in(&record, "last.end").unwrap().unwrap();
        assert_eq!((field.offset, field.size, field.type_id), (4, 4, 1));
        assert_eq!(btf.by_id(32).unwrap_err(), BtfError::NoSuchType(32));
        assert_eq!(btf.by_id(0).unwrap_err(), BtfError::NoSuchType(0));
        // Alone it is no BTF.
        assert!(Btf::parse(&module).is_err());
    }
}
