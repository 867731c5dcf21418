//! Two walks side by side.

use std::collections::BTreeMap;

use super::result::{Differing, Parting, Side, Why};
use super::same::same_at;
use super::tree::{NONE, SKIPPED, Tree, WalkNode};
use crate::insn::{Callee, Insn, Reg, Regs};
use crate::verifier::history::slot_at;
use crate::verifier::log::{KnownValue, Place};
use crate::verifier::path::Code;

/// Goes over both walks at once.
pub(super) fn pairs<'a>(
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
    for (index, node) in (0..).zip(&here.nodes) {
        let parent = match node.parent {
            NONE => NONE,
            parent if twins[parent as usize] == NONE => continue,
            parent => twins[parent as usize],
        };
        let twin = there.like(parent, node).filter(|twin| back[*twin as usize] == NONE);
        let Some(twin) = twin else {
            found.only(code, Side::Here, here, index, (there, parent), whole[1]);
            continue;
        };
        (twins[index as usize], back[twin as usize]) = (twin, index);
        let other = &there.nodes[twin as usize];
        if node.safe != other.safe {
            let (walked, tree, from) = match node.safe {
                true => (Side::There, there, twin),
                false => (Side::Here, here, index),
            };
            let insns = tree.nodes[from as usize].insns.saturating_sub(1);
            found.parting(tree, from, walked, Why::Safe, insns);
            // Together with everything after it.
            (twins[index as usize], back[twin as usize]) = (NONE, SKIPPED);
            continue;
        }
        let before = differ.get(node.parent as usize).copied().unwrap_or(0);
        let before = match here.node(node.parent) {
            Some(caller) if caller.frame != node.frame => handed_over(before),
            _ => before,
        };
        differ[index as usize] = found.values(code, [here, there], [node, other], before);
    }
    for (index, node) in (0..).zip(&there.nodes) {
        if back[index as usize] != NONE {
            continue;
        }
        match back.get(node.parent as usize) {
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
        index: u32,
        (other, parent): (&Tree<'a>, u32),
        whole: bool,
    ) {
        let node = &tree.nodes[index as usize];
        let from = tree.node(node.parent);
        let condition = from.filter(|from| code.is_condition(from.at));
        if !whole {
            return;
        }
        let open = other.node(parent).is_some_and(|node| node.open);
        let goes_on = other.node(parent).is_some_and(|node| node.insns > 1);
        let why = match condition {
            // The instructions after a condition are walked over first, and its target after that.
            Some(from) if goes_on && (!open || node.at == from.at + 1) => Why::NeverTaken,
            _ => Why::Ended,
        };
        self.parting(tree, index, walked, why, node.insns);
    }

    fn parting(&mut self, tree: &Tree<'a>, index: u32, walked: Side, why: Why, insns: u32) {
        let WalkNode { at, parent, .. } = tree.nodes[index as usize];
        let from = tree.node(parent).map(|from| from.at);
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
        [one, other]: [&Tree<'a>; 2],
        [here, there]: [&WalkNode; 2],
        mut differing: u128,
    ) -> u128 {
        // At the beginning of a branch the log has the whole state again.
        if here.branch
            && there.branch
            && let Some(from) = one.node(here.parent)
        {
            let made = match code.insn(from.at) {
                Some(insn) => differing & bits(insn.reads()) != 0,
                None => false,
            };
            for (place, ours, theirs) in both(one.begins(here), other.begins(there)) {
                let derived = made || differing & bit(place) != 0;
                match same_at(place, ours, theirs) {
                    true => differing &= !bit(place),
                    false => {
                        differing |= bit(place);
                        if !derived {
                            self.value(from.at, Some(here.at), place, ours, theirs);
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
            let slot = slot_of(one, here, base, offset);
            made |= slot.is_some_and(|at| differing & bit(at) != 0);
        }
        let written = bits(insn.writes());
        let before = differing;
        differing &= !written;
        // First the places that it reads: a condition may have made them differ.
        for writing in [false, true] {
            for (place, ours, theirs) in both(one.values(here), other.values(there)) {
                if (bit(place) & written != 0) != writing {
                    continue;
                }
                if same_at(place, ours, theirs) {
                    differing &= !bit(place);
                    continue;
                }
                differing |= bit(place);
                if !made && (writing || before & bit(place) == 0) {
                    self.value(here.at, None, place, ours, theirs);
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

/// The places that are in both, with both values. Each has a place once.
fn both<'a>(
    here: impl Iterator<Item = (Place, KnownValue<'a>)>,
    there: impl Iterator<Item = (Place, KnownValue<'a>)>,
) -> impl Iterator<Item = (Place, KnownValue<'a>, KnownValue<'a>)> {
    let there: Vec<_> = there.collect();
    here.filter_map(move |(place, one)| {
        let (_, other) = there.iter().find(|(other, _)| *other == place)?;
        Some((place, one, *other))
    })
}

/// The stack slot that is loaded from, if it is the own stack.
fn slot_of(tree: &Tree, node: &WalkNode, base: Reg, offset: i16) -> Option<Place> {
    let known = |number| {
        let mut values = tree.values(node);
        values.find(|(place, _)| *place == Place::Register(number)).map(|it| it.1)
    };
    slot_at(base, offset, known).map(Place::Stack)
}

/// A bit for a place; none for a stack slot that cannot be.
fn bit(place: Place) -> u128 {
    place.bit().unwrap_or(0)
}

/// Those of a function's places that a function called by it begins with, or that it returns.
fn handed_over(places: u128) -> u128 {
    places & 0b111111
}

/// The bits of registers.
fn bits(registers: Regs) -> u128 {
    registers.iter().fold(0, |bits, register| bits | bit(Place::Register(register.number())))
}
