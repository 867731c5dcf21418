//! What calls demand, and what they leave open.

use super::Advice;
use crate::insn::Insn;
use crate::verifier::diagnose::Case;
use crate::verifier::diagnose::words::{kind, words};
use crate::verifier::log::KnownValue;

impl<'a> Case<'a, '_> {
    pub(super) fn argument(
        &self,
        at: u32,
        register: u8,
        value: Option<KnownValue>,
    ) -> Option<Advice> {
        let known = self.known.as_ref()?;
        let callee = self.callee(at);
        let is = value.map_or(String::new(), |value| format!(" is {}", words(value)));
        if let Some(want) = known.field("want") {
            let want = want.strip_prefix("expected=").unwrap_or(want);
            return Some((
                format!(
                    "r{register}, argument {register} of {callee} at {at},{} but should be {}",
                    if is.is_empty() { format!(" is {}", kind(known.field("got")?)) } else { is },
                    kind(want)
                ),
                format!("put {} into r{register} before instruction {at}", kind(want)),
            ));
        }
        (!is.is_empty()).then(|| {
            (
                format!(
                    "{}: r{register}, argument {register} of {callee} at {at},{is}",
                    known.explanation()
                ),
                known.remedy(),
            )
        })
    }

    pub(super) fn helper_refused(&self, at: u32) -> Option<Advice> {
        let helper = self.helper(at)?;
        let known = self.known.as_ref()?;
        if self.first.contains("GPL") {
            return Some((
                format!(
                    "{} at {at} is only for programs whose licence is compatible with the GPL",
                    helper.name
                ),
                known.remedy(),
            ));
        }
        if known.field("h").is_none() {
            return Some((
                format!("{} at {at}: {}", helper.name, known.explanation()),
                known.remedy(),
            ));
        }
        let (major, minor) = helper.since;
        Some((
            format!(
                "{} at {at} cannot be called from this type of program, or not by this kernel",
                helper.name
            ),
            format!("{} (this helper exists since Linux {major}.{minor})", known.remedy()),
        ))
    }

    pub(super) fn reference(&self, at: Option<u32>) -> Option<Advice> {
        let taken = self.slot("i").filter(|at| self.code.insn(*at).is_some())?;
        let by = self.callee(taken);
        let back = match self.helper(taken).map(|helper| helper.name) {
            Some("bpf_ringbuf_reserve") => "bpf_ringbuf_submit or bpf_ringbuf_discard",
            Some(name) if name.contains("sk") => "bpf_sk_release",
            _ => "the function that releases it",
        };
        let end = at.map_or(String::new(), |at| format!(" at {at}"));
        Some((
            format!("the program ends{end} while it still holds what {by} at {taken} returned"),
            format!("call {back} on every path from {taken} to the end on which it is not NULL"),
        ))
    }

    pub(super) fn locked(&self, at: u32) -> Option<Advice> {
        if self.first.contains("unlock without taking a lock") {
            let callee = self.callee(at);
            return Some((
                format!("{callee} at {at}: no lock is held on this path"),
                format!(
                    "remove instruction {at}, or acquire the lock on every path that leads to it"
                ),
            ));
        }
        let held =
            ["bpf_spin_unlock is missing", "while holding a lock", "bpf_spin_lock-ed region"];
        if !held.iter().any(|said| self.first.contains(said)) {
            return None;
        }
        let steps = &self.path.steps[..self.index?];
        let lock = steps.iter().rev().find(|step| {
            self.helper(step.at).is_some_and(|helper| helper.name == "bpf_spin_lock")
        })?;
        let (what, remedy) = match self.code.insn(at)? {
            Insn::Exit => ("the program ends", "before it"),
            _ => ("a call is made", "before it, or make the call before the lock"),
        };
        Some((
            format!("{what} at {at} while the lock that was acquired at {} is held", lock.at),
            format!("call bpf_spin_unlock {remedy}"),
        ))
    }
}
