//! What is wrong with this particular program, and what to change in it.

mod bounds;
mod call;
mod context;
mod flow;
mod moves;
mod packet;
mod register;
mod stack;

pub(super) use call::released_by;

use super::Case;
use crate::insn::{Insn, Reg, Width};
use crate::verifier::history::History;
use crate::verifier::log::KnownValue;

/// A sentence about what is wrong, and one about what to change.
type Advice = (String, String);

/// The base, offset and size of an instruction's access to memory.
fn accessed(insn: Insn) -> Option<(Reg, i64, i64)> {
    let (base, offset, size) = match insn {
        Insn::Load { base, offset, type_, .. } => (base, offset, type_.bytes()),
        Insn::Store { base, offset, size, .. }
        | Insn::LoadAcquire { base, offset, size, .. }
        | Insn::StoreRelease { base, offset, size, .. } => (base, offset, size.bytes()),
        Insn::Atomic { base, offset, width, .. } => {
            (base, offset, if width == Width::W32 { 4 } else { 8 })
        }
        _ => return None,
    };
    Some((base, offset.into(), size.into()))
}

impl<'a> Case<'a, '_> {
    /// A register of these that no instruction of the program names.
    fn unused_of(&self, mut registers: std::ops::Range<u8>) -> Option<u8> {
        // What a log does not show may use any.
        if self.code.is_rebuilt() {
            return None;
        }
        registers.find(|number| {
            let mut used = self.code.slots().iter();
            used.all(|slot| slot.dst != *number && slot.src != *number)
        })
    }

    /// A register that no instruction of the program names.
    fn unused(&self) -> Option<u8> {
        self.unused_of(1..10)
    }

    /// r6 to r9 outlive calls: the first that the program does not use.
    fn spare(&self) -> Option<u8> {
        self.unused_of(6..10)
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
            ("stack-bounds" | "stack-uninit", _) => self.stack_access(at, value, history),
            ("object-bounds" | "range", register) => {
                // An address that is loaded is of no register before.
                let register = register.or(self.value_offset(at?).map(|_| 0));
                self.bounds(at?, register?, value, history)
            }
            ("packet-bounds", Some(register)) => self.packet(at?, register, value, history),
            ("ctx-access", Some(register)) => self.moved(at?, register, history),
            ("argument", Some(register)) => {
                self.ended(at?, register, history).or_else(|| self.argument(at?, register, value))
            }
            ("pointer-arithmetic" | "pointer-leak", Some(register)) => {
                self.arithmetic(at?, register, value)
            }
            ("control-flow", _) => self.endless(at),
            ("special-field", _) => self.beside_field(at?),
            ("alignment", Some(register)) => self.aligned(at?, register, history),
            ("locked-region", _) => self.locked(at?),
            ("complexity", _) => self.complexity(),
            ("reference", _) => self.reference(at),
            ("helper-not-allowed", _) => self.foreign_call().or_else(|| self.helper_refused(at?)),
            ("return-value", _) => self.returned(at, value),
            ("loop", _) => self.turns(at?),
            _ => None,
        }
    }
}
