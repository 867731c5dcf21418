//! The path that the verifier took to the refused instruction.

use super::log::{
    FrameChange, LogEvent, Missing, Processed, Report, State, StateAt, Statistic, events_of_walk,
    missing,
};
use crate::insn::{Callee, Endian, Insn, Slot, decode};

/// A program as the kernel gets it: slot by slot, since some may not be instructions. Of one that is
/// rebuilt from a log, only the instructions in the log are known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Code {
    slots: Vec<Slot>,
    insns: Vec<Option<Insn>>,
    rebuilt: Option<Rebuilt>,
}

/// What is known of a program that is rebuilt from a log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Rebuilt {
    /// Whether the log shows all of its instructions.
    pub whole: bool,
    /// Whether the log shows the instruction at each slot.
    pub seen: Vec<bool>,
    /// Instructions of which the log's own text says more than ours, by rising slots, and where in the log
    /// their text begins.
    pub texts: Vec<(u32, u32)>,
}

impl Code {
    /// The program in these slots.
    pub fn new(slots: Vec<Slot>) -> Code {
        let mut insns = Vec::with_capacity(slots.len());
        while let Some(slot) = slots.get(insns.len()) {
            let whole = slots.get(insns.len()..insns.len() + if slot.code == 0x18 { 2 } else { 1 });
            let bytes: Vec<u8> =
                whole.unwrap_or_default().iter().flat_map(|s| s.to_bytes(Endian::Little)).collect();
            let decoded = decode(&bytes, Endian::Little).ok();
            let insn = decoded.and_then(|insns| insns.first().copied());
            insns.push(insn);
            if insn.is_some_and(|insn| insn.slots() == 2) {
                insns.push(None);
            }
        }
        Code { slots, insns, rebuilt: None }
    }

    /// The program that a log shows.
    pub(super) fn rebuilt(slots: Vec<Slot>, insns: Vec<Option<Insn>>, of: Rebuilt) -> Code {
        Code { slots, insns, rebuilt: Some(of) }
    }

    /// The program in these bytes, in this host's order, without a last slot that is not whole.
    pub fn from_bytes(bytes: &[u8]) -> Code {
        let (slots, _) = bytes.as_chunks::<8>();
        Code::new(slots.iter().map(|bytes| Slot::from_bytes(*bytes, Endian::HOST)).collect())
    }

    /// The program of these instructions.
    pub fn of(insns: &[Insn]) -> Code {
        Code::new(insns.iter().flat_map(|insn| insn.to_slots()).collect())
    }

    /// The slots.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The instruction that begins at a slot, if one does.
    pub fn insn(&self, at: u32) -> Option<Insn> {
        *self.insns.get(at as usize)?
    }

    /// Whether all of its instructions are known: not if it is rebuilt from a log that does not show all.
    pub fn is_whole(&self) -> bool {
        self.rebuilt.as_ref().is_none_or(|rebuilt| rebuilt.whole)
    }

    /// Whether it is rebuilt from a log.
    pub fn is_rebuilt(&self) -> bool {
        self.rebuilt.is_some()
    }

    /// Whether it is known what is at a slot.
    pub fn is_known(&self, at: u32) -> bool {
        match &self.rebuilt {
            Some(rebuilt) if !rebuilt.whole => rebuilt.seen.get(at as usize) == Some(&true),
            _ => (at as usize) < self.slots.len(),
        }
    }

    /// The text of an instruction in the log that the program is rebuilt from, if it says more than ours.
    pub(super) fn text_in<'a>(&self, log: &'a str, at: u32) -> Option<&'a str> {
        let texts = &self.rebuilt.as_ref()?.texts;
        let index = texts.binary_search_by_key(&at, |(slot, _)| *slot).ok()?;
        let text = log.get(texts[index].1 as usize..)?;
        Some(text.split([';', '\n', '\t']).next().unwrap_or(text).trim_end())
    }

    /// Whether the instruction at a slot is a condition, of which both sides may be walked.
    pub fn is_condition(&self, at: u32) -> bool {
        matches!(self.insn(at), Some(Insn::JumpIf { .. } | Insn::MayGoto { .. }))
    }

    /// Where the walk may go on after the instruction at a slot, a call's callee first: nowhere after an
    /// `exit` or a slot that is no instruction.
    pub(super) fn targets(&self, at: u32) -> [Option<u32>; 2] {
        let after = |offset: i32| at.checked_add(1)?.checked_add_signed(offset);
        match self.insn(at) {
            // An instruction that we do not know, but that the log shows: it is not a jump.
            None if self.is_rebuilt() && self.slots.get(at as usize).is_some_and(goes_on) => {
                [after(0), None]
            }
            None | Some(Insn::Exit) => [None, None],
            Some(Insn::Goto { offset }) => [after(offset.into()), None],
            Some(Insn::Gotol { offset }) => [after(offset), None],
            Some(Insn::JumpIf { offset, .. } | Insn::MayGoto { offset }) => {
                [after(offset.into()), after(0)]
            }
            Some(Insn::Call(Callee::Local { offset })) => [after(offset), after(0)],
            Some(insn) => [after(insn.slots() as i32 - 1), None],
        }
    }

    /// The target of the jump or of the call of a function at a slot.
    pub fn target(&self, at: u32) -> Option<u32> {
        match self.insn(at)? {
            Insn::Goto { .. }
            | Insn::Gotol { .. }
            | Insn::JumpIf { .. }
            | Insn::MayGoto { .. }
            | Insn::Call(Callee::Local { .. }) => self.targets(at)[0],
            _ => None,
        }
    }
}

