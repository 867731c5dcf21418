//! How often functions are called and tracepoints are passed, by function or by who does it.
//!
//! One program is attached everywhere. By function it adds to the counter that its place has by a
//! number; by anything else it adds to the counter of a key in a hash. System calls are an exception: all
//! of them have one program at their entry and one at their return, which find the place by the call's number.

use crate::aggregate::counters::{self, count, count_one, lookup_or_insert};
use crate::host::system_calls::NUMBERS;
use crate::host::{PidNamespace, Process, SystemCalls};
use crate::insn::helper::{
    GET_ATTACH_COOKIE, GET_CURRENT_COMM, GET_CURRENT_PID_TGID, GET_CURRENT_TASK,
    GET_CURRENT_TASK_BTF, GET_CURRENT_UID_GID, GET_SMP_PROCESSOR_ID,
};
use crate::insn::{
    Cond::{Eq, Ge, Ne, Set},
    *,
};
use crate::programs::task::{load_numbers, skip_other_processes};
use crate::source_text;
use crate::sys::link::At;
use crate::sys::map::{MapSpec, MapType};

static SOURCE: SourceText = source_text!("funccount.rs");

/// A counter for each place or key.
pub const COUNTS: MapRef = MapRef(0);
/// The counter that a new key begins with; not by function.
pub const ZEROS: MapRef = MapRef(1);
/// The counter of calls for whose key there was no room; not by function.
pub const FULL: MapRef = MapRef(2);

/// Where the programs find the place of a system call: an array of [`PLACES`] u32, first by the numbers of calls
/// that are entered, then by those of calls that return. Each is the place's number and one, or 0 for a call that
/// is not counted. Only if system calls are counted.
pub fn places(by: By) -> MapRef {
    MapRef(if by == By::Function { 1 } else { 3 })
}

/// The length of the array.
pub const PLACES: u32 = 2 * NUMBERS;

/// The place of the call of this number in the array.
pub fn place_of_call(at: At, number: u32) -> u32 {
    if at == At::Entry { number } else { NUMBERS + number }
}

/// The word that ends counting, which is not 0 from then on: its map, and where it is in that map's value. `places`
/// is the number of places.
pub fn end(by: By, places: u32) -> (MapRef, u32) {
    if by == By::Function { (COUNTS, 8 * places) } else { (FULL, 8) }
}

/// What counts are kept by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// The function or tracepoint.
    Function,
    /// The process.
    Pid,
    /// The name of the thread.
    Comm,
    /// The user.
    Uid,
    /// The CPU.
    Cpu,
}

impl By {
    /// Every one, the default first.
    pub const ALL: [By; 5] = [By::Function, By::Pid, By::Comm, By::Uid, By::Cpu];

    /// As it is spelled on the command line.
    pub fn name(self) -> &'static str {
        match self {
            By::Function => "function",
            By::Pid => "pid",
            By::Comm => "comm",
            By::Uid => "uid",
            By::Cpu => "cpu",
        }
    }

    /// Bytes of a key; none by function, where each place has a number.
    fn key_size(self) -> u32 {
        match self {
            By::Function => 0,
            By::Comm => 16,
            By::Pid | By::Uid | By::Cpu => 4,
        }
    }
}

/// How a program knows the number of the place where it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlaceNumber {
    /// The program is of that place alone.
    Number(u32),
    /// The attachment's cookie has it: a number below this.
    Cookie(u32),
}

/// What a program counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// Hits of a place.
    Place(PlaceNumber),
    /// System calls, each of which leads to its place by its number. There are this many places.
    SystemCalls(SystemCalls, u32),
}

