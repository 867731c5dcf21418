//! The values that a program finds at a function or a tracepoint: the distribution of a number, or a counter
//! for each value.

use crate::aggregate::counters::{self, count_one, lookup_or_insert};
use crate::aggregate::{Buckets, Distributions, distribution};
use crate::btf::Number;
use crate::host::{
    Content, ContextPlace, Memory, Process, TextPlace, TracedNumber, TracedText, TracedValue,
};
use crate::insn::helper::{PROBE_READ_KERNEL_STR, PROBE_READ_USER_STR};
use crate::insn::{
    Access::Probe,
    Cond::{Eq, Sge, Slt},
    *,
};
use crate::programs::task::skip_other_processes;
use crate::source_text;
use crate::sys::map::{MapSpec, MapType};

static SOURCE: SourceText = source_text!("argdist.rs");

/// Counters of what is not counted by its value: [`not_counted`].
pub const NOT_COUNTED: MapRef = MapRef(0);
/// The distribution, or a counter for each value.
pub const VALUES: MapRef = MapRef(1);
/// The number of the interval, of a distribution.
pub const EPOCH: MapRef = MapRef(2);
/// The counter that a new value begins with, if each value has one.
pub const ZEROS: MapRef = MapRef(2);

/// Words of the first map: what is not counted by its value.
pub mod not_counted {
    /// Numbers below 0, in a distribution.
    pub const NEGATIVE: u32 = 0;
    /// A pointer on the way was NULL or led nowhere.
    pub const UNREADABLE: u32 = 1;
    /// There was no room for another value.
    pub const FULL: u32 = 2;
    /// How many there are in a distribution; with a counter for each value, one more.
    pub const WORDS: u32 = 2;
}

/// The bytes of the longest string that is whole in a key. The last byte of the key of a longer one is not 0.
pub const LONGEST: u32 = 127;

/// Of which events, and how they are counted.
#[derive(Clone, Debug)]
pub struct Options {
    /// What values are counted in.
    pub counted: Counted,
    /// Only of this process.
    pub process: Option<Process>,
}

/// What values are counted in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Counted {
    /// Ranges of numbers.
    Buckets(Buckets),
    /// A counter for each value.
    Each {
        /// Bytes of a key: 8 of a number, which is extended to 64 bits.
        key: u32,
        /// The largest number of values.
        max_keys: u32,
    },
}

/// The bytes of the key of a string: with a zero at its end, in whole words.
pub fn key_of_text(text: &TracedText) -> u32 {
    let longest = text.array.map_or(LONGEST, |array| array.min(LONGEST));
    (longest + 1).next_multiple_of(8)
}

/// What is not counted by its value, and that.
pub fn maps(options: &Options) -> Vec<MapSpec> {
    let words = not_counted::WORDS;
    match &options.counted {
        Counted::Buckets(buckets) => {
            let mut maps = vec![counters::map("not_counted", words)];
            maps.append(&mut Distributions::maps("values", buckets, None));
            maps
        }
        Counted::Each { key, max_keys } => vec![
            counters::map("not_counted", words + 1),
            MapSpec::new("values", MapType::Hash, *key, 8, *max_keys),
            counters::map("zeros", 1),
        ],
    }
}

/// `values.add(value)`
pub fn program(value: &TracedValue, options: &Options) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let (other, unreadable, full) = (a.label(), a.label(), a.label());
    // Free until the first read.
    let scratch = a.frame.place_for_reads();

    a.mov(r6, r1);
    skip_other_processes(&mut a, options.process, |at| scratch + at, &other);
    match (&value.content, &options.counted) {
        (Content::Number(number), Counted::Buckets(buckets)) => {
            let index = a.frame.place(4);
            load(&mut a, value, number.stored, &unreadable);
            extend(&mut a, value, number);
            if number.is_signed() {
                let positive = a.label();
                a.jump_if(r7, Sge, 0, &positive);
                count_one(&mut a, NOT_COUNTED, not_counted::NEGATIVE);
                a.goto(&other);
                a.place(positive);
            }
            a.lookup_first(VALUES, index, &unreadable);
            distribution::add(&mut a, r7, 1, buckets, EPOCH);
        }
        (Content::Number(number), Counted::Each { .. }) => {
            let key = a.frame.place(8);
            load(&mut a, value, number.stored, &unreadable);
            extend(&mut a, value, number);
            a.store(u64_at(key), r7);
            lookup_or_insert(&mut a, VALUES, key, ZEROS, &full);
            a.mov(r1, 1);
            a.lock_add(u64_at(r0 + 0), r1);
        }
        (Content::Text(text), _) => {
            // With room for the byte after the key, by which a string shows that it is longer.
            let size = key_of_text(text) + 8;
            let key = a.frame.place(size);
            address(&mut a, value, text, &unreadable);
            // The key's bytes after the string.
            for word in 0..size as i32 / 8 {
                a.store(u64_at(key + 8 * word), 0);
            }
            // An array may be full, without a zero at its end.
            let longest = text.array.map_or(LONGEST + 1, |array| array.min(LONGEST + 1));
            read_text(&mut a, key, longest + 1, text.memory);
            a.jump_if(r0, Slt, 0, &unreadable);
            lookup_or_insert(&mut a, VALUES, key, ZEROS, &full);
            a.mov(r1, 1);
            a.lock_add(u64_at(r0 + 0), r1);
        }
    }
    let done = a.place(other);
    a.mov(w0, 0);
    a.exit();

    let each = matches!(options.counted, Counted::Each { .. });
    // A number in the context can be read in any case.
    let in_context = match &value.content {
        Content::Number(number) => value.path.is_empty() && !number.stored.pointer,
        Content::Text(_) => false,
    };
    if !(each && in_context) {
        a.place(unreadable);
        count_one(&mut a, NOT_COUNTED, not_counted::UNREADABLE);
        a.goto(&done);
    }
    if each {
        a.place(full);
        count_one(&mut a, NOT_COUNTED, not_counted::FULL);
        a.goto(&done);
    }
    a.finish()
}