/// Whether an instruction goes on to the next, by its opcode alone.
fn goes_on(slot: &Slot) -> bool {
    slot.code != 0 && !matches!(slot.code & 7, 5 | 6)
}

/// An instruction that the verifier walked over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PathStep<'a> {
    /// Its slot.
    pub at: u32,
    /// The number of instructions that were walked over before, on other paths too.
    pub number: usize,
    /// How many calls of the program's own functions it is in.
    pub frame: u32,
    /// The state before it, if the log has a line for it.
    pub before: Option<State<'a>>,
    /// The state after it, if the log has it.
    pub after: Option<State<'a>>,
}

/// A refusal, as the log shows it.
#[derive(Clone, Debug, Default)]
pub struct Path<'a> {
    /// The instructions from the program's first, or the first that the log still has, to the last
    /// that was walked over; of more than 131,072 the last ones.
    pub steps: Vec<PathStep<'a>>,
    /// The kernel's messages, at most the first 1000.
    pub messages: Vec<&'a str>,
    /// Linux 7.3's own explanation.
    pub report: Option<Report<'a>>,
    /// How much the verifier processed.
    pub processed: Option<Processed>,
    /// Which end of the log is missing.
    pub missing: Missing,
}

/// A step and the one before it on its path.
#[derive(Clone, Copy, Debug)]
struct PathNode {
    at: u32,
    number: u32,
    parent: u32,
    before: Option<StateAt>,
    after: Option<StateAt>,
}

const NONE: u32 = u32::MAX;

/// The largest number of steps of a path that are looked at.
const LONGEST: usize = 1 << 17;

/// The largest number of messages that are looked at. No kernel gives a refusal more than a few.
const MOST_MESSAGES: usize = 1000;

/// Reads a log of this program.
///
/// At level 1 the log is the path. At level 2 it is all paths, one after the other: each goes on at a
/// branch of an earlier one, and those in between are left out here.
pub fn path<'a>(code: &Code, log: &'a str) -> Path<'a> {
    let (mut path, walk) = read(code, log);
    path.steps = steps(code, log, &walk.nodes, walk.last);
    path
}

/// All paths of the verifier, from a log of level 2.
#[derive(Clone, Debug)]
pub struct Paths<'a> {
    log: &'a str,
    nodes: Vec<PathNode>,
    /// The node of each instruction, in the order of the walk.
    insns: Vec<u32>,
}

impl<'a> Paths<'a> {
    /// Reads a log of this program.
    pub fn of(code: &Code, log: &'a str) -> Paths<'a> {
        let (_, walk) = read(code, log);
        Paths { log, nodes: walk.nodes, insns: walk.insns }
    }

    /// The path to the instruction with this number, which is the last on it.
    pub fn to(&self, code: &Code, number: usize) -> Vec<PathStep<'a>> {
        let last = self.insns.get(number).copied().unwrap_or(NONE);
        steps(code, self.log, &self.nodes, last)
    }
}

fn read<'a, 'c>(code: &'c Code, log: &'a str) -> (Path<'a>, PathReader<'a, 'c>) {
    let (waiting, insns) = (vec![], vec![]);
    let mut walk = PathReader {
        code,
        log,
        nodes: vec![],
        insns,
        last: NONE,
        waiting,
        next_parent: None,
        entry: None,
    };
    let mut path = Path { missing: missing(log), ..Path::default() };
    for event in events_of_walk(log) {
        match event {
            LogEvent::Insn { at, state, .. } => {
                walk.insn(at);
                walk.set_after(state);
                path.messages.clear();
            }
            LogEvent::State { at: Some(at), state } => walk.known(at, state),
            LogEvent::State { at: None, state } => walk.known_beside(state),
            LogEvent::Edge { from, state, .. } => walk.edge(from, state),
            LogEvent::Safe { .. } => walk.next_parent = Some(NONE),
            LogEvent::Frame(FrameChange::Back(_) | FrameChange::Callee) => {
                walk.next_parent = Some(walk.last)
            }
            LogEvent::Message(text) if path.messages.len() < MOST_MESSAGES => {
                path.messages.push(text);
            }
            LogEvent::Report(report) => path.report = Some(report),
            LogEvent::Statistic(Statistic::Processed(processed)) => {
                path.processed = Some(processed)
            }
            _ => {}
        }
    }
    (path, walk)
}

