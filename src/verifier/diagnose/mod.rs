//! From a program and the log of its refusal to a diagnosis.

mod advice;
mod c;
pub mod contexts;
mod copies;
mod place;
mod words;

use super::causes::{self, KnownMessage};
use super::history::{self, Did, History, HistoryEvent};
use super::log::{KnownValue, Missing, Processed};
use super::path::{Code, Path, PathStep, path};
use super::source_line::SourceLine;
use crate::insn::{Alu, Callee, Helper, Insn, Operand};
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
            (true, _) => "the log's beginning is missing",
            (_, true) => "the log's end is missing, and the reason with it",
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
    diagnose_of_kind(code, log, "", &[])
}

/// Diagnoses the refusal of a program that is attached like this, or is of this type, as a text names it, and
/// that these source lines became.
pub(super) fn diagnose_of_kind<'a>(
    code: &Code,
    log: &'a str,
    kind: &str,
    lines: &[SourceLine],
) -> Option<Diagnosis<'a>> {
    let mut path = path(code, log);
    let (said, known) = said(&path);
    let first = *said.first()?;
    // The reason is there, even if somebody has left out the totals.
    path.missing.tail &= known.as_ref().is_none_or(KnownMessage::is_remark);
    let mut case = Case { code, path: &path, log, kind, first, known, index: None, register: None };
    let at = case.place();
    case.register = case.register();
    let history = match (case.index, case.register) {
        (Some(index), Some(register)) => case.history(index, register),
        _ => History::default(),
    };
    let value = case.value(case.register);
    let (sentence, remedy) = case.explain(at, value, &history);
    let remedy = case.in_c(at, &remedy, &history, lines);
    let report = path.report.map(|report| {
        let section = |name| report.section(name).unwrap_or_default();
        (section("Reason"), section("Suggestion"))
    });
    let told = case.told(&case.with_copy(history));
    let class = case.class();
    let demand = case.demand(class, at, &sentence);
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
    // Before the walk, of a context that is tried as something else.
    if reasons.len() > 1 && reasons[0] == "R1 type=ctx expected=fp" {
        reasons.remove(0);
    }
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
    log: &'a str,
    /// How the program is attached, or its type; empty if not known.
    kind: &'c str,
    /// The message.
    first: &'a str,
    known: Option<KnownMessage<'a>>,
    /// The step of the path that was refused.
    index: Option<usize>,
    register: Option<u8>,
}

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

    /// The register that the message is about: named there, or the instruction's.
    fn register(&self) -> Option<u8> {
        if let Some(number) = self.slot("reg") {
            return u8::try_from(number).ok().filter(|number| *number <= 10);
        }
        // Arguments of kernel functions are counted from 0: arg#0, trusted arg0.
        if let Some((_, rest)) = self.first.split_once("arg") {
            let digits = rest.trim_start_matches('#');
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            let number = digits[..end].parse::<u8>().ok().filter(|number| *number < 5);
            let calls = self.index.and_then(|index| self.path.steps.get(index));
            let calls = calls.and_then(|step| self.code.insn(step.at));
            if let (Some(number), Some(Insn::Call(_))) = (number, calls) {
                return Some(number + 1);
            }
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
        self.kfunc(at).map_or_else(|| callee(self.code, at), str::to_owned)
    }

    /// The name that the log has for the function of the kernel that is called at a slot.
    fn kfunc(&self, at: u32) -> Option<&'a str> {
        let Insn::Call(Callee::Kfunc { .. }) = self.code.insn(at)? else { return None };
        let call = format!("{at}: (85) call ");
        let name = self.log.lines().find_map(|line| line.strip_prefix(&call)?.split('#').next())?;
        Some(name).filter(|name| name.starts_with("bpf_") || !name.contains(['-', ' ']))
    }

    /// The class; a read of the stack inside of the frame is one of bytes never written.
    fn class(&self) -> &'static str {
        match self.class_known() {
            "verifier-internal" | "program-metadata" | "bad-encoding"
                if self.foreign().is_some() =>
            {
                "helper-not-allowed"
            }
            "argument" if self.lacks_null_check() => "null-not-checked",
            "stack-bounds" if self.stack().is_some_and(|stack| stack.inside) => "stack-uninit",
            class => class,
        }
    }

    fn demand(&self, class: &str, at: Option<u32>, sentence: &str) -> String {
        let demand = match (class, &self.known) {
            _ if self.foreign().is_some() => String::new(),
            ("ctx-access", Some(known)) if known.field("size").is_some() => {
                self.context_demand().unwrap_or_else(|| known.explanation())
            }
            ("null-not-checked", _) if self.class_known() == "argument" => {
                "the call does not accept NULL here".into()
            }
            ("object-bounds", _) if at.is_some_and(|at| self.is_empty_length(at)) => {
                "the call needs a length of at least 1".into()
            }
            ("stack-uninit", _) => "bytes of the stack must be written before they are read".into(),
            (_, Some(known)) => known.explanation(),
            (_, None) => String::new(),
        };
        if demand == sentence { String::new() } else { demand }
    }

    /// The history, with the copy that was compared in place of what is used.
    fn with_copy(&self, mut history: History<'a>) -> History<'a> {
        let steps = &self.path.steps;
        if let Some(copy) = self.copy(&history) {
            let events = [
                (copy.made, Did::Wrote(copy.copy())),
                (copy.compared, self.comparison(copy.compared, copy.checked)),
            ];
            for (step, did) in events {
                if !history.events.iter().any(|event| event.step == step) {
                    let value = steps[step].after.and_then(|state| state.register(copy.checked));
                    let value = value.filter(|_| did != Did::Wrote(copy.used));
                    history.events.push(HistoryEvent { step, did, value, times_before: 0 });
                }
            }
            history.events.order_by_key(|event| event.step);
        }
        history
    }

    /// The comparison of a register by the jump at a step.
    fn comparison(&self, step: usize, register: u8) -> Did {
        let steps = &self.path.steps;
        let target = self.code.target(steps[step].at);
        let held = steps.get(step + 1).is_some_and(|next| Some(next.at) == target);
        Did::Compared { register, held }
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
