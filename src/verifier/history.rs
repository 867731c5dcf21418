//! How a value came about: back over the path, from instruction to instruction.

use super::log::{KnownValue, Place, State};
use super::path::{Code, PathStep};
use crate::insn::{Alu, Atomic, Callee, Insn, Operand, Reg, Width};

/// A step that gave or changed a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryEvent<'a> {
    /// The step on the path.
    pub step: usize,
    /// What the step did.
    pub did: Did,
    /// The value after it.
    pub value: Option<KnownValue<'a>>,
    /// How often the same instruction did so before.
    pub times_before: u32,
}

/// What an instruction did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Did {
    /// It wrote this register, from others or from a source that we do not follow.
    Wrote(u8),
    /// It stored the value at this offset to r10.
    Stored(i32),
    /// It compared this register, and jumped or did not.
    Compared {
        /// The register.
        register: u8,
        /// Whether the condition held.
        held: bool,
    },
    /// The call left nothing in this register.
    Wiped(u8),
    /// The call made what this register points to unusable.
    Invalidated(u8),
    /// The call of a function of the program handed this register over.
    Passed(u8),
}

/// How a value came about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct History<'a> {
    /// The steps that made it, in the order of the path.
    pub events: Vec<HistoryEvent<'a>>,
    /// Registers that came as they were at the beginning of the program; r1 is the context.
    pub from_start: Vec<u8>,
}

/// The largest number of events in a history.
const EVENTS_MAX: usize = 16;

/// The largest number of steps that a history goes back: a log may have a million.
const FARTHEST: usize = 1 << 16;

/// The largest number of steps back in which a register's last value is looked for.
const NEAR: usize = 4096;

/// The places that an instruction reads and writes, as far as they can be followed.
pub(super) struct Effect {
    pub(super) writes: Option<Place>,
    /// The registers that the written value is made of.
    pub(super) from: [Option<u8>; 2],
    /// The stack slot that it is loaded from.
    pub(super) from_stack: Option<i32>,
}

/// The offset of the stack slot that a load or store accesses, if it accesses the own stack.
fn stack_slot(
    code: &Code,
    steps: &[PathStep],
    index: usize,
    base: Reg,
    offset: i16,
) -> Option<i32> {
    slot_at(base, offset, |number| before(code, steps, index, number))
}

/// The slot of the own stack at an offset to a register, if `known` says that it leads there.
pub(super) fn slot_at<'a>(
    base: Reg,
    offset: i16,
    known: impl FnOnce(u8) -> Option<KnownValue<'a>>,
) -> Option<i32> {
    let base = match base.number() {
        10 => 0,
        number => known(number).filter(|value| value.type_ == "fp")?.known?,
    };
    let at = i32::try_from(base).ok()?.checked_add(offset.into())?;
    Some(at.div_euclid(8) * 8)
}

pub(super) fn effect(insn: Insn, slot: impl Fn(Reg, i16) -> Option<i32>) -> Effect {
    let register = |reg: Reg| Some(Place::Register(reg.number()));
    let number = |reg: Reg| Some(reg.number());
    let operand = |src| if let Operand::Reg(reg) = src { number(reg) } else { None };
    let none = Effect { writes: None, from: [None, None], from_stack: None };
    match insn {
        Insn::Alu { op: Alu::Mov, dst, src, .. } => {
            Effect { writes: register(dst), from: [operand(src), None], ..none }
        }
        Insn::Alu { dst, src, .. } => {
            Effect { writes: register(dst), from: [number(dst), operand(src)], ..none }
        }
        Insn::Movsx { dst, src, .. } => {
            Effect { writes: register(dst), from: [number(src), None], ..none }
        }
        Insn::Neg { dst, .. } | Insn::ToEndian { dst, .. } | Insn::Bswap { dst, .. } => {
            Effect { writes: register(dst), from: [number(dst), None], ..none }
        }
        Insn::Load { dst, base, offset, .. } | Insn::LoadAcquire { dst, base, offset, .. } => {
            let from_stack = slot(base, offset);
            Effect { writes: register(dst), from_stack, ..none }
        }
        Insn::Store { base, offset, src, .. } => {
            let writes = slot(base, offset).map(Place::Stack);
            Effect { writes, from: [operand(src), None], ..none }
        }
        Insn::Atomic { op, src, .. } => {
            let writes = match op {
                Atomic::Add | Atomic::Or | Atomic::And | Atomic::Xor => None,
                Atomic::Cmpxchg => Some(Place::Register(0)),
                _ => register(src),
            };
            Effect { writes, ..none }
        }
        Insn::LoadImm64 { dst, .. } => Effect { writes: register(dst), ..none },
        Insn::LoadPacket { .. } | Insn::Call(_) => {
            Effect { writes: Some(Place::Register(0)), ..none }
        }
        _ => none,
    }
}

/// Whether an instruction writes a register.
pub fn writes(insn: Insn, register: u8) -> bool {
    effect(insn, |_, _| None).writes == Some(Place::Register(register))
}

