//! From a program and the log of its refusal to a diagnosis.

mod advice;
mod words;

use super::causes::{self, KnownMessage};
use super::history::{self, Did, History, HistoryEvent};
use super::log::{KnownValue, Missing, Processed};
use super::path::{Code, Path, PathStep, path};
use crate::insn::{Alu, Callee, Helper, Imm64, Insn, Operand};
use crate::order::PutInOrder;

pub use words::words;

/// Why a program is refused.
#[derive(Clone, Debug)]
pub struct Diagnosis<'a> {
    /// The kind of mistake, as [`causes`] names it; empty for an unknown message.
    pub class: &'static str,
    /// What is wrong with this program, in one sentence.
    pub sentence: String,
    /// The refused instruction's slot, if the kernel names it or the program shows it.
    pub at: Option<u32>,
    /// The register that the refusal is about.
    pub register: Option<u8>,
    /// What was known about the register there.
    pub value: Option<KnownValue<'a>>,
    /// How the register came to this value.
    pub history: Vec<HistoryStep<'a>>,
    /// What the verifier demands.
    pub demand: String,
    /// What to change.
    pub remedy: String,
    /// The kernel's own messages, line by line.
    pub said: Vec<&'a str>,
    /// The report of Linux 7.3: reason and suggestion.
    pub report: Option<(String, String)>,
    /// How many instructions and states the verifier processed.
    pub processed: Option<Processed>,
    /// Which end of the log is missing.
    pub missing: Missing,
}

impl Diagnosis<'_> {
    /// The notes after the history, each with its name; none is empty.
    pub fn notes(&self) -> Vec<(&'static str, String)> {
        let said = self.said.iter().map(|said| ("the verifier", (*said).to_owned()));
        let report = self.report.as_ref().map(|(reason, change)| format!("{reason} {change}"));
        let missing = match (self.missing.head, self.missing.tail) {
            (true, _) => "the log did not fit: its beginning is missing",
            (_, true) => "the log did not fit: its end is missing, and the reason with it",
            _ => "",
        };
        let mut notes: Vec<_> = said.collect();
        notes.extend([
            ("demanded", self.demand.clone()),
            ("change", self.remedy.clone()),
            ("the kernel's own report", report.unwrap_or_default()),
            ("note", missing.to_owned()),
        ]);
        notes.retain(|(_, text)| !text.is_empty());
        notes
    }
}

/// A step of the history, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryStep<'a> {
    /// The instruction's slot.
    pub at: u32,
    /// The register that it is about.
    pub register: Option<u8>,
    /// What the instruction did.
    pub what: String,
    /// What was known about the register after it.
    pub value: Option<KnownValue<'a>>,
}

/// Diagnoses a refusal from the log. Logs of levels 1 and 2 have the most in them, those of level 4 only
/// the message.
///
/// `None` if the log has no message: then the kernel refused before its verifier saw the program.
pub fn diagnose<'a>(code: &Code, log: &'a str) -> Option<Diagnosis<'a>> {
    let path = path(code, log);
    let (said, known) = said(&path);
    let first = *said.first()?;
    let mut case = Case { code, path: &path, first, known, index: None, register: None };
    let at = case.place();
    case.register = case.register();
    let history = match (case.index, case.register) {
        (Some(index), Some(register)) => case.history(index, register),
        _ => History::default(),
    };
    let value = case.value(case.register);
    let (sentence, remedy) = case.explain(at, value, &history);
    let report = path.report.map(|report| {
        let section = |name| report.section(name).unwrap_or_default();
        (section("Reason"), section("Suggestion"))
    });
    let told = case.told(&history);
    let class = case.class();
    let demand = case.demand(class, &sentence);
    Some(Diagnosis {
        class,
        sentence,
        at,
        register: case.register,
        value,
        history: told,
        demand,
        remedy,
        said,
        report,
        processed: path.processed,
        missing: path.missing,
    })
}

/// The lines that give the reason, without mere remarks; and the cause of the first line whose cause is
/// known.
fn said<'a>(path: &Path<'a>) -> (Vec<&'a str>, Option<KnownMessage<'a>>) {
    let mut known = None;
    let mut reasons = path.messages.clone();
    reasons.retain(|line| {
        let found = causes::find(line);
        let remark = found.as_ref().is_some_and(KnownMessage::is_remark)
            || line.starts_with("Unrecognized arg#")
            || line.starts_with("arg#") && line.ends_with("is not a struct")
            || line.starts_with("reg type unsupported for arg#");
        if !remark && known.is_none() {
            known = found;
        }
        !remark
    });
    if reasons.is_empty() {
        known = path.messages.iter().find_map(|line| causes::find(line));
        return (path.messages.clone(), known.filter(|known| !known.is_remark()));
    }
    (reasons, known)
}

