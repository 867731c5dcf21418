//! The parts of a walk in words, for a line each.

use super::diagnose::words;
use super::log::Value;
use super::verification::Verification;
use super::walk::{Change, Entry, Exact, Step, name};

/// A part of the walk in words.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Line {
    /// How many branches deep.
    pub depth: usize,
    /// What was walked over.
    pub text: String,
    /// What was learnt there; may be empty.
    pub behind: String,
}

/// A part of the walk in words; `all` asks of an instruction for all that is known behind it.
pub fn line(program: &Verification, entry: &Entry, all: bool) -> Line {
    let (depth, text, behind) = match entry {
        Entry::Begin { at, changes } => (0, format!("begins at {at}:"), learnt(changes)),
        Entry::Step(step) => {
            let calls = "  ".repeat(step.frame);
            let text = format!("{:>4}: {calls}{}", step.at, program.text(step.at));
            (step.depth, text, behind(step, all))
        }
        Entry::Branch { from, to, depth, speculative, changes } => {
            let guess = if *speculative { " if the CPU guesses wrongly" } else { "" };
            (*depth, format!("from {from} to {to}{guess}:"), learnt(changes))
        }
        Entry::Safe { at, depth } => {
            (*depth, format!("{at:>4}: safe"), "known to be so before, the path ends".into())
        }
        Entry::Said(text) => (0, format!("; {text}"), String::new()),
        Entry::Cut => (0, "; here the log is not whole: it did not fit".into(), String::new()),
    };
    Line { depth, text, behind }
}

fn behind(step: &Step, all: bool) -> String {
    let behind = match all {
        true => {
            let known = step.known.iter().map(|(place, value)| (*place, Some(*value)));
            learnt(&known.collect::<Vec<_>>())
        }
        false => learnt(&step.changes),
    };
    match (step.times, behind.is_empty()) {
        (1, _) => behind,
        (times, true) => format!("time {times}"),
        (times, false) => format!("time {times}, {behind}"),
    }
}

/// `the exact value of r6 matters here: traced back over 7, 6, 5`.
pub fn exact(exact: &Exact) -> String {
    let places: Vec<_> = exact.places.iter().map(|place| name(*place)).collect();
    let over: Vec<_> = exact.over.iter().take(8).map(u32::to_string).collect();
    let more = match exact.over.len() - over.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let back = match over.is_empty() {
        true => String::new(),
        false => format!(": traced back over {}{more}", over.join(", ")),
    };
    format!("the exact value of {} matters here{back}", places.join(", "))
}

/// `r0 = NULL or the address of a map value, r1 and r2 gone`.
fn learnt(changes: &[Change]) -> String {
    let mut all = vec![];
    let mut gone = vec![];
    for (place, value) in changes {
        match value {
            Some(value) => all.push(format!("{} = {}", name(*place), is(*value))),
            None => gone.push(name(*place)),
        }
    }
    if !gone.is_empty() {
        all.push(format!("{} gone", gone.join(" ")));
    }
    all.join(", ")
}

/// `7 exactly`: a value, and whether it matters that it is just that.
pub fn is(value: Value) -> String {
    let exact = if value.precise { " exactly" } else { "" };
    format!("{}{exact}", words(value))
}
