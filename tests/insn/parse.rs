//! Text in: what is listed reads back, what people and other tools write is understood, and what is
//! wrong is said where it is.

use proptest::prelude::*;
use rawbpf::insn::*;

use super::forms::any_insn;

fn read(text: &str) -> Source {
    parse("test.bpf", text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// The instructions as the verifier lists them, without their slots.
fn listed(text: &str) -> Vec<String> {
    read(text).programs[0].program.insns().iter().map(Insn::to_string).collect()
}

#[track_caller]
fn reads_as(text: &str, expected: &str) {
    assert_eq!(listed(text), [expected], "{text}");
}

#[test]
fn both_spellings_of_an_instruction_are_read() {
    for (text, expected) in [
        ("r0=0", "r0 = 0"),
        ("  r0  =  0x10 ", "r0 = 16"),
        ("r0 = -0x10", "r0 = -16"),
        ("r0 = - 5", "r0 = -5"),
        ("r0 = +5", "r0 = 5"),
        ("r0 = 0b101", "r0 = 5"),
        ("r0 = 0o17", "r0 = 15"),
        ("r0 = 1_000_000", "r0 = 1000000"),
        ("w0 = 0xffffffff", "w0 = -1"),
        ("r0 = 5 ll", "r0 = 0x5"),
        ("r0 = -1 ll", "r0 = 0xffffffffffffffff"),
        ("r0 = 0xffffffff", "r0 = 0xffffffff"),
        ("r0 = 0x1122334455667788", "r0 = 0x1122334455667788"),
        ("0: (18) r0 = 0x5", "r0 = 0x5"),
        ("7: (b7) r0 = 5", "r0 = 5"),
        ("(b7) r0 = 5", "r0 = 5"),
        ("   7:\tb7 00 00 00 05 00 00 00\tr0 = 0x5", "r0 = 5"),
        ("0: 18 00 00 00 05 00 00 00 00 00 00 00 00 00 00 00 r0 = 0x5 ll", "r0 = 0x5"),
        ("r1 = fp", "r1 = r10"),
        ("r1=-r1", "r1 = -r1"),
        ("w1 = - w1", "w1 = -w1"),
        ("r1 s>>= 3", "r1 s>>= 3"),
        ("r1 s >>= r2", "r1 s>>= r2"),
        ("w1 s/= -3", "w1 s/= -3"),
        ("r1 = (s8) r2", "r1 = (s8)r2"),
        ("r1 = be16 r1", "r1 = be16 r1"),
        ("r1 = *(u32*)(r2+4)", "r1 = *(u32 *)(r2 +4)"),
        ("r1 = *(u32 *)(r2 + 0x4)", "r1 = *(u32 *)(r2 +4)"),
        ("w1 = *(u32 *)(r2 - 0x4)", "r1 = *(u32 *)(r2 -4)"),
        ("r1 = *(u32 *)(r2)", "r1 = *(u32 *)(r2 +0)"),
        ("r1 = *(s16 *)(fp - 2)", "r1 = *(s16 *)(r10 -2)"),
        ("*(u8 *)(r1 + 0x0) = w2", "*(u8 *)(r1 +0) = r2"),
        ("*(u64 *)(r10 - 8) = -1", "*(u64 *)(r10 -8) = -1"),
        ("*(u32 *)(r10 - 8) = 0xffffffff", "*(u32 *)(r10 -8) = -1"),
        ("r0 = *(u8 *)skb[r6]", "r0 = *(u8 *)skb[r6 + 0]"),
        ("r0 = *(u16 *)skb[0xc]", "r0 = *(u16 *)skb[12]"),
        ("lock *(u64 *)(r1 + 0x0) += r2", "lock *(u64 *)(r1 +0) += r2"),
        ("lock *(u32 *)(r1 + 0) ^= w2", "lock *(u32 *)(r1 +0) ^= r2"),
        (
            "r2 = atomic_fetch_add((u64 *)(r1 + 0x0), r2)",
            "r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)",
        ),
        (
            "w2 = atomic_fetch_and((u32 *)(r1 + 0x0), w2)",
            "r2 = atomic_fetch_and((u32 *)(r1 +0), r2)",
        ),
        ("r2 = xchg_64(r1 + 0x8, r2)", "r2 = atomic64_xchg((u64 *)(r1 +8), r2)"),
        ("w2 = xchg32_32(r1 + 0x8, w2)", "r2 = atomic_xchg((u32 *)(r1 +8), r2)"),
        ("r0 = cmpxchg_64(r1 - 8, r0, r2)", "r0 = atomic64_cmpxchg((u64 *)(r1 -8), r0, r2)"),
        ("w0 = cmpxchg32_32(r1 + 0, w0, w2)", "r0 = atomic_cmpxchg((u32 *)(r1 +0), r0, r2)"),
        ("w1 = load_acquire((u8 *)(r2 + 0x0))", "r1 = load_acquire((u8 *)(r2 +0))"),
        ("store_release((u8 *)(r1 + 0x0), w2)", "store_release((u8 *)(r1 +0), r2)"),
        ("goto +2", "goto pc+2"),
        ("goto -0x3 <main+0x8>", "goto pc-3"),
        ("gotol pc+40000", "gotol pc+40000"),
        ("may_goto +1", "may_goto pc+1"),
        ("if w0 s> -0x1 goto +1", "if w0 s> 0xffffffff goto pc+1"),
        ("if r0 == 0xffffffff goto pc+1", "if r0 == 0xffffffff goto pc+1"),
        ("if r1&r2 goto pc-1", "if r1 & r2 goto pc-1"),
        ("call 1", "call bpf_map_lookup_elem#1"),
        ("call 0x1", "call bpf_map_lookup_elem#1"),
        ("call bpf_map_lookup_elem", "call bpf_map_lookup_elem#1"),
        ("call map_lookup_elem", "call bpf_map_lookup_elem#1"),
        ("call bpf_map_lookup_elem#1", "call bpf_map_lookup_elem#1"),
        ("call unknown#4242", "call unknown#4242"),
        ("call pc+3", "call pc+3"),
        ("call kernel-function#7", "call kernel-function#7"),
        ("r1 = map[fd:3] ll", "r1 = map[fd:3]"),
        ("r1 = func[pc+3]", "r1 = func[pc+3]"),
        ("exit ; done", "exit"),
        ("exit;", "exit"),
        ("exit; done", "exit"),
        ("exit ; r0 = 0", "exit"),
        ("exit # done", "exit"),
        ("exit // done", "exit"),
    ] {
        reads_as(text, expected);
    }
}

#[test]
fn labels_maps_and_functions_are_found_wherever_they_stand() {
    let text = "
        again: r1 = map[hist] ll
        r2 = hist ll
        r3 = map[other][0]+8
        if r1 != 0 goto out
        call double
        r4 = func[double]
        r5 = double ll
        goto again
    out:
    .L1:
        exit
    double: w0 += w0
        exit
        .map other array key 4 value 16 entries 1
        .map hist hash key 4 value 8 entries 10 flags 1";
    let source = read(text);
    assert_eq!(
        source.programs[0].program.listing(&["other", "hist"]).to_string(),
        "again:\n0: (18) r1 = map[hist]\n2: (18) r2 = map[hist]\n4: (18) r3 = map[other][0]+8\n\
         6: (55) if r1 != 0x0 goto pc+6\n7: (85) call pc+6\n8: (18) r4 = func[pc+5]\n\
         10: (18) r5 = func[pc+3]\n12: (05) goto pc-13\nout:\n.L1:\n13: (95) exit\n\
         double:\n14: (0c) w0 += w0\n15: (95) exit\n"
    );
    assert_eq!((source.maps[1].max_entries, source.maps[1].flags), (10, 1));
    let functions: Vec<_> = source.programs[0].program.functions().collect();
    assert_eq!(functions, [(0, Some("again")), (14, Some("double"))]);
}

#[test]
fn comments_are_kept() {
    let text = "# one\n; two\nr0 = 0 ; three\n// four\nout: # five\nexit\n;end\n";
    let expected =
        "; one\n; two\n0: (b7) r0 = 0 ; three\n; four\nout:\n; five\n1: (95) exit\n;end\n";
    let listing = read(text).programs[0].program.listing(&[]).to_string();
    assert_eq!(listing, expected);
    assert_eq!(read(&listing).programs[0].program.listing(&[]).to_string(), expected);
}

#[test]
fn directives_make_a_whole_program() {
    let source = read(
        "; of several programs
        .license \"Dual MIT/GPL\"
        .map hist array key 4 value 8 entries 1
        .program one kprobe vfs_read|vfs_write
        exit
        .map hist array key 4 value 8 entries 1
        .program two uprobe /a//b c:main ; a path
        exit",
    );
    assert_eq!(source.license.as_deref(), Some("Dual MIT/GPL"));
    assert_eq!(source.maps.len(), 1);
    let lines: Vec<String> = source.programs.iter().map(|p| p.line.to_string()).collect();
    assert_eq!(
        lines,
        [".program one kprobe vfs_read|vfs_write", ".program two uprobe /a//b c:main"]
    );
    assert_eq!(source.programs[0].program.license(), Some(c"Dual MIT/GPL"));
    assert_eq!(source.maps[0].to_string(), ".map hist array key 4 value 8 entries 1");
}

#[test]
fn each_instruction_knows_its_line() {
    let source = read("\n\nout: r0 = 0\n   exit");
    let lines = source.programs[0].program.lines();
    let lines: Vec<_> = lines.map(|(_, _, l)| (l.to_string(), l.column, l.text)).collect();
    assert_eq!(
        lines,
        [("test.bpf:3".into(), 6, Some("out: r0 = 0")), ("test.bpf:4".into(), 4, Some("exit"))]
    );
}

#[test]
fn offsets_of_fields_are_asked_for_and_otherwise_keep_their_names() {
    let text = "r1 = *(u32 *)(r6 + offsetof(struct request, __data_len))
                r2 += offsetof(struct bio, bi_iter.bi_size)
                r3 = offsetof(struct nothing, x)
                exit";
    let mut source = read(text);
    let program = &source.programs[0].program;
    assert_eq!(program.unresolved(), Some("offsetof(struct request, __data_len)"));
    let named = program.listing(&[]).to_string();
    assert_eq!(read(&named).programs[0].program.listing(&[]).to_string(), named);
    source
        .resolve(&mut |of, member| {
            Ok(match (of, member) {
                ("request", "__data_len") => Some(44),
                ("bio", "bi_iter.bi_size") => Some(40),
                _ => None,
            })
        })
        .unwrap();
    let program = &source.programs[0].program;
    assert_eq!(program.unresolved(), Some("offsetof(struct nothing, x)"));
    assert_eq!(
        program.listing(&[]).to_string(),
        "0: (61) r1 = *(u32 *)(r6 +44)\n1: (07) r2 += 40\n\
         2: (b7) r3 = offsetof(struct nothing, x)\n3: (95) exit\n"
    );
    let far = read("r1 = *(u32 *)(r6 + offsetof(struct request, far))\nexit")
        .resolve(&mut |_, _| Ok(Some(40000)))
        .unwrap_err();
    assert!(far.to_string().contains("the offset 40000 does not fit"), "{far}");
}

#[test]
fn a_mistake_is_shown_as_compilers_do() {
    let mistakes = parse("drop.bpf", "r0 = 0\n\tcall bpf_map_lokup_elem ; oh\nexit").unwrap_err();
    assert_eq!(
        mistakes.to_string(),
        "error: no helper is called `bpf_map_lokup_elem`\n \
         --> drop.bpf:2:7\n  \
         |\n2 |     call bpf_map_lokup_elem ; oh\n  \
         |          ^^^^^^^^^^^^^^^^^^\n  \
         = help: did you mean `bpf_map_lookup_elem`?\n"
    );
}

/// Line, column, what is wrong, what to write.
#[test]
fn each_mistake_is_underlined_and_has_a_suggestion() {
    for (text, underlined, what, help) in [
        ("", "", "no instructions", ""),
        ("; nothing", "", "no instructions", ""),
        ("r0 = 0\nexti", "exti", "no instruction begins with", "`exit`"),
        ("r11 = 0", "r11", "no register r11", "r0 to r10"),
        ("r01 = 0", "r01", "no register r01", "r0 to r10"),
        ("r0 = w1", "w1", "64 bits", "`r1`"),
        ("w0 += r1", "r1", "32 bits", "`w1`"),
        ("r0 += 0x80000000", "0x80000000", "32 bits", "sign"),
        ("r0 = 0x10000000000000000", "0x10000000000000000", "does not fit 64 bits", ""),
        ("r0 = 12ab", "12ab", "is not a number", ""),
        ("w0 = 5 ll", "w0", "whole register", "`r0`"),
        ("r1 = -r2", "r2", "negated in place", "`r1`"),
        ("r1 = be16 r2", "r2", "swapped in place", "`r1`"),
        ("r1 = *(u33 *)(r2 + 0)", "u33", "no type", "u32"),
        ("r1 = *(u32 *)(w2 + 0)", "w2", "64 bits", "`r2`"),
        ("r1 = *(u32 *)(r2 + 40000)", "+ 40000", "16 bits", ""),
        ("w1 = *(u64 *)(r2 + 0)", "w1", "half a register", "`r1`"),
        ("*(s8 *)(r2 + 0) = 1", "(s8 *)", "only a load", ""),
        ("lock *(u8 *)(r1 + 0) += r2", "(u8 *)(r1 + 0)", "32 or 64", "`u32`"),
        ("r3 = atomic_fetch_add((u64 *)(r1 + 0), r2)", "r2", "to the operand's register", "`r3`"),
        (
            "r3 = atomic_fetch_addd((u64 *)(r1 + 0), r2)",
            "atomic_fetch_addd",
            "not an atomic",
            "add`",
        ),
        ("r1 = cmpxchg_64(r1 + 0, r0, r2)", "r1", "compares with r0", "`r0`"),
        ("r2 = atomic64_xchg((u32 *)(r1 + 0), r2)", "atomic64_xchg", "of this size", ""),
        ("if r0 = 5 goto pc+1", "=", "compares nothing", "`==`"),
        ("if r0 == 5 gotto pc+1", "gotto", "expected `goto`", ""),
        ("if r0 == 4294967295 goto pc+1", "4294967295", "32 bits", "sign"),
        ("goto out", "out", "no label", ""),
        ("ot: goto out", "out", "no label", "`ot`"),
        ("out: exit\nout: exit", "out", "placed twice", "line 1"),
        ("goto out\nout:", "out", "no instruction follows", ""),
        ("r1: exit", "r1", "cannot be a label", ""),
        ("goto 5", "5", "pc+2", "`pc+5`"),
        ("goto pc+40000", "pc+40000", "16 bits", "gotol"),
        ("call bpf_map_lookup", "bpf_map_lookup", "no helper", "bpf_map_lookup_elem"),
        ("call bpf_map_lookup_elem#2", "bpf_map_lookup_elem#2", "is helper 1, not 2", "alone"),
        ("callx r1", "callx", "has no call", ""),
        ("r1 = map[hist]", "hist", "no map", ".map hist"),
        (".map hist array key 4\nexit", "", "expected `entries`", ""),
        (".map hist array keys 4\nexit", "keys", "no `keys`", "`key`"),
        (
            ".map a array key 4 value 4 entries 1\n.map a array key 4 value 8 entries 1\nexit",
            "a",
            "another map",
            "line 1",
        ),
        (".license GPL\nexit", "GPL", "between quotes", ""),
        (".license \"GPL\"\n.license \"MIT\"\nexit", "\"MIT\"", "was \"GPL\"", "one licence"),
        ("insn 0x8d dst 16\nexit", "dst", "does not fit the 4 bits", ""),
        ("insn 256\nexit", "256", "expected an opcode", ""),
        ("insn 0x8d size 1\nexit", "size", "no field `size`", "insn CODE dst N"),
        (".prog x\nexit", ".prog", "not a directive", "`.program`"),
        (
            ".section xdp\nexit",
            ".section",
            "not a directive",
            ".program, .flags, .license, .map, .data, .extern, .type",
        ),
        (".program\nexit", ".program", "needs a name", "NAME"),
        (".program x xdp\n.program y xdp\nexit", "x", "no instructions", ""),
        ("r0 = 0; exit", ";", "begins a comment", "a line"),
        ("exit now", "now", "the end of the line", ""),
        ("r0 = \u{1f41d}", "\u{1f41d}", "expected a value", ""),
        ("r0", "", "the end of the line", ""),
    ] {
        let mistakes = parse("test.bpf", text).map(|_| ()).expect_err(text);
        let mistake = mistakes.iter().next().expect("one");
        let line = text.lines().nth(mistake.span.line as usize - 1).unwrap_or_default();
        assert_eq!(&line[mistake.span.start..mistake.span.end], underlined, "{mistakes}");
        assert!(mistake.what.contains(what), "{mistakes}");
        assert!(mistake.help.as_deref().unwrap_or_default().contains(help), "{mistakes}");
    }
}

#[test]
fn of_many_mistakes_it_is_told_that_more_are_not_shown() {
    let wrong = |lines: usize| parse("test.bpf", &"oops\n".repeat(lines)).unwrap_err();
    let (nine, many) = (wrong(9), wrong(1000));
    assert_eq!((nine.iter().count(), many.iter().count()), (9, 10));
    let end = "\nmore than 10 mistakes are not shown\n";
    assert!(!nine.to_string().contains(end) && many.to_string().ends_with(end), "{many}");
}

#[test]
fn a_text_that_is_too_long_is_told_once() {
    let text = "exit\n".repeat(1_000_003);
    let mistakes = parse("long.bpf", &text).unwrap_err();
    let lines: Vec<_> = mistakes.iter().map(|mistake| mistake.span.line).collect();
    assert_eq!(lines, [1_000_001], "{mistakes}");
    assert!(mistakes.to_string().contains("more than a million"), "{mistakes}");
}

#[test]
fn a_jump_that_is_too_far_says_how_far() {
    let text = format!("goto out\n{}out: exit", "r0 = 0\n".repeat(32768));
    let mistakes = parse("far.bpf", &text).unwrap_err().to_string();
    assert!(mistakes.contains("`out` is 32768 slots away"), "{mistakes}");
    assert!(mistakes.contains("gotol"), "{mistakes}");
    assert!(parse("far.bpf", &text.replace("goto", "gotol")).is_ok());
}

#[test]
fn terminals_are_not_told_what_a_text_says() {
    let mistakes = parse("test.bpf", "r0 = \x1b[2J\x07\n").unwrap_err().to_string();
    assert!(!mistakes.contains(['\x1b', '\x07']), "{mistakes}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_slots_are_listed_as_a_text_of_the_same_slots(
        slots in prop::collection::vec(any::<[u8; 8]>(), 1..30),
        wide in any::<bool>(),
    ) {
        let mut bytes = slots.concat();
        if wide {
            // The first half of a load, before whatever follows.
            bytes[0] = 0x18;
        }
        for endian in [Endian::Little, Endian::Big] {
            let listed: String = whole(&bytes, endian).unwrap()
                .map(|(slot, insn)| format!("{}\n", listing::line(slot, &insn, listing::Names::default())))
                .collect();
            let source = parse("listing", &listed);
            let source = source.map_err(|mistakes| TestCaseError::fail(mistakes.to_string()))?;
            prop_assert_eq!(encode(source.programs[0].program.insns(), endian), bytes.clone(), "{}", listed);
        }
    }

    #[test]
    fn what_is_listed_is_read_as_the_same_program(
        program in prop::collection::vec(any_insn(), 1..30),
    ) {
        let mut a = Asm::new();
        program.iter().for_each(|insn| a.push(*insn));
        a.exit();
        let program = a.finish().expect("it ends");
        let maps = ["first", "second"];
        let text = ".map first array key 4 value 8 entries 1\n\
                    .map second hash key 4 value 8 entries 1\n".to_owned()
            + &program.listing(&maps).to_string();
        let source = parse("listing", &text);
        let source = source.map_err(|mistakes| TestCaseError::fail(mistakes.to_string()))?;
        let read = &source.programs[0].program;
        prop_assert_eq!(read.insns(), program.insns());
        prop_assert_eq!(read.listing(&maps).to_string(), program.listing(&maps).to_string());
        // Without slots and opcodes too, but for constants whose second slot cannot be seen.
        let bare: String = program.insns().iter().map(|insn| {
            let ll = if matches!(insn, Insn::LoadImm64 { .. }) { " ll" } else { "" };
            format!("{}{ll}\n", insn.text(listing::Names { maps: &maps, field: None }))
        }).collect();
        let source = parse("bare", &(text.lines().take(2).fold(String::new(), |all, line| all + line + "\n") + &bare));
        let source = source.map_err(|mistakes| TestCaseError::fail(mistakes.to_string()))?;
        prop_assert_eq!(source.programs[0].program.insns(), program.insns());
    }
}

/// A text that nearly is one: listings with damage, so that each rule is met from all sides.
fn damaged() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "r1",
        "w1",
        "fp",
        "r10",
        "r11",
        "=",
        "+=",
        "s>>=",
        "s",
        "(",
        ")",
        "[",
        "]",
        "*",
        "(u32 *)",
        "map[",
        "0x",
        "0",
        "-",
        "+",
        "99999999999999999999",
        "ll",
        "goto",
        "pc+1",
        "out",
        "out:",
        ";",
        "#",
        "//",
        "\"",
        ".map",
        ".program",
        ".license",
        "key",
        "entries",
        "offsetof(struct a, b)",
        "call",
        "lock",
        "if",
        "\n",
        " ",
        "\t",
        "\u{e9}",
        "\u{1f41d}",
        "\0",
        "\r",
        "exit\n",
        ",",
        ":",
    ]);
    let listing = prop::collection::vec(any_insn(), 1..6)
        .prop_map(|insns| insns.iter().map(|insn| format!("{insn}\n")).collect::<String>());
    let damage = prop::collection::vec((any::<prop::sample::Index>(), pieces, 0..3usize), 0..6);
    (listing, damage).prop_map(|(listing, damage)| {
        let mut chars: Vec<char> = listing.chars().collect();
        for (at, piece, cut) in damage {
            let at = at.index(chars.len() + 1);
            let end = (at + cut).min(chars.len());
            chars.splice(at..end, piece.chars());
        }
        chars.into_iter().collect()
    })
}

