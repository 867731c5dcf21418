//! Raw bytes, hexadecimal text, and the tools' own.

use rawbpf::insn::{Endian, encode};

use crate::{dump, rawbpf, shown};

#[test]
fn hexadecimal_text_is_listed() {
    assert_eq!(shown(b"0400000001000000", &[]), "0: (04) w0 += 1\n");
    assert_eq!(shown(b"0x04, 0x00, 0x00, 0x00,\n0x01 0 0 0", &[]), "0: (04) w0 += 1\n");
    let big = shown(b"04 10 00 00 00 00 00 02", &["--endian", "big"]);
    assert_eq!(big, "0: (04) w1 += 2\n");
}

#[test]
fn raw_bytes_are_listed_in_either_order() {
    let insns = [rawbpf::insn::Insn::Goto { offset: 258 }, rawbpf::insn::Insn::Exit];
    for (endian, name) in [(Endian::Little, "little"), (Endian::Big, "big")] {
        let text = shown(&encode(&insns, endian), &["--endian", name]);
        assert_eq!(text, "0: (05) goto pc+258\n1: (95) exit\n");
    }
}

#[test]
fn every_format_shows_the_same_bytes() {
    let raw: &[u8] =
        &[0x18, 1, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let hex = shown(raw, &["--format", "hex"]);
    assert_eq!(hex, "18 01 00 00 07 00 00 00\n00 00 00 00 00 00 00 00\n95 00 00 00 00 00 00 00\n");
    let c = shown(raw, &["--format=c"]);
    assert!(c.starts_with("static const unsigned char program[24] = {\n\t0x18, 0x01,"), "{c}");
    let opcodes = shown(raw, &["--format=opcodes"]);
    assert_eq!(
        opcodes,
        "0: (18) r1 = 0x7\n    18 01 00 00 07 00 00 00 00 00 00 00 00 00 00 00\n\
         2: (95) exit\n    95 00 00 00 00 00 00 00\n"
    );
    let json: serde_json::Value = serde_json::from_str(&shown(raw, &["--format=json"])).unwrap();
    assert_eq!(json["insns"][1]["slot"], 2);
    assert_eq!(json["insns"][0]["slots"][0]["imm"], 7);
}

#[test]
fn a_slot_that_holds_no_instruction_is_shown_among_the_others_and_told() {
    let ended = dump(b"b700000001000000 ff00000000000000 9500000000000000", &[]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(
        ended.stdout,
        "0: (b7) r0 = 1\n1: (ff) insn 0xff ; slot 1: unknown opcode 0xff\n2: (95) exit\n"
    );
    assert!(
        ended.stderr.contains("standard input: slot 1: unknown opcode 0xff"),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_is_no_bytecode_is_refused_with_its_place() {
    for (input, says) in [
        (&b""[..], "it is empty"),
        (b"04 00 0", "not whole instructions"),
        (b"04\n00 zz", "line 2, column 4: \"zz\" is not hexadecimal"),
        (b"040", "an odd number of digits"),
        (&[0x95, 0, 0, 0, 0, 0, 0], "7 bytes are not whole instructions"),
    ] {
        let ended = dump(input, &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{input:?}");
        assert!(ended.stderr.contains(says), "{input:?}: {}", ended.stderr);
        assert!(ended.stderr.starts_with("dump: standard input: "), "{}", ended.stderr);
    }
    let long = dump(&vec![0x95; 8 * 1_000_001], &[]);
    assert_eq!(long.code, Some(2));
    assert!(long.stderr.contains("1000001 instructions: a program has at most"), "{}", long.stderr);
    for (args, says) in [
        (&["dump"][..], "required"),
        (&["dump", "/nosuchfile"], "no such file"),
        (&["dump", "/"], "Is a directory"),
        (&["dump", "/dev/zero"], "more than 32 MB"),
        (&["dump", "/dev/null", "more"], "one file at a time"),
        (&["dump", "-", "--endian", "middle"], "little or big"),
        (&["dump", "-", "--format", "poem"], "poem"),
        (&["dump", "bitehist", "soon"], "not a time"),
    ] {
        let output = rawbpf(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(2), &b""[..]), "{args:?}");
        assert!(stderr.contains(says), "{args:?}: {stderr}");
    }
}

#[test]
fn a_tool_is_dumped_as_by_its_own_option() {
    let own = rawbpf(&["bitehist", "--dump-insns", "--attach", "tracepoint"]).stdout;
    assert!(own.len() > 100);
    assert_eq!(rawbpf(&["dump", "bitehist", "--", "--attach", "tracepoint"]).stdout, own);
    let own = rawbpf(&["funccount", "sched:sched_switch", "--dump-insns=linum"]).stdout;
    let ours = rawbpf(&["dump", "funccount", "sched:sched_switch", "--format", "linum"]);
    assert_eq!(ours.stdout, own);
}

#[test]
fn what_a_tool_prints_as_raw_or_hex_is_listed_again() {
    let listing = rawbpf(&["dump", "bitehist", "--", "--attach=tracepoint"]).stdout;
    let listing = String::from_utf8(listing).unwrap();
    let insns: Vec<_> = listing.lines().filter(|line| !line.starts_with('.')).collect();
    for format in ["raw", "hex"] {
        let bytes = rawbpf(&["dump", "bitehist", "-f", format, "--", "--attach=tracepoint"]);
        let again = shown(&bytes.stdout, &[]).replace("map[idx:0]", "map[hist]");
        assert_eq!(again.lines().collect::<Vec<_>>(), insns, "{format}");
    }
}
