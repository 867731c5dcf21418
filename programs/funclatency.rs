//! A function's latency: from its entry to its return.
//!
//! One program remembers when the function was entered, the other finds out at its return how long
//! ago that was. A function that calls itself has several calls open at once, so a call is known by
//! its thread and its place on the stack.

use super::funccount::PlaceNumber;
use crate::aggregate::counters::{self, count_one, lookup_or_insert};
use crate::aggregate::{Buckets, Distributions, distribution};
use crate::host::{CallFrame, PidNamespace, Process};
use crate::insn::helper::{GET_ATTACH_COOKIE, GET_CURRENT_PID_TGID, KTIME_GET_NS};
use crate::insn::{
    Cond::{Eq, Ne, Sge},
    *,
};
use crate::programs::task::{load_numbers, skip_other_processes};
use crate::source_text;
use crate::sys::map::{MapSpec, MapType};

static SOURCE: SourceText = source_text!("funclatency.rs");

/// When the open calls began.
pub const STARTS: MapRef = MapRef(0);
/// Counters of what is not in the distributions: [`missed`].
pub const MISSED: MapRef = MapRef(1);
/// A distribution for each process, or the only one.
pub const LATENCIES: MapRef = MapRef(2);
/// The number of the interval.
pub const EPOCH: MapRef = MapRef(3);
/// The distribution that a new process begins with.
pub const ZEROS: MapRef = MapRef(4);

/// Calls that can be open at once.
pub const OPEN: u32 = 10240;

/// Words of the second map: what is not in the picture.
pub mod missed {
    /// Returns of calls whose entry was not seen.
    pub const NO_ENTRY: u32 = 0;
    /// Calls whose return was not seen, though their place on the stack was used again.
    pub const NO_RETURN: u32 = 1;
    /// Calls that found no place beside those that are open.
    pub const TOO_MANY: u32 = 2;
    /// Calls by more processes than there is room for.
    pub const TOO_MANY_KEYS: u32 = 3;
    /// How many there are.
    pub const WORDS: u32 = 4;
}

/// What is measured.
#[derive(Clone, Debug)]
pub struct Options {
    /// Nanoseconds of the unit.
    pub unit: i32,
    /// How latencies are counted, in the unit.
    pub buckets: Buckets,
    /// Only calls by this process.
    pub process: Option<Process>,
    /// The namespace whose numbers of processes are keys, if it is not the host's first one.
    pub namespace: Option<PidNamespace>,
    /// For how many processes there are distributions of their own; None for one of all.
    pub by_pid: Option<u32>,
    /// Whether calls of several functions are measured: one that goes on in another as its last step (a
    /// jump) has the same place on the stack.
    pub several: bool,
}

impl Options {
    /// The size of what tells a call from others: its thread, its place on the stack, and its function if
    /// there are several.
    fn call_size(&self) -> u32 {
        if self.several { 24 } else { 16 }
    }
}

/// The starts by call, what is not in the distributions, and those by process.
pub fn maps(options: &Options) -> Vec<MapSpec> {
    // A thread that ends inside the function leaves its start behind. The oldest go first.
    let starts = MapSpec::new("starts", MapType::LruHash, options.call_size(), 8, OPEN);
    let missed = counters::map("missed", missed::WORDS);
    let mut maps = vec![starts, missed];
    let keys = options.by_pid.map(|max_keys| (4, max_keys));
    maps.append(&mut Distributions::maps("latencies", &options.buckets, keys));
    maps
}

/// On the stack of both programs: a call, when it began, and whose distribution it belongs to.
fn places(a: &mut Asm, options: &Options) -> [StackPlace; 3] {
    [options.call_size(), 8, 4].map(|bytes| a.frame.place(bytes))
}