impl From<PlaceNumber> for Counted {
    fn from(place: PlaceNumber) -> Counted {
        Counted::Place(place)
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What counts are kept by.
    pub by: By,
    /// Only this process.
    pub process: Option<Process>,
    /// The namespace whose numbers of processes are keys, if it is not the host's first one.
    pub namespace: Option<PidNamespace>,
    /// Of how many places there is a word that ends counting, if there is one ([`end`]): the kernel needs long to
    /// let go of many programs.
    pub ends: Option<u32>,
}

/// By function, a counter for each of `places`, all in one value. Else a counter for each of at most
/// `max_keys` keys, the value a new key begins with, and how often a key found no room. A word that ends counting
/// is in the last of them, if programs need one. With system calls, there is [`places`] too.
pub fn maps(by: By, places: u32, max_keys: u32, ends: bool, system_calls: bool) -> Vec<MapSpec> {
    let end = u32::from(ends);
    let mut maps = match by {
        By::Function => vec![counters::map("counts", places + end)],
        _ => vec![
            MapSpec::new("counts", MapType::Hash, by.key_size(), 8, max_keys),
            counters::map("zeros", 1),
            counters::map("full", 1 + end),
        ],
    };
    if system_calls {
        maps.push(MapSpec::new("places", MapType::Array, 4, 4 * PLACES, 1));
    }
    maps
}

/// `counts[place] += 1` or `counts[key] += 1`
pub fn program(counted: impl Into<Counted>, options: Options) -> Result<Program, AsmError> {
    let counted = counted.into();
    let mut a = Asm::with_source(&SOURCE);
    let (other, full) = (a.label(), a.label());
    if matches!(counted, Counted::SystemCalls(SystemCalls { access: Access::Probe, .. }, _)) {
        a.frame.place_for_reads();
    }
    let key = a.frame.place(16);

    if let Some(places) = options.ends {
        let (map, offset) = end(options.by, places);
        a.load_map_value(r2, map, offset);
        a.load(r2, u64_at(r2 + 0));
        a.jump_if(r2, Ne, 0, &other);
    }
    if let Counted::SystemCalls(calls, _) = counted {
        place_by_number(&mut a, calls, options.by, &other);
    }

    // The context outlives a call only in r6.
    let cookie =
        matches!((options.by, counted), (By::Function, Counted::Place(PlaceNumber::Cookie(_))));
    let again = cookie && options.process.is_some();
    if again {
        a.mov(r6, r1);
    }
    skip_other_processes(&mut a, options.process, |at| key + at, &other);
    if again {
        a.mov(r1, r6);
    }

    match options.by {
        By::Function => match counted {
            Counted::Place(PlaceNumber::Number(number)) => count_one(&mut a, COUNTS, number),
            Counted::Place(PlaceNumber::Cookie(places)) => {
                a.call(GET_ATTACH_COOKIE);
                // It is always below; this is for the verifier.
                a.jump_if(r0, Ge, places as i32, &other);
                count(&mut a, COUNTS, r0);
            }
            Counted::SystemCalls(_, places) => {
                a.sub(r7, 1);
                a.jump_if(r7, Ge, places as i32, &other);
                count(&mut a, COUNTS, r7);
            }
        },
        By::Pid => match options.namespace {
            None => {
                a.call(GET_CURRENT_PID_TGID);
                a.rsh(r0, 32);
                a.store(u32_at(key), r0);
            }
            Some(namespace) => {
                load_numbers(&mut a, namespace, |at| key + at);
                a.store(u32_at(key), r1);
            }
        },
        By::Uid => {
            a.call(GET_CURRENT_UID_GID);
            a.store(u32_at(key), r0);
        }
        By::Cpu => {
            a.call(GET_SMP_PROCESSOR_ID);
            a.store(u32_at(key), r0);
        }
        By::Comm => {
            a.load_address(r1, key);
            a.mov(w2, By::Comm.key_size() as i32);
            a.call(GET_CURRENT_COMM);
        }
    }
    if options.by != By::Function {
        lookup_or_insert(&mut a, COUNTS, key, ZEROS, &full);
        a.mov(r1, 1);
        a.lock_add(u64_at(r0 + 0), r1);
    }
    let done = a.place(other);
    a.mov(w0, 0);
    a.exit();

    if options.by != By::Function {
        a.place(full);
        count_one(&mut a, FULL, 0);
        a.goto(&done);
    }
    a.finish()
}

/// `r7 = places[number of the call]`, or goes on at `other` if that call is not counted, or is one of a 32-bit program,
/// whose numbers mean other calls. The context is in r1.
fn place_by_number(a: &mut Asm, calls: SystemCalls, by: By, other: &impl Target) {
    let SystemCalls { at, access, number, status } = calls;
    match at {
        At::Entry => a.load(r7, u64_at(r1 + SystemCalls::ENTERED)),
        At::Return => {
            a.load(r3, u64_at(r1 + 0));
            a.read(access, r7, u64_at(r3 + number), other);
        }
    }
    a.jump_if(r7, Ge, NUMBERS as i32, other);
    a.lsh(r7, 2);
    a.load_map_value(r1, places(by), 4 * place_of_call(at, 0));
    a.add(r1, r7);
    a.load(r7, u32_at(r1 + 0));
    a.jump_if(r7, Eq, 0, other);
    a.call(if access == Access::Typed { GET_CURRENT_TASK_BTF } else { GET_CURRENT_TASK });
    a.mov(r3, r0);
    a.read(access, r1, u32_at(r3 + status), other);
    a.jump_if(r1, Set, SystemCalls::COMPAT, other);
}
