//! A walk as a tree, in a few bytes for each line of the log.

use std::convert::Infallible;

use super::result::Coverage;
use crate::verifier::log::{
    KnownValue, LogEvent, Missing, Place, State, TextAt, events_of_walk, missing,
};
use crate::verifier::path::Code;
use crate::verifier::recording::Verdict;
use crate::verifier::totals::Totals;
use crate::verifier::walk::{Entry, WalkStep, walk};

/// A step of a walk.
pub(super) struct WalkNode {
    pub at: u32,
    /// The node before it on its path.
    pub parent: u32,
    /// The last node that follows it, and the one before itself that has the same parent.
    child: u32,
    sibling: u32,
    /// The slot of the one that was walked over next, if that is on this path.
    pub next: Option<u32>,
    /// The number of instructions from here on, with this one.
    pub insns: u32,
    /// Where its values begin in those of the tree.
    values: u32,
    /// The number of values after it that the log has there.
    printed: u8,
    /// The number of values before it, which follow them, if the log has the whole state.
    begins: u8,
    pub frame: u8,
    /// Whether the path ends, since a state like this one was found safe before.
    pub safe: bool,
    /// Whether it is at the beginning of a branch that was put aside.
    pub branch: bool,
    speculative: bool,
    /// Whether the walk ended before it came back to it.
    pub open: bool,
}

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// In the place of a node that exists, but after which nothing is compared.
pub(super) const SKIPPED: u32 = u32::MAX - 1;

/// For each instruction, the places whose values a log has after it: others may have changed without a word.
struct Printed<'c, E> {
    code: &'c Code,
    events: E,
    /// The instruction that a state may follow.
    last: Option<u32>,
    /// The places of the last instruction that are found so far.
    found: Option<u128>,
}

impl<'a, E: Iterator<Item = LogEvent<'a>>> Iterator for Printed<'_, E> {
    type Item = u128;

    fn next(&mut self) -> Option<u128> {
        let places = |state: State| {
            state.values().fold(0, |bits, (place, _)| bits | place.bit().unwrap_or(0))
        };
        for event in &mut self.events {
            let after = match event {
                LogEvent::Insn { at, state, .. } => {
                    self.last = Some(at);
                    let done = self.found.replace(state.map_or(0, places));
                    if done.is_some() {
                        return done;
                    }
                    continue;
                }
                // Linux 5.10 does not say that it takes up a branch.
                LogEvent::State { at: Some(at), state } => {
                    let follows =
                        self.last.is_some_and(|last| self.code.targets(last).contains(&Some(at)));
                    follows.then_some(state)
                }
                LogEvent::State { at: None, state } => Some(state),
                LogEvent::Edge { .. } | LogEvent::Safe { .. } => {
                    self.last = None;
                    None
                }
                _ => None,
            };
            if let (Some(state), Some(found), Some(_)) = (after, &mut self.found, self.last) {
                *found |= places(state);
            }
        }
        self.found.take()
    }
}

/// A walk as a tree: from each step one goes on, or from a condition two.
pub(super) struct Tree<'a> {
    log: &'a str,
    pub nodes: Vec<WalkNode>,
    /// Where in the log the nodes' values stand.
    values: Vec<TextAt>,
    /// The last node that has no parent.
    root: u32,
    /// For each slot, the node that was walked over last.
    latest: Vec<u32>,
    /// The nodes of all steps, in the order of the walk.
    steps: Vec<u32>,
    /// The node that the next one follows.
    last: u32,
    /// Whether the next one begins a branch.
    branch: bool,
    speculative: bool,
}