struct Case<'a, 'c> {
    code: &'c Code,
    path: &'c Path<'a>,
    /// The message.
    first: &'a str,
    known: Option<KnownMessage<'a>>,
    /// The step of the path that was refused.
    index: Option<usize>,
    register: Option<u8>,
}

/// Classes of messages about the program's end, or about a walk that has ended.
const AT_EXIT: [&str; 6] =
    ["uninit-register", "return-value", "reference", "locked-region", "pointer-leak", "argument"];

impl<'a> Case<'a, '_> {
    fn class_known(&self) -> &'static str {
        self.known.as_ref().map_or("", |known| known.cause.class)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.known.as_ref()?.number(name)
    }

    fn size(&self, name: &str) -> Option<i64> {
        self.known.as_ref()?.size(name)
    }

    fn slot(&self, name: &str) -> Option<u32> {
        self.number(name)?.try_into().ok()
    }

    fn insn(&self, at: Option<u32>) -> Option<Insn> {
        self.code.insn(at?)
    }

    /// The refused instruction: the one that the message names, or the last one processed, or the one in
    /// the program that fits the message.
    fn place(&mut self) -> Option<u32> {
        let class = self.class_known();
        let last = self.path.steps.last();
        let ended =
            last.is_none_or(|step| step.frame == 0 && self.code.insn(step.at) == Some(Insn::Exit));
        let walked = !self.path.missing.tail
            && (self.first.starts_with("The sequence of ")
                || !matches!(
                    class,
                    "control-flow" | "stack-depth" | "complexity" | "environment" | "attach-target"
                ))
            && (!ended || AT_EXIT.contains(&class));
        let named = match class {
            "control-flow" => self.slot("a").or(if self.first.starts_with("unreachable") {
                self.slot("i")
            } else {
                None
            }),
            "loop" => self.slot("a").or(self.slot("i")),
            _ => None,
        };
        let named = named.filter(|at| (*at as usize) < self.code.slots().len());
        let at = named.or_else(|| match last {
            Some(step) if walked => Some(step.at),
            // A call that goes too deep, or whose chain of calls needs too much stack.
            Some(step) if class == "stack-depth" && self.code.target(step.at).is_some() => {
                Some(step.at)
            }
            _ => self.in_program(),
        });
        self.index = self.path.steps.iter().rposition(|step| Some(step.at) == at);
        at
    }

    /// The instruction that the message is about, if the kernel does not name it.
    fn in_program(&self) -> Option<u32> {
        let slots = self.code.slots();
        let indexed = || (0u32..).zip(slots);
        let insns = || (0..slots.len() as u32).filter_map(|at| Some((at, self.code.insn(at)?)));
        let first = self.first;
        let find = |wanted: &dyn Fn(Insn) -> bool| {
            insns().find(|(_, insn)| wanted(*insn)).map(|(at, _)| at)
        };
        let lands = |at: u32, good: &dyn Fn(u32) -> bool| self.code.target(at).is_none_or(good);
        if first.starts_with("last insn is not") {
            return slots.len().checked_sub(1).map(|at| at as u32).map(|at| {
                // A function of the program may end before: at its last instruction.
                let flows =
                    |at: u32| !matches!(self.code.insn(at), Some(Insn::Exit | Insn::Goto { .. }));
                let starts =
                    insns().filter(|(_, insn)| matches!(insn, Insn::Call(Callee::Local { .. })));
                let ends = starts.filter_map(|(at, _)| self.code.target(at)?.checked_sub(1));
                ends.filter(|end| flows(*end)).min().unwrap_or(at)
            });
        }
        if let Some(code) = first.strip_prefix("unknown opcode ") {
            let code = u8::from_str_radix(code.trim(), 16).ok()?;
            return indexed().find(|(_, slot)| slot.code == code).map(|(at, _)| at);
        }
        if first.starts_with('R') && first.ends_with(" is invalid") {
            return indexed().find(|(_, slot)| slot.dst > 10 || slot.src > 10).map(|(at, _)| at);
        }
        if self.class_known() == "bad-encoding" {
            let bad = |at: u32| {
                let half = at.checked_sub(1).and_then(|before| self.code.insn(before));
                self.code.insn(at).is_none() && half.is_none_or(|insn| insn.slots() == 1)
            };
            return (0..slots.len() as u32).find(|at| bad(*at)).or_else(|| {
                find(&|insn| match insn {
                    Insn::Alu { op: Alu::Div | Alu::Mod, src: Operand::Imm(0), .. } => true,
                    Insn::Alu {
                        op: Alu::Lsh | Alu::Rsh | Alu::Arsh,
                        src: Operand::Imm(by),
                        ..
                    } => i64::from(by) == self.number("n").unwrap_or(-1),
                    _ => false,
                })
            });
        }
        if first.starts_with("call to invalid destination") {
            let good = |to: u32| (to as usize) < slots.len();
            let calls =
                insns().filter(|(_, insn)| matches!(insn, Insn::Call(Callee::Local { .. })));
            return calls.map(|(at, _)| at).find(|at| !lands(*at, &good));
        }
        if first.starts_with("jump into the middle") || first.starts_with("invalid BPF_LD_IMM") {
            let good = |to: u32| {
                let before = to.checked_sub(1).and_then(|at| self.code.insn(at));
                before.is_none_or(|insn| insn.slots() == 1)
            };
            return insns().map(|(at, _)| at).find(|at| !lands(*at, &good));
        }
        if let Some(fd) = self.number("fd") {
            return find(&|insn| match insn {
                Insn::LoadImm64 {
                    value: Imm64::MapFd(at) | Imm64::MapFdValue { fd: at, .. },
                    ..
                } => i64::from(at) == fd,
                _ => false,
            });
        }
        match self.class_known() {
            "complexity" => {
                let back = |at: &u32| self.code.target(*at).is_some_and(|to| to <= *at);
                let branch = |insn| matches!(insn, Insn::JumpIf { .. });
                // The last loop, or else the first of the branches.
                insns().map(|(at, _)| at).filter(back).max().or_else(|| find(&branch))
            }
            "map-misuse" => find(&|insn| {
                matches!(insn, Insn::LoadImm64 { value: Imm64::MapFd(_) | Imm64::MapIndex(_), .. })
            }),
            "stack-depth" if first.starts_with("recursive") => {
                let calls =
                    insns().filter(|(_, insn)| matches!(insn, Insn::Call(Callee::Local { .. })));
                calls.map(|(at, _)| at).find(|at| self.code.target(*at).is_some_and(|to| to <= *at))
            }
            "stack-depth" => find(&|insn| matches!(insn, Insn::Call(Callee::Local { .. }))),
            // Level 4 has no instructions, but some messages name a helper by its number.
            _ => {
                let (_, id) = self.known.as_ref()?.field("h")?.rsplit_once('#')?;
                let id = id.parse().ok()?;
                find(&|insn| insn == Insn::Call(Callee::Helper(id)))
            }
        }
    }

    /// The register that the message is about: named there, or the instruction's.
    fn register(&self) -> Option<u8> {
        if let Some(number) = self.slot("reg") {
            return u8::try_from(number).ok().filter(|number| *number <= 10);
        }
        // The second line of some messages names it: R0 max value is outside.
        let others = self.path.messages.iter().filter_map(|line| line.strip_prefix('R'));
        let named = others.filter_map(|line| line.split_once(' ')?.0.parse().ok());
        if let Some(number) = named.into_iter().next().filter(|number| *number <= 10) {
            return Some(number);
        }
        let step = self.path.steps.get(self.index?)?;
        let scalar = |number: u8| {
            let value = history::before(self.code, &self.path.steps, self.index?, number);
            value.is_some_and(|value| value.is_scalar()).then_some(number)
        };
        match self.code.insn(step.at)? {
            Insn::Alu { dst, src: Operand::Reg(src), .. } if self.class_known() == "range" => {
                scalar(src.number()).or(scalar(dst.number())).or(Some(src.number()))
            }
            Insn::Alu { dst, .. } => Some(dst.number()),
            Insn::Load { base, .. } | Insn::Store { base, .. } | Insn::Atomic { base, .. } => {
                Some(base.number())
            }
            Insn::JumpIf { dst, .. } => Some(dst.number()),
            Insn::Exit if self.class_known() == "return-value" => Some(0),
            _ => None,
        }
    }

    fn value(&self, register: Option<u8>) -> Option<KnownValue<'a>> {
        history::before(self.code, &self.path.steps, self.index?, register?)
    }

    /// The history, including a call that made the register invalid without writing it.
    fn history(&self, index: usize, register: u8) -> History<'a> {
        let steps = &self.path.steps;
        let mut history = history::history(self.code, steps, index, register);
        if self.class_known() != "not-a-pointer" && !self.first.contains("type=") {
            return history;
        }
        // The last place where it, or what it was copied from, was a pointer.
        let last = history.events.iter().rposition(|event| {
            matches!(event.did, Did::Wrote(_))
                && event.value.is_some_and(|value| !value.is_scalar())
        });
        if let Some(last) = last
            && let Did::Wrote(number) = history.events[last].did
        {
            let written = history.events[last].step;
            let next = history.events.get(last + 1).map_or(index, |event| event.step);
            let call = (written + 1..next).rev().find(|at| {
                matches!(self.code.insn(steps[*at].at), Some(Insn::Call(Callee::Helper(_))))
            });
            if let Some(step) = call {
                let did = Did::Invalidated(number);
                history.events.push(HistoryEvent { step, did, value: None, times_before: 0 });
                history.events.order_by_key(|event| event.step);
            }
        }
        history
    }

    fn helper(&self, at: u32) -> Option<Helper> {
        helper(self.code, at)
    }

    fn callee(&self, at: u32) -> String {
        callee(self.code, at)
    }

    /// The class; a read of the stack inside of the frame is one of bytes never written.
    fn class(&self) -> &'static str {
        match self.class_known() {
            "stack-bounds" if self.stack().is_some_and(|stack| stack.inside) => "stack-uninit",
            class => class,
        }
    }

    fn demand(&self, class: &str, sentence: &str) -> String {
        let demand = match (class, &self.known) {
            ("stack-uninit", _) => "bytes of the stack must be written before they are read".into(),
            (_, Some(known)) => known.explanation(),
            (_, None) => String::new(),
        };
        if demand == sentence { String::new() } else { demand }
    }

    fn told(&self, history: &History<'a>) -> Vec<HistoryStep<'a>> {
        let told = history.events.iter().map(|event| {
            let mut told = tell(self.code, &self.path.steps, event);
            if let Did::Passed(register) = event.did
                && self.class() == "uninit-register"
            {
                let passes = format!("passes r{register}");
                told.what = told.what.replace(&passes, &format!("does not set r{register}"));
            }
            told
        });
        told.collect()
    }
}