/// Any text is read or refused; what was read is listed, and that reads as the same.
fn survives(text: &str) -> Result<(), TestCaseError> {
    match parse("hostile", text) {
        Ok(source) => {
            let maps: Vec<&str> = source.maps.iter().map(|map| map.name.text.as_str()).collect();
            let mut again: String = source.maps.iter().map(|map| format!("{map}\n")).collect();
            for named in &source.programs {
                let name = if named.line.name.text.is_empty() {
                    ".program x".into()
                } else {
                    named.line.to_string()
                };
                again += &format!("{name}\n{}", named.program.listing(&maps));
            }
            let read = parse("again", &again).map_err(|m| TestCaseError::fail(m.to_string()))?;
            prop_assert_eq!(read.programs.len(), source.programs.len());
            for (one, other) in source.programs.iter().zip(&read.programs) {
                prop_assert_eq!(one.program.insns(), other.program.insns());
                prop_assert_eq!(
                    one.program.listing(&maps).to_string(),
                    other.program.listing(&maps).to_string()
                );
            }
        }
        Err(mistakes) => {
            prop_assert!(mistakes.iter().count() > 0);
            prop_assert!(mistakes.to_string().len() < 20_000);
        }
    }
    Ok(())
}

/// For ever: `PROPTEST_CASES=1000000000 cargo test --release --test insn parse::`.
fn cases(few: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig { cases: if asked { config.cases } else { few }, ..config }
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn damaged_text_is_read_or_refused(text in damaged()) {
        survives(&text)?;
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}|[ -~\n\t]{0,200}") {
        survives(&text)?;
    }
}

#[test]
fn large_hostile_texts_take_no_time() {
    let many = 20_000;
    for text in [
        "(".repeat(1 << 18),
        "-".repeat(1 << 18),
        format!("r0 = {}5", "-".repeat(1 << 18)),
        "r0 = 0 ".repeat(many),
        "goto nowhere\n".repeat(many),
        (0..many).map(|n| format!("l{n}: goto m{n}\n")).collect(),
        (0..many).map(|n| format!(".map m{n} array entries 1\n")).collect(),
        (0..many).map(|n| format!("r0 = offsetof(struct s{n}, m)\n")).collect(),
        (0..many).map(|n| format!("call l{n}\nl{n}: exit\n")).collect(),
        "x: ".repeat(many),
        "\n".repeat(1 << 18),
        ".program x\n".repeat(many),
    ] {
        let start = std::time::Instant::now();
        let result = parse("large", &text).map(|_| ());
        if let Err(mistakes) = result {
            assert!(mistakes.to_string().len() < 20_000);
        }
        let took = start.elapsed();
        assert!(took.as_secs() < 20, "{took:?}: {}", &text[..60]);
    }
}