struct PathReader<'a, 'c> {
    code: &'c Code,
    log: &'a str,
    nodes: Vec<PathNode>,
    /// The node of each instruction.
    insns: Vec<u32>,
    /// Where we are.
    last: u32,
    /// Branches of which one side may still be walked.
    waiting: Vec<u32>,
    /// The parent of the next instruction's node, where the log says so: [`NONE`] if it is no node of
    /// the path so far.
    next_parent: Option<u32>,
    /// The state at the program's beginning.
    entry: Option<StateAt>,
}

impl<'a> PathReader<'a, '_> {
    fn node(&self, index: u32) -> Option<&PathNode> {
        self.nodes.get(index as usize)
    }

    fn insn(&mut self, at: u32) {
        let last = self.node(self.last);
        let follows = last.is_some_and(|last| self.code.targets(last.at).contains(&Some(at)));
        let parent = match self.next_parent.take() {
            Some(NONE) => self.branch_to(at),
            Some(parent) => parent,
            None if self.nodes.is_empty() || follows => self.last,
            None => self.branch_to(at),
        };
        let number = self.insns.len() as u32;
        self.last = self.nodes.len() as u32;
        let before = self.entry.take();
        self.nodes.push(PathNode { at, number, parent, before, after: None });
        self.insns.push(self.last);
        if self.code.is_condition(at) {
            self.waiting.push(self.last);
        }
    }

    /// The last condition that leads to this slot. Those after it were not put aside.
    fn branch_to(&mut self, at: u32) -> u32 {
        while let Some(node) = self.waiting.pop() {
            if self.code.targets(self.nodes[node as usize].at).contains(&Some(at)) {
                return node;
            }
        }
        NONE
    }

    fn edge(&mut self, from: u32, state: Option<State<'a>>) {
        // A function that returns is no branch.
        let here = self.node(self.last).is_some_and(|node| node.at == from);
        let parent = match here && matches!(self.code.insn(from), Some(Insn::Exit)) {
            true => self.last,
            false => loop {
                match self.waiting.pop() {
                    None => break NONE,
                    Some(node) if self.nodes[node as usize].at == from => break node,
                    Some(_) => {}
                }
            },
        };
        self.next_parent = Some(if state.is_some() { parent } else { NONE });
        // The state after the condition was that of its other side.
        if let (Some(state), Some(node)) = (state, self.node(parent)) {
            let node = PathNode { after: Some(state.in_log(self.log)), ..*node };
            self.next_parent = Some(self.nodes.len() as u32);
            self.nodes.push(node);
        }
    }

    /// Takes the state before the instruction at a slot, which is the state after the one before.
    fn known(&mut self, at: u32, state: State<'a>) {
        let state = state.in_log(self.log);
        if self.nodes.is_empty() {
            self.entry = Some(state);
        }
        let begins = self.next_parent.is_some();
        if let Some(node) = self.nodes.get_mut(self.last as usize)
            && !begins
            && node.after.is_none()
            && self.code.targets(node.at).contains(&Some(at))
        {
            node.after = Some(state);
        }
    }

    /// Linux 5.10 prints the state after a condition, but before other instructions.
    fn known_beside(&mut self, state: State<'a>) {
        let state = state.in_log(self.log);
        if let Some(node) = self.nodes.get_mut(self.last as usize) {
            match self.code.insn(node.at) {
                Some(Insn::JumpIf { .. }) => node.after = Some(state),
                Some(Insn::Call(Callee::Local { .. }) | Insn::Exit) => {}
                _ => node.before = Some(state),
            }
        }
    }

    fn set_after(&mut self, state: Option<State<'a>>) {
        if let (Some(node), Some(state)) = (self.nodes.get_mut(self.last as usize), state) {
            node.after = Some(state.in_log(self.log));
        }
    }
}

/// From the beginning to a node.
fn steps<'a>(code: &Code, log: &'a str, nodes: &[PathNode], last: u32) -> Vec<PathStep<'a>> {
    // A parent stands before its child.
    let node = |index: u32| Some((index, nodes.get(index as usize)?));
    let back = || std::iter::successors(node(last), |(_, one)| node(one.parent));
    let count = back().count();
    let mut way: Vec<u32> = Vec::with_capacity(count);
    way.extend(back().map(|(index, _)| index));
    way.reverse();
    let left_out = count.saturating_sub(LONGEST);
    let mut steps = Vec::with_capacity(count - left_out);
    let mut frame = 0;
    for (index, node) in way.iter().enumerate() {
        let node = &nodes[*node as usize];
        if index >= left_out {
            let state = |at: Option<StateAt>| at.map(|at| State::of_log(log, at));
            let (before, after) = (state(node.before), state(node.after));
            let (at, number) = (node.at, node.number as usize);
            steps.push(PathStep { at, number, frame, before, after });
        }
        let next = way.get(index + 1).map(|next| nodes[*next as usize].at);
        match code.insn(node.at) {
            Some(Insn::Call(Callee::Local { .. }))
                if next.is_some() && next == code.target(node.at) =>
            {
                frame += 1;
            }
            Some(Insn::Exit) => frame = frame.saturating_sub(1),
            _ => {}
        }
    }
    steps
}
