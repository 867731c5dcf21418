//! Registers that hold nothing, or another kind of value than is needed.

use super::Advice;
use crate::insn::listing::Names;
use crate::insn::{Alu, Cond, Insn, Operand, Width};
use crate::verifier::diagnose::Case;
use crate::verifier::diagnose::words::words;
use crate::verifier::history::{self, Did, History, HistoryEvent};
use crate::verifier::log::KnownValue;

/// The largest number of steps in which a comparison is looked for.
const NEAR: usize = 512;

impl<'a> Case<'a, '_> {
    pub(super) fn uninit(&self, at: u32, register: u8, history: &History) -> Option<Advice> {
        let r = format!("r{register}");
        if let Some(wiped) = history.events.iter().rev().find(|e| matches!(e.did, Did::Wiped(_))) {
            let call = self.path.steps[wiped.step].at;
            let by = self.callee(call);
            return Some((
                format!("{r} is read at {at}, but the call of {by} at {call} has wiped r1 to r5"),
                match self.spare() {
                    Some(spare) => format!(
                        "insert before instruction {call}: `r{spare} = {r}`, and after it: `{r} = r{spare}`; \
                         or use r{spare} from there on, which outlives calls"
                    ),
                    None => format!(
                        "store {r} on the stack before instruction {call}, and load it after it"
                    ),
                },
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
                format!("insert before instruction {call}: `{r} = 0`, or another value"),
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
                format!("insert before instruction {branch}: `{r} = 0`"),
            ));
        }
        if let Some(Insn::Exit) = self.insn(Some(at)) {
            return Some((
                format!("exit at {at} returns r0, which nothing on this path has written"),
                format!("insert before instruction {at}: `r0 = 0`"),
            ));
        }
        if let Some(Insn::Call(_)) = self.insn(Some(at)) {
            return Some((
                format!(
                    "{} at {at} needs {r}, which nothing on this path has written",
                    self.callee(at)
                ),
                format!("insert before instruction {at}: `{r} = 0`, or another value"),
            ));
        }
        Some((
            format!("{r} is read at {at}, but nothing on this path has written it"),
            format!("insert before instruction {at}: `{r} = 0`, or another value"),
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
                match self.helper(at) {
                    Some(again) if self.helper(call).is_some_and(|first| first.id == again.id) => {
                        format!("remove instruction {at}: what was released is gone")
                    }
                    _ => format!("use r{register} before instruction {call}, not after it"),
                },
            )
        };
        let by = self.callee(call);
        Some((format!("r{register} cannot be used at {at}: {by} at {call} {why}"), remedy))
    }

    /// Whether the argument is of the right kind but for NULL.
    pub(in super::super) fn lacks_null_check(&self) -> bool {
        let Some(known) = &self.known else { return false };
        let (Some(got), Some(want)) = (known.field("got"), known.field("want")) else {
            return false;
        };
        let word = |text: &'a str| text.split([',', ' ', '=']).map(str::trim);
        // ptr_or_null_task_struct is a ptr_ but for NULL.
        got.contains("_or_null")
            && word(want).any(|kind| {
                !kind.is_empty()
                    && !kind.contains("_or_null")
                    && got.replacen("_or_null", "", 1).starts_with(kind)
            })
    }

    pub(super) fn null(&self, at: u32, register: u8, history: &History) -> Option<Advice> {
        if let Some(checked) = self.checked_copy(at, register) {
            return Some(checked);
        }
        if let Some(argument) = self.argument_of_global(history) {
            return Some((
                format!(
                    "r{register} may be NULL at {at}: it is argument {argument} of a global function, which is \
                     verified for any caller, and nothing has checked it"
                ),
                format!(
                    "insert before instruction {at}: `if r{register} == 0 goto L`, where L does not use \
                     r{register}; or make the function static, which is verified with its callers"
                ),
            ));
        }
        let made = history.origin()?;
        let from = self.path.steps[made.step].at;
        let (why, remedy) = match (made.did, self.code.insn(from)?) {
            (Did::Wrote(_), Insn::Call(_)) => {
                let when = match self.helper(from).map(|helper| helper.name) {
                    Some("bpf_map_lookup_elem") => " (the map has no such key)",
                    Some("bpf_ringbuf_reserve") => " (the buffer is full)",
                    _ => "",
                };
                (
                    format!("{} at {from} can return NULL{when}", self.callee(from)),
                    format!(
                        "insert after instruction {from}: `if r0 == 0 goto L`, where L does not use r0"
                    ),
                )
            }
            (Did::Wrote(to), Insn::Load { .. }) => (
                format!("what instruction {from} loads can be NULL"),
                format!(
                    "insert after instruction {from}: `if r{to} == 0 goto L`, where L does not use \
                     r{to}"
                ),
            ),
            _ => (
                "the pointer can be NULL".into(),
                format!(
                    "insert before instruction {at}: `if r{register} == 0 goto L`, where L does not \
                     use r{register}"
                ),
            ),
        };
        Some((
            match self.checked_before(made.step) {
                Some((load, branch)) => format!(
                    "r{register} may be NULL at {at}: {why}; what {load} loaded from the same place was checked \
                     at {branch}, but each load counts for itself"
                ),
                None => {
                    format!("r{register} may be NULL at {at}: {why}, and nothing has checked it")
                }
            },
            remedy,
        ))
    }

    /// The argument of a global function that a pointer comes from: only those may be NULL from the start.
    pub(in super::super) fn argument_of_global(&self, history: &History) -> Option<u8> {
        match history.from_start[..] {
            [argument @ 1..=5] if !self.path.missing.head => Some(argument),
            _ => None,
        }
    }

    /// An earlier load of the same field of the context, whose result was compared with NULL: the slots of the
    /// load and of the comparison.
    pub(in super::super) fn checked_before(&self, made: usize) -> Option<(u32, u32)> {
        let steps = &self.path.steps;
        let of_context = |index: usize| {
            let Some(Insn::Load { dst, base, offset, .. }) = self.code.insn(steps[index].at) else {
                return None;
            };
            let value = history::before(self.code, steps, index, base.number())?;
            (value.type_ == "ctx").then_some((dst.number(), offset))
        };
        let (_, field) = of_context(made)?;
        (made.saturating_sub(NEAR)..made).rev().find_map(|index| {
            let (loaded, offset) = of_context(index)?;
            let checked = self.compared_with_null(index, loaded).filter(|_| offset == field)?;
            (checked < made).then_some((steps[index].at, steps[checked].at))
        })
    }

    /// The step after `from` that compares this register with 0 and goes on where it is not 0.
    fn compared_with_null(&self, from: usize, register: u8) -> Option<usize> {
        let steps = &self.path.steps;
        for (index, pair) in steps.windows(2).enumerate().skip(from + 1).take(NEAR) {
            match self.code.insn(pair[0].at)? {
                Insn::JumpIf { cond, dst, src: Operand::Imm(0), .. }
                    if dst.number() == register && matches!(cond, Cond::Eq | Cond::Ne) =>
                {
                    let taken = self.code.target(pair[0].at) == Some(pair[1].at);
                    return (taken == (cond == Cond::Ne)).then_some(index);
                }
                insn if history::writes(insn, register) => return None,
                _ => {}
            }
        }
        None
    }

    /// Advice where a register that this one is a copy of, or its copy, was compared with NULL: kernels before 4.10
    /// do not carry that over.
    fn checked_copy(&self, at: u32, register: u8) -> Option<Advice> {
        let copy = self.compared_copy(register, self.index)?;
        let (checked, compared) = (copy.checked, copy.compared);
        if self.compared_with_null(compared - 1, checked)? != compared || compared >= self.index? {
            return None;
        }
        let mut after = self.path.steps[compared + 1..self.index?].iter();
        let gone = after.any(|step| {
            self.code.insn(step.at).is_none_or(|insn| {
                history::writes(insn, checked) || checked < 6 && matches!(insn, Insn::Call(_))
            })
        });
        let compare = format!(
            "insert before instruction {at}: `if r{register} == 0 goto L`, where L does not use r{register}"
        );
        Some((
            format!(
                "r{register} may be NULL at {at}: r{checked} was compared with NULL at {}, but this kernel does not \
                 carry that over to r{register}, though {}",
                self.path.steps[compared].at,
                match copy.copy() == register {
                    true => format!("r{register} is a copy of r{checked}"),
                    false => format!("r{checked} is a copy of r{register}"),
                }
            ),
            match gone {
                true => compare,
                false => format!(
                    "use r{checked} in place of r{register} in instruction {at}; or {compare}"
                ),
            },
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
        if let Some(value) = value.filter(|value| !value.is_scalar() && !value.type_.is_empty()) {
            return self.wrong_pointer(at, register, value);
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

    /// Advice for a pointer to something that instructions do not read or write.
    fn wrong_pointer(&self, at: u32, register: u8, value: KnownValue) -> Option<Advice> {
        let (is, remedy) = match value.type_ {
            "pkt_end" => (
                "data_end, the end of the packet: it may only be compared",
                format!(
                    "use a pointer that was loaded as data, and compare it plus the size of the access with \
                     r{register} before instruction {at}"
                ),
            ),
            "map_ptr" => (
                "a map, not one of its values",
                "get the address of a value with bpf_map_lookup_elem, and compare it with NULL"
                    .into(),
            ),
            percpu if percpu.starts_with("percpu_") => (
                "the address of a percpu variable, which exists once for each CPU: it leads to none of them",
                format!(
                    "get this CPU's one with bpf_this_cpu_ptr, or another's with bpf_per_cpu_ptr, and use \
                     what that returns in place of r{register} in instruction {at}"
                ),
            ),
            user if user.contains("user_") => (
                "an address in a process's memory",
                format!(
                    "copy from it with bpf_probe_read_user in place of instruction {at}, or with \
                     bpf_copy_from_user in a program that may sleep"
                ),
            ),
            _ => return None,
        };
        Some((format!("r{register} is {is}, and instruction {at} uses it as an address"), remedy))
    }

    /// Advice for an operation that would destroy or reveal a pointer.
    pub(super) fn arithmetic(
        &self,
        at: u32,
        register: u8,
        value: Option<KnownValue>,
    ) -> Option<Advice> {
        let known = self.known.as_ref()?;
        let what = words(value?);
        if let Insn::Alu { dst, src: Operand::Reg(src), .. } = self.code.insn(at)?
            && self.first.contains("subtract pointer from scalar")
        {
            let pointer = self.value(Some(src.number())).map_or("a pointer".into(), words);
            return Some((
                format!(
                    "instruction {at} subtracts {src}, {pointer}, from {dst}, {what}: nothing useful can come \
                     of that, since an address is no number"
                ),
                match src.number() {
                    10 => {
                        format!("remove instruction {at}, and compute with offsets to r10 instead")
                    }
                    _ => format!(
                        "replace instruction {at} with: `{src} -= {dst}`, and use {src} after it"
                    ),
                },
            ));
        }
        if let insn @ Insn::Alu { op, dst, src, width: Width::W32 } = self.code.insn(at)?
            && self.first.contains("32-bit pointer arithmetic")
        {
            let wide = Insn::Alu { op, dst, src, width: Width::W64 };
            let text = |insn: Insn| insn.text(Names { maps: &[], field: None }).to_string();
            return Some((
                format!("`{}` at {at} would cut the pointer in {dst}, {what}, in half", text(insn)),
                format!("replace instruction {at} with: `{}`", text(wide)),
            ));
        }
        (register != 10)
            .then(|| (format!("{} (r{register} is {what})", known.explanation()), known.remedy()))
    }
}
