//! Loops, the number of paths, and the end of the program.

use super::Advice;
use crate::insn::Insn;
use crate::verifier::diagnose::Case;
use crate::verifier::diagnose::words::words;
use crate::verifier::log::KnownValue;

impl<'a> Case<'a, '_> {
    pub(super) fn complexity(&self) -> Option<Advice> {
        let number = self.first.strip_prefix("BPF program is too large. Processed ")?;
        // It is the one after the last that the kernel goes over: 1000000, or 131072 before Linux 5.2.
        let limit = number.split(' ').next()?.parse::<u64>().ok()?.checked_sub(1)?;
        // The instruction that jumps back most often.
        let mut turns = vec![0u32; self.code.slots().len()];
        for pair in self.path.steps.windows(2) {
            if pair[1].at <= pair[0].at
                && let Some(turns) = turns.get_mut(pair[0].at as usize)
            {
                *turns += 1;
            }
        }
        let (most, turns) = (0u32..).zip(turns).max_by_key(|(_, turns)| *turns)?;
        let at = if turns > 1 { most } else { self.in_program()? };
        let to = self.code.target(at)?;
        if to > at {
            let slots = 0..self.code.slots().len() as u32;
            let branches =
                slots.filter(|at| matches!(self.code.insn(*at), Some(Insn::JumpIf { .. }))).count();
            return Some((
                format!(
                    "too many paths: there is no loop, but the paths through the {branches} branches from \
                     {at} on have more than {limit} instructions together"
                ),
                "compute values that are used later by arithmetic (masks, shifts); or use the result of each \
                 branch before the next branch, and then set its register to a constant"
                    .into(),
            ));
        }
        Some((
            format!(
                "too many instructions: the loop from {to} to {at} has more iterations than fit into \
                 {limit} instructions"
            ),
            format!(
                "use a smaller bound at {at}, or bpf_loop (Linux 5.17), which is verified once, or fewer \
                 branches in an iteration"
            ),
        ))
    }

    pub(super) fn returned(&self, at: Option<u32>, value: Option<KnownValue>) -> Option<Advice> {
        let known = self.known.as_ref()?;
        let want = known.field("want")?;
        let (from, to) = want.get(1..want.len().checked_sub(1)?)?.split_once([',', ';'])?;
        let (from, to): (i64, i64) = match want.strip_prefix("(0x") {
            // Up to Linux 6.8 the bits that are known, and those that are not.
            Some(_) => {
                let bits = |hex: &str| i64::from_str_radix(hex.trim().trim_start_matches("0x"), 16);
                let (known, unknown) = (bits(from).ok()?, bits(to).ok()?);
                (known, known | unknown)
            }
            None => (from.trim().parse().ok()?, to.trim().parse().ok()?),
        };
        if from > to {
            return None;
        }
        let allowed = i32::try_from(0.clamp(from, to)).ok()?;
        let is = value.map_or("any number".into(), words);
        let end = at.map_or(String::new(), |at| format!(" at {at}"));
        Some((
            format!("the program returns r0{end}, which is {is}; it must be from {from} to {to}"),
            format!("insert before instruction {}: `r0 = {allowed}`", at?),
        ))
    }

    pub(super) fn turns(&self, at: u32) -> Option<Advice> {
        self.first.starts_with("infinite").then(|| {
            let jump = self.code.target(at).map_or(String::new(), |to| format!(" (it jumps to {to})"));
            (
                format!("the loop at {at} does not end: the verifier came back to it and nothing had changed{jump}"),
                "change a register in each iteration, and leave the loop by comparing it with a constant".into(),
            )
        })
    }

    /// A function that runs past its last instruction.
    pub(super) fn endless(&self, at: Option<u32>) -> Option<Advice> {
        let ends = ["last insn is not an exit", "program ended with"];
        let at = at.filter(|_| ends.iter().any(|told| self.first.contains(told)))?;
        Some((
            format!("the function does not end at its last instruction, {at}: it runs on past it"),
            format!("insert after instruction {at}: `exit`"),
        ))
    }
}
