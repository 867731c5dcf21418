//! The refused instruction.

use super::Case;
use crate::insn::{Alu, Callee, Imm64, Insn, Operand};

/// Classes of messages about the program's end, or about a walk that has ended.
const AT_EXIT: [&str; 6] =
    ["uninit-register", "return-value", "reference", "locked-region", "pointer-leak", "argument"];

/// The largest number of instructions that the kernel takes.
const LARGEST: u32 = 1_000_000;

impl Case<'_, '_> {
    /// The refused instruction: the one that the message names, or the last one processed, or the one in
    /// the program that fits the message.
    pub(super) fn place(&mut self) -> Option<u32> {
        let class = self.class_known();
        let last = self.path.steps.last();
        let ended =
            last.is_none_or(|step| step.frame == 0 && self.code.insn(step.at) == Some(Insn::Exit));
        let walked = !self.path.missing.tail
            && (self.first.starts_with("The sequence of ")
                || !matches!(
                    class,
                    "control-flow" | "stack-depth" | "complexity" | "environment" | "attach-target"
                ))
            && (!ended || AT_EXIT.contains(&class));
        let named = match class {
            "control-flow" => self.slot("a").or(if self.first.starts_with("unreachable") {
                self.slot("i")
            } else {
                None
            }),
            "loop" => self.slot("a").or(self.slot("i")),
            _ => None,
        };
        let named = named.or_else(|| self.foreign());
        // Of a program that is rebuilt from a log the end may not be known.
        let beyond = |at: u32| at as usize >= self.code.slots().len();
        let named = named.filter(|at| !beyond(*at) || !self.code.is_whole() && *at < LARGEST);
        let at = named.or_else(|| match last {
            Some(step) if walked => Some(step.at),
            // A call that goes too deep, or whose chain of calls needs too much stack.
            Some(step) if class == "stack-depth" && self.code.target(step.at).is_some() => {
                Some(step.at)
            }
            _ => self.in_program(),
        });
        self.index = self.path.steps.iter().rposition(|step| Some(step.at) == at);
        at
    }

