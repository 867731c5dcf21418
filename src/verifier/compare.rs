//! One program in the logs of two kernels: the values of which they know different things, and the
//! paths that only one of them walks over.
//!
//! The walks are compared path by path: a step here and a step there are the same if the instructions
//! that lead to them are. So it matters neither in which order the kernels take up branches, nor how
//! they print a state.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::history::slot_at;
use super::log::{KnownValue, LogEvent, Missing, Place, State, events, events_of_walk, missing};
use super::path::Code;
use super::recording::Verdict;
use super::totals::Totals;
use super::walk::{Entry, walk};
use crate::insn::{Callee, Insn, Reg, Regs};

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The one that was given first.
    Here,
    /// The other.
    There,
}

/// How the instructions in a log match a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Match<'a> {
    /// All instructions in the log are the program's.
    Same,
    /// Some have other numbers, such as the offsets of another kernel's structs.
    Numbers(Vec<(u32, &'a str)>),
    /// At this slot the log has another instruction.
    Other(u32, &'a str),
    /// The log has no instructions.
    Unknown,
}

/// How much of a walk is in a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Coverage {
    /// Instructions that were walked over.
    pub insns: u32,
    /// Whether that is all of them. A log of level 1 has only the path to the refusal.
    pub whole: bool,
    /// Which end of the log is missing.
    pub missing: Missing,
}

/// A value of which the two know different things, though they knew the same of the values that it is
/// made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Differing<'a> {
    /// The instruction after which they differ.
    pub at: u32,
    /// Where its branch goes on, if they differ only there.
    pub to: Option<u32>,
    /// The place of the value.
    pub place: Place,
    /// The value here, the first time.
    pub here: KnownValue<'a>,
    /// The value there, the first time.
    pub there: KnownValue<'a>,
    /// How often they differ.
    pub times: u32,
}

/// Why one of the two walks over a path and the other does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// The state at its beginning was found safe before.
    Safe,
    /// The other way is always taken.
    NeverTaken,
    /// The program was refused before.
    Ended,
}

/// A path that only one of the two walks over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parting {
    /// The instruction before it, if there is one.
    pub from: Option<u32>,
    /// Its first instruction.
    pub at: u32,
    /// The one that walks over it.
    pub walked: Side,
    /// Why the other one does not.
    pub why: Why,
    /// How often that happens.
    pub times: u32,
    /// The number of instructions that the one processes more than the other.
    pub insns: u32,
}

/// Two logs, compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comparison<'a> {
    /// How the log there matches the program; for another program, nothing below is compared.
    pub program: Match<'a>,
    /// How much of the walk is in the log here.
    pub here: Coverage,
    /// How much of the walk is in the log there.
    pub there: Coverage,
    /// Values, in the order of the walk here.
    pub values: Vec<Differing<'a>>,
    /// Paths that only one of them walks over.
    pub paths: Vec<Parting>,
}

/// Compares the logs of two kernels for this program.
pub fn compare<'a>(code: &Code, here: &'a str, there: &'a str) -> Comparison<'a> {
    let program = is_of(code, there);
    let (one, other) = (Tree::new(code, here), Tree::new(code, there));
    let (told_here, told_there) = (one.coverage(here), other.coverage(there));
    let (values, paths) = match program {
        Match::Other(..) => (vec![], vec![]),
        // A log without instructions has nothing to compare.
        _ if one.nodes.is_empty() || other.nodes.is_empty() => (vec![], vec![]),
        _ => pairs(code, &one, &other, [told_here.whole, told_there.whole]),
    };
    Comparison { program, here: told_here, there: told_there, values, paths }
}

