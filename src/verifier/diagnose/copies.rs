//! Comparisons of another register than the one that is used, of which one is a copy of the other.

use super::Case;
use crate::insn::{Alu, Insn, Operand};
use crate::verifier::history;
use crate::verifier::path::PathStep;

/// A register that was compared, while its copy, or what it is a copy of, is used without a bound.
pub(super) struct Copy {
    /// The step that made the copy, and the one that compares.
    pub made: usize,
    pub compared: usize,
    /// The register that was compared, and the one whose value is used.
    pub checked: u8,
    pub used: u8,
    /// Whether the compared one is the copy.
    copy_checked: bool,
    made_at: u32,
    compared_at: u32,
}

/// The largest number of steps in which a copy is looked for, and of changes of its number that are gone back
/// over.
const STEPS: usize = 512;
const CHANGES: usize = 8;

impl Copy {
    /// The register of the copy.
    pub fn copy(&self) -> u8 {
        if self.copy_checked { self.checked } else { self.used }
    }

    pub fn text(&self) -> String {
        let Copy { made_at, compared_at, checked, used, .. } = *self;
        match self.copy_checked {
            true => format!(
                "; r{checked}, a copy of r{used} made at {made_at}, was compared at {compared_at}, and r{used} \
                 was not: compare r{used}, or use r{checked}"
            ),
            false => format!(
                "; r{checked}, of which r{used} is a copy made at {made_at}, was compared at {compared_at}, and \
                 r{used} was not: compare r{used}, or use r{checked}"
            ),
        }
    }
}

impl Case<'_, '_> {
    /// The comparison of a copy of what this register is before a step, or of what it was made from.
    pub(super) fn compared_copy(&self, register: u8, before: Option<usize>) -> Option<Copy> {
        let steps = self.path.steps.get(..before?)?;
        let first = steps.len().saturating_sub(STEPS);
        let steps = &steps[first..];
        let (mut number, mut until) = (register, steps.len());
        // Back over shifts and other changes of the number.
        for _ in 0..CHANGES {
            let writes = |step: &PathStep| {
                self.code.insn(step.at).is_some_and(|insn| history::writes(insn, number))
            };
            let written = steps[..until].iter().rposition(writes);
            let from = written.map_or(0, |at| at + 1);
            let copies = (from..until).find_map(|made| {
                let (copy, source) = copy(self.code.insn(steps[made].at)?)?;
                (source == number).then(|| self.compared(steps, first, made, copy, number, true))?
            });
            if copies.is_some() {
                return copies;
            }
            let at = written?;
            match self.code.insn(steps[at].at)? {
                Insn::Alu {
                    op: Alu::Lsh | Alu::Rsh | Alu::Arsh | Alu::Mul | Alu::And,
                    src: Operand::Imm(_),
                    ..
                } => {}
                insn => {
                    let (copied, source) = copy(insn)?;
                    let found = self.compared(steps, first, at, source, copied, false);
                    if found.is_some() {
                        return found;
                    }
                    number = source;
                }
            }
            until = at;
        }
        None
    }

    /// Where `checked` is compared after it was copied or is a copy.
    fn compared(
        &self,
        steps: &[PathStep],
        first: usize,
        made: usize,
        checked: u8,
        used: u8,
        copy_checked: bool,
    ) -> Option<Copy> {
        for (at, step) in steps.iter().enumerate().skip(made + 1) {
            match self.code.insn(step.at)? {
                Insn::JumpIf { dst, .. } if dst.number() == checked => {
                    return Some(Copy {
                        made: first + made,
                        compared: first + at,
                        checked,
                        used,
                        copy_checked,
                        made_at: steps[made].at,
                        compared_at: step.at,
                    });
                }
                insn if history::writes(insn, checked) => return None,
                Insn::Call(_) if checked < 6 => return None,
                _ => {}
            }
        }
        None
    }
}

/// The register that an instruction makes a copy in, perhaps of 32 bits, and the one that it copies.
fn copy(insn: Insn) -> Option<(u8, u8)> {
    match insn {
        Insn::Alu { op: Alu::Mov, dst, src: Operand::Reg(src), .. }
        | Insn::Movsx { dst, src, .. }
            if dst != src && src.number() < 10 =>
        {
            Some((dst.number(), src.number()))
        }
        _ => None,
    }
}