fn helper(code: &Code, at: u32) -> Option<Helper> {
    match code.insn(at)? {
        Insn::Call(Callee::Helper(id)) => Helper::by_id(id.try_into().ok()?),
        _ => None,
    }
}

fn callee(code: &Code, at: u32) -> String {
    match (helper(code, at), code.target(at)) {
        (Some(helper), _) => helper.name.into(),
        (None, Some(to)) => format!("the function at {to}"),
        (None, None) => "the function".into(),
    }
}

/// An event of the history in words.
pub fn tell<'a>(code: &Code, steps: &[PathStep<'a>], event: &HistoryEvent<'a>) -> HistoryStep<'a> {
    let at = steps[event.step].at;
    let constant = match code.insn(at) {
        Some(Insn::Alu { op: Alu::Mov, src: Operand::Imm(imm), .. }) => {
            Some(KnownValue::constant(imm.into()))
        }
        _ => None,
    };
    let is = event.value.or(constant);
    let is = is.map_or(String::new(), |value| format!(" = {}", words(value)));
    let mut what = match event.did {
        Did::Wrote(register) => match code.insn(at) {
            Some(Insn::Call(_)) => format!("r0{is}, the result of {}", callee(code, at)),
            _ => format!("r{register}{is}"),
        },
        Did::Stored(slot) => format!("stored on the stack at r10{slot:+}{is}"),
        Did::Compared { register, held } => {
            let way = if held { "taken" } else { "not taken" };
            let is = event
                .value
                .map_or(String::new(), |value| format!(", so r{register} = {}", words(value)));
            format!("{way}{is}")
        }
        Did::Wiped(register) => format!("r{register} wiped by the call"),
        Did::Invalidated(register) => format!("r{register} is invalid from here on"),
        Did::Passed(register) => format!("passes r{register}{is}"),
    };
    match event.times_before {
        0 => {}
        1 => what.push_str(" (and once before)"),
        times => what.push_str(&format!(" (and {times} times before)")),
    }
    let register = match event.did {
        Did::Wrote(register) | Did::Compared { register, .. } => Some(register),
        Did::Wiped(_) | Did::Invalidated(_) | Did::Passed(_) | Did::Stored(_) => None,
    };
    HistoryStep { at, register, what, value: event.value }
}