impl<'a> Tree<'a> {
    pub fn new(code: &Code, log: &'a str) -> Tree<'a> {
        let mut tree = Tree {
            log,
            nodes: vec![],
            values: vec![],
            root: NONE,
            latest: vec![NONE; code.slots().len()],
            steps: vec![],
            last: NONE,
            branch: false,
            speculative: false,
        };
        let (last, found) = (None, None);
        let mut printed = Printed { code, events: events_of_walk(log), last, found };
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
                Entry::Step(step) => tree.step(&step, printed.next().unwrap_or_default()),
                Entry::Said(_) | Entry::Cut => {}
            }
            Ok(())
        });
        tree.steps = vec![];
        for index in (0..tree.nodes.len()).rev() {
            let (parent, insns) = (tree.nodes[index].parent, tree.nodes[index].insns);
            if let Some(parent) = tree.nodes.get_mut(parent as usize) {
                parent.insns = parent.insns.saturating_add(insns);
            }
        }
        if Verdict::of(log) != Verdict::Accepted {
            let mut next = tree.nodes.len().wrapping_sub(1);
            while let Some(node) = tree.nodes.get_mut(next) {
                node.open = true;
                next = node.parent as usize;
            }
        }
        tree
    }

    fn step(&mut self, step: &WalkStep, printed: u128) {
        let begins = self.branch;
        let node = self.add(step.at, step.frame, false);
        grow(&mut self.steps);
        self.steps.push(node);
        let is_printed = |place: Place| place.bit().is_some_and(|bit| bit & printed != 0);
        let known = || step.known.iter().map(|(place, _)| *place).zip(&step.known_at);
        let start = self.values.len();
        grow(&mut self.values);
        self.values.extend(known().filter(|(place, _)| is_printed(*place)).map(|(_, at)| *at));
        let after = self.values.len();
        if begins {
            let rest = known().filter(|(place, _)| !is_printed(*place));
            self.values.extend(rest.map(|(_, at)| *at));
        }
        let node = &mut self.nodes[node as usize];
        // There are 80 places.
        node.printed = (after - start) as u8;
        node.begins = (self.values.len() - after) as u8;
    }

    fn add(&mut self, at: u32, frame: usize, safe: bool) -> u32 {
        let (branch, speculative) =
            (std::mem::take(&mut self.branch), std::mem::take(&mut self.speculative));
        let (parent, node) = (self.last, self.nodes.len() as u32);
        let child = match self.nodes.get_mut(parent as usize) {
            Some(before) => {
                before.next = if branch { before.next } else { Some(at) };
                &mut before.child
            }
            None => &mut self.root,
        };
        let sibling = std::mem::replace(child, node);
        let (next, values, insns, child) = (None, self.values.len() as u32, 1, NONE);
        let (printed, begins, frame, open) = (0, 0, frame as u8, false);
        grow(&mut self.nodes);
        self.nodes.push(WalkNode {
            at,
            parent,
            child,
            sibling,
            next,
            insns,
            values,
            printed,
            begins,
            frame,
            safe,
            branch,
            speculative,
            open,
        });
        if let Some(latest) = self.latest.get_mut(at as usize) {
            *latest = node;
        }
        self.last = node;
        node
    }

    /// Whether the log has no instruction.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub fn node(&self, index: u32) -> Option<&WalkNode> {
        self.nodes.get(index as usize)
    }

    /// The values after a node that the log has there.
    pub fn values(&self, node: &WalkNode) -> impl Iterator<Item = (Place, KnownValue<'a>)> {
        self.values_at(node.values as usize, node.printed)
    }

    /// The values before a node, if it is at the beginning of a branch.
    pub fn begins(&self, node: &WalkNode) -> impl Iterator<Item = (Place, KnownValue<'a>)> {
        self.values_at(node.values as usize + usize::from(node.printed), node.begins)
    }

    fn values_at(&self, start: usize, count: u8) -> impl Iterator<Item = (Place, KnownValue<'a>)> {
        let values = self.values.get(start..start + usize::from(count)).unwrap_or_default();
        values.iter().filter_map(|at| at.value(self.log))
    }

    /// The node after `parent` that is like another one. A condition has two after it, an iterator's
    /// call some more.
    pub fn like(&self, parent: u32, other: &WalkNode) -> Option<u32> {
        let first = self.node(parent).map_or(self.root, |parent| parent.child);
        let next = |index: u32| Some((index, self.node(index)?));
        let mut all = std::iter::successors(next(first), |(_, node)| next(node.sibling)).take(64);
        let found = all.find(|(_, it)| (it.at, it.speculative) == (other.at, other.speculative));
        found.map(|(index, _)| index)
    }

    /// How much of the walk the log has.
    pub fn coverage(&self) -> Coverage {
        let insns = self.nodes.len() as u32;
        let processed = Totals::of(self.log).processed.map(|processed| processed.insns);
        // The kernel counts an instruction before it finds that there is none to process.
        let whole = insns > 0 && processed.is_none_or(|processed| processed <= insns + 1);
        let missing = missing(self.log);
        Coverage { insns, whole: whole && missing == Missing::default(), missing }
    }
}

/// Makes room for some more, by a quarter at a time: to double would leave half of the memory unused.
fn grow<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 4 + 16);
    }
}