/// `r7 = ` what is at the value's place, which is stored like this. The context is in r6.
fn load(a: &mut Asm, value: &TracedValue, stored: Number, unreadable: &Label) {
    let Number { size, pointer, .. } = stored;
    match (value.origin, &value.path[..]) {
        (ContextPlace::Field(offset), _) => match size {
            1 => a.load(r7, u8_at(r6 + offset)),
            2 => a.load(r7, u16_at(r6 + offset)),
            4 => a.load(r7, u32_at(r6 + offset)),
            _ => a.load(r7, u64_at(r6 + offset)),
        },
        // To the verifier it may be an address, with which one does not calculate; its copy is a number.
        (ContextPlace::Word(offset), []) if pointer => {
            a.read(Probe, r7, u64_at(r6 + offset), unreadable)
        }
        (ContextPlace::Word(offset), []) => a.load(r7, u64_at(r6 + offset)),
        (ContextPlace::Word(offset), [pointers @ .., last]) => {
            follow(a, offset, pointers, unreadable);
            match size {
                1 => a.read(Probe, r7, u8_at(r3 + *last), unreadable),
                2 => a.read(Probe, r7, u16_at(r3 + *last), unreadable),
                4 => a.read(Probe, r7, u32_at(r3 + *last), unreadable),
                _ => a.read(Probe, r7, u64_at(r3 + *last), unreadable),
            }
        }
    }
}

/// `r3 = ` the pointer that is reached by the first one, in the context, and those at these offsets.
fn follow(a: &mut Asm, offset: i32, pointers: &[i32], unreadable: &Label) {
    a.load(r3, u64_at(r6 + offset));
    a.jump_if(r3, Eq, 0, unreadable);
    for offset in pointers {
        a.read(Probe, r3, u64_at(r3 + *offset), unreadable);
    }
}

/// Makes the number that was loaded to r7 one of 64 bits. Above it a register has anything, and a load leaves
/// zeros, where below 0 ones belong.
fn extend(a: &mut Asm, value: &TracedValue, number: &TracedNumber) {
    let Number { size, signed, .. } = number.stored;
    let in_register = matches!(value.origin, ContextPlace::Word(_)) && value.path.is_empty();
    match number.bits {
        Some((below, bits)) => shift(a, 64 - (below + bits) as i32, 64 - bits as i32, signed),
        None if signed || in_register => {
            let above = 64 - 8 * size as i32;
            shift(a, above, above, signed);
        }
        None => {}
    }
    if let Some(Number { size, signed, .. }) = number.cast {
        let above = 64 - 8 * size as i32;
        shift(a, above, above, signed);
    }
}

/// `r7 = r7 << left >> right`, with its sign or without.
fn shift(a: &mut Asm, left: i32, right: i32, signed: bool) {
    if left > 0 {
        a.lsh(r7, left);
    }
    match right > 0 {
        true if signed => a.arsh(r7, right),
        true => a.rsh(r7, right),
        false => {}
    }
}

/// `r7 = ` the address of the string's first character.
fn address(a: &mut Asm, value: &TracedValue, text: &TracedText, unreadable: &Label) {
    match (text.at, value.origin, &value.path[..]) {
        (TextPlace::Pointer, ..) => {
            load(a, value, Number { size: 8, signed: false, pointer: true }, unreadable);
            a.jump_if(r7, Eq, 0, unreadable);
        }
        (TextPlace::Record(base), ContextPlace::Field(offset), _) => {
            a.load(r1, u32_at(r6 + offset));
            a.and(r1, 0xffff);
            a.mov(r7, r6);
            a.add(r7, r1);
            if base > 0 {
                a.add(r7, base);
            }
        }
        (_, ContextPlace::Word(offset), [pointers @ .., last]) => {
            follow(a, offset, pointers, unreadable);
            a.mov(r7, r3);
            if *last != 0 {
                a.add(r7, *last);
            }
        }
        (_, ContextPlace::Field(offset) | ContextPlace::Word(offset), _) => {
            a.mov(r7, r6);
            a.add(r7, offset);
        }
    }
}

/// Copies the string at r7 to `to`, at most `size` bytes with the zero at its end. r0 is below 0 if the address
/// is bad.
fn read_text(a: &mut Asm, to: StackPlace, size: u32, memory: Memory) {
    let (kernel, done) = (a.label(), a.label());
    a.load_address(r1, to);
    a.mov(w2, size as i32);
    a.mov(r3, r7);
    match memory {
        Memory::Kernel => a.call(PROBE_READ_KERNEL_STR),
        Memory::User => a.call(PROBE_READ_USER_STR),
        Memory::ByAddress => {
            a.jump_if(r3, Slt, 0, &kernel);
            a.call(PROBE_READ_USER_STR);
            a.goto(&done);
            a.place(kernel);
            a.call(PROBE_READ_KERNEL_STR);
            a.place(done);
        }
    }
}