    /// The instruction that the message is about, if the kernel does not name it.
    pub(super) fn in_program(&self) -> Option<u32> {
        let slots = self.code.slots();
        let indexed = || (0u32..).zip(slots);
        let insns = || (0..slots.len() as u32).filter_map(|at| Some((at, self.code.insn(at)?)));
        let first = self.first;
        let needs_all = first.starts_with("last insn is not")
            || first.starts_with("call to invalid destination");
        if !self.code.is_whole() && (needs_all || self.class_known() == "bad-encoding") {
            // It may be one that the log does not show.
            return None;
        }
        let find = |wanted: &dyn Fn(Insn) -> bool| {
            insns().find(|(_, insn)| wanted(*insn)).map(|(at, _)| at)
        };
        let lands = |at: u32, good: &dyn Fn(u32) -> bool| self.code.target(at).is_none_or(good);
        if first.starts_with("last insn is not") {
            return slots.len().checked_sub(1).map(|at| at as u32).map(|at| {
                // A function of the program may end before: at its last instruction.
                let flows =
                    |at: u32| !matches!(self.code.insn(at), Some(Insn::Exit | Insn::Goto { .. }));
                let starts =
                    insns().filter(|(_, insn)| matches!(insn, Insn::Call(Callee::Local { .. })));
                let ends = starts.filter_map(|(at, _)| self.code.target(at)?.checked_sub(1));
                ends.filter(|end| flows(*end)).min().unwrap_or(at)
            });
        }
        if let Some(code) = first.strip_prefix("unknown opcode ") {
            let code = u8::from_str_radix(code.trim(), 16).ok()?;
            return indexed().find(|(_, slot)| slot.code == code).map(|(at, _)| at);
        }
        if first.starts_with('R') && first.ends_with(" is invalid") {
            return indexed().find(|(_, slot)| slot.dst > 10 || slot.src > 10).map(|(at, _)| at);
        }
        if self.class_known() == "bad-encoding" {
            let bad = |at: u32| {
                let half = at.checked_sub(1).and_then(|before| self.code.insn(before));
                self.code.insn(at).is_none() && half.is_none_or(|insn| insn.slots() == 1)
            };
            return (0..slots.len() as u32).find(|at| bad(*at)).or_else(|| {
                find(&|insn| match insn {
                    Insn::Alu { op: Alu::Div | Alu::Mod, src: Operand::Imm(0), .. } => true,
                    Insn::Alu {
                        op: Alu::Lsh | Alu::Rsh | Alu::Arsh,
                        src: Operand::Imm(by),
                        ..
                    } => i64::from(by) == self.number("n").unwrap_or(-1),
                    _ => false,
                })
            });
        }
        if first.starts_with("call to invalid destination") {
            let good = |to: u32| (to as usize) < slots.len();
            let calls =
                insns().filter(|(_, insn)| matches!(insn, Insn::Call(Callee::Local { .. })));
            return calls.map(|(at, _)| at).find(|at| !lands(*at, &good));
        }
        if first.starts_with("jump into the middle") || first.starts_with("invalid BPF_LD_IMM") {
            let good = |to: u32| {
                let before = to.checked_sub(1).and_then(|at| self.code.insn(at));
                before.is_none_or(|insn| insn.slots() == 1)
            };
            return insns().map(|(at, _)| at).find(|at| !lands(*at, &good));
        }
        if self.class_known() == "program-metadata"
            && let Some(id) = first.split(' ').find_map(|word| word.parse::<i32>().ok())
            && first.contains("btf_id")
        {
            return find(
                &|insn| matches!(insn, Insn::Call(Callee::Kfunc { id: of, .. }) if of == id),
            );
        }
        if first.starts_with("invalid access to map value pointer")
            || first.contains("direct value")
        {
            let off = self.number("off");
            return insns().map(|(at, _)| at).find(|at| {
                let offset = self.value_offset(*at);
                offset.is_some() && (off.is_none() || off == offset)
            });
        }
        if let Some(fd) = self.number("fd") {
            return find(&|insn| match insn {
                Insn::LoadImm64 {
                    value: Imm64::MapFd(at) | Imm64::MapFdValue { fd: at, .. },
                    ..
                } => i64::from(at) == fd,
                _ => false,
            });
        }
        match self.class_known() {
            "complexity" => {
                let back = |at: &u32| self.code.target(*at).is_some_and(|to| to <= *at);
                let branch = |insn| matches!(insn, Insn::JumpIf { .. });
                // The last loop, or else the first of the branches.
                insns().map(|(at, _)| at).filter(back).max().or_else(|| find(&branch))
            }
            "map-misuse" => find(&|insn| {
                matches!(insn, Insn::LoadImm64 { value: Imm64::MapFd(_) | Imm64::MapIndex(_), .. })
            }),
            "stack-depth" if first.starts_with("recursive") => {
                let calls =
                    insns().filter(|(_, insn)| matches!(insn, Insn::Call(Callee::Local { .. })));
                calls.map(|(at, _)| at).find(|at| self.code.target(*at).is_some_and(|to| to <= *at))
            }
            "stack-depth" => find(&|insn| matches!(insn, Insn::Call(Callee::Local { .. }))),
            // Level 4 has no instructions, but some messages name a helper by its number.
            _ => {
                let (_, id) = self.known.as_ref()?.field("h")?.rsplit_once('#')?;
                let id = id.parse().ok()?;
                find(&|insn| insn == Insn::Call(Callee::Helper(id)))
            }
        }
    }

    /// The offset into a map's value whose address an instruction loads.
    pub(super) fn value_offset(&self, at: u32) -> Option<i64> {
        match self.code.insn(at)? {
            Insn::LoadImm64 {
                value: Imm64::MapFdValue { offset, .. } | Imm64::MapIndexValue { offset, .. },
                ..
            } => Some(offset.into()),
            _ => None,
        }
    }
}
