//! BTF of our own programs.

use crate::btf::{Btf, BtfFunction, BtfLine, ProgramBtf, TextTypes, TypeKind, written};

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap())).collect()
}

fn at(slot: u32, line: u32) -> BtfLine<'static> {
    BtfLine { slot, file: "tool.rs", line, column: 7, text: "a.exit();" }
}

fn main_at(slot: u32) -> BtfFunction<'static> {
    BtfFunction { name: "main", parameters: &["ctx"], slot }
}

/// (slot, line) of each line_info record.
fn stretches(functions: &[BtfFunction], lines: &[BtfLine]) -> Vec<(u32, u32)> {
    let written = ProgramBtf::new(functions, lines);
    words(&written.line_info).chunks(4).map(|record| (record[0], record[3] >> 10)).collect()
}

#[test]
fn writes_these_words() {
    let written = ProgramBtf::new(&[main_at(0)], &[at(0, 3)]);
    assert_eq!(written.btf[..4], [&0xeb9f_u16.to_ne_bytes()[..], &[1, 0]].concat());
    let types = [
        [1, 1 << 24, 4, 1 << 24 | 32].as_slice(), // 1: int
        &[0, 2 << 24, 0],                         // 2: void *
        &[0, 13 << 24 | 1, 1, 5, 2],              // 3: int (void *ctx)
        &[9, 12 << 24, 3],                        // 4: main
    ]
    .concat();
    let strings = b"\0int\0ctx\0main\0tool.rs\0a.exit();\0";
    let types_len = types.len() as u32 * 4;
    let header = [24, 0, types_len, types_len, strings.len() as u32];
    let (body, tail) = written.btf[4..].split_at(written.btf.len() - 4 - strings.len());
    assert_eq!(words(body), [&header[..], &types].concat());
    assert_eq!(tail, strings);
    assert_eq!(words(&written.func_info), [0, 4]);
    assert_eq!(words(&written.line_info), [0, 14, 22, 3 << 10 | 7]);
}

#[test]
fn is_readable_by_the_reader() {
    let functions =
        [main_at(0), BtfFunction { name: "log2", parameters: &["value", "base"], slot: 10 }];
    let written = ProgramBtf::new(&functions, &[at(0, 1)]);
    let mut btf = Btf::parse(&written.btf).unwrap();
    let main = btf.find_id(TypeKind::Func, "main").unwrap().unwrap();
    let log2 = btf.find_id(TypeKind::Func, "log2").unwrap().unwrap();
    assert_eq!(words(&written.func_info), [0, main, 10, log2]);
    let proto = btf.by_id(log2).unwrap().size_or_type();
    assert_eq!(btf.by_id(proto).unwrap().vlen(), 2);
}

#[test]
fn a_line_gives_one_record_however_many_slots_it_has() {
    let lines = [at(0, 5), at(1, 5), at(3, 6), at(4, 5), at(5, 5)];
    assert_eq!(stretches(&[main_at(0)], &lines), [(0, 5), (3, 6), (4, 5)]);
}

#[test]
fn each_function_begins_with_a_record() {
    let functions = [main_at(0), main_at(4), main_at(6)];
    let lines = [at(0, 5), at(2, 6), at(6, 6), at(7, 6)];
    let expected = [(0, 5), (2, 6), (4, 6), (6, 6)];
    assert_eq!(stretches(&functions, &lines), expected);
}

#[test]
fn offsets_rise_from_0_whatever_is_given() {
    let lines = [at(9, 3), at(2, 1), at(9, 4), at(5, 2)];
    assert_eq!(stretches(&[main_at(0)], &lines), [(0, 1), (5, 2), (9, 3)]);
    let functions = [main_at(8), main_at(3), main_at(8)];
    let written = ProgramBtf::new(&functions, &[]);
    let slots: Vec<u32> = words(&written.func_info).chunks(2).map(|record| record[0]).collect();
    assert_eq!(slots, [0, 8]);
    assert!(written.line_info.is_empty());
}

#[test]
fn line_and_column_stop_at_their_greatest() {
    let far = BtfLine { line: u32::MAX, column: 5000, ..at(0, 0) };
    let written = ProgramBtf::new(&[main_at(0)], &[far]);
    assert_eq!(words(&written.line_info)[3], u32::MAX);
}

#[test]
fn names_become_identifiers_and_strings_end_at_a_zero() {
    let odd = BtfFunction { name: "2bite-hist.é", parameters: &[""], slot: 0 };
    let line = BtfLine { text: "a\0b", ..at(0, 1) };
    let written = ProgramBtf::new(&[odd], &[line]);
    let strings = b"\0int\0_\0_2bite_hist__\0tool.rs\0a\0";
    assert!(written.btf.ends_with(strings));
}

#[test]
fn types_of_a_text_have_their_ids_and_are_written_as_they_were() {
    let lines = [
        r#"2 int "int" 4 0x1000020"#,
        r#"3 ptr "" 7"#,
        r#"4 array "" 0 2 2 5"#,
        r#"7 struct flag "node" 32  "a" 2 0  "" 4 32"#,
        r#"8 enum "e" 4  "A" 1  "B" 7"#,
        r#"9 func_proto "" 2  "x" 3"#,
        r#"10 func "f" 9 1"#,
        r#"11 var "v" 7 1"#,
        r#"12 datasec ".bss" 32 11 0 32"#,
        r#"13 decl_tag "contains:node:a" 11 -1"#,
        r#"14 type_tag "kptr" 7"#,
        r#"15 enum64 "big" 8  "C" 1 2"#,
        r#"16 fwd flag "u" 0"#,
    ];
    let mut types = TextTypes::default();
    lines.iter().for_each(|line| types.add(line).unwrap());
    let blob = types.blob();
    let mut btf = Btf::parse(&blob).unwrap();
    for line in lines {
        let id = line.split(' ').next().unwrap().parse().unwrap();
        let record = btf.by_id(id).unwrap();
        assert_eq!(written::line(id, &record, &|_| true, None), line);
    }
    // What no line says is nothing.
    assert_eq!(btf.by_id(5).unwrap().kind(), TypeKind::Const);
}

#[test]
fn lines_that_are_no_types_say_why() {
    for (line, why) in [
        ("", "a number is missing at the end"),
        ("0 int \"int\" 4 32", "the id 0 is not between the one before and 131072"),
        ("999999 int \"int\" 4 32", "the id 999999 is not"),
        ("1 integer \"int\" 4 32", "`integer` is no kind: int, ptr, array"),
        ("1 int int 4 32", "expected a name between quotes, found `int 4 32`"),
        ("1 int \"int\" 4", "a number is missing at the end"),
        ("1 int \"int\" 4 32 5", "`5` is one word too many"),
        ("1 struct \"s\" 4 \"a\" 1 x", "`x` is no number of 32 bits"),
        ("1 struct \"s\" 4 \"a", "expected a name between quotes, found `\"a`"),
    ] {
        let wrong = TextTypes::default().add(line).unwrap_err();
        assert!(wrong.contains(why), "{line}: {wrong}");
    }
}