/// How the instructions in a log match this program.
pub fn is_of<'a>(code: &Code, log: &'a str) -> Match<'a> {
    let mut others = vec![];
    let mut seen = vec![false; code.slots().len()];
    let mut told = false;
    for event in events(log) {
        let LogEvent::Insn { at, code: opcode, text, .. } = event else { continue };
        told = true;
        let (Some(slot), Some(seen)) = (code.slots().get(at as usize), seen.get_mut(at as usize))
        else {
            return Match::Other(at, text);
        };
        // A slot that is no instruction is printed in a form of its own.
        let Some(insn) = code.insn(at).filter(|_| !std::mem::replace(seen, true)) else { continue };
        if slot.code != opcode {
            // Linux 7.3 shows what it has made of conditions that always go one way.
            if matches!(insn, Insn::JumpIf { .. }) && text.starts_with("goto ") {
                continue;
            }
            return Match::Other(at, text);
        }
        let ours = insn.to_string();
        if ours == text {
            continue;
        }
        match insn {
            // For a map, the kernel prints its address.
            Insn::LoadImm64 { dst, .. } => {
                if !text.starts_with(&format!("r{} = ", dst.number())) {
                    return Match::Other(at, text);
                }
            }
            _ if without_numbers(&ours).eq(without_numbers(text)) => others.push((at, text)),
            Insn::Call(Callee::Helper(_) | Callee::Kfunc { .. }) => others.push((at, text)),
            _ => return Match::Other(at, text),
        }
    }
    match (told, others.is_empty()) {
        (false, _) => Match::Unknown,
        (true, true) => Match::Same,
        (true, false) => Match::Numbers(others),
    }
}

/// The words of an instruction without its numbers; registers are words.
fn without_numbers(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    parts.filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()) && !word.is_empty())
}

/// A step of a walk.
struct WalkNode<'a> {
    at: u32,
    /// The node before it on its path.
    parent: usize,
    /// The last node that follows it, and the one before itself that has the same parent.
    child: usize,
    sibling: usize,
    /// Whether the path ends, since a state like this one was found safe before.
    safe: bool,
    /// Whether it is at the beginning of a branch that was put aside.
    branch: bool,
    speculative: bool,
    frame: usize,
    /// The slot of the one that was walked over next, if that is on this path.
    next: Option<u32>,
    /// The values after it that the log has there.
    values: Vec<(Place, KnownValue<'a>)>,
    /// The values before it, where the log has the whole state.
    begins: Vec<(Place, KnownValue<'a>)>,
    /// The number of instructions from here on, with this one.
    insns: u32,
}

const NONE: usize = usize::MAX;

/// In the place of a node that exists, but after which nothing is compared.
const SKIPPED: usize = usize::MAX - 1;

/// The places whose values a log has after each instruction: others may have changed without a word.
fn printed(code: &Code, log: &str) -> Vec<u128> {
    let mut all = vec![];
    let places = |state: State| state.values().fold(0, |bits, (place, _)| bits | bit(place));
    let mut last = None;
    for event in events_of_walk(log) {
        let after = match event {
            LogEvent::Insn { at, state, .. } => {
                all.push(state.map_or(0, places));
                last = Some(at);
                continue;
            }
            // Linux 5.10 does not say that it takes up a branch.
            LogEvent::State { at: Some(at), state } => {
                let follows = last.is_some_and(|last| code.targets(last).contains(&Some(at)));
                follows.then_some(state)
            }
            LogEvent::State { at: None, state } => Some(state),
            LogEvent::Edge { .. } | LogEvent::Safe { .. } => {
                last = None;
                None
            }
            _ => None,
        };
        if let (Some(state), Some(last)) = (after, all.last_mut()) {
            *last |= places(state);
        }
    }
    all
}

/// A walk as a tree: from each step one goes on, or from a condition two.
struct Tree<'a> {
    nodes: Vec<WalkNode<'a>>,
    /// The last node that has no parent.
    root: usize,
    /// For each slot, the node that was walked over last.
    latest: Vec<usize>,
    /// The nodes of all steps, in the order of the walk.
    steps: Vec<usize>,
    /// The node that the next one follows.
    last: usize,
    /// Whether the next one begins a branch.
    branch: bool,
    speculative: bool,
    /// For each node, whether the walk ended before it came back to it.
    open: Vec<bool>,
}

