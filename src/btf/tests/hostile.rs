//! Whatever the bytes: an answer, soon, in little memory.

use super::{Blob, every_kind};
use crate::btf::{Btf, BtfError, Layout, Relocation, TypeKind, for_older_kernels};
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Asks a blob everything, and looks only at whether there is an answer in time.
fn ask_everything(blob: &[u8]) {
    let begin = Instant::now();
    let Ok(mut btf) = Btf::parse(blob) else {
        return;
    };
    let wanted = [
        ("outer", "left"),
        ("outer", "plain.a"),
        ("outer", "absent"),
        ("bits", "low"),
        ("last", "end"),
    ];
    for (name, path) in wanted {
        let _ = btf.field(name, path);
        let _ = btf.search(TypeKind::Struct, name);
    }
    let _ = btf.fields(&wanted);
    let _ = btf.trace_args("it");
    for id in 0..40 {
        let _ = btf.size_of(id);
        if let Ok(record) = btf.by_id(id) {
            let _ = record.name();
            for member in record.members() {
                let _ = member.name();
            }
        }
    }
    let layout = Layout { hidden: ["it"].into(), ..Layout::default() };
    let _ = btf.loadable(&layout);
    let _ = for_older_kernels(blob);
    for it in btf.externs().unwrap_or_default() {
        let _ = (btf.config_type(it.type_id), btf.find_extern(&it, &mut btf.clone()));
    }
    let mut kernel = btf.clone();
    for type_id in 0..20 {
        for (access, kind) in [(&b"0"[..], 2), (b"0:1", 0), (b"1:0:3", 1), (b"4294967295:1", 0)] {
            for kind in [kind, type_id % 13] {
                let relocation = Relocation { type_id, access, kind };
                let found = btf.candidates(&relocation, &mut kernel).unwrap_or_default();
                for candidates in [found, vec![type_id], vec![17]] {
                    let _ = btf.resolve(&relocation, &mut kernel, &candidates);
                }
            }
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "too slow");
}

proptest! {
    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        ask_everything(&bytes);
    }

    #[test]
    fn random_sections(types in proptest::collection::vec(any::<u32>(), 0..500), big: bool) {
        let mut blob = Blob::new(big);
        for name in ["outer", "left", "last", "end", "btf_trace_it"] {
            blob.name(name);
        }
        blob.words(&types);
        ask_everything(&blob.finish());
    }

    #[test]
    fn mutated(
        big: bool,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut blob = every_kind(big);
        for (at, to) in changes {
            let at = at.index(blob.len());
            blob[at] = to;
        }
        ask_everything(&blob);
    }

    #[test]
    fn truncated(big: bool, len: prop::sample::Index) {
        let blob = every_kind(big);
        ask_everything(&blob[..len.index(blob.len())]);
    }
}

#[test]
fn every_truncation_is_refused() {
    let blob = every_kind(false);
    for len in 0..blob.len() {
        assert!(Btf::parse(&blob[..len]).is_err(), "{len} bytes");
    }
}

#[test]
fn types_in_a_circle_end() {
    let mut b = Blob::new(false);
    b.refer("a", TypeKind::Typedef, 2); // 1
    b.refer("", TypeKind::Const, 1); // 2
    b.record("", TypeKind::Array, 0, 0, &[3, 3, 1]); // 3: an array of itself
    b.compound(TypeKind::Struct, "self", 8, &[("", 4, 0)]); // 4: contains itself
    b.compound(TypeKind::Struct, "user", 8, &[("a", 1, 0), ("b", 3, 0)]); // 5
    let blob = b.finish();
    let mut btf = Btf::parse(&blob).unwrap();
    assert_eq!(btf.field("user", "a"), Err(BtfError::Endless(1)));
    assert_eq!(btf.field("user", "b"), Err(BtfError::Endless(3)));
    assert_eq!(btf.field("self", "x"), Err(BtfError::Endless(4)));
}

/// 40 structs, each twice in the next: 2^40 ways to the innermost.
#[test]
fn structs_that_multiply_end() {
    let mut b = Blob::new(false);
    for id in 1..=40 {
        b.compound(TypeKind::Struct, &format!("s{id}"), 8, &[("", id - 1, 0), ("", id - 1, 0)]);
    }
    // The innermost contains a struct without members in place of type 0.
    let empty = b.compound(TypeKind::Struct, "none", 0, &[]);
    let mut blob = b.finish();
    for member in [24 + 12 + 4, 24 + 24 + 4] {
        blob[member] = empty as u8;
    }
    let mut btf = Btf::parse(&blob).unwrap();
    let begin = Instant::now();
    assert!(matches!(btf.field("s40", "x"), Err(BtfError::Endless(_))));
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_size_beyond_32_bits_is_an_error() {
    let mut b = Blob::new(false);
    let int = b.int("int", 4);
    let array = b.record("", TypeKind::Array, 0, 0, &[int, int, 1 << 31]);
    let blob = b.finish();
    let error = Btf::parse(&blob).unwrap().size_of(array).unwrap_err();
    assert_eq!(error, BtfError::SizeOverflow(array));
}

#[test]
fn a_record_that_is_cut_off_or_unknown_is_named_by_its_place() {
    let mut b = Blob::new(false);
    b.int("int", 4);
    b.record("s", TypeKind::Struct, 3, 4, &[]); // 3 members that are not there
    let blob = b.finish();
    let position = 16;
    let cut_off = BtfError::TypeCutOff { position };
    assert_eq!(Btf::parse(&blob).unwrap().by_id(3).unwrap_err(), cut_off);

    let mut b = Blob::new(false);
    b.int("int", 4);
    b.words(&[0, 20 << 24, 0]);
    let blob = b.finish();
    let unknown = BtfError::UnknownKind { position, kind: 20 };
    assert_eq!(Btf::parse(&blob).unwrap().by_id(3).unwrap_err(), unknown);
}

/// One string of a megabyte that every name is the end of, and 20,000 members with such names.
#[test]
fn long_names_do_not_slow_the_search_down() {
    let mut b = Blob::new(false);
    b.name(&"x".repeat(1 << 20));
    let tail: Vec<u32> = (1..=20_000).flat_map(|at| [at, 0, 0]).collect();
    b.record("s", TypeKind::Struct, 20_000, 4, &tail);
    for at in 1..=20_000 {
        b.words(&[at, 12 << 24, 0]);
    }
    let blob = b.finish();
    let begin = Instant::now();
    let mut btf = Btf::parse(&blob).unwrap();
    assert_eq!(btf.field("s", "y"), Ok(None));
    assert_eq!(btf.field("t", "y"), Ok(None));
    assert!(begin.elapsed() < Duration::from_secs(5));
}
