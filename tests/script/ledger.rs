//! The table of all that bpftrace 0.27 documents: what is supported, and what is refused by its name.

use std::collections::BTreeSet;

use rawbpf::script::check;
use rawbpf::script::functions::{BUILTINS, FUNCTIONS, UNSUPPORTED_BUILTINS, UNSUPPORTED_FUNCTIONS};
use rawbpf::script::probes::TYPES;
use rawbpf::script::settings::{IGNORED, KNOWN};

use crate::fields::Fields;

/// The rows of the table: what it is, its name, and what becomes of it.
fn rows() -> Vec<(&'static str, &'static str, &'static str)> {
    let lines = include_str!("ledger.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split(' ');
            let [of, name, fate] = [(); 3].map(|()| words.next().unwrap());
            assert_eq!(words.next(), None, "{line}");
            (of, name, fate)
        })
        .collect()
}

/// The mistake in a script.
fn mistake(script: &str) -> String {
    check(script, &[], &Fields).err().map_or(String::new(), |mistake| mistake.what.clone())
}

fn names(of: &str) -> BTreeSet<&'static str> {
    rows().into_iter().filter(|row| row.0 == of).map(|(_, name, _)| name).collect()
}

#[test]
fn each_row_is_true() {
    for (of, name, fate) in rows() {
        let refused = match of {
            "function" => {
                let [alone, called] = [
                    mistake(&format!("begin {{ print({name}); }}")),
                    mistake(&format!("begin {{ @ = {name}(1, 2, 3); }}")),
                ];
                for what in [&alone, &called] {
                    let unknown =
                        what.contains("nothing is called") || what.contains("there is no function");
                    assert!(!unknown || fate == "supported", "{name}: {what}");
                }
                alone.contains("is not supported") && called.contains("is not supported")
            }
            "probe" => mistake(&format!("{name}:a:b {{ }}")).contains("are not supported"),
            "setting" => {
                let what = mistake(&format!("config = {{ {name} = word; }} begin {{ }}"));
                assert!(!what.contains("there is no setting"), "{name}: {what}");
                assert_eq!(
                    what.is_empty() && name != "str_trunc_trailer",
                    fate == "ignored",
                    "{name}: {what}"
                );
                false
            }
            other => panic!("{other}"),
        };
        assert_eq!(refused, matches!(fate, "refused" | "unstable"), "{of} {name}");
    }
}

#[test]
fn nothing_that_the_engine_knows_is_missing() {
    let functions = names("function");
    let known = FUNCTIONS
        .iter()
        .chain(&BUILTINS)
        .filter(|name| !matches!(**name, "true" | "false" | "arg0"));
    for name in known {
        assert!(functions.contains(name), "{name}");
    }
    for name in UNSUPPORTED_FUNCTIONS.iter().chain(&UNSUPPORTED_BUILTINS) {
        assert!(!FUNCTIONS.contains(name) && !BUILTINS.contains(name), "{name}");
    }
    assert_eq!(names("probe"), TYPES.iter().map(|(name, ..)| *name).collect());
    let settings = KNOWN.iter().chain(&IGNORED).filter(|name| **name != "unstable_import");
    assert_eq!(names("setting"), settings.copied().collect());
}

#[test]
fn the_page_of_the_language_names_each_probe_type_and_each_function() {
    let page = include_str!("../../docs/language.md");
    for (of, name, fate) in rows() {
        let named = page.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name);
        match (of, fate) {
            ("probe", _) | ("function", "supported") => assert!(named, "{of} {name}"),
            ("setting", "supported") => assert!(named, "{of} {name}"),
            _ => {}
        }
    }
}
