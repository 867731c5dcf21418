//! The parts of a walk in words, for a line each.

use crate::verifier::diagnose::words;
use crate::verifier::log::{Place, Value};
use crate::verifier::verification::Verification;
use crate::verifier::walk::{Change, Entry, Exact, Step, name};

/// Deeper branches are not indented further.
pub const DEEPEST: usize = 12;

/// So many of the instructions over which a value was traced back are named.
const NAMED: usize = 8;

/// What stands where the log is not whole.
pub const CUT: &str = "here the log is not whole: it did not fit";

/// A part of the walk in words.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Line {
    /// What was walked over.
    pub text: String,
    /// What was learnt there; may be empty.
    pub behind: String,
}

/// A part of the walk in words; `all` asks of an instruction for all that is known behind it.
pub fn line(program: &Verification, entry: &Entry, all: bool) -> Line {
    let (text, behind) = match entry {
        Entry::Begin { at, changes } => (format!("begins at {at}:"), plainly(changes)),
        Entry::Step(step) => {
            let calls = "  ".repeat(step.frame);
            let text = format!("{:>4}: {calls}{}", step.at, program.text(step.at));
            (text, behind(step, all))
        }
        Entry::Branch { from, to, speculative, changes, .. } => {
            (branch(&from.to_string(), *to, *speculative), plainly(changes))
        }
        Entry::Safe { at, .. } => {
            (format!("{at:>4}: safe"), "known to be so before, the path ends".into())
        }
        Entry::Said(text) => (format!("; {text}"), String::new()),
        Entry::Cut => (format!("; {CUT}"), String::new()),
    };
    Line { text, behind }
}

/// What stands before a line that is so many branches deep.
pub fn indent(depth: usize) -> String {
    "| ".repeat(depth.min(DEEPEST))
}

/// `from 7 to 12:`, where a branch is taken up.
pub fn branch(from: &str, to: u32, speculative: bool) -> String {
    let guess = if speculative { " if the CPU guesses wrongly" } else { "" };
    format!("from {from} to {to}{guess}:")
}

fn behind(step: &Step, all: bool) -> String {
    let behind = match all {
        true => {
            let known = step.known.iter().map(|(place, value)| (*place, Some(*value)));
            plainly(&known.collect::<Vec<_>>())
        }
        false => plainly(&step.changes),
    };
    match (step.times, behind.is_empty()) {
        (1, _) => behind,
        (times, true) => format!("time {times}"),
        (times, false) => format!("time {times}, {behind}"),
    }
}

/// `the exact value of r6 matters here: traced back over 7, 6, 5`.
pub fn exact(exact: &Exact) -> String {
    marked_exact(exact, name, &|_, at| at.to_string())
}

/// The same with places marked up, and slots, which are given with their index.
pub fn marked_exact(
    exact: &Exact,
    place: fn(Place) -> String,
    slot: &dyn Fn(usize, u32) -> String,
) -> String {
    let places: Vec<_> = exact.places.iter().map(|it| place(*it)).collect();
    let over = exact.over.iter().take(NAMED).enumerate();
    let over: Vec<_> = over.map(|(index, at)| slot(index, *at)).collect();
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

fn plainly(changes: &[Change]) -> String {
    learnt(changes, name, is)
}

/// `r0 = NULL or the address of a map value, r1 r2 gone`, with places and values marked up.
pub fn learnt(changes: &[Change], marked: fn(Place) -> String, is: fn(Value) -> String) -> String {
    let mut all = vec![];
    let mut gone = vec![];
    for (place, value) in changes {
        match value {
            Some(value) => all.push(format!("{} = {}", marked(*place), is(*value))),
            None => gone.push(marked(*place)),
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
