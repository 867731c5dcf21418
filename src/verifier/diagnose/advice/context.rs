//! Accesses to the context.

use super::Advice;
use crate::insn::Insn;
use crate::verifier::diagnose::Case;
use crate::verifier::diagnose::words::bytes;
use crate::verifier::history::{Did, History};

impl<'a> Case<'a, '_> {
    pub(super) fn moved(&self, at: u32, register: u8, history: &History) -> Option<Advice> {
        let off = self.number("off")?;
        if !self.first.starts_with("dereference of modified") {
            let known = self.known.as_ref()?;
            let size = self.size("size")?;
            let does = match self.code.insn(at)? {
                Insn::Store { .. } | Insn::Atomic { .. } => "writes",
                _ => "reads",
            };
            return Some((
                format!(
                    "instruction {at} {does} {} at offset {off} of the context, where this type of \
                     program has no such field to {}",
                    bytes(size),
                    does.trim_end_matches('s')
                ),
                known.remedy(),
            ));
        }
        let moved = history
            .events
            .iter()
            .rev()
            .find(|event| matches!(event.did, Did::Wrote(number) if number == register))?;
        let by = self.path.steps[moved.step].at;
        let sum = match self.code.insn(at)? {
            Insn::Load { offset, .. } | Insn::Store { offset, .. } => {
                // What an instruction has no room for cannot be its offset.
                Some(i16::try_from(off.checked_add(offset.into())?).ok()?)
            }
            _ => None,
        };
        Some((
            format!(
                "r{register} was moved by {off} bytes at {by}, but this pointer must be used unchanged"
            ),
            match sum {
                Some(sum) => format!(
                    "remove instruction {by}, and use the offset in instruction {at}: (r{register} {sum:+})"
                ),
                None => format!("remove instruction {by}, or pass a copy that was made before it"),
            },
        ))
    }
}
