//! How a pointer was moved: the numbers that were added to it on its way.

use crate::insn::{Alu, Insn, Operand};
use crate::verifier::diagnose::Case;
use crate::verifier::diagnose::copies::Copy;
use crate::verifier::history::{self, Did, History};
use crate::verifier::log::{Bounds, KnownValue};

/// A number that was added to a pointer.
pub(super) struct Move<'a> {
    /// The addition's slot.
    pub at: u32,
    /// The register that holds the number, if it is not in the instruction.
    pub number: Option<u8>,
    /// The number, as far as it is known before the addition.
    pub value: Option<KnownValue<'a>>,
    /// The step on the path.
    pub step: usize,
    /// Whether the number was subtracted.
    pub subtracted: bool,
    /// Whether the same instruction did so several times, as in a loop.
    pub repeated: bool,
}

impl Move<'_> {
    /// Whether the number is not a single known one.
    pub fn is_variable(&self) -> bool {
        self.value.is_none_or(|value| value.known.is_none())
    }

    /// The least and the most that it moves the pointer by.
    pub fn range(&self) -> (i128, i128) {
        let Bounds { smin, smax, .. } = self.value.map_or(Bounds::UNKNOWN, |value| value.bounds());
        match self.subtracted {
            false => (smin.into(), smax.into()),
            true => (-i128::from(smax), -i128::from(smin)),
        }
    }
}

impl<'a> Case<'a, '_> {
    /// The moves of the pointer with this history, the last one first.
    pub(super) fn moves_of(&self, history: &History<'a>) -> Vec<Move<'a>> {
        let steps = &self.path.steps;
        let moves = history.events.iter().rev().filter_map(|event| {
            let at = steps[event.step].at;
            let before = |number: u8| history::before(self.code, steps, event.step, number);
            let Some(Insn::Alu { op: op @ (Alu::Add | Alu::Sub), dst, src, .. }) =
                self.code.insn(at)
            else {
                return None;
            };
            if !matches!(event.did, Did::Wrote(_))
                || event.value.is_some_and(|value| value.is_scalar())
            {
                return None;
            }
            let (number, value) = match src {
                Operand::Imm(imm) => (None, Some(KnownValue::constant(imm.into()))),
                Operand::Reg(src) => {
                    // Either may be the number.
                    let scalar = |number: u8| before(number).filter(KnownValue::is_scalar);
                    match (scalar(src.number()), scalar(dst.number())) {
                        (Some(value), _) => (Some(src.number()), Some(value)),
                        (None, Some(value)) => (Some(dst.number()), Some(value)),
                        // Without its bounds it can only be guessed by what is no pointer.
                        (None, None) => match before(src.number()) {
                            Some(_) => (Some(dst.number()), None),
                            None => (Some(src.number()), None),
                        },
                    }
                }
            };
            // A number was added to a number, where the result is not known.
            if event.value.is_none()
                && before(dst.number()).is_some_and(|value| value.is_scalar())
                && number != Some(dst.number())
            {
                return None;
            }
            let (subtracted, repeated) = (op == Alu::Sub, event.times_before > 0);
            Some(Move { at, number, value, step: event.step, subtracted, repeated })
        });
        moves.collect()
    }

    /// The copy that was compared in place of a number that is used without a bound.
    pub(in super::super) fn copy(&self, history: &History<'a>) -> Option<Copy> {
        if !matches!(self.class_known(), "range" | "object-bounds" | "packet-bounds" | "argument") {
            return None;
        }
        let copy = |one: Move| self.compared_copy(one.number?, Some(one.step));
        let moves = self.moves_of(history).into_iter().filter(Move::is_variable);
        moves.filter_map(copy).next().or_else(|| self.compared_copy(self.register?, self.index))
    }
}
