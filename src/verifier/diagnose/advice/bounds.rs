//! Numbers whose bounds are too wide.

use super::Advice;
use crate::insn::{Alu, Insn, Operand};
use crate::verifier::diagnose::Case;
use crate::verifier::diagnose::words::{at_most, bytes, words};
use crate::verifier::history::{self, Did, History};
use crate::verifier::log::KnownValue;
use crate::verifier::path::PathStep;

impl<'a> Case<'a, '_> {
    pub(super) fn bounds(
        &self,
        at: u32,
        register: u8,
        value: Option<KnownValue<'a>>,
        history: &History<'a>,
    ) -> Option<Advice> {
        if let (Some(vs), Some(off), Some(size)) =
            (self.size("vs"), self.number("off"), self.size("size"))
        {
            let object = if self.first.contains("map value") { "a map value" } else { "an object" };
            let last = vs - size;
            if last < 0 {
                let (uses, has) = (bytes(size), bytes(vs));
                return Some((
                    format!("instruction {at} uses {uses} of {object} that has {has}"),
                    format!("use at most {has}"),
                ));
            }
            let reached = off.checked_add(size - 1)?;
            let added = history.events.iter().rev().find_map(|event| {
                let slot = self.path.steps[event.step].at;
                match self.code.insn(slot)? {
                    Insn::Alu { op: Alu::Add, dst, src: Operand::Reg(src), .. } => {
                        // Either may be the number; the other one is what has been followed.
                        let steps = &self.path.steps;
                        let scalar = |reg: u8| {
                            history::before(self.code, steps, event.step, reg)
                                .filter(KnownValue::is_scalar)
                        };
                        let found = |reg: u8| scalar(reg).map(|value| (slot, reg, value));
                        found(src.number()).or_else(|| found(dst.number()))
                    }
                    _ => None,
                }
            });
            let reach = format!("which reaches byte {reached} of {object} of {}", bytes(vs));
            let uses = format!("{} from byte {off} on", bytes(size));
            return Some(match added {
                Some((slot, index, value)) if value.known.is_none() => {
                    let bounds = value.bounds();
                    let moved =
                        off.checked_sub(bounds.umax as i64).filter(|o| (0..=last).contains(o));
                    let most = last - moved.unwrap_or(0);
                    (
                        format!(
                            "instruction {at} may use {uses}, {reach}: r{index}, which instruction \
                             {slot} added, is {}",
                            words(value)
                        ),
                        at_most(slot, index, most),
                    )
                }
                Some((slot, index, value)) => (
                    format!(
                        "instruction {at} uses {uses}, {reach}: r{index}, which instruction \
                         {slot} added, is {} on this path",
                        words(value)
                    ),
                    at_most(slot, index, last),
                ),
                None => (
                    format!("instruction {at} uses {uses}, {reach}"),
                    match last {
                        0 => "use offset 0, the only offset at which the access fits".into(),
                        _ => format!("use an offset from 0 to {last}"),
                    },
                ),
            });
        }
        let value = value?;
        let size = self.path.steps.get(self.index?).and_then(|_| match self.code.insn(at)? {
            Insn::Alu { dst, src: Operand::Reg(src), .. } => {
                let other = if src.number() == register { dst } else { src };
                self.value(Some(other.number()))?.number("vs")
            }
            _ => None,
        });
        if let Some(Insn::Call(_)) = self.code.insn(at) {
            let buffer = self.value(register.checked_sub(1)).filter(|value| value.type_ == "fp");
            let off = buffer.and_then(|value| value.known);
            let room = off.filter(|off| (-512..0).contains(off)).map(|off| -off);
            return Some((
                format!(
                    "r{register}, the length that {} at {at} is given, is {}",
                    self.callee(at),
                    words(value)
                ),
                match room {
                    Some(room) => at_most(at, register, room),
                    None => {
                        format!("bound r{register} before instruction {at}, as an unsigned number")
                    }
                },
            ));
        }
        if !self.first.contains("unbounded min value") {
            return None;
        }
        let last = size.filter(|size| *size > 0).map(|size| size - 1);
        let checked = history.events.iter().rev().find(|e| matches!(e.did, Did::Compared { .. }));
        let checked = match (checked, self.compared_copy(register)) {
            (Some(event), _) => {
                let at = self.path.steps[event.step].at;
                format!(" (the comparison at {at} bounds it on one side only)")
            }
            (None, Some((at, copy))) => {
                format!(" (the comparison at {at} is of r{copy}, a copy of it that is not used)")
            }
            (None, None) => String::new(),
        };
        Some((
            format!(
                "r{register}, which instruction {at} adds to a pointer, is {}{checked}",
                words(value)
            ),
            match last {
                Some(last) => at_most(at, register, last),
                None => {
                    format!("bound r{register} before instruction {at}, as an unsigned number")
                }
            },
        ))
    }

    /// A comparison of another register that was made from this one, before the refused instruction.
    fn compared_copy(&self, register: u8) -> Option<(u32, u8)> {
        let steps = &self.path.steps[..self.index?];
        let insn = |step: &PathStep| self.code.insn(step.at);
        let made = steps
            .iter()
            .rposition(|step| insn(step).is_some_and(|insn| history::writes(insn, register)))?;
        let copies = steps[made..].iter().filter_map(|step| match insn(step)? {
            Insn::Alu { op: Alu::Mov, dst, src: Operand::Reg(src), .. }
                if src.number() == register =>
            {
                Some(dst)
            }
            _ => None,
        });
        copies.into_iter().find_map(|copy| {
            steps[made..].iter().find_map(|step| match insn(step)? {
                Insn::JumpIf { dst, .. } if dst == copy => Some((step.at, copy.number())),
                _ => None,
            })
        })
    }
}