impl<'a> Tree<'a> {
    fn new(code: &Code, log: &'a str) -> Tree<'a> {
        let mut tree = Tree {
            nodes: vec![],
            root: NONE,
            latest: vec![NONE; code.slots().len()],
            steps: vec![],
            last: NONE,
            branch: false,
            speculative: false,
            open: vec![],
        };
        let mut printed = printed(code, log).into_iter();
        let Ok(()) = walk::<Infallible>(code, log, &mut |entry| {
            match entry {
                Entry::Begin { .. } => (tree.last, tree.branch) = (NONE, true),
                Entry::Branch { from, condition, speculative, .. } => {
                    tree.last = match condition.and_then(|number| tree.steps.get(number)) {
                        Some(node) => *node,
                        // An iterator's round is a branch at a call.
                        None => tree.latest.get(from as usize).copied().unwrap_or(NONE),
                    };
                    (tree.branch, tree.speculative) = (true, speculative);
                }
                Entry::Safe { at, .. } => {
                    tree.add(at, 0, true);
                    tree.last = NONE;
                }
                Entry::Step(step) => {
                    let begins = tree.branch;
                    let node = tree.add(step.at, step.frame, false);
                    tree.steps.push(node);
                    let printed = printed.next().unwrap_or_default();
                    let (mut values, mut rest) = (vec![], vec![]);
                    for (place, value) in step.known {
                        match bit(place) & printed != 0 {
                            true => values.push((place, value)),
                            false if begins => rest.push((place, value)),
                            false => {}
                        }
                    }
                    (tree.nodes[node].values, tree.nodes[node].begins) = (values, rest);
                }
                Entry::Said(_) | Entry::Cut => {}
            }
            Ok(())
        });
        for index in (0..tree.nodes.len()).rev() {
            let (parent, insns) = (tree.nodes[index].parent, tree.nodes[index].insns);
            if let Some(parent) = tree.nodes.get_mut(parent) {
                parent.insns = parent.insns.saturating_add(insns);
            }
        }
        tree.open = vec![false; tree.nodes.len()];
        if Verdict::of(log) != Verdict::Accepted {
            let mut next = tree.nodes.len().wrapping_sub(1);
            while let Some(node) = tree.nodes.get(next) {
                tree.open[next] = true;
                next = node.parent;
            }
        }
        tree
    }

    fn add(&mut self, at: u32, frame: usize, safe: bool) -> usize {
        let (branch, speculative) =
            (std::mem::take(&mut self.branch), std::mem::take(&mut self.speculative));
        let (parent, node) = (self.last, self.nodes.len());
        let child = match self.nodes.get_mut(parent) {
            Some(before) => {
                before.next = if branch { before.next } else { Some(at) };
                &mut before.child
            }
            None => &mut self.root,
        };
        let sibling = std::mem::replace(child, node);
        let (next, values, begins, insns, child) = (None, vec![], vec![], 1, NONE);
        self.nodes.push(WalkNode {
            at,
            parent,
            child,
            sibling,
            safe,
            branch,
            speculative,
            frame,
            next,
            values,
            begins,
            insns,
        });
        if let Some(latest) = self.latest.get_mut(at as usize) {
            *latest = node;
        }
        self.last = node;
        node
    }

    /// The node after `parent` that is like another one. A condition has two after it, an iterator's
    /// call some more.
    fn like(&self, parent: usize, other: &WalkNode) -> Option<usize> {
        let first = self.nodes.get(parent).map_or(self.root, |parent| parent.child);
        let next = |index: usize| Some((index, self.nodes.get(index)?));
        let mut all = std::iter::successors(next(first), |(_, node)| next(node.sibling)).take(64);
        let found = all.find(|(_, it)| (it.at, it.speculative) == (other.at, other.speculative));
        found.map(|(index, _)| index)
    }

    fn coverage(&self, log: &str) -> Coverage {
        let insns = self.nodes.len() as u32;
        let processed = Totals::of(log).processed.map(|processed| processed.insns);
        // The kernel counts an instruction before it finds that there is none to process.
        let whole = insns > 0 && processed.is_none_or(|processed| processed <= insns + 1);
        let missing = missing(log);
        Coverage { insns, whole: whole && missing == Missing::default(), missing }
    }
}

/// Goes over both walks at once.
fn pairs<'a>(
    code: &Code,
    here: &Tree<'a>,
    there: &Tree<'a>,
    whole: [bool; 2],
) -> (Vec<Differing<'a>>, Vec<Parting>) {
    let mut found = Differences::default();
    // For each node here the one there, and the other way round.
    let mut twins = vec![NONE; here.nodes.len()];
    let mut back = vec![NONE; there.nodes.len()];
    // For each node here, a bit for each place whose values differ.
    let mut differ = vec![0u128; here.nodes.len()];
    for (index, node) in here.nodes.iter().enumerate() {
        let parent = match node.parent {
            NONE => NONE,
            parent if twins[parent] == NONE => continue,
            parent => twins[parent],
        };
        let twin = there.like(parent, node).filter(|twin| back[*twin] == NONE);
        let Some(twin) = twin else {
            found.only(code, Side::Here, here, index, (there, parent), whole[1]);
            continue;
        };
        (twins[index], back[twin]) = (twin, index);
        let other = &there.nodes[twin];
        if node.safe != other.safe {
            let (walked, tree, from) = match node.safe {
                true => (Side::There, there, twin),
                false => (Side::Here, here, index),
            };
            let insns = tree.nodes[from].insns.saturating_sub(1);
            found.parting(tree, from, walked, Why::Safe, insns);
            // Together with everything after it.
            (twins[index], back[twin]) = (NONE, SKIPPED);
            continue;
        }
        let before = differ.get(node.parent).copied().unwrap_or(0);
        let before = match here.nodes.get(node.parent) {
            Some(caller) if caller.frame != node.frame => handed_over(before),
            _ => before,
        };
        differ[index] = found.values(code, [node, other], here.nodes.get(node.parent), before);
    }
    for (index, node) in there.nodes.iter().enumerate().filter(|(index, _)| back[*index] == NONE) {
        match back.get(node.parent) {
            Some(&NONE | &SKIPPED) => {}
            parent => {
                let parent = (here, parent.copied().unwrap_or(NONE));
                found.only(code, Side::There, there, index, parent, whole[0]);
            }
        }
    }
    (found.values, found.paths)
}