/// `starts[call] = now`, or 0 until both programs are attached: such a call is not counted, and not
/// missed.
pub fn entered(
    frame: CallFrame,
    place: PlaceNumber,
    options: &Options,
) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let (other, again, too_many) = (a.label(), a.label(), a.label());
    let store = a.label();
    let [call, start, _] = places(&mut a, options);

    a.mov(r6, r1);
    load_call(&mut a, call, frame, 0, place, options, &other);
    a.lookup(STARTS, call);
    a.jump_if(r0, Ne, 0, &again);
    let begin = a.here();
    a.load_map_value(r1, EPOCH, 0);
    a.load(r0, u64_at(r1 + 0));
    a.jump_if(r0, Eq, 0, &store);
    a.call(KTIME_GET_NS);
    a.place(store);
    a.store(u64_at(start), r0);
    a.update(STARTS, call, start);
    a.jump_if(r0, Ne, 0, &too_many);
    let done = a.place(other);
    a.mov(w0, 0);
    a.exit();

    // The call before it at this place is over: an exception, a longjmp or the thread's end took it
    // away, or its return was missed.
    a.place(again);
    a.load(r1, u64_at(r0 + 0));
    a.jump_if(r1, Eq, 0, &begin);
    count_one(&mut a, MISSED, missed::NO_RETURN);
    a.goto(&begin);

    a.place(too_many);
    count_one(&mut a, MISSED, missed::TOO_MANY);
    a.goto(&done);
    a.finish()
}

/// `latencies[pid].add(now - starts[call])`
pub fn returned(
    frame: CallFrame,
    place: PlaceNumber,
    options: &Options,
) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let (other, no_entry, too_many_keys) = (a.label(), a.label(), a.label());
    let [call, _, key] = places(&mut a, options);

    a.mov(r6, r1);
    a.call(KTIME_GET_NS);
    a.mov(r7, r0);
    load_call(&mut a, call, frame, frame.popped(), place, options, &other);
    a.lookup(STARTS, call);
    a.jump_if(r0, Eq, 0, &no_entry);
    a.load(r8, u64_at(r0 + 0));
    a.delete(STARTS, call);
    a.jump_if(r8, Eq, 0, &other);
    a.sub(r7, r8);

    // Clocks of two CPUs can differ by a little.
    let forward = a.label();
    a.jump_if(r7, Sge, 0, &forward);
    a.mov(r7, 0);
    a.place(forward);
    match options.by_pid {
        Some(_) => {
            match options.namespace {
                None => {
                    a.load(r1, u64_at(call));
                    a.rsh(r1, 32);
                }
                Some(namespace) => load_numbers(&mut a, namespace, |at| key + at),
            }
            a.store(u32_at(key), r1);
            lookup_or_insert(&mut a, LATENCIES, key, ZEROS, &too_many_keys);
        }
        None => a.lookup_first(LATENCIES, key, &other),
    }
    distribution::add(&mut a, r7, options.unit, &options.buckets, EPOCH);
    let done = a.place(other);
    a.mov(w0, 0);
    a.exit();

    a.place(no_entry);
    count_one(&mut a, MISSED, missed::NO_ENTRY);
    a.goto(&done);

    if options.by_pid.is_some() {
        a.place(too_many_keys);
        count_one(&mut a, MISSED, missed::TOO_MANY_KEYS);
        a.goto(&done);
    }
    a.finish()
}

/// `*call = ` the thread, the place and of several functions the number of the call whose context is in r6, at which the stack has
/// `popped` bytes less. Goes on at `other` if its process is not the one asked for.
fn load_call(
    a: &mut Asm,
    call: StackPlace,
    frame: CallFrame,
    popped: i32,
    place: PlaceNumber,
    options: &Options,
    other: &Label,
) {
    if options.process.is_some_and(|process| process.namespace.is_some()) {
        skip_other_processes(a, options.process, |at| call + at, other);
    }
    a.call(GET_CURRENT_PID_TGID);
    a.store(u64_at(call), r0);
    if let Some(Process { own_pid, namespace: None, .. }) = options.process {
        a.rsh(r0, 32);
        a.jump_if(w0, Ne, own_pid as i32, other);
    }
    match frame {
        CallFrame::StackPointer { register, .. } => {
            a.load(r1, u64_at(r6 + register));
            if popped != 0 {
                a.sub(r1, popped);
            }
        }
        // The context lies on the stack, at one place for the entry and the return of a call. As it
        // is an address to the verifier, its distance to another one is taken.
        CallFrame::Context => {
            a.mov(r1, r6);
            a.load_map_value(r2, MISSED, 0);
            a.sub(r1, r2);
        }
    }
    a.store(u64_at(call + 8), r1);
    if options.several {
        match place {
            PlaceNumber::Number(number) => a.mov(r0, number as i32),
            PlaceNumber::Cookie(_) => {
                a.mov(r1, r6);
                a.call(GET_ATTACH_COOKIE);
            }
        }
        a.store(u64_at(call + 16), r0);
    }
}
