//! The whole walk of the verifier in its order: every instruction with what it changed, every branch
//! that was put aside and taken up again.

pub use super::frames::Change;
use super::frames::{Frames, FramesCopy};
use super::log::{
    Backtrack, FrameChange, KnownValue, LogEvent, Place, State, TextAt, events, events_of_walk,
};
use super::path::Code;
use super::waiting::Waiting;
use crate::insn::Insn;

/// The known values of registers and stack slots.
pub type Known<'a> = Vec<(Place, KnownValue<'a>)>;

/// A part of the walk.
#[derive(Clone, Debug)]
pub enum Entry<'a> {
    /// The walk begins, at the program or at a function that is verified by itself.
    Begin {
        /// The slot of its first instruction.
        at: u32,
        /// The state there.
        changes: Vec<Change<'a>>,
    },
    /// An instruction.
    Step(WalkStep<'a>),
    /// The walk goes on at a branch that was put aside.
    Branch {
        /// The slot of the condition.
        from: u32,
        /// The [`WalkStep::number`] of the condition, if the log has it.
        condition: Option<usize>,
        /// Where the walk goes on.
        to: u32,
        /// How many branches deep that is.
        depth: usize,
        /// Whether only a CPU that guesses wrongly would go there.
        speculative: bool,
        /// The differences of the state there from the state before the condition.
        changes: Vec<Change<'a>>,
    },
    /// A state like this one was found safe before, so the path ends.
    Safe {
        /// The slot.
        at: u32,
        /// How many branches deep.
        depth: usize,
    },
    /// A remark of the kernel.
    Said(&'a str),
    /// Part of the log is missing here.
    Cut,
}

impl Entry<'_> {
    /// How many branches deep.
    pub fn depth(&self) -> usize {
        match self {
            Entry::Step(step) => step.depth,
            Entry::Branch { depth, .. } | Entry::Safe { depth, .. } => *depth,
            Entry::Begin { .. } | Entry::Said(_) | Entry::Cut => 0,
        }
    }
}

/// An instruction that the verifier walked over.
#[derive(Clone, Debug)]
pub struct WalkStep<'a> {
    /// Its slot.
    pub at: u32,
    /// The number of instructions that were walked over before.
    pub number: usize,
    /// How many branches deep.
    pub depth: usize,
    /// How many calls of the program's own functions deep.
    pub frame: usize,
    /// How often it was walked over so far.
    pub times: u32,
    /// What it changed; for a call of the program's own function, the state that the function begins
    /// with.
    pub changes: Vec<Change<'a>>,
    /// The state after it in its frame; for a function's `exit`, in the caller's.
    pub known: Known<'a>,
    /// Where in the log each of these values stands.
    pub(super) known_at: Vec<TextAt>,
    /// The places whose exact value matters for it.
    pub exact: Vec<Exact>,
}

/// Places whose exact value matters for an instruction: states with different values there do not
/// count as the same.
#[derive(Clone, Debug, Default)]
pub struct Exact {
    /// The registers and stack slots.
    pub places: Vec<Place>,
    /// The instructions over which the verifier went back to find where their values came from.
    pub over: Vec<u32>,
}

/// Reads the walk from a log of this program, and calls `tell` with each part until it fails.
///
/// # Errors
/// The error of `tell`.
pub fn walk<'a, E>(
    code: &Code,
    log: &'a str,
    tell: &mut dyn FnMut(Entry<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut failed = None;
    each(code, log, &mut |entry| {
        failed = tell(entry).err();
        failed.is_none()
    });
    failed.map_or(Ok(()), Err)
}

/// As [`walk`], without the first `left_out` parts.
///
/// # Errors
/// The error of `tell`.
pub fn walk_from<'a, E>(
    code: &Code,
    log: &'a str,
    mut left_out: usize,
    tell: &mut dyn FnMut(Entry<'a>) -> Result<(), E>,
) -> Result<(), E> {
    walk(code, log, &mut |entry| match left_out {
        0 => tell(entry),
        _ => {
            left_out -= 1;
            Ok(())
        }
    })
}

/// The number of parts of the walk.
pub fn count(code: &Code, log: &str) -> usize {
    let mut count = 0;
    each(code, log, &mut |_| {
        count += 1;
        true
    });
    count
}

