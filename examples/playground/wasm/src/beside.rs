//! What the verifier knew of registers, beside what is in them.

use std::collections::HashMap;
use std::rc::Rc;

use rawbpf::insn::{Insn, Program};
use rawbpf::interpret::memory::Registers;
use rawbpf::verifier::diagnose::words;
use rawbpf::verifier::explain::explain;
use rawbpf::verifier::log::{Bounds, Place};
use rawbpf::verifier::path::Code;
use rawbpf::verifier::trail::Trail;

/// The largest number of parts of a walk that are looked at, from its end.
const MOST: usize = 20_000;

/// What was known of a register before an instruction.
struct KnownRegister {
    number: u8,
    /// Of a number.
    bounds: Option<Bounds>,
    words: Rc<str>,
}

/// The states of a walk, by the slot of the instruction that they are before.
#[derive(Default)]
pub struct Beside(HashMap<u32, Vec<Vec<KnownRegister>>>);

impl Beside {
    /// The walk of the first log in a text, if it is one over this program.
    pub fn of_text(program: &Program, text: &str) -> Beside {
        let code = Code::of(program.insns());
        let found = explain(text).into_iter().find(|found| {
            let theirs = &found.program.code;
            theirs.slots().len() <= code.slots().len()
                && (0..theirs.slots().len() as u32)
                    .all(|at| !theirs.is_known(at) || same(code.insn(at), theirs.insn(at)))
        });
        found.map_or(Beside::default(), |found| Beside::of_log(&code, &found.program.log))
    }

    /// The walk in a log of this code.
    pub fn of_log(code: &Code, log: &str) -> Beside {
        let trail = Trail::of(code, log, MOST);
        let mut states = HashMap::<u32, Vec<Vec<KnownRegister>>>::new();
        for row in trail.rows() {
            let (Some(at), Some(before)) = (row.insn(), row.before) else { continue };
            let known = trail.after(before).1.into_iter().filter_map(|(place, value)| {
                let Place::Register(number @ ..10) = place else { return None };
                let exactly = value.known.map(|it| Bounds {
                    smin: it,
                    smax: it,
                    umin: it as u64,
                    umax: it as u64,
                });
                let bounds = exactly.unwrap_or_else(|| value.bounds());
                let bounds = (value.type_ == "scalar").then_some(bounds);
                Some(KnownRegister { number, bounds, words: words(value).into() })
            });
            states.entry(at).or_default().push(known.collect());
        }
        Beside(states)
    }

    /// What was known of each register before this instruction, in the first state that these values are
    /// in. Empty if there is none.
    pub fn known(&self, slot: usize, registers: &Registers) -> Vec<(u8, &str)> {
        let states = u32::try_from(slot).ok().and_then(|slot| self.0.get(&slot));
        let holds = |known: &KnownRegister| {
            let Some(value) = registers.0[usize::from(known.number)] else { return false };
            known.bounds.is_none_or(|it| {
                (it.umin..=it.umax).contains(&value)
                    && (it.smin..=it.smax).contains(&(value as i64))
            })
        };
        let found = states.into_iter().flatten().find(|state| state.iter().all(holds));
        found.map_or(vec![], |state| state.iter().map(|it| (it.number, &*it.words)).collect())
    }
}

/// Whether both are the same instruction; of what leads to maps and functions, a log has addresses.
fn same(own: Option<Insn>, theirs: Option<Insn>) -> bool {
    match (own, theirs) {
        (Some(Insn::LoadImm64 { dst, .. }), Some(Insn::LoadImm64 { dst: other, .. })) => {
            dst == other
        }
        (own, theirs) => own == theirs,
    }
}
