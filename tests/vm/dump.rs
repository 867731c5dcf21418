//! A program in the kernel is what was listed before it was loaded.

use crate::bed::Outcome;
use serde_json::Value;

/// The lines below `== title`.
fn part<'a>(outcome: &'a Outcome, title: &str) -> Vec<&'a str> {
    let all = outcome.stdout.lines().skip_while(|line| *line != format!("== {title}"));
    all.skip(1).take_while(|line| !line.starts_with("== ")).collect()
}

/// Instructions and source lines, calls without the kernel's numbers.
fn program(lines: &[&str]) -> Vec<String> {
    let kept = lines.iter().filter(|line| !line.starts_with('.') && !line.starts_with("; id "));
    let kept = kept.filter(|line| !line.ends_with(':'));
    kept.map(|line| match line.split_once(" call ") {
        Some((at, call)) => format!("{at} call {}", call.split('#').next().unwrap()),
        None => (*line).to_owned(),
    })
    .collect()
}

/// Where the verifier inserts instructions that clear the upper half of a register, for a machine whose own leave it:
/// the others, without what tells how far one is from another.
fn without_extensions(program: &[String]) -> Vec<&str> {
    let insns = program.iter().filter(|line| !line.contains("(bc) "));
    let parts = insns.map(|line| line.split_once(": (").map_or(&**line, |(_, insn)| insn));
    parts.map(|insn| insn.split(" goto ").next().unwrap()).collect()
}

/// The verifier changes nothing else in a program that reads no context but registers or arguments.
pub fn loaded(outcome: &Outcome) {
    let (listed, loaded) = (part(outcome, "listed"), part(outcome, "loaded"));
    assert!(listed.len() > 40, "{listed:?}");
    let [before, after] = [&listed, &loaded].map(|lines| program(lines));
    match outcome.told("machine ") {
        "riscv64" => {
            assert_eq!(without_extensions(&after), without_extensions(&before));
            assert!(after.len() > before.len(), "{after:?}");
        }
        _ => assert_eq!(after, before),
    }
    assert!(loaded.iter().any(|line| line.starts_with(".map hist array key 4 value ")));
    assert!(loaded.contains(&"bitehist:"), "{loaded:?}");
    let machine = part(outcome, "machine");
    assert!(machine[0].starts_with("bpf_prog_") && machine[0].ends_with("_bitehist:"));
    assert!(machine.len() > 10, "{machine:?}");
    let json = part(outcome, "json")[0];
    let json: Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["maps"][0]["name"], "hist");
    assert_eq!(json["name"], "bitehist");
}
