//! Reading scripts, without a kernel.

use rawbpf::script::ast::Script;

use crate::cases;

/// Reads a script that has no parameters.
fn parse(text: &str) -> Result<Script, Box<rawbpf::insn::parse::Mistake>> {
    rawbpf::script::parse(text, &[])
}

#[test]
fn every_script_that_runs_is_read() {
    // It has a macro of C with a parameter.
    for case in cases::run().iter().filter(|case| case.name != "define_constant") {
        let script = case.section("script");
        assert!(parse(script).is_ok(), "{}: {:?}\n{script}", case.name, parse(script));
    }
}

/// Mistakes of syntax, by the names of the cases.
fn of_syntax(name: &str) -> bool {
    let accepted = ["syn_only_comment", "syn_struct_after_probe"];
    name.starts_with("syn_") && !accepted.contains(&name) || name == "config_twice"
}

#[test]
fn mistakes_of_syntax_are_refused_at_their_places() {
    for case in cases::refuse().iter().filter(|case| of_syntax(case.name)) {
        let mistake = parse(case.section("script")).expect_err(case.name);
        let place = format!("{}:{}", mistake.span.line, mistake.span.start + 1);
        assert_eq!(place, case.field("position"), "{}: {mistake:?}", case.name);
    }
}

#[test]
fn scripts_that_are_wrong_otherwise_are_read() {
    for case in cases::refuse().iter().filter(|case| !case.name.starts_with("syn_")) {
        let read = parse(case.section("script"));
        assert_eq!(read.is_err(), of_syntax(case.name), "{}: {read:?}", case.name);
    }
}

#[test]
fn a_script_without_a_probe_is_refused() {
    for text in ["", "// nothing\n", "let @a = hash(1);", "config = { max_strlen = 1 }"] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn deep_and_long_scripts_are_refused_or_read_without_much_stack() {
    let deep = 100_000;
    let around = |open: &str, middle: &str, close: &str, n: usize| {
        format!("begin {{ $a = {}{middle}{}; }}", open.repeat(n), close.repeat(n))
    };
    for (open, close) in [
        ("(", ")"),
        ("-", ""),
        ("!", ""),
        ("(uint8)", ""),
        ("@[", "]"),
        ("f(", ")"),
        ("1 ? ", " : 1"),
        ("++", ""),
    ] {
        assert!(parse(&around(open, "1", close, deep)).is_err(), "{open}");
    }
    for (first, more) in
        [("1", " + 1"), ("1", " ? 1 : 1"), ("$b", ".c"), ("$b", "[0]"), ("1", " || 1")]
    {
        let text = format!("begin {{ $a = {first}{}; }}", more.repeat(deep));
        assert!(parse(&text).is_err(), "{more}");
    }
    let blocks = |n: usize| format!("begin {{ {}{} }}", "if 1 {".repeat(n), "}".repeat(n));
    assert!(parse(&blocks(40)).is_ok());
    assert!(parse(&blocks(deep)).is_err());
    let elses = format!("begin {{ if 1 {{ }} {} }}", "else if 1 { }".repeat(deep));
    assert!(parse(&elses).is_err());
    let many = format!("begin {{ {} }}", "$a = 1 + 1;".repeat(50_000));
    assert_eq!(parse(&many).unwrap().probes[0].block.statements.len(), 50_000);
    assert!(parse(&" ".repeat(2 << 20)).is_err());
}

#[test]
fn a_slash_divides_unless_the_block_follows() {
    let probe = |text: &str| parse(text).unwrap().probes.remove(0);
    assert!(probe("end / 6 / 2 == 3 / { }").predicate.is_some());
    assert!(probe("tracepoint:a:b\n/pid == 1/\n{ }").predicate.is_some());
    let point = &probe("uprobe:/bin/bash:readline,/x/ { }").points[0];
    assert_eq!(point.parts, ["uprobe", "/bin/bash", "readline"]);
    assert!(parse("begin { $a = 6 / 2; }").is_ok());
}

#[test]
fn numbers_by_name_stand_for_themselves() {
    let text = "#define MOST 4096\n#define FEW (0x10)\nbegin { print(MOST); print(FEW); }";
    let numbers = format!("{:?}", parse(text).unwrap());
    assert!(numbers.contains("Int(4096)") && numbers.contains("Int(16)"), "{numbers}");
    for wrong in
        ["#define MAX(a) a\nbegin { }", "#define A b\nbegin { }", "#if 1\nbegin { }\n#endif"]
    {
        assert_eq!(parse(wrong).unwrap_err().span.line, 1, "{wrong}");
    }
}

#[test]
fn includes_for_kernels_without_types_are_skipped() {
    let text = "#!/usr/bin/env bpftrace\n#ifndef BPFTRACE_HAVE_BTF\n#include <linux/fs.h>\nstruct x {\n#else\n#define A 1\n#endif\nbegin { print(A) }";
    assert_eq!(parse(text).unwrap().probes.len(), 1);
    let text = "#include <linux/fs.h>\nbegin { }";
    assert_eq!(parse(text).unwrap_err().span.line, 1);
    let text = "begin { print(\"a\n#b\"); /* \n#c\n */ }";
    assert!(parse(text).is_ok());
}

#[test]
fn every_prefix_of_a_script_is_read_or_refused() {
    for case in cases::run().iter().chain(&cases::refuse()) {
        let script = case.section("script");
        for end in (0..script.len()).filter(|end| script.is_char_boundary(*end)) {
            let _ = parse(&script[..end]);
        }
    }
}