/// The value of a register before a step.
pub fn before<'a>(
    code: &Code,
    steps: &[PathStep<'a>],
    index: usize,
    register: u8,
) -> Option<KnownValue<'a>> {
    let here = steps.get(index)?;
    if let Some(value) = here.before.and_then(|state| state.register(register)) {
        return Some(value);
    }
    for step in steps[..index].iter().rev().take(NEAR).filter(|step| step.frame <= here.frame) {
        let of_frame = |state: &State<'a>| state.frame == here.frame;
        let after = step.after.filter(of_frame).and_then(|state| state.register(register));
        if after.is_some() {
            return after;
        }
        // At level 1, Linux 5.10 does not print the state after most instructions.
        match code.insn(step.at) {
            Some(Insn::Alu { op: Alu::Mov, width: Width::W64, dst, src: Operand::Imm(imm) })
                if dst.number() == register =>
            {
                return Some(KnownValue::constant(imm.into()));
            }
            Some(Insn::Call(_)) if register < 6 => return None,
            Some(insn) if writes(insn, register) => return None,
            _ => {}
        }
        let before = step.before.filter(of_frame).and_then(|state| state.register(register));
        if before.is_some() {
            return before;
        }
    }
    None
}

/// How a register came to its value before a step, with the comparisons of it on the way.
pub fn history<'a>(code: &Code, steps: &[PathStep<'a>], index: usize, register: u8) -> History<'a> {
    let here = steps.get(index).filter(|_| register <= 10);
    let Some(here) = here else { return History::default() };
    let mut frame = here.frame;
    let (mut registers, mut slots) = (1u16 << register, Vec::<i32>::new());
    let mut found = History::default();
    for at in (0..index).rev().take(FARTHEST) {
        if registers == 0 && slots.is_empty() {
            break;
        }
        let step = steps[at];
        let Some(insn) = code.insn(step.at) else { continue };
        if let Insn::Call(Callee::Local { .. }) = insn
            && step.frame + 1 == frame
        {
            // The callee's arguments are the caller's registers; it wrote all its others.
            frame = step.frame;
            registers &= 0b111110;
            for number in 1..=5 {
                if registers >> number & 1 == 1 {
                    found.add(steps, at, step.at, Did::Passed(number));
                }
            }
            slots.clear();
            continue;
        }
        if let Insn::Exit = insn
            && step.frame == frame + 1
        {
            // The caller's r0 is the callee's; r1 to r5 are wiped.
            let wiped = registers & 0b111110;
            for number in (1..=5).filter(|number| wiped >> number & 1 == 1) {
                found.add(steps, at, step.at, Did::Wiped(number));
            }
            registers &= !0b111110;
            if registers & 1 == 1 {
                registers = 1;
                frame = step.frame;
            }
            continue;
        }
        if step.frame != frame {
            continue;
        }
        if let Insn::Call(Callee::Helper(_) | Callee::Kfunc { .. }) | Insn::LoadPacket { .. } = insn
        {
            for number in (1..=5).filter(|number| registers >> number & 1 == 1) {
                found.add(steps, at, step.at, Did::Wiped(number));
            }
            registers &= !0b111110;
        }
        if let Insn::JumpIf { dst, src, .. } = insn {
            let source = if let Operand::Reg(reg) = src { Some(reg) } else { None };
            let compared = [Some(dst), source].into_iter().flatten().map(Reg::number);
            if let Some(register) = compared.into_iter().find(|number| registers >> number & 1 == 1)
            {
                let held = steps.get(at + 1).map(|next| Some(next.at) == code.target(step.at));
                let did = Did::Compared { register, held: held.unwrap_or(false) };
                found.add(steps, at, step.at, did);
            }
            continue;
        }
        // The slot of a store is computed only if a slot is followed.
        if matches!(insn, Insn::Store { .. }) && slots.is_empty()
            || matches!(insn, Insn::Load { dst, .. } if registers >> dst.number() & 1 == 0)
        {
            continue;
        }
        let effect = effect(insn, |base, offset| stack_slot(code, steps, at, base, offset));
        let did = match effect.writes {
            Some(Place::Register(number)) if registers >> number & 1 == 1 => {
                registers &= !(1 << number);
                Did::Wrote(number)
            }
            Some(Place::Stack(slot)) if slots.contains(&slot) => {
                slots.retain(|other| *other != slot);
                Did::Stored(slot)
            }
            _ => continue,
        };
        for number in effect.from.into_iter().flatten().filter(|number| *number < 10) {
            registers |= 1 << number;
        }
        slots.extend(effect.from_stack.filter(|slot| !slots.contains(slot)));
        found.add(steps, at, step.at, did);
    }
    let to_start = frame == 0 && index <= FARTHEST;
    found.from_start = (0..10).filter(|number| to_start && registers >> number & 1 == 1).collect();
    found.events.reverse();
    found
}

impl<'a> History<'a> {
    fn add(&mut self, steps: &[PathStep<'a>], step: usize, slot: u32, did: Did) {
        let same = |event: &&mut HistoryEvent| steps[event.step].at == slot && event.did == did;
        if let Some(event) = self.events.iter_mut().find(same) {
            event.times_before += 1;
            return;
        }
        if self.events.len() == EVENTS_MAX {
            return;
        }
        let after = steps[step].after;
        let value = match did {
            Did::Wrote(number) | Did::Passed(number) => after.and_then(|s| s.register(number)),
            Did::Compared { register, .. } => after.and_then(|s| s.register(register)),
            Did::Stored(slot) => after.and_then(|state| {
                state.values().find(|(place, _)| *place == Place::Stack(slot)).map(|(_, v)| v)
            }),
            Did::Wiped(_) | Did::Invalidated(_) => None,
        };
        self.events.push(HistoryEvent { step, did, value, times_before: 0 });
    }

    /// The earliest event: where the value comes from.
    pub fn origin(&self) -> Option<&HistoryEvent<'a>> {
        self.events.iter().find(|event| !matches!(event.did, Did::Compared { .. }))
    }
}
