//! The verifier's log as a stream of events.
//!
//! The kernel promises no format, and it changed often. An [`LogEvent`] is what all of Linux 5.10 to 7.3
//! mean, whichever way they spell it. Events borrow from the text: a log of 16 MB needs no memory but
//! its own.
//!
//! ```
//! use rawbpf::verifier::log::{LogEvent, events};
//!
//! let log = "0: R1=ctx() R10=fp0\n0: (95) exit\nR0 !read_ok\n";
//! let said = events(log).find_map(|event| match event {
//!     LogEvent::Message(text) => Some(text),
//!     _ => None,
//! });
//! assert_eq!(said, Some("R0 !read_ok"));
//! ```

mod precision;
mod report;
mod state;
mod statistics;
mod words;

pub use precision::Backtrack;
pub use report::{Report, ReportStep};
pub use state::{Bounds, KnownValue, Place, State, Values};
pub(super) use state::{StateAt, TextAt};
pub use statistics::{Processed, Statistic};

use words::{Words, opcode};

/// A line of the log, or one of the two things in a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LogEvent<'a> {
    /// The verifier walks over this instruction.
    Insn {
        /// Its slot.
        at: u32,
        /// Its opcode.
        code: u8,
        /// The instruction as the kernel prints it.
        text: &'a str,
        /// The values after it that it changed (Linux 5.18 and later).
        state: Option<State<'a>>,
    },
    /// The state before the instruction at a slot, or after the one above.
    State {
        /// The slot, if the line has one.
        at: Option<u32>,
        /// The state.
        state: State<'a>,
    },
    /// The walk goes on at a branch that was put aside.
    Edge {
        /// The slot of the branch.
        from: u32,
        /// Where the walk goes on.
        to: u32,
        /// Whether only a CPU that guesses wrongly would go there.
        speculative: bool,
        /// The state there; `None` if one like it was found safe before, and the path ends.
        state: Option<State<'a>>,
    },
    /// A state like this one was found safe before, and the path ends.
    Safe {
        /// The slot.
        at: u32,
    },
    /// The source line of the instructions below.
    Source {
        /// The line.
        text: &'a str,
        /// Its file and number (Linux 6.12 and later).
        place: Option<(&'a str, u32)>,
    },
    /// The walk enters a function of the program, or leaves it.
    Frame(FrameChange),
    /// A function of the program begins at a slot.
    Function {
        /// Its number; 0 is the program itself.
        number: u32,
        /// The slot.
        at: u32,
    },
    /// Registers that are still needed at an instruction (Linux 6.15 and later).
    Live {
        /// Its slot.
        at: u32,
        /// The loop that it is in, if any.
        scc: Option<u32>,
        /// A bit for each register.
        registers: u16,
        /// The instruction as the kernel prints it, with its opcode.
        text: &'a str,
    },
    /// A step of finding out where an exact value came from.
    Backtrack(Backtrack<'a>),
    /// One of the two states that are the same in an endless loop (Linux 6.12 and later).
    Loop {
        /// Whether it is the earlier of the two.
        old: bool,
        /// The state.
        state: State<'a>,
    },
    /// A function that is verified by itself, since anybody might call it.
    Global(&'a str),
    /// A line of the verifier's other passes: about the stack, loops, marks handed on.
    Pass(&'a str),
    /// The kernel's own explanation (Linux 7.3).
    Report(Report<'a>),
    /// How much the verifier had to do.
    Statistic(Statistic<'a>),
    /// Any other line: the reason of a refusal.
    Message(&'a str),
    /// A line that is not whole, since the log did not fit.
    Cut(&'a str),
}

/// A call of a function of the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameChange {
    /// The caller's state follows.
    Caller,
    /// The callee's state follows.
    Callee,
    /// The callee's last state follows.
    Returning,
    /// The caller's state at this slot follows.
    Back(u32),
}

/// Which end of a log is missing, since it did not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Missing {
    /// The beginning, as Linux 6.4 and later leave it out.
    pub head: bool,
    /// The end, as earlier kernels do; with it went why the program is refused.
    pub tail: bool,
}

/// Which end of this log is missing.
pub fn missing(log: &str) -> Missing {
    let (mut walked, mut head) = (false, false);
    for line in log.lines() {
        // Both stand before any instruction.
        if line.starts_with("Validating ") || line.starts_with("func#0 @") {
            walked = true;
            break;
        }
        let mut words = Words(line.trim_start());
        if let Some(at) = first_slot(&mut words) {
            (walked, head) = (true, at != 0);
            break;
        }
    }
    let last = log.trim_end().rsplit('\n').next().unwrap_or("");
    let ends = last.starts_with("processed ") || !walked && (log.is_empty() || log.ends_with('\n'));
    Missing { head, tail: !ends }
}

/// The slot of a line that shows an instruction or the state before one.
fn first_slot(words: &mut Words) -> Option<u32> {
    let mut at = words.number()?;
    // In a loop, the loop's number comes first.
    if words.0.starts_with(' ') {
        words.0 = words.0.trim_start();
        at = words.number()?;
    }
    words.skip(": ")?;
    let rest = words.0.as_bytes();
    let shown = matches!(rest, [b'(' | b'.' | b'0'..=b'9', ..]) || State::begins(words.0);
    shown.then_some(at)
}

/// The events of a log, in its order. Empty lines are none.
pub fn events(log: &str) -> LogEvents<'_> {
    let missing = missing(log);
    let mut rest = log;
    let mut pending = None;
    if missing.head {
        let (cut, whole) = log.split_once('\n').unwrap_or((log, ""));
        (rest, pending) = (whole, Some(LogEvent::Cut(cut)));
    }
    let mut end = "";
    if missing.tail && !rest.ends_with('\n') {
        let whole = rest.rfind('\n').map_or(0, |at| at + 1);
        (rest, end) = rest.split_at(whole);
    }
    LogEvents { rest, end, pending, passes: false }
}

/// The events of the walk itself: without the states that Linux 5.10 prints at the beginning of a
/// stretch that it goes back over.
pub(super) fn events_of_walk(log: &str) -> impl Iterator<Item = LogEvent<'_>> {
    let mut backtracked = false;
    events(log).filter(move |event| {
        let before = std::mem::replace(&mut backtracked, matches!(event, LogEvent::Backtrack(_)));
        !(before && matches!(event, LogEvent::State { at: None, .. }))
    })
}

/// See [`events()`].
#[derive(Clone, Debug)]
pub struct LogEvents<'a> {
    rest: &'a str,
    /// The line that is cut off.
    end: &'a str,
    /// The second event of a line that has two.
    pending: Option<LogEvent<'a>>,
    /// Whether we are where passes before the walk list the program: Linux 7.3.
    passes: bool,
}

impl<'a> Iterator for LogEvents<'a> {
    type Item = LogEvent<'a>;

    fn next(&mut self) -> Option<LogEvent<'a>> {
        if let Some(event) = self.pending.take() {
            return Some(event);
        }
        while !self.rest.is_empty() {
            let here = self.rest;
            let (line, rest) = here.split_once('\n').unwrap_or((here, ""));
            self.rest = rest;
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.starts_with(report::START) {
                let (report, rest) = Report::split(here);
                self.rest = rest;
                return Some(LogEvent::Report(report));
            }
            if !line.trim_ascii().is_empty() {
                return Some(self.line(line));
            }
        }
        let end = std::mem::take(&mut self.end);
        (!end.is_empty()).then_some(LogEvent::Cut(end))
    }
}

impl<'a> LogEvents<'a> {
    fn line(&mut self, line: &'a str) -> LogEvent<'a> {
        let event = match line.as_bytes()[0] {
            b'0'..=b'9' => self.numbered(line),
            b' ' => self.indented(line),
            b';' => line.strip_prefix("; ").map(|text| {
                let (text, place) = source(text);
                LogEvent::Source { text, place }
            }),
            b'(' => pass_of_stack(line),
            _ => self.worded(line),
        };
        event.unwrap_or(LogEvent::Message(line))
    }

    /// `8: (25) if r1 > 0x7 goto pc+1`, `8: R1=ctx()`, `8: safe`.
    fn numbered(&mut self, line: &'a str) -> Option<LogEvent<'a>> {
        let mut words = Words(line);
        let at = words.number()?;
        words.skip(":")?;
        let rest = words.0;
        if rest == " safe" {
            return Some(LogEvent::Safe { at });
        }
        // An instruction that it cannot print: BUG_db, BUG_ld_00.
        if let Some(code) = rest.strip_prefix(" BUG_") {
            let code = u8::from_str_radix(code.get(code.len().checked_sub(2)?..)?, 16).ok()?;
            return Some(LogEvent::Insn { at, code, text: rest.trim_start(), state: None });
        }
        // What libbpf writes in the place of an instruction that it could not complete.
        if rest.starts_with(" <") && rest.ends_with('>') {
            let text = rest.trim_start();
            return Some(LogEvent::Insn { at, code: 0x85, text, state: None });
        }
        if !rest.starts_with(" (") {
            return Some(LogEvent::State { at: Some(at), state: State::parse(rest)? });
        }
        if self.passes {
            return Some(LogEvent::Pass(line));
        }
        let (code, rest) = opcode(rest)?;
        // The state after it follows a semicolon. Where the log was wound back to here, the line may
        // go on with the state before the next instruction, whose own line has lost its beginning.
        if let Some((text, state)) = rest.split_once(';') {
            // A state that somebody cut off is none.
            let state = State::parse(state);
            return Some(LogEvent::Insn { at, code, text: text.trim_end(), state });
        }
        let mut text = rest;
        if let Some((before, next, state)) = glued(rest) {
            text = before;
            self.pending = Some(LogEvent::State { at: Some(next), state });
        }
        Some(LogEvent::Insn { at, code, text: text.trim_end(), state: None })
    }

    /// A state by itself; live registers; or a pass's line about an instruction.
    fn indented(&self, line: &'a str) -> Option<LogEvent<'a>> {
        let text = line.trim_start();
        if State::begins(text) {
            return Some(LogEvent::State { at: None, state: State::parse(text)? });
        }
        live(text).or_else(|| {
            let mut words = Words(text);
            words.number()?;
            words.skip(": (")?;
            Some(LogEvent::Pass(line))
        })
    }

    fn worded(&mut self, line: &'a str) -> Option<LogEvent<'a>> {
        if let Some(event) = edge(line) {
            return Some(event);
        }
        if let Some(step) = Backtrack::parse(line) {
            return Some(LogEvent::Backtrack(step));
        }
        if let Some(statistic) = Statistic::parse(line) {
            return Some(LogEvent::Statistic(statistic));
        }
        if line.starts_with("processed ") && line.contains(" insns") {
            // The totals of Linux before 5.2, or what somebody left of them.
            return Some(LogEvent::Pass(line));
        }
        match line {
            "caller:" => return Some(LogEvent::Frame(FrameChange::Caller)),
            "callee:" => return Some(LogEvent::Frame(FrameChange::Callee)),
            "returning from callee:" => return Some(LogEvent::Frame(FrameChange::Returning)),
            "Live regs before insn:" => {
                self.passes = false;
                return Some(LogEvent::Pass(line));
            }
            _ => {}
        }
        let mut words = Words(line);
        if words.skip("to caller at ").is_some() {
            let at = words.number()?;
            return (words.0 == ":").then_some(LogEvent::Frame(FrameChange::Back(at)));
        }
        if words.skip("func#").is_some() {
            let number = words.number()?;
            words.skip(" @")?;
            let at = words.number()?;
            return words.0.is_empty().then_some(LogEvent::Function { number, at });
        }
        for (prefix, old) in [("cur state:", false), ("old state:", true)] {
            if words.skip(prefix).is_some() {
                return Some(LogEvent::Loop { old, state: State::parse(words.0)? });
            }
        }
        let listing = ["topo_order[", "subprog#", "stack use/def "];
        if listing.iter().any(|prefix| line.starts_with(prefix)) {
            self.passes = true;
            return Some(LogEvent::Pass(line));
        }
        let passes =
            ["SCC enter (", "SCC exit (", "SCC backedge (", "propagating ", "force_precise: "];
        if passes.iter().any(|prefix| line.starts_with(prefix))
            || line.starts_with("frame ") && line.contains(": propagating ")
        {
            return Some(LogEvent::Pass(line));
        }
        let global = line.starts_with("Validating ")
            || line.starts_with("Func#")
                && ["assumed valid.", " is safe for any args", " is global and valid. Skipping"]
                    .iter()
                    .any(|said| line.contains(said));
        global.then_some(LogEvent::Global(line))
    }
}

/// `if r1 > 0x7 goto pc+1 10: R0=0`: the instruction, the next slot, and the state there.
fn glued(text: &str) -> Option<(&str, u32, State<'_>)> {
    let colon =
        text.match_indices(": ").map(|(at, _)| at).find(|at| State::begins(&text[at + 2..]))?;
    let start = text[..colon].rfind(' ')?;
    let next = text[start + 1..colon].parse().ok()?;
    Some((&text[..start], next, State::parse(&text[colon + 1..])?))
}

/// `from 8 to 10: R0=0`, `from 8 to 10 (speculative execution): safe`.
fn edge(line: &str) -> Option<LogEvent<'_>> {
    let mut words = Words(line);
    words.skip("from ")?;
    let from = words.number()?;
    words.skip(" to ")?;
    let to = words.number()?;
    let speculative = words.skip(" (speculative execution)").is_some();
    words.skip(":")?;
    let state = if words.0 == " safe" { None } else { Some(State::parse(words.0)?) };
    Some(LogEvent::Edge { from, to, speculative, state })
}

/// `a[i] = 0; @ l3.rs:41`, or only the line: its text, and its file and number.
pub(super) fn source(text: &str) -> (&str, Option<(&str, u32)>) {
    let place = text.rsplit_once(" @ ").and_then(|(text, place)| {
        let (file, line) = place.rsplit_once(':')?;
        Some((text, (file, line.parse().ok()?)))
    });
    place.map_or((text, None), |(text, place)| (text, Some(place)))
}

/// `1 12: .1....6... (0f) r6 += r1`: the loop's number, the slot, live registers, the instruction.
fn live(text: &str) -> Option<LogEvent<'_>> {
    let mut words = Words(text);
    let (mut at, mut scc) = (words.number()?, None);
    if words.0.starts_with(' ') {
        words.0 = words.0.trim_start();
        scc = Some(at);
        at = words.number()?;
    }
    words.skip(": ")?;
    let registers = words.0.get(..10)?;
    words.skip(registers)?;
    let text = words.0.strip_prefix(' ')?;
    opcode(words.0)?;
    let mut bits = 0;
    for (number, dot) in registers.bytes().enumerate() {
        if dot == b'0' + number as u8 {
            bits |= 1 << number;
        } else if dot != b'.' {
            return None;
        }
    }
    Some(LogEvent::Live { at, scc, registers: bits, text })
}

/// `(0) frame 0 insn 9 +live -16`, `(0,3) live stack update done in 2 iterations`.
fn pass_of_stack(line: &str) -> Option<LogEvent<'_>> {
    let (calls, what) = line.strip_prefix('(')?.split_once(") ")?;
    let calls = calls.bytes().all(|byte| byte == b',' || byte.is_ascii_digit());
    let known = what.starts_with("frame ") || what.starts_with("live stack ");
    (calls && known).then_some(LogEvent::Pass(line))
}
