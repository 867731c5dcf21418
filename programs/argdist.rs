//! The distribution of a number that a program finds at a function or a tracepoint.

use crate::aggregate::counters::{self, count_one};
use crate::aggregate::{Buckets, Distributions, distribution};
use crate::btf::Number;
use crate::host::{ContextPlace, TracedValue};
use crate::insn::helper::GET_CURRENT_PID_TGID;
use crate::insn::{
    Access::Probe,
    Cond::{Eq, Ne, Sge},
    *,
};
use crate::source_text;
use crate::sys::map::MapSpec;

static SOURCE: SourceText = source_text!("argdist.rs");

/// Counters of what is not in the distribution: [`not_counted`].
pub const NOT_COUNTED: MapRef = MapRef(0);
/// The distribution.
pub const VALUES: MapRef = MapRef(1);
/// The number of the interval.
pub const EPOCH: MapRef = MapRef(2);

/// Words of the first map: what is not in the distribution.
pub mod not_counted {
    /// Numbers below 0.
    pub const NEGATIVE: u32 = 0;
    /// A pointer on the way was NULL or led nowhere.
    pub const UNREADABLE: u32 = 1;
    /// How many there are.
    pub const WORDS: u32 = 2;
}

/// Of which events, and how they are counted.
#[derive(Clone, Debug)]
pub struct Options {
    /// The ranges that are counted together.
    pub buckets: Buckets,
    /// Only of this process.
    pub pid: Option<u32>,
}

/// What is not in the distribution, and that.
pub fn maps(options: &Options) -> Vec<MapSpec> {
    let mut maps = vec![counters::map("not_counted", not_counted::WORDS)];
    maps.append(&mut Distributions::maps("values", &options.buckets, None));
    maps
}

/// `values.add(value)`
pub fn program(value: &TracedValue, options: &Options) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let (other, unreadable) = (a.label(), a.label());
    a.frame.place_for_reads();
    let index = a.frame.place(4);

    a.mov(r6, r1);
    if let Some(pid) = options.pid {
        a.call(GET_CURRENT_PID_TGID);
        a.rsh(r0, 32);
        a.jump_if(w0, Ne, pid as i32, &other);
    }
    let Number { size, signed, pointer } = value.number;
    let in_register = matches!(value.origin, ContextPlace::Word(_)) && value.path.is_empty();
    match (value.origin, &value.path[..]) {
        (ContextPlace::Field(offset), _) => match size {
            1 => a.load(r7, u8_at(r6 + offset)),
            2 => a.load(r7, u16_at(r6 + offset)),
            4 => a.load(r7, u32_at(r6 + offset)),
            _ => a.load(r7, u64_at(r6 + offset)),
        },
        // To the verifier it may be an address, with which one does not calculate; its copy is a number.
        (ContextPlace::Word(offset), []) if pointer => {
            a.read(Probe, r7, u64_at(r6 + offset), &unreadable)
        }
        (ContextPlace::Word(offset), []) => a.load(r7, u64_at(r6 + offset)),
        (ContextPlace::Word(offset), [pointers @ .., last]) => {
            a.load(r3, u64_at(r6 + offset));
            a.jump_if(r3, Eq, 0, &unreadable);
            for offset in pointers {
                a.read(Probe, r3, u64_at(r3 + *offset), &unreadable);
            }
            match size {
                1 => a.read(Probe, r7, u8_at(r3 + *last), &unreadable),
                2 => a.read(Probe, r7, u16_at(r3 + *last), &unreadable),
                4 => a.read(Probe, r7, u32_at(r3 + *last), &unreadable),
                _ => a.read(Probe, r7, u64_at(r3 + *last), &unreadable),
            }
        }
    }
    // Above the number a register has anything, and a load leaves zeros, where below 0 ones belong.
    let above = 64 - 8 * size as i32;
    if above > 0 && (signed || in_register) {
        a.lsh(r7, above);
        if signed {
            a.arsh(r7, above);
        } else {
            a.rsh(r7, above);
        }
    }
    if signed {
        let positive = a.label();
        a.jump_if(r7, Sge, 0, &positive);
        count_one(&mut a, NOT_COUNTED, not_counted::NEGATIVE);
        a.goto(&other);
        a.place(positive);
    }
    a.lookup_first(VALUES, index, &unreadable);
    distribution::add(&mut a, r7, 1, &options.buckets, EPOCH);
    let done = a.place(other);
    a.mov(w0, 0);
    a.exit();

    a.place(unreadable);
    count_one(&mut a, NOT_COUNTED, not_counted::UNREADABLE);
    a.goto(&done);
    a.finish()
}
