//! Names and types, without a kernel.

use std::collections::BTreeSet;

use rawbpf::script::{Checked, check};

use crate::cases::{self, Case};
use crate::fields::Fields;

/// The parameters after the script, as a shell splits them.
fn parameters(case: &Case) -> Vec<String> {
    let words = case.field("arguments").split_whitespace();
    words.filter(|word| *word != "--").map(|word| word.trim_matches('\'').to_owned()).collect()
}

fn checked(case: &Case) -> Result<Checked, String> {
    check(case.section("script"), &parameters(case), &Fields).map_err(|mistake| {
        format!("{}:{}: {}", mistake.span.line, mistake.span.start + 1, mistake.what)
    })
}

#[test]
fn scripts_that_use_what_we_have_are_accepted() {
    let refused: Vec<_> = cases::run()
        .iter()
        .filter(|case| case.is_supported() && !case.needs_types())
        .filter_map(|case| {
            Some(format!("{}: {}\n{}", case.name, checked(case).err()?, case.section("script")))
        })
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn other_scripts_are_refused_by_the_name_of_what_is_missing() {
    for case in cases::run().iter().filter(|case| !case.is_supported()) {
        match checked(case) {
            Ok(_) => panic!("{}: accepted\n{}", case.name, case.section("script")),
            Err(why) => assert!(why.contains("not supported"), "{}: {why}", case.name),
        }
    }
}

/// Mistakes that only show when a script is run, or that are of the command line.
fn needs_a_host(name: &str) -> bool {
    let probes = [
        "probe_unknown_tracepoint",
        "probe_unknown_category",
        "probe_uprobe_no_symbol",
        "probe_uprobe_no_file",
    ];
    // A loop without an end is refused when it is lowered.
    let lowered = name == "flow_infinite_while";
    lowered || name.starts_with("cli_") && name != "cli_param_not_number" || probes.contains(&name)
}

#[test]
fn wrong_scripts_are_refused_at_their_places() {
    let mut wrong = vec![];
    let known = |case: &&Case| !needs_a_host(case.name) && !case.needs_types();
    for case in cases::refuse().iter().filter(known) {
        let accept = case.field("verdict").contains("accept")
            && !case.field("verdict").starts_with("refuse");
        match (checked(case), accept) {
            (Ok(_), true) => {}
            (Err(why), false) => {
                let position = case.field("position");
                if position.contains(':')
                    && case.is_supported()
                    && !why.starts_with(&format!("{position}: "))
                {
                    wrong.push(format!("{}: {position}: {why}", case.name));
                }
            }
            (result, _) => wrong.push(format!("{}: {:?}", case.name, result.err())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The places of the warnings that bpftrace gives before a script runs, from what it printed.
fn warned_places(case: &Case) -> BTreeSet<String> {
    let before_the_run = [
        "Unnecessary cast",
        "While loops",
        "Return value discarded",
        "Unreachable",
        "Expression of type",
        "signed operands",
        "Variable ",
        "print()'s",
        "length param",
    ];
    let lines = case.section("stderr").lines().filter_map(|line| line.split_once(": WARNING: "));
    let lines =
        lines.filter(|(_, what)| before_the_run.iter().any(|known| what.starts_with(known)));
    lines
        .filter_map(|(place, _)| Some(place.split_once(':')?.1.split_once('-')?.0.into()))
        .collect()
}

#[test]
fn warnings_are_where_bpftrace_has_them() {
    let mut wrong = vec![];
    for case in cases::run().iter().filter(|case| case.is_supported() && !case.needs_types()) {
        let Ok(checked) = checked(case) else { continue };
        let places = checked.warnings.iter().map(|warning| {
            let span = warning.span;
            format!("{}:{}", span.line, span.start + 1)
        });
        let (ours, theirs) = (places.collect::<BTreeSet<_>>(), warned_places(case));
        if ours != theirs {
            wrong.push(format!(
                "{}: {theirs:?}, here {ours:?}\n{}",
                case.name,
                case.section("script")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The type of `$x` at the end of this block.
fn type_of(block: &str) -> String {
    let checked = check(&format!("begin {{ {block} }}"), &[], &Fields).unwrap();
    checked.types.variables[0].to_string()
}

#[test]
fn a_variable_holds_all_that_is_assigned_to_it() {
    assert_eq!(type_of("$x = 1;"), "int8");
    assert_eq!(type_of("$x = 1; $x = -1000;"), "int16");
    assert_eq!(type_of("$x = 1; $x = (uint64)1;"), "uint64");
    assert_eq!(type_of("$x = (uint32)1; $x = (int8)1;"), "int64");
    assert_eq!(type_of("$x = (uint64)3 - (uint64)5;"), "int64");
    assert_eq!(type_of("$x = (uint64)3 + 1;"), "uint64");
    assert_eq!(type_of("$x = \"ab\"; $x = \"abcd\";"), "string[5]");
    assert_eq!(type_of("$x = (1, \"a\"); $x = (300, \"abc\");"), "(int16, string[4])");
    assert_eq!(type_of("$x = 1; $x++;"), "int64");
    assert_eq!(type_of("$x = ~2;"), "uint64");
    assert_eq!(type_of("let $x: uint8 = 3; $x += 7;"), "uint8");
    assert_eq!(type_of("$x = 1 + 1;"), "int8");
    assert_eq!(type_of("$x = 5 > 3;"), "bool");
}