/// As [`walk`], until `tell` returns false.
fn each<'a>(code: &Code, log: &'a str, tell: &mut dyn FnMut(Entry<'a>) -> bool) {
    let inline = |event| matches!(event, LogEvent::Insn { state: Some(_), .. });
    let mut walk = WalkReader {
        code,
        // Linux 5.10 prints the whole state each time, later versions what each instruction changed.
        whole: !events(log).any(inline),
        frames: Frames::new(log),
        waiting: Waiting::new(code),
        depth: 0,
        step: None,
        said: vec![],
        last: None,
        number: 0,
        resumes: true,
        times: vec![0; code.slots().len()],
        traces_on: false,
        out: vec![],
    };
    let mut framed = false;
    for event in events_of_walk(log) {
        match event {
            LogEvent::Insn { at, state, .. } => {
                walk.insn(at);
                if let Some(state) = state {
                    walk.learn(state, false);
                }
                framed = false;
            }
            LogEvent::State { at: Some(at), state } => walk.known(at, state),
            LogEvent::State { at: None, state } => walk.learn(state, framed),
            LogEvent::Edge { from, to, speculative, state } => {
                walk.edge(from, to, speculative, state)
            }
            LogEvent::Safe { at } => {
                walk.flush();
                walk.out.push(Entry::Safe { at, depth: walk.depth });
                walk.last = None;
            }
            LogEvent::Frame(frame) => {
                framed = true;
                walk.resumes |= matches!(frame, FrameChange::Back(_) | FrameChange::Callee);
            }
            LogEvent::Backtrack(step) => walk.backtrack(step),
            // The state after the instruction may still follow.
            LogEvent::Message(text) | LogEvent::Global(text) if walk.step.is_some() => {
                walk.said.push(text);
                if walk.said.len() == MOST_SAID {
                    walk.flush();
                }
            }
            LogEvent::Message(text) | LogEvent::Global(text) => walk.out.push(Entry::Said(text)),
            LogEvent::Cut(_) => {
                walk.flush();
                walk.out.push(Entry::Cut);
            }
            _ => {}
        }
        if !walk.out.drain(..).all(&mut *tell) {
            return;
        }
    }
    walk.flush();
    walk.out.into_iter().all(tell);
}

/// What is kept of a condition of which one side may still be walked.
struct Aside {
    number: usize,
    depth: usize,
    frames: FramesCopy,
}

struct WalkReader<'a, 'c> {
    code: &'c Code,
    whole: bool,
    /// The state of each frame.
    frames: Frames<'a>,
    waiting: Waiting<'c, Aside>,
    depth: usize,
    /// The instruction of which more changes may follow in the log.
    step: Option<WalkStep<'a>>,
    /// The kernel's remarks since then.
    said: Vec<&'a str>,
    /// The instruction that the next may follow.
    last: Option<u32>,
    /// The number of instructions that were walked over.
    number: usize,
    /// Whether the next instruction continues this path without being a successor of the last.
    resumes: bool,
    /// How often each slot was walked over.
    times: Vec<u32>,
    /// Whether the next stretch continues the tracing back that is under way.
    traces_on: bool,
    out: Vec<Entry<'a>>,
}

