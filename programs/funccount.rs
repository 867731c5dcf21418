//! How often functions are called and tracepoints are passed, by function or by who does it.
//!
//! One program is attached everywhere. By function it adds to the counter that its place has by a
//! number; by anything else it adds to the counter of a key in a hash.

use crate::aggregate::counters::{self, count, count_one, lookup_or_insert};
use crate::insn::helper::{
    GET_ATTACH_COOKIE, GET_CURRENT_COMM, GET_CURRENT_PID_TGID, GET_CURRENT_UID_GID,
    GET_SMP_PROCESSOR_ID,
};
use crate::insn::{
    Cond::{Ge, Ne},
    *,
};
use crate::source_text;
use crate::sys::map::{MapSpec, MapType};

static SOURCE: SourceText = source_text!("funccount.rs");

/// A counter for each place or key.
pub const COUNTS: MapRef = MapRef(0);
/// The counter that a new key begins with; not by function.
pub const ZEROS: MapRef = MapRef(1);
/// The counter of calls for whose key there was no room; not by function.
pub const FULL: MapRef = MapRef(2);

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

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What counts are kept by.
    pub by: By,
    /// Only this process.
    pub pid: Option<i32>,
}

/// By function, a counter for each of `places`, all in one value. Else a counter for each of at most
/// `max_keys` keys, the value a new key begins with, and how often a key found no room.
pub fn maps(by: By, places: u32, max_keys: u32) -> Vec<MapSpec> {
    match by {
        By::Function => vec![counters::map("counts", places)],
        _ => vec![
            MapSpec::new("counts", MapType::Hash, by.key_size(), 8, max_keys),
            counters::map("zeros", 1),
            counters::map("full", 1),
        ],
    }
}

/// `counts[place] += 1` or `counts[key] += 1`
pub fn program(place: PlaceNumber, options: Options) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let (other, full) = (a.label(), a.label());
    let key = a.frame.place(16);

    // The context outlives a call only in r6.
    let cookie = matches!((options.by, place), (By::Function, PlaceNumber::Cookie(_)));
    if cookie && options.pid.is_some() {
        a.mov(r6, r1);
    }
    if let Some(pid) = options.pid {
        a.call(GET_CURRENT_PID_TGID);
        a.rsh(r0, 32);
        a.jump_if(r0, Ne, pid, &other);
        if cookie {
            a.mov(r1, r6);
        }
    }

    match options.by {
        By::Function => match place {
            PlaceNumber::Number(number) => count_one(&mut a, COUNTS, number),
            PlaceNumber::Cookie(places) => {
                a.call(GET_ATTACH_COOKIE);
                // It is always below; this is for the verifier.
                a.jump_if(r0, Ge, places as i32, &other);
                count(&mut a, COUNTS, r0);
            }
        },
        By::Pid => {
            a.call(GET_CURRENT_PID_TGID);
            a.rsh(r0, 32);
            a.store(u32_at(key), r0);
        }
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
