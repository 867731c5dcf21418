//! The parts of a walk in words, one line for each.

use crate::verifier::diagnose::words;
use crate::verifier::log::{KnownValue, Place};
use crate::verifier::verification::Verification;
use crate::verifier::walk::{Change, Entry, Exact, WalkStep, name};

/// The depth of branches from which on they are not indented further.
pub const DEEPEST: usize = 12;

/// The number of instructions over which a value was traced back that are named.
const NAMED: usize = 8;

/// The remark where a part of the log is missing.
pub const CUT: &str = "here a part of the log is missing";

/// A part of the walk in words.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct WalkLine {
    /// The part itself, such as an instruction.
    pub text: String,
    /// The values that the verifier learnt there; may be empty.
    pub after: String,
}

/// A part of the walk in words. With `all`, an instruction has the whole state after it, not only its
/// changes.
pub fn line(program: &Verification, entry: &Entry, all: bool) -> WalkLine {
    let (text, after) = match entry {
        Entry::Begin { at, changes } => (format!("begins at {at}:"), plainly(changes)),
        Entry::Step(step) => {
            let calls = "  ".repeat(step.frame);
            let text = format!("{:>4}: {calls}{}", step.at, program.text(step.at));
            (text, after(step, all))
        }
        Entry::Branch { from, to, speculative, changes, .. } => {
            (branch(&from.to_string(), *to, *speculative), plainly(changes))
        }
        Entry::Safe { at, .. } => {
            (format!("{at:>4}: safe"), "already known to be safe: the path ends here".into())
        }
        Entry::Said(text) => (format!("; {text}"), String::new()),
        Entry::Cut => (format!("; {CUT}"), String::new()),
    };
    WalkLine { text, after }
}

/// The indentation of a line at a depth of branches.
pub fn indent(depth: usize) -> String {
    "| ".repeat(depth.min(DEEPEST))
}

/// `from 7 to 12:`, the heading of a branch.
pub fn branch(from: &str, to: u32, speculative: bool) -> String {
    let guess = if speculative { ", only by a wrong guess of the CPU" } else { "" };
    format!("from {from} to {to}{guess}:")
}

fn after(step: &WalkStep, all: bool) -> String {
    let after = match all {
        true => {
            let known = step.known.iter().map(|(place, value)| (*place, Some(*value)));
            plainly(&known.collect::<Vec<_>>())
        }
        false => plainly(&step.changes),
    };
    match (step.times, after.is_empty()) {
        (1, _) => after,
        (times, true) => format!("visit {times}"),
        (times, false) => format!("visit {times}, {after}"),
    }
}

/// `the exact value of r6 matters here: traced back over 7, 6, 5`.
pub fn exact(exact: &Exact) -> String {
    marked_exact(exact, name, &|_, at| at.to_string())
}

/// The sentence of [`exact`], with places marked up, and slots too: these are given with their index.
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
pub fn learnt(
    changes: &[Change],
    marked: fn(Place) -> String,
    is: fn(KnownValue) -> String,
) -> String {
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

/// `7 exactly`: a value, and whether exactly this value matters.
pub fn is(value: KnownValue) -> String {
    let exact = if value.precise { " exactly" } else { "" };
    format!("{}{exact}", words(value))
}