impl<'a> WalkReader<'a, '_> {
    fn insn(&mut self, at: u32) {
        self.flush();
        if !std::mem::take(&mut self.resumes) && !self.follows(at) {
            self.branch_to(at, None);
        }
        let number = self.number;
        self.number += 1;
        if self.code.is_condition(at) {
            let (depth, frames) = (self.depth, self.frames.copy());
            self.waiting.push(at, Aside { number, depth, frames });
        }
        let mut times = 1;
        if let Some(count) = self.times.get_mut(at as usize) {
            *count += 1;
            times = *count;
        }
        let frame = self.frames.last();
        let mut changes = vec![];
        if matches!(self.code.insn(at), Some(Insn::Call(_) | Insn::LoadPacket { .. })) {
            // The kernel does so without a word.
            changes = self.frames.wipe_arguments();
        }
        let (depth, known, known_at, exact) = (self.depth, vec![], vec![], vec![]);
        self.step =
            Some(WalkStep { at, number, depth, frame, times, changes, known, known_at, exact });
        self.last = Some(at);
    }

    fn follows(&self, at: u32) -> bool {
        self.last.is_some_and(|last| self.code.targets(last).contains(&Some(at)))
    }

    /// Takes up the last condition that leads to this slot. Those after it were not put aside.
    fn branch_to(&mut self, to: u32, state: Option<State<'a>>) {
        let taken = self.waiting.take_to(to);
        match self.take_up(taken) {
            Some((from, number)) => self.branch(from, Some(number), to, false, state),
            // A function by itself.
            None => {
                self.depth = 0;
                self.frames.clear();
                if let Some(state) = state {
                    let changes = self.frames.learn(state, true);
                    self.out.push(Entry::Begin { at: to, changes });
                }
            }
        }
    }

    /// Goes on at a condition, and returns its slot and its number.
    fn take_up(&mut self, taken: Option<(u32, Aside)>) -> Option<(u32, usize)> {
        let (at, Aside { number, depth, frames }) = taken?;
        self.depth = depth + 1;
        self.frames.restore(frames);
        Some((at, number))
    }

    fn branch(
        &mut self,
        from: u32,
        condition: Option<usize>,
        to: u32,
        speculative: bool,
        state: Option<State<'a>>,
    ) {
        let changes = state.map(|state| self.frames.learn(state, true)).unwrap_or_default();
        let depth = self.depth;
        self.out.push(Entry::Branch { from, condition, to, depth, speculative, changes });
    }

    fn edge(&mut self, from: u32, to: u32, speculative: bool, state: Option<State<'a>>) {
        // A function that returns is no branch.
        if self.last == Some(from) && matches!(self.code.insn(from), Some(Insn::Exit)) {
            if let Some(state) = state {
                self.learn(state, true);
            }
            self.resumes = state.is_some();
            return;
        }
        self.flush();
        let taken = self.waiting.take_at(from);
        let condition = self.take_up(taken).map(|(_, number)| number);
        self.branch(from, condition, to, speculative, state);
        self.resumes = state.is_some();
        if state.is_none() {
            self.out.push(Entry::Safe { at: to, depth: self.depth });
            self.last = None;
        }
    }

    /// Takes the state before the instruction at a slot, which is the state after the one before. After
    /// a value was traced back, the log has that one's own slot again.
    fn known(&mut self, at: u32, state: State<'a>) {
        if !self.resumes && !self.follows(at) && self.last != Some(at) {
            // Linux 5.10 does not say that it takes up a branch.
            self.flush();
            self.branch_to(at, Some(state));
            self.resumes = true;
            return;
        }
        if self.step.is_some() {
            return self.learn(state, self.whole);
        }
        let changes = self.frames.learn(state, self.whole);
        if self.last.is_none() && !changes.is_empty() {
            self.out.push(Entry::Begin { at, changes });
        }
    }

    fn learn(&mut self, state: State<'a>, whole: bool) {
        let changes = self.frames.learn(state, whole);
        let Some(step) = &mut self.step else { return };
        if state.frame as usize != step.frame {
            // The kernel may say it twice.
            if !changes.is_empty() {
                step.changes = changes;
            }
            return;
        }
        // At most one for a place.
        step.changes.retain(|(place, _)| changes.iter().all(|(other, _)| other != place));
        step.changes.extend(changes);
    }

    fn backtrack(&mut self, back: Backtrack<'a>) {
        let Some(step) = &mut self.step else { return };
        let traces_on = std::mem::take(&mut self.traces_on);
        match back {
            Backtrack::Stretch { .. } if !traces_on => step.exact.push(Exact::default()),
            Backtrack::Before { registers, stack, at, .. } => {
                if let Some(exact) = step.exact.last_mut() {
                    exact.of(registers, stack);
                    exact.over.push(at);
                }
            }
            Backtrack::Parent { registers, stack, .. } => {
                if let Some(exact) = step.exact.last_mut() {
                    exact.of(registers, stack);
                }
                self.traces_on = true;
            }
            Backtrack::Stretch { .. } | Backtrack::All => {}
        }
    }

    fn flush(&mut self) {
        self.traces_on = false;
        let Some(mut step) = self.step.take() else { return };
        step.exact.retain(|exact| !exact.places.is_empty());
        let known = self.frames.known(step.frame);
        step.known = known.iter().map(|held| (held.place, held.value)).collect();
        step.known_at = known.iter().map(|held| held.at).collect();
        self.out.push(Entry::Step(step));
        self.out.extend(self.said.drain(..).map(Entry::Said));
    }
}

/// The number of remarks after which no more of an instruction's state is waited for.
const MOST_SAID: usize = 64;

impl Exact {
    /// Keeps the first places: those that the search began with.
    fn of(&mut self, registers: u16, stack: u64) {
        if self.places.is_empty() {
            let registers = (0..=10u8).filter(|bit| registers >> bit & 1 == 1);
            let slots = (0..64).filter(|bit| stack >> bit & 1 == 1).map(|bit| -8 * (bit + 1));
            self.places = registers.map(Place::Register).chain(slots.map(Place::Stack)).collect();
        }
    }
}

/// Registers first, then the stack from its top.
pub(super) fn in_order(mut known: Known) -> Known {
    known.sort_by_key(|(place, _)| match place {
        Place::Register(number) => (false, i64::from(*number)),
        Place::Stack(offset) => (true, -i64::from(*offset)),
    });
    known
}

/// A place's name: `r1`, `fp-8`.
pub fn name(place: Place) -> String {
    match place {
        Place::Register(number) => format!("r{number}"),
        Place::Stack(offset) => format!("fp{offset}"),
    }
}
