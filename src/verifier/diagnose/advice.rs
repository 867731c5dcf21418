//! What is wrong with this particular program, and what to change in it.

use super::super::history::{self, Did, History, HistoryEvent};
use super::super::log::KnownValue;
use super::super::path::PathStep;
use super::Case;
use super::words::{at_most, bytes, kind, words};
use crate::insn::{Alu, Insn, Operand};

/// A sentence about what is wrong, and one about what to change.
type Advice = (String, String);

/// An access to the stack.
pub(super) struct Stack {
    off: i64,
    size: i64,
    /// Whether it reads inside the frame: then the bytes were never written.
    pub inside: bool,
}

impl<'a> Case<'a, '_> {
    /// The access to the stack that the message is about.
    pub(super) fn stack(&self) -> Option<Stack> {
        let (off, size) = (self.number("off")?, self.size("size")?);
        let inside = off >= -512 && off.checked_add(size)? <= 0;
        let reads = self.first.contains("read");
        Some(Stack { off, size, inside: inside && reads })
    }

    /// r6 to r9 outlive calls: the first that the program does not use.
    fn spare(&self) -> Option<u8> {
        (6..10).find(|number| {
            let mut used = self.code.slots().iter();
            used.all(|slot| slot.dst != *number && slot.src != *number)
        })
    }

    /// What is wrong and what to change: about this program if possible, otherwise in general.
    pub(super) fn explain(
        &self,
        at: Option<u32>,
        value: Option<KnownValue<'a>>,
        history: &History<'a>,
    ) -> Advice {
        let general = match &self.known {
            Some(known) => (known.explanation(), known.remedy()),
            None => (format!("the kernel's message is: {}", self.first), String::new()),
        };
        self.special(at, value, history).unwrap_or(general)
    }

    fn special(
        &self,
        at: Option<u32>,
        value: Option<KnownValue<'a>>,
        history: &History<'a>,
    ) -> Option<Advice> {
        match (self.class(), self.register) {
            ("uninit-register", Some(register)) => self.uninit(at?, register, history),
            ("null-not-checked", Some(register)) => self.null(at?, register, history),
            ("not-a-pointer", Some(register)) => self.no_pointer(at?, register, value, history),
            ("stack-bounds" | "stack-uninit", _) => self.stack_access(at),
            ("object-bounds" | "range", register) => self.bounds(at?, register?, value, history),
            ("packet-bounds", Some(register)) => self.packet(at?, register),
            ("ctx-access", Some(register)) => self.moved(at?, register, history),
            ("argument", Some(register)) => {
                self.ended(at?, register, history).or_else(|| self.argument(at?, register, value))
            }
            ("pointer-arithmetic" | "pointer-leak", Some(register)) => {
                let known = self.known.as_ref()?;
                let what = words(value?);
                if register == 10 {
                    return None;
                }
                Some((format!("{} (r{register} is {what})", known.explanation()), known.remedy()))
            }
            ("alignment", Some(register)) => self.aligned(at?, register),
            ("locked-region", _) => self.locked(at?),
            ("complexity", _) => self.complexity(),
            ("reference", _) => self.reference(at),
            ("helper-not-allowed", _) => self.helper_refused(at?),
            ("return-value", _) => self.returned(at, value),
            ("loop", _) => self.turns(at?),
            _ => None,
        }
    }

    fn uninit(&self, at: u32, register: u8, history: &History) -> Option<Advice> {
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

    fn null(&self, at: u32, register: u8, history: &History) -> Option<Advice> {
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

    /// Advice for a pointer whose object was released, or whose packet may have moved.
    fn ended(&self, at: u32, register: u8, history: &History) -> Option<Advice> {
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

    fn no_pointer(
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
        let read = format!(
            "if {r} is an address of the kernel, read with bpf_probe_read_kernel in place of \
             instruction {at}"
        );
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

    fn stack_access(&self, at: Option<u32>) -> Option<Advice> {
        let Stack { off, size, inside } = self.stack()?;
        let what = at.map_or("the access".into(), |at| match self.helper(at) {
            Some(helper) => format!("{} at {at}", helper.name),
            None => format!("instruction {at}"),
        });
        if inside {
            let store = match size {
                1 | 2 | 4 | 8 => format!("*(u{} *)(r10 {off}) = 0", size * 8),
                _ => format!("zeros to all {size} bytes from r10{off} on"),
            };
            return Some((
                format!(
                    "{what} reads {} at r10{off} that nothing on this path has written",
                    bytes(size)
                ),
                format!("write them before this: {store}"),
            ));
        }
        if self.class_known() == "stack-uninit" {
            return None;
        }
        let (wrong, remedy) = if off < -512 {
            (
                "they begin below the frame, which ends at r10-512",
                "use r10-512 or higher; larger data belongs in a map".to_owned(),
            )
        } else if off.checked_add(size)? > 0 {
            let lower = format!("point to r10-{size} or lower");
            (
                "they end above the frame, whose last byte is at r10-1",
                match self.helper(at?) {
                    _ if size > 512 => {
                        "the frame has 512 bytes: larger data belongs in a map".into()
                    }
                    Some(_) if off < 0 => format!("{lower}, or pass a size of at most {}", -off),
                    Some(_) => lower,
                    None => format!("use r10-{} or lower", (size + 7) / 8 * 8),
                },
            )
        } else {
            return None;
        };
        Some((format!("{what} uses {} at r10{off:+}: {wrong}", bytes(size)), remedy))
    }

    fn bounds(
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

    fn aligned(&self, at: u32, register: u8) -> Option<Advice> {
        let size = self.number("size").filter(|size| matches!(size, 2 | 4 | 8))?;
        let offset: i64 = match self.code.insn(at)? {
            Insn::Load { offset, .. } | Insn::Store { offset, .. } => offset.into(),
            _ => return None,
        };
        let remedy = if register == 10 {
            format!("use (r10 {:+}) in instruction {at}", offset.div_euclid(size) * size)
        } else {
            format!("use an offset that is a multiple of {size}, or several smaller accesses")
        };
        Some((
            format!(
                "instruction {at} uses {size} bytes at r{register}{offset:+}, which is not a multiple of \
                 {size}"
            ),
            remedy,
        ))
    }

    fn locked(&self, at: u32) -> Option<Advice> {
        let held =
            ["bpf_spin_unlock is missing", "while holding a lock", "bpf_spin_lock-ed region"];
        if !held.iter().any(|said| self.first.contains(said)) {
            return None;
        }
        let steps = &self.path.steps[..self.index?];
        let lock = steps.iter().rev().find(|step| {
            self.helper(step.at).is_some_and(|helper| helper.name == "bpf_spin_lock")
        })?;
        let (what, remedy) = match self.code.insn(at)? {
            Insn::Exit => ("the program ends", "before it"),
            _ => ("a call is made", "before it, or make the call before the lock"),
        };
        Some((
            format!("{what} at {at} while the lock that was acquired at {} is held", lock.at),
            format!("call bpf_spin_unlock {remedy}"),
        ))
    }

    fn packet(&self, at: u32, register: u8) -> Option<Advice> {
        let (off, size, r) = (self.number("off")?, self.size("size")?, self.number("r")?);
        let end = off.checked_add(size).filter(|end| *end > 0)?;
        Some((
            format!(
                "instruction {at} uses {} at offset {off} of the packet, and only {} are known to exist",
                bytes(size),
                bytes(r)
            ),
            format!(
                "before instruction {at}, compare r{register} as loaded from the context, plus {end}, with \
                 data_end, and leave if it is greater"
            ),
        ))
    }

    fn moved(&self, at: u32, register: u8, history: &History) -> Option<Advice> {
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
                None => format!("pass the pointer as it was before instruction {by}"),
            },
        ))
    }

    fn argument(&self, at: u32, register: u8, value: Option<KnownValue>) -> Option<Advice> {
        let known = self.known.as_ref()?;
        let callee = self.callee(at);
        let is = value.map_or(String::new(), |value| format!(" is {}", words(value)));
        if let Some(want) = known.field("want") {
            let want = want.strip_prefix("expected=").unwrap_or(want);
            return Some((
                format!(
                    "r{register}, argument {register} of {callee} at {at},{} but should be {}",
                    if is.is_empty() { format!(" is {}", kind(known.field("got")?)) } else { is },
                    kind(want)
                ),
                format!("put {} into r{register} before instruction {at}", kind(want)),
            ));
        }
        (!is.is_empty()).then(|| {
            (
                format!(
                    "{}: r{register}, argument {register} of {callee} at {at},{is}",
                    known.explanation()
                ),
                known.remedy(),
            )
        })
    }

    fn complexity(&self) -> Option<Advice> {
        if !self.first.starts_with("BPF program is too large") {
            return None;
        }
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
                     {at} on have more than 1000000 instructions together"
                ),
                "compute values that are used later by arithmetic (masks, shifts); or use the result of each \
                 branch before the next branch, and then set its register to a constant"
                    .into(),
            ));
        }
        Some((
            format!(
                "too many instructions: the loop from {to} to {at} has more iterations than fit into \
                 1000000 instructions"
            ),
            format!(
                "use a smaller bound at {at}, or bpf_loop (Linux 5.17), which is verified once, or fewer \
                 branches in an iteration"
            ),
        ))
    }

    fn reference(&self, at: Option<u32>) -> Option<Advice> {
        let taken = self.slot("i").filter(|at| self.code.insn(*at).is_some())?;
        let by = self.callee(taken);
        let back = match self.helper(taken).map(|helper| helper.name) {
            Some("bpf_ringbuf_reserve") => "bpf_ringbuf_submit or bpf_ringbuf_discard",
            Some(name) if name.contains("sk") => "bpf_sk_release",
            _ => "the function that releases it",
        };
        let end = at.map_or(String::new(), |at| format!(" at {at}"));
        Some((
            format!("the program ends{end} while it still holds what {by} at {taken} returned"),
            format!("call {back} on every path from {taken} to the end on which it is not NULL"),
        ))
    }

    fn helper_refused(&self, at: u32) -> Option<Advice> {
        let helper = self.helper(at)?;
        let known = self.known.as_ref()?;
        if self.first.contains("GPL") {
            return Some((
                format!(
                    "{} at {at} is only for programs whose licence is compatible with the GPL",
                    helper.name
                ),
                known.remedy(),
            ));
        }
        if known.field("h").is_none() {
            return Some((
                format!("{} at {at}: {}", helper.name, known.explanation()),
                known.remedy(),
            ));
        }
        let (major, minor) = helper.since;
        Some((
            format!(
                "{} at {at} cannot be called from this type of program, or not by this kernel",
                helper.name
            ),
            format!("{} (this helper exists since Linux {major}.{minor})", known.remedy()),
        ))
    }

    fn returned(&self, at: Option<u32>, value: Option<KnownValue>) -> Option<Advice> {
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
            format!("insert before instruction {}: r0 = {allowed}", at?),
        ))
    }

    fn turns(&self, at: u32) -> Option<Advice> {
        self.first.starts_with("infinite").then(|| {
            let jump = self.code.target(at).map_or(String::new(), |to| format!(" (it jumps to {to})"));
            (
                format!("the loop at {at} does not end: the verifier came back to it and nothing had changed{jump}"),
                "change a register in each iteration, and leave the loop by comparing it with a constant".into(),
            )
        })
    }
}