/// The differences found so far.
#[derive(Default)]
struct Differences<'a> {
    values: Vec<Differing<'a>>,
    /// The index in `values` of a place after an instruction.
    known: BTreeMap<[u32; 3], usize>,
    paths: Vec<Parting>,
    /// The index in `paths` of a path.
    parted: BTreeMap<[u32; 3], usize>,
}

impl<'a> Differences<'a> {
    /// Adds a path that the other walk does not have; `parent` is the node there that is like its
    /// parent. If the log there is not whole, a missing path says nothing.
    fn only(
        &mut self,
        code: &Code,
        walked: Side,
        tree: &Tree<'a>,
        node: usize,
        (other, parent): (&Tree<'a>, usize),
        whole: bool,
    ) {
        let from = tree.nodes.get(tree.nodes[node].parent);
        let condition = from.filter(|from| code.is_condition(from.at));
        if !whole {
            return;
        }
        let open = other.open.get(parent).copied().unwrap_or(false);
        let goes_on = other.nodes.get(parent).is_some_and(|node| node.insns > 1);
        let why = match condition {
            // The instructions after a condition are walked over first, and its target after that.
            Some(from) if goes_on && (!open || tree.nodes[node].at == from.at + 1) => {
                Why::NeverTaken
            }
            _ => Why::Ended,
        };
        self.parting(tree, node, walked, why, tree.nodes[node].insns);
    }

    fn parting(&mut self, tree: &Tree<'a>, node: usize, walked: Side, why: Why, insns: u32) {
        let at = tree.nodes[node].at;
        let from = tree.nodes.get(tree.nodes[node].parent).map(|from| from.at);
        let key = [from.unwrap_or(u32::MAX), at, (walked as u32) << 2 | why as u32];
        let index = *self.parted.entry(key).or_insert_with(|| {
            self.paths.push(Parting { from, at, walked, why, times: 0, insns: 0 });
            self.paths.len() - 1
        });
        let parting = &mut self.paths[index];
        parting.times += 1;
        parting.insns = parting.insns.saturating_add(insns);
    }

    /// Compares the values at two nodes, and returns the places that differ after them; `differing` are
    /// those that differ before them.
    fn values(
        &mut self,
        code: &Code,
        [here, there]: [&WalkNode<'a>; 2],
        parent: Option<&WalkNode<'a>>,
        mut differing: u128,
    ) -> u128 {
        // At the beginning of a branch the log has the whole state again.
        if here.branch
            && there.branch
            && let Some(from) = parent
        {
            let made = match code.insn(from.at) {
                Some(insn) => differing & bits(insn.reads()) != 0,
                None => false,
            };
            for (place, one, other) in both(&here.begins, &there.begins) {
                let derived = made || differing & bit(place) != 0;
                match same_at(place, one, other) {
                    true => differing &= !bit(place),
                    false => {
                        differing |= bit(place);
                        if !derived {
                            self.value(from.at, Some(here.at), place, one, other);
                        }
                    }
                }
            }
        }
        let Some(insn) = code.insn(here.at) else { return differing };
        match insn {
            // The state after a condition is that of one of its sides.
            Insn::JumpIf { .. } if here.next != there.next => return differing,
            // The state there is of the function that is called or returned to.
            Insn::Call(Callee::Local { .. }) => return differing,
            Insn::Exit if here.frame > 0 => return differing,
            _ => {}
        }
        let mut made = differing & bits(insn.reads()) != 0;
        if let Insn::Load { base, offset, .. } = insn {
            made |= slot_of(here, base, offset).is_some_and(|at| differing & bit(at) != 0);
        }
        let written = bits(insn.writes());
        let before = differing;
        differing &= !written;
        // First the places that it reads: a condition may have made them differ.
        for writing in [false, true] {
            for (place, one, other) in both(&here.values, &there.values) {
                if (bit(place) & written != 0) != writing {
                    continue;
                }
                if same_at(place, one, other) {
                    differing &= !bit(place);
                    continue;
                }
                differing |= bit(place);
                if !made && (writing || before & bit(place) == 0) {
                    self.value(here.at, None, place, one, other);
                }
            }
            made |= differing & bits(insn.reads()) & !written != 0;
        }
        differing
    }

    fn value(
        &mut self,
        at: u32,
        to: Option<u32>,
        place: Place,
        here: KnownValue<'a>,
        there: KnownValue<'a>,
    ) {
        let key = [at, to.unwrap_or(u32::MAX), bit(place).trailing_zeros()];
        let index = *self.known.entry(key).or_insert_with(|| {
            self.values.push(Differing { at, to, place, here, there, times: 0 });
            self.values.len() - 1
        });
        self.values[index].times += 1;
    }
}

/// The places that are in both, with both values.
fn both<'b, 'a>(
    here: &'b [(Place, KnownValue<'a>)],
    there: &'b [(Place, KnownValue<'a>)],
) -> impl Iterator<Item = (Place, KnownValue<'a>, KnownValue<'a>)> + 'b {
    here.iter().filter_map(|(place, one)| {
        let (_, other) = there.iter().find(|(other, _)| other == place)?;
        Some((*place, *one, *other))
    })
}

