//! Registers that hold nothing, or another kind of value than is needed.

use super::Advice;
use crate::insn::{Alu, Insn, Operand};
use crate::verifier::diagnose::Case;
use crate::verifier::history::{self, Did, History, HistoryEvent};
use crate::verifier::log::KnownValue;

impl<'a> Case<'a, '_> {
    pub(super) fn uninit(&self, at: u32, register: u8, history: &History) -> Option<Advice> {
        let r = format!("r{register}");
        if let Some(wiped) = history.events.iter().rev().find(|e| matches!(e.did, Did::Wiped(_))) {
            let call = self.path.steps[wiped.step].at;
            let by = self.callee(call);
            let keep = self.spare().map_or("the stack".into(), |spare| format!("r{spare}"));
            return Some((
                format!("{r} is read at {at}, but the call of {by} at {call} has wiped r1 to r5"),
                format!("copy {r} to {keep} before instruction {call}, and use {keep} after it"),
            ));
        }
        let passed = history.events.iter().find(|e| matches!(e.did, Did::Passed(_)));
        if let Some(passed) = passed {
            let call = self.path.steps[passed.step].at;
            return Some((
                format!(
                    "{} reads {r} at {at}, which the call at {call} does not set",
                    self.callee(call)
                ),
                format!("set {r} before instruction {call}"),
            ));
        }
        // Which branch leads past an instruction that would have written it?
        let steps = &self.path.steps[..self.index?];
        let writer = |from: u32, to: u32| {
            (from..to).find(|slot| {
                self.code.insn(*slot).is_some_and(|insn| history::writes(insn, register))
            })
        };
        let skipped = steps.iter().enumerate().rev().find_map(|(index, step)| {
            let to = self.code.target(step.at)?;
            let Some(Insn::JumpIf { .. }) = self.code.insn(step.at) else { return None };
            let taken = self.path.steps.get(index + 1)?.at == to && to > step.at + 1;
            Some((step.at, writer(step.at + 1, to).filter(|_| taken)?))
        });
        if let Some((branch, writer)) = skipped {
            return Some((
                format!(
                    "{r} is not written when the jump at {branch} is taken: the jump skips \
                     instruction {writer}, which writes {r}"
                ),
                format!("write {r} before instruction {branch}: r{register} = 0"),
            ));
        }
        if let Some(Insn::Exit) = self.insn(Some(at)) {
            return Some((
                format!("exit at {at} returns r0, which nothing on this path has written"),
                format!("insert before instruction {at}: r0 = 0"),
            ));
        }
        if let Some(Insn::Call(_)) = self.insn(Some(at)) {
            return Some((
                format!(
                    "{} at {at} needs {r}, which nothing on this path has written",
                    self.callee(at)
                ),
                format!("set {r} before instruction {at}"),
            ));
        }
        Some((
            format!("{r} is read at {at}, but nothing on this path has written it"),
            format!("write {r} before instruction {at}: {r} = 0"),
        ))
    }

    /// Advice for a pointer whose object was released, or whose packet may have moved.
    pub(super) fn ended(&self, at: u32, register: u8, history: &History) -> Option<Advice> {
        let mut events = history.events.iter();
        let event = events.find(|event| matches!(event.did, Did::Invalidated(_)))?;
        let call = self.path.steps[event.step].at;
        let packet = history
            .events
            .iter()
            .any(|event| event.value.is_some_and(|value| value.type_.starts_with("pkt")));
        let (why, remedy) = if packet {
            (
                "may move the packet, and earlier pointers into it are invalid",
                format!(
                    "after instruction {call}, load data and data_end from the context again, and \
                     compare again"
                ),
            )
        } else {
            (
                "has released what it points to",
                format!("use r{register} before instruction {call}, not after it"),
            )
        };
        let by = self.callee(call);
        Some((format!("r{register} cannot be used at {at}: {by} at {call} {why}"), remedy))
    }

    pub(super) fn null(&self, at: u32, register: u8, history: &History) -> Option<Advice> {
        let made = history.origin()?;
        let call = self.path.steps[made.step].at;
        let helper = self.helper(call)?;
        let when = match helper.name {
            "bpf_map_lookup_elem" => " (the map has no such key)",
            "bpf_ringbuf_reserve" => " (the buffer is full)",
            _ => "",
        };
        Some((
            format!(
                "r{register} may be NULL at {at}: {} at {call} can return NULL{when}, and nothing has \
                 checked it",
                helper.name
            ),
            format!(
                "insert after instruction {call}: `if r0 == 0 goto L`, where L does not use r0"
            ),
        ))
    }

    pub(super) fn no_pointer(
        &self,
        at: u32,
        register: u8,
        value: Option<KnownValue>,
        history: &History,
    ) -> Option<Advice> {
        if let Some(ended) = self.ended(at, register, history) {
            return Some(ended);
        }
        let r = format!("r{register}");
        let compared = history.events.iter().rev().find(|event| {
            let is_null = value.is_some_and(|value| value.known == Some(0));
            matches!(event.did, Did::Compared { .. }) && is_null
        });
        if let Some(HistoryEvent { step, did: Did::Compared { held, .. }, .. }) = compared {
            let branch = self.path.steps[*step].at;
            let way = if *held { "is taken" } else { "is not taken" };
            return Some((
                format!("{r} is NULL at {at}: the jump at {branch} {way} only if {r} is NULL"),
                format!(
                    "use {r} on the other path of instruction {branch}: replace == by !=, or swap the \
                     two paths"
                ),
            ));
        }
        let origin = history.origin()?;
        let made = self.path.steps[origin.step].at;
        let place = format!("in place of instruction {at}");
        // A uprobe's registers are the process's, but a pointer may also come from a helper.
        let read = match self.kind.starts_with("uprobe") || self.kind.starts_with("uretprobe") {
            true => format!(
                "if {r} is an address in the process, read with bpf_probe_read_user {place}"
            ),
            false => format!(
                "if {r} is an address of the kernel, read with bpf_probe_read_kernel {place}; if it is one \
                 in a process, with bpf_probe_read_user"
            ),
        };
        let load = format!("load a pointer into {r} before instruction {at}");
        let (from, remedy) = match (origin.did, self.code.insn(made)?) {
            (Did::Stored(slot), _) => (
                format!(
                    "loaded from r10{slot:+}, where instruction {made} did not store a whole pointer"
                ),
                format!("store all 8 bytes of the pointer at r10{slot:+}, and nothing else there"),
            ),
            (_, Insn::Load { .. }) => {
                (format!("which instruction {made} loaded from memory"), read)
            }
            (_, Insn::Alu { op: Alu::Mov, src: Operand::Imm(imm), .. }) => {
                (format!("the constant {imm} of instruction {made}"), load)
            }
            (_, Insn::Call(_)) => (format!("which {} at {made} returned", self.callee(made)), read),
            _ => (format!("which instruction {made} made"), load),
        };
        Some((format!("{r} is not a pointer at {at} but a number, {from}"), remedy))
    }
}
