//! The search through sorted types says what the walk says.

use super::Blob;
use crate::btf::{Btf, TypeKind};

/// Anonymous types, then structs sorted by name, each name with a typedef before it and every
/// seventh struct twice.
fn sorted(big: bool, structs: u32) -> (Vec<u8>, Vec<String>) {
    let mut names: Vec<String> = (0..structs).map(|i| format!("t{}", i * 7919 % 10_007)).collect();
    names.sort();
    let mut b = Blob::new(big);
    let int = b.refer("", TypeKind::Ptr, 0);
    for i in 0..500 {
        b.record(
            "",
            TypeKind::FuncProto,
            i % 3,
            int,
            &[0, int, 0, int, 0, int][..i as usize % 3 * 2],
        );
    }
    for (i, name) in names.iter().enumerate() {
        let members = [("a", int, 0), ("b", int, 64), ("c", int, 128)];
        b.refer(name, TypeKind::Typedef, int);
        b.compound(TypeKind::Struct, name, i as u32, &members[..i % 4]);
        if i % 7 == 0 {
            b.compound(TypeKind::Struct, name, 1_000_000, &members);
        }
    }
    (b.finish(), names)
}

#[test]
fn finds_each_type_and_the_first_of_its_name() {
    for big in [false, true] {
        let (blob, names) = sorted(big, 1500);
        let btf = Btf::parse(&blob).unwrap();
        for (size, name) in names.iter().enumerate() {
            let found = btf.search(TypeKind::Struct, name).expect("found by the search alone");
            assert_eq!(found.size_or_type(), size as u32);
            assert!(btf.search(TypeKind::Typedef, name).is_some());
            assert!(btf.search(TypeKind::Union, name).is_none());
            assert!(btf.search(TypeKind::Struct, &format!("{name}x")).is_none());
        }
        assert!(btf.search(TypeKind::Struct, "a").is_none());
        assert!(btf.search(TypeKind::Struct, "zzz").is_none());
        assert!(btf.search(TypeKind::Struct, "").is_none());
    }
}

#[test]
fn a_type_out_of_order_is_still_found() {
    let mut b = Blob::new(false);
    for i in 0..3000 {
        b.compound(TypeKind::Struct, &format!("s{}", i * 7919 % 10_007), i, &[("m", 1, 0)]);
    }
    let blob = b.finish();
    let mut btf = Btf::parse(&blob).unwrap();
    for i in (0..3000).step_by(17) {
        let name = format!("s{}", i * 7919 % 10_007);
        let found = btf.find(TypeKind::Struct, &name).unwrap().unwrap();
        assert_eq!(found.size_or_type(), i);
    }
}