/// The stack slot that is loaded from, if it is the own stack.
fn slot_of(node: &WalkNode, base: Reg, offset: i16) -> Option<Place> {
    let known = |number| {
        let mut values = node.values.iter();
        values.find(|(place, _)| *place == Place::Register(number)).map(|it| it.1)
    };
    slot_at(base, offset, known).map(Place::Stack)
}

/// A bit for a place; none for a stack slot that cannot be.
fn bit(place: Place) -> u128 {
    match place {
        Place::Register(number) => 1u128.checked_shl(number.into()).unwrap_or(0),
        Place::Stack(offset @ -512..0) => 1 << (16 + (-offset - 1) / 8),
        Place::Stack(_) => 0,
    }
}

/// Those of a function's places that a function called by it begins with, or that it returns.
fn handed_over(places: u128) -> u128 {
    places & 0b111111
}

/// The bits of registers.
fn bits(registers: Regs) -> u128 {
    registers.iter().fold(0, |bits, register| bits | bit(Place::Register(register.number())))
}

/// Whether two kernels know the same of the value in a place.
fn same_at(place: Place, here: KnownValue, there: KnownValue) -> bool {
    let bare = |value: KnownValue| value.known.is_none() && value.attributes().next().is_none();
    match place {
        // Older kernels print only a value's type there, Linux 5.10 of a pointer only that it is one.
        Place::Stack(_) if bare(here) || bare(there) => {
            let (here_is, there_is) = (kind(here), kind(there));
            here_is == there_is
                || here.bytes.is_some()
                || there.bytes.is_some()
                || [(here_is, there_is), (there_is, here_is)]
                    .iter()
                    .any(|(short, long)| *short == "ptr_" && long.starts_with("ptr_"))
        }
        _ => same(here, there),
    }
}

