//! Accesses to the stack, and their alignment.

use super::moves::Move;
use super::{Advice, accessed};
use crate::insn::Reg;
use crate::verifier::diagnose::Case;
use crate::verifier::diagnose::words::{at_most, bytes, words};
use crate::verifier::history::History;
use crate::verifier::log::KnownValue;

/// An access to the stack.
pub(in super::super) struct Stack {
    off: i64,
    size: i64,
    /// Whether it reads inside the frame: then the bytes were never written.
    pub inside: bool,
}

impl<'a> Case<'a, '_> {
    /// The access to the stack that the message is about.
    pub(in super::super) fn stack(&self) -> Option<Stack> {
        let (off, size) = (self.number("off")?, self.size("size")?);
        let inside = off >= -512 && off.checked_add(size)? <= 0;
        let reads = self.first.contains("read") && !self.first.contains("variable-offset");
        Some(Stack { off, size, inside: inside && reads })
    }

    pub(super) fn stack_access(
        &self,
        at: Option<u32>,
        value: Option<KnownValue<'a>>,
        history: &History<'a>,
    ) -> Option<Advice> {
        if self.first.contains("variable-offset") || self.first.contains("variable offset") {
            return self.indexed_stack(at?, value?, history);
        }
        let Stack { off, size, inside } = self.stack()?;
        let what = at.map_or("the access".into(), |at| match self.helper(at) {
            Some(helper) => format!("{} at {at}", helper.name),
            None => format!("instruction {at}"),
        });
        if inside {
            return Some((
                format!(
                    "{what} reads {} at r10{off}, which nothing on this path has wholly written",
                    bytes(size)
                ),
                self.zeros(off, size),
            ));
        }
        if self.class_known() == "stack-uninit" {
            return None;
        }
        let offset = |to: i64| {
            let (base, offset, _) = accessed(self.code.insn(at?)?)?;
            let offset = i16::try_from(offset.checked_add(to)?.checked_sub(off)?).ok()?;
            Some(format!(": offset {offset} to {base} in instruction {}", at?))
        };
        let offset = |to| offset(to).unwrap_or_default();
        let (wrong, remedy) = if off < -512 {
            (
                "they begin below the frame, which ends at r10-512",
                format!("use r10-512 or higher{}; larger data belongs in a map", offset(-512)),
            )
        } else if off.checked_add(size)? > 0 {
            let lowest = (size + 7) / 8 * 8;
            let lower = format!("use r10-{lowest} or lower");
            (
                "they end above the frame, whose last byte is at r10-1",
                match (self.helper(at?), self.register) {
                    _ if size > 512 => {
                        "the frame has 512 bytes: larger data belongs in a map".into()
                    }
                    (Some(_), Some(register)) => {
                        let lower = format!(
                            "insert before instruction {}: `r{register} = r10`, `r{register} += -{lowest}`",
                            at?
                        );
                        let length = register + 1;
                        let passed = self.value(Some(length)).filter(|_| off < 0 && length <= 5);
                        match passed.filter(KnownValue::is_scalar).map(|value| value.known) {
                            Some(Some(_)) => format!(
                                "insert before instruction {}: `r{length} = {}`; or begin lower, at \
                                 r10-{lowest}",
                                at?, -off
                            ),
                            Some(None) => at_most(at?, length, -off),
                            None => lower,
                        }
                    }
                    _ => match self.passes(at?) {
                        0 => format!("{lower}{}", offset(-lowest)),
                        passes => format!(
                            "leave the loop after {passes} passes: compare what it counts with that before \
                             instruction {}",
                            at?
                        ),
                    },
                },
            )
        } else {
            return None;
        };
        let varies = self.register.filter(|_| at.is_some_and(|at| self.helper(at).is_some()));
        let varies = varies.and_then(|register| self.value(Some(register + 1)));
        let uses = match varies.is_some_and(|value| value.is_scalar() && value.known.is_none()) {
            true => "may use up to",
            false => "uses",
        };
        Some((format!("{what} {uses} {} at r10{off:+}: {wrong}", bytes(size)), remedy))
    }

    /// How often the walk has passed an instruction before it was refused there.
    fn passes(&self, at: u32) -> usize {
        let steps = &self.path.steps[..self.index.unwrap_or(0)];
        steps.iter().filter(|step| step.at == at).count()
    }

    /// How to write these bytes of the stack before anything reads them.
    fn zeros(&self, off: i64, size: i64) -> String {
        // The function's first instruction.
        let frame = self.index.map_or(0, |index| self.path.steps[index].frame);
        let steps = &self.path.steps[..self.index.unwrap_or(0)];
        let entered = steps.iter().rev().find(|step| step.frame < frame);
        let first = entered.and_then(|call| self.code.target(call.at)).unwrap_or(0);
        let (mut from, mut stores) = (off, vec![]);
        while from < off + size && stores.len() < 8 {
            let fits =
                [8, 4, 2, 1].into_iter().find(|one| from % one == 0 && from + one <= off + size);
            let one = fits.unwrap_or(1);
            stores.push(format!("`*(u{} *)(r10 {from}) = 0`", one * 8));
            from += one;
        }
        match from == off + size {
            true => format!("insert before instruction {first}: {}", stores.join(", ")),
            false => format!("write zeros to all {size} bytes from r10{off} on, at {first}"),
        }
    }

    /// An access to the stack at an offset that is not constant.
    fn indexed_stack(
        &self,
        at: u32,
        value: KnownValue<'a>,
        history: &History<'a>,
    ) -> Option<Advice> {
        let moved = self.moves_of(history).into_iter().find(Move::is_variable)?;
        let number = moved.number?;
        let (_, offset, size) = accessed(self.code.insn(at)?).unwrap_or((Reg::new(0)?, 0, 1));
        let size = self.size("size").unwrap_or(size);
        let known =
            value.number("off").unwrap_or(0).checked_add(value.number("imm").unwrap_or(0))?;
        let begins = known.checked_add(offset)?;
        let is = moved.value.map_or("any number".into(), words);
        if self.first.contains("!root") || self.first.contains("cannot be passed") {
            let known = self.known.as_ref()?;
            let sentence = format!(
                "instruction {at} uses the stack at an offset that is not constant: r{number}, which \
                 instruction {} added, is {is}",
                moved.at
            );
            return Some((sentence, known.remedy()));
        }
        let last = begins.checked_neg()?.checked_sub(size)?;
        Some((
            format!(
                "instruction {at} uses {} of the stack from r10{begins:+} on, at an offset that may be outside \
                 of the frame: r{number}, which instruction {} added, is {is}{}",
                bytes(size),
                moved.at,
                self.of_a_copy(&moved)
            ),
            match last {
                0.. if begins >= -512 && !moved.subtracted => at_most(moved.at, number, last),
                _ => format!(
                    "bound r{number} before instruction {}, so that all is between r10-512 and r10",
                    moved.at
                ),
            },
        ))
    }

    pub(super) fn aligned(&self, at: u32, register: u8, history: &History<'a>) -> Option<Advice> {
        let size = self.number("size").filter(|size| matches!(size, 2 | 4 | 8))?;
        // What is known of the offset: (bits; unknown bits)+one+another.
        let off = self.known.as_ref()?.field("off")?;
        let (mut sum, mut unknown) = (0i64, 0u64);
        for part in off.split('+') {
            match part
                .strip_prefix("(0x")
                .and_then(|bits| bits.strip_suffix(')')?.split_once("; 0x"))
            {
                Some((bits, mask)) => {
                    unknown = u64::from_str_radix(mask, 16).ok()?;
                    sum = sum.checked_add(u64::from_str_radix(bits, 16).ok()? as i64)?;
                }
                None => sum = sum.checked_add(part.parse().ok()?)?,
            }
        }
        let (base, offset, _) = accessed(self.code.insn(at)?)?;
        if unknown % size as u64 != 0 {
            let moved = self.moves_of(history).into_iter().find(Move::is_variable);
            let (slot, number) = moved.and_then(|one| Some((one.at, one.number?)))?;
            return Some((
                format!(
                    "instruction {at} uses {size} bytes at r{register}{offset:+}, which is not known to be a \
                     multiple of {size}: r{number}, which instruction {slot} added, may be any number"
                ),
                format!("insert before instruction {slot}: `r{number} &= {}`", -size),
            ));
        }
        let excess = sum.rem_euclid(size);
        let fit = i16::try_from(offset.checked_sub(excess)?).ok()?;
        let place = match register {
            10 => format!("r10{offset:+}"),
            _ => format!("r{register}{offset:+}, at offset {sum}"),
        };
        Some((
            format!(
                "instruction {at} uses {size} bytes at {place}, which is not a multiple of {size}"
            ),
            format!("use offset {fit} in instruction {at}: ({base} {fit:+})"),
        ))
    }
}
