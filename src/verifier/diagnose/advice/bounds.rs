//! Accesses outside of an object, and numbers whose bounds are too wide.

use super::moves::Move;
use super::{Advice, accessed};
use crate::insn::{Callee, Insn, Operand, Reg};
use crate::verifier::diagnose::Case;
use crate::verifier::diagnose::words::{at_least, at_most, bytes, leave_above, words};
use crate::verifier::history::{Did, History};
use crate::verifier::log::KnownValue;

/// No pointer may be moved by this many bytes.
const FARTHEST: i64 = 1 << 29;

/// An object of a known size, and an access to it.
struct Access {
    /// `a map value`
    object: &'static str,
    /// The object's bytes.
    object_size: i64,
    /// Where the access is tried: the lowest or the highest byte.
    off: i64,
    size: i64,
}

impl Access {
    /// The last offset at which it fits.
    fn last(&self) -> i64 {
        self.object_size - self.size
    }
}

impl<'a> Case<'a, '_> {
    pub(super) fn bounds(
        &self,
        at: u32,
        register: u8,
        value: Option<KnownValue<'a>>,
        history: &History<'a>,
    ) -> Option<Advice> {
        if self.is_empty_length(at) {
            let length = register + 1;
            return Some((
                format!(
                    "r{length}, the length that {} at {at} is given, may be 0, which it does not accept",
                    self.callee(at)
                ),
                format!(
                    "insert before instruction {at}: `if r{length} == 0 goto L`, where L does not use r{length}"
                ),
            ));
        }
        if let (Some(object_size), Some(off), Some(size)) =
            (self.size("vs"), self.number("off"), self.size("size"))
        {
            let object = if self.first.contains("map value") { "a map value" } else { "an object" };
            let access = Access { object, object_size, off, size };
            return self.outside(at, register, &access, history);
        }
        if let Some(offset) = self.value_offset(at) {
            let size = self.size("vs")?;
            return Some((
                format!(
                    "instruction {at} takes the address of byte {offset} of a map value of {}",
                    bytes(size)
                ),
                format!("use an offset from 0 to {} in the load of the address", size - 1),
            ));
        }
        let value = value?;
        if let Some(limit) = self.too_far(at, register, value) {
            return Some(limit);
        }
        match self.code.insn(at)? {
            Insn::Call(_) if value.is_scalar() => Some(self.length(at, register, value, history)),
            Insn::Alu { dst, src: Operand::Reg(src), .. } if value.is_scalar() => {
                let pointer = if src.number() == register { dst } else { src };
                let last = self.last_offset(at, pointer);
                Some(self.unbounded(at, register, value, last, history))
            }
            insn if !value.is_scalar() => self.far_pointer(at, register, value, insn, history),
            _ => None,
        }
    }

    /// Whether a call is refused because its length may be 0, which older kernels call an access of 0 bytes.
    pub(in super::super) fn is_empty_length(&self, at: u32) -> bool {
        let within = self
            .number("off")
            .zip(self.size("vs"))
            .is_some_and(|(off, vs)| (0..=vs).contains(&off));
        let calls = matches!(self.code.insn(at), Some(Insn::Call(Callee::Helper(_))));
        calls && within && self.number("size") == Some(0)
    }

    /// A known access outside of an object.
    fn outside(
        &self,
        at: u32,
        register: u8,
        access: &Access,
        history: &History<'a>,
    ) -> Option<Advice> {
        let Access { object, object_size, off, size } = *access;
        let last = access.last();
        let calls = matches!(self.code.insn(at), Some(Insn::Call(_)));
        let has = bytes(object_size);
        if last < 0 {
            return Some((
                format!("instruction {at} uses {} of {object} that has {has}", bytes(size)),
                self.smaller(at, register, object_size, calls),
            ));
        }
        let reached = if off < 0 { off } else { off.checked_add(size - 1)? };
        let reach = format!("which reaches byte {reached} of {object} of {has}");
        let uses = format!("{} from byte {off} on", bytes(size));
        let moves = self.moves_of(history);
        let farthest = farthest(&moves, off < 0);
        if let Some(Move {
            at: slot, number: Some(number), value: Some(value), subtracted, ..
        }) = farthest
        {
            let (low, high) = farthest?.range();
            // What the other moves and the instruction add.
            let rest = i64::try_from(i128::from(off) - if off < 0 { low } else { high }).ok()?;
            let remedy = match (last.checked_sub(rest)?, *subtracted, off < 0) {
                (0, false, false) => format!(
                    "remove instruction {slot}: an access of {} fits only at offset 0; or use a larger object",
                    bytes(size)
                ),
                (most @ 0.., false, false) => at_most(*slot, *number, most),
                (_, false, true) if rest < 0 => at_least(*slot, *number, rest.checked_neg()?),
                (_, false, true) => at_most(*slot, *number, last.checked_sub(rest)?.max(0)),
                (_, true, true) if rest >= 0 => at_most(*slot, *number, rest),
                _ => self.within(at, register, access),
            };
            let does = if *subtracted { "subtracted" } else { "added" };
            return Some((
                format!(
                    "instruction {at} may use {uses}, {reach}: r{number}, which instruction {slot} {does}, is {}{}",
                    words(*value),
                    self.of_a_copy(farthest?)
                ),
                remedy,
            ));
        }
        if moves.iter().any(|one| one.repeated) {
            let most = moves.iter().find(|one| one.repeated)?;
            return Some((
                format!(
                    "instruction {at} uses {uses}, {reach}: instruction {} has moved the address in each turn \
                     of the loop",
                    most.at
                ),
                format!("end the loop before the offset is above {last}"),
            ));
        }
        let sum = self.sum(&moves);
        Some(match &moves[..] {
            // The path ends where one number is added that is too large on it.
            [
                Move {
                    at: slot, number: Some(number), value: Some(value), subtracted: false, ..
                },
            ] => {
                let rest = off.checked_sub(value.known?)?;
                (
                    format!(
                        "instruction {at} uses {uses}, {reach}: r{number}, which instruction {slot} added, is \
                         {} on this path",
                        words(*value)
                    ),
                    match last.checked_sub(rest)? {
                        most @ 1.. if rest >= 0 => leave_above(*slot, *number, most),
                        _ => self.within(at, register, access),
                    },
                )
            }
            [moved, _, ..] => {
                let (Some(known), Some((told, _))) = (moved.value?.known, sum) else { return None };
                // The last one is made smaller or larger by what is too much.
                let excess = if off < 0 { off } else { off - last };
                let fit = if moved.subtracted {
                    known.checked_add(excess)?
                } else {
                    known.checked_sub(excess)?
                };
                let remedy = match (moved.number, self.code.insn(moved.at)?) {
                    (Some(number), _) => {
                        format!("insert before instruction {}: `r{number} = {fit}`", moved.at)
                    }
                    (None, Insn::Alu { dst, .. }) => format!(
                        "replace instruction {} with: `{dst} {}= {fit}`",
                        moved.at,
                        if moved.subtracted { "-" } else { "+" }
                    ),
                    _ => return None,
                };
                (
                    format!(
                        "instruction {at} uses {uses}, {reach}: the address was moved by {told}"
                    ),
                    remedy,
                )
            }
            _ => (
                format!("instruction {at} uses {uses}, {reach}"),
                self.within(at, register, access),
            ),
        })
    }

    /// The moves of a pointer by known numbers, as `47 at 3 and -48 at 5`, and their sum.
    fn sum(&self, moves: &[Move]) -> Option<(String, i64)> {
        let (mut parts, mut sum) = (vec![], 0i64);
        for one in moves.iter().rev() {
            let known = one.value?.known?;
            let by = if one.subtracted { known.checked_neg()? } else { known };
            sum = sum.checked_add(by)?;
            parts.push(format!("{by:+} at {}", one.at));
        }
        let last = parts.pop()?;
        Some((format!("{} and {last}, {sum:+} together", parts.join(", ")), sum))
    }

    /// The offsets of an instruction at which its access fits.
    fn within(&self, at: u32, register: u8, access: &Access) -> String {
        let (off, last, size) = (access.off, access.last(), access.object_size);
        if let Some(Insn::Call(_)) = self.code.insn(at) {
            return match size.checked_sub(off).filter(|room| off >= 0 && *room > 0) {
                Some(room) => self.smaller(at, register, room, true),
                None => format!("pass an offset from 0 to {last}, or a smaller size"),
            };
        }
        let first = self.code.insn(at).and_then(|insn| accessed(insn)?.1.checked_sub(off));
        let first = first.filter(|first| i16::try_from(*first).is_ok());
        match (last, first) {
            (0, Some(0)) => {
                format!(
                    "use offset 0 in instruction {at}, the only offset at which the access fits"
                )
            }
            (_, Some(first)) if i16::try_from(first + last).is_ok() => {
                format!("use an offset from {first} to {} in instruction {at}", first + last)
            }
            (0, _) => "use offset 0, the only offset at which the access fits".into(),
            _ => format!("use an offset from 0 to {last} into the object"),
        }
    }

    fn smaller(&self, at: u32, register: u8, most: i64, calls: bool) -> String {
        let length = register.checked_add(1).filter(|length| *length <= 5);
        let known = self.value(length).is_some_and(|value| value.is_scalar());
        match length.filter(|_| calls && known) {
            Some(length) => format!("insert before instruction {at}: `r{length} = {most}`"),
            None => format!("use at most {}", bytes(most)),
        }
    }

    /// A pointer that may not be moved so far.
    fn too_far(&self, at: u32, register: u8, value: KnownValue<'a>) -> Option<Advice> {
        let n = self.number("n").filter(|_| self.class_known() == "range")?;
        let Insn::Alu { dst, src, .. } = self.code.insn(at)? else { return None };
        let limit = format!("a pointer may be moved by at most {} bytes", FARTHEST - 1);
        let last = self.last_offset(at, dst);
        let (what, remedy) = match src {
            Operand::Reg(_) if value.is_scalar() => (
                format!(
                    "r{register}, which instruction {at} adds to a pointer, is {}",
                    words(value)
                ),
                at_most(at, register, last.unwrap_or(FARTHEST - 1)),
            ),
            _ => (
                format!("instruction {at} moves a pointer by {n} bytes"),
                match last {
                    Some(last) => {
                        format!(
                            "replace instruction {at} with: `{dst} += {last}`, or a smaller number"
                        )
                    }
                    None => format!("use an offset from {} to {}", 1 - FARTHEST, FARTHEST - 1),
                },
            ),
        };
        Some((format!("{what}; {limit}"), remedy))
    }

    /// The last offset at which the instructions after an addition can use the sum, if the object's size
    /// is known: there the pointer is read or written, or else a byte of it might be.
    fn last_offset(&self, at: u32, pointer: Reg) -> Option<i64> {
        let value = self.value(Some(pointer.number()))?;
        let Insn::Alu { dst: sum, .. } = self.code.insn(at)? else { return None };
        let used = (at + 1..at.saturating_add(16)).find_map(|slot| {
            let (base, offset, size) = accessed(self.code.insn(slot)?)?;
            (base == sum).then_some(offset + size)
        });
        let stack = value.known.filter(|_| value.type_ == "fp").and_then(i64::checked_neg);
        let end = stack.or(value.number("vs")).or(value.number("sz")).filter(|size| *size > 0)?;
        let moved =
            value.number("off").unwrap_or(0).checked_add(value.number("imm").unwrap_or(0))?;
        end.checked_sub(used.unwrap_or(1).max(1))?.checked_sub(moved).filter(|last| *last >= 0)
    }

    /// The length of a call's memory.
    fn length(
        &self,
        at: u32,
        register: u8,
        value: KnownValue<'a>,
        history: &History<'a>,
    ) -> Advice {
        let buffer = self.value(register.checked_sub(1));
        let room = buffer.and_then(|buffer| {
            let off = buffer.number("off").unwrap_or(0);
            match buffer.type_ {
                "fp" => buffer.known.filter(|off| (-512..0).contains(off)).map(|off| -off),
                "map_value" => buffer.number("vs")?.checked_sub(off).filter(|room| *room > 0),
                _ => buffer.number("sz")?.checked_sub(off).filter(|room| *room > 0),
            }
        });
        let one_side = self.bounded_halfway(register, history);
        (
            format!(
                "r{register}, the length that {} at {at} is given, is {}{one_side}",
                self.callee(at),
                words(value)
            ),
            bound(at, register, room),
        )
    }

    /// What was compared, and yet did not bound a number: itself, or a copy.
    fn bounded_halfway(&self, register: u8, history: &History<'a>) -> String {
        let compared = history.events.iter().rev().find(|e| matches!(e.did, Did::Compared { .. }));
        match (compared, self.compared_copy(register, self.index)) {
            (Some(event), _) => {
                let at = self.path.steps[event.step].at;
                format!(" (the comparison at {at} bounds it on one side only)")
            }
            (None, Some(copy)) => copy.text(),
            (None, None) => String::new(),
        }
    }

    /// A number without bounds that is added to a pointer.
    fn unbounded(
        &self,
        at: u32,
        register: u8,
        value: KnownValue<'a>,
        last: Option<i64>,
        history: &History<'a>,
    ) -> Advice {
        let checked = self.bounded_halfway(register, history);
        (
            format!(
                "r{register}, which instruction {at} adds to a pointer, is {}{checked}",
                words(value)
            ),
            bound(at, register, last),
        )
    }

    /// An access by a pointer to which too large or too small a number was added.
    fn far_pointer(
        &self,
        at: u32,
        register: u8,
        value: KnownValue<'a>,
        insn: Insn,
        history: &History<'a>,
    ) -> Option<Advice> {
        let (offset, size) = match (accessed(insn), insn) {
            (Some((_, offset, size)), _) => (offset, size),
            (None, Insn::Call(_)) => {
                let length = self.value(Some(register + 1)).and_then(|value| value.known);
                (0, length.filter(|length| *length > 0).unwrap_or(1))
            }
            _ => return None,
        };
        let before = value.number("imm").filter(|offset| *offset < 0);
        if let Some(before) = before.filter(|_| self.first.contains("unbounded memory access")) {
            return Some((
                format!(
                    "r{register} points {} before the object: from Linux 7 on, such a pointer is refused even where \
                     the offset of the access leads back into it",
                    bytes(before.checked_neg()?)
                ),
                format!(
                    "add the offset {offset} to the address before what leads out of the object, and use offset 0 in \
                     instruction {at}"
                ),
            ));
        }
        let moves = self.moves_of(history);
        let negative = self.path.messages.iter().any(|line| line.contains("min value"));
        let moved = farthest(&moves, negative)?;
        let (Some(number), slot) = (moved.number, moved.at) else { return None };
        let is = moved.value.map_or("any number".into(), words);
        let object = value.number("vs").or(value.number("sz")).filter(|size| *size > 0);
        let object = object.or((value.type_ == "pkt").then_some(0xffff));
        let constant =
            value.number("off").unwrap_or(0).checked_add(value.number("imm").unwrap_or(0))?;
        let last = object.and_then(|all| {
            all.checked_sub(size)?
                .checked_sub(offset)?
                .checked_sub(constant)
                .filter(|last| *last >= 0)
        });
        let does = if moved.subtracted { "subtracted" } else { "added" };
        let what = object
            .filter(|_| value.type_ != "pkt")
            .map_or(String::new(), |size| format!(" in an object of {}", bytes(size)));
        let remedy = match last {
            _ if moved.subtracted => format!(
                "before instruction {slot}, compute the whole offset as a number, compare it, and add it: the \
                 verifier loses the bounds of what is subtracted from a pointer"
            ),
            Some(0) => format!(
                "remove instruction {slot}: an access of {} fits only at offset 0; or use a larger object",
                bytes(size)
            ),
            last => bound(slot, number, last),
        };
        Some((
            format!(
                "instruction {at} uses {} at r{register}{what}: r{number}, which instruction {slot} {does}, is {is}{}",
                bytes(size),
                self.of_a_copy(moved)
            ),
            remedy,
        ))
    }

    /// Whether not the number that was added, but a copy of it was compared.
    pub(super) fn of_a_copy(&self, moved: &Move) -> String {
        let copy = moved.number.and_then(|number| self.compared_copy(number, Some(moved.step)));
        copy.map_or(String::new(), |copy| copy.text())
    }
}

/// Of the numbers that are not known, the one that moves the pointer farthest down, or up.
fn farthest<'m, 'a>(moves: &'m [Move<'a>], down: bool) -> Option<&'m Move<'a>> {
    let variable = moves.iter().filter(|one| one.is_variable());
    match down {
        true => variable.min_by_key(|one| one.range().0),
        false => variable.max_by_key(|one| one.range().1),
    }
}

/// To bound a number before an instruction, by the highest that is possible if that is known.
fn bound(at: u32, register: u8, highest: Option<i64>) -> String {
    match highest {
        Some(highest) => at_most(at, register, highest),
        None => format!("bound r{register} before instruction {at}, as an unsigned number"),
    }
}