/// Whether two kernels know the same of a value, however they print it.
fn same(here: KnownValue, there: KnownValue) -> bool {
    // Bytes of a slot that are neither a number nor a pointer show when they are loaded.
    if here.bytes.is_some() || there.bytes.is_some() {
        return true;
    }
    if kind(here) != kind(there) {
        return false;
    }
    if here.is_scalar() {
        return Range::of(here) == Range::of(there);
    }
    if here.type_ == "fp" {
        return here.known == there.known;
    }
    let equal = |key| here.number(key).unwrap_or(0) == there.number(key).unwrap_or(0);
    let moved = |value: KnownValue| {
        let off = value.number("off").unwrap_or(0).wrapping_add(value.number("imm").unwrap_or(0));
        Range::of(value).moved(off)
    };
    equal("r") && equal("vs") && moved(here) == moved(there)
}

/// A type, by one name for all kernels.
fn kind(value: KnownValue<'_>) -> &str {
    match value.type_ {
        "alloc_mem" | "ringbuf_mem" => "mem",
        "alloc_mem_or_null" | "ringbuf_mem_or_null" => "mem_or_null",
        other => other.trim_start_matches("trusted_").trim_start_matches("rcu_"),
    }
}

/// The bounds of a number and its known bits, each narrowed by the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Range {
    smin: i64,
    smax: i64,
    umin: u64,
    umax: u64,
    /// The bits that are 1, and those that are not known.
    bits: (u64, u64),
}

impl Range {
    fn of(value: KnownValue) -> Range {
        let bounds = value.bounds();
        let mut bits = value.known.map_or((0, u64::MAX), |known| (known as u64, 0));
        if let Some(text) = value.attribute("var_off")
            && let Some((ones, unknown)) = text.trim_matches(['(', ')']).split_once("; ")
        {
            let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
            bits = hex(ones).zip(hex(unknown)).unwrap_or(bits);
        }
        let super::log::Bounds { smin, smax, umin, umax } = bounds;
        let mut range = Range { smin, smax, umin, umax, bits };
        // Kernels do not print bounds that follow from the rest; three rounds find all of them.
        for _ in 0..3 {
            range.deduce();
        }
        range
    }

    fn deduce(&mut self) {
        let (ones, unknown) = self.bits;
        self.umin = self.umin.max(ones);
        self.umax = self.umax.min(ones | unknown);
        let sign = 1u64 << 63;
        self.smin = self.smin.max((ones | unknown & sign) as i64);
        self.smax = self.smax.min((ones | unknown & !sign) as i64);
        if (self.umin as i64) <= self.umax as i64 {
            self.smin = self.smin.max(self.umin as i64);
            self.smax = self.smax.min(self.umax as i64);
        }
        if (self.smin < 0) == (self.smax < 0) {
            self.umin = self.umin.max(self.smin as u64);
            self.umax = self.umax.min(self.smax as u64);
        }
        // The bits above the highest in which the bounds differ.
        let open = u64::MAX.checked_shr((self.umin ^ self.umax).leading_zeros()).unwrap_or(0);
        let known = !open & !unknown;
        let fixed = !open & unknown;
        self.bits = (ones & (known | open) | self.umin & fixed, unknown & open);
    }

    fn moved(self, by: i64) -> (i64, i64) {
        // For a pointer that nothing was added to, no bounds are printed.
        match self.smin == i64::MIN && self.smax == i64::MAX {
            true => (by, by),
            false => (self.smin.wrapping_add(by), self.smax.wrapping_add(by)),
        }
    }
}
