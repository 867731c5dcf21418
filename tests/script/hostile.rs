//! Scripts that nobody would write, without a kernel.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rawbpf::script::check;
use rawbpf::script::lower::lower;

use crate::cases;
use crate::fields::Fields;

/// The words of a script: names with their signs, numbers, strings, signs.
fn words(script: &str) -> Vec<&str> {
    let mut words = vec![];
    let mut rest = script;
    while let Some(first) = rest.chars().next() {
        let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = match first {
            '$' | '@' => 1 + rest[1..].find(|c| !name(c)).unwrap_or(rest.len() - 1),
            '"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
            first if name(first) => rest.find(|c| !name(c)).unwrap_or(rest.len()),
            first => first.len_utf8(),
        };
        words.push(&rest[..length]);
        rest = &rest[length..];
    }
    words
}

/// Cuts, repeats and mixes the cases for some seconds; `PROPTEST_CASES` makes it longer. Whatever comes of it is
/// read or refused with a place in the text, and what is read becomes programs or is refused.
#[test]
fn mixed_up_scripts_are_refused_or_become_programs() {
    let scripts: Vec<String> = cases::run()
        .iter()
        .chain(&cases::refuse())
        .map(|case| case.section("script").to_owned())
        .collect();
    let all: Vec<_> = scripts.iter().map(|script| words(script)).collect();
    let every: Vec<&str> = all.iter().flatten().copied().collect();
    let seconds = std::env::var("PROPTEST_CASES").map_or(2, |_| 600);
    let (begin, mut runner) = (Instant::now(), TestRunner::deterministic());
    let change = (any::<usize>(), 0..5_u8, any::<usize>(), any::<usize>());
    let changes = (any::<usize>(), proptest::collection::vec(change, 1..6));
    let (mut read, mut made, mut tried) = (0, 0, 0);
    while begin.elapsed() < Duration::from_secs(seconds) {
        let (script, changes) = changes.new_tree(&mut runner).unwrap().current();
        let mut words = all[script % all.len()].clone();
        for (at, how, other, length) in changes {
            let at = at % (words.len() + 1);
            match how {
                0 => words.insert(at, every[other % every.len()]),
                1 if at < words.len() => words[at] = every[other % every.len()],
                2 if at < words.len() => drop(words.remove(at)),
                3 => {
                    let from = &all[other % all.len()];
                    let start = length % (from.len() + 1);
                    let end = (start + 12).min(from.len());
                    words.splice(at..at, from[start..end].iter().copied());
                }
                _ => words.truncate(at.max(4)),
            }
        }
        let text = words.concat();
        tried += 1;
        match check(&text, &[], &Fields) {
            Ok(checked) => {
                read += 1;
                for warning in &checked.warnings {
                    assert!(warning.span.start <= text.len(), "{text}");
                }
                made += usize::from(lower(&checked, "any", &text, &Fields).is_ok());
            }
            Err(mistake) => assert!(mistake.span.end <= text.len(), "{text}"),
        }
    }
    println!("{tried} scripts, {read} read, {made} made into programs");
    assert!(made > 0);
}
