//! Block I/O latency, from issue to completion, in the columns of a heat map.
//!
//! A request's time is kept in a hash by its address, from the moment it is issued to the driver until
//! block_rq_complete. That tracepoint sees each request also where completions come in batches, which
//! the functions that end a request do not.

use crate::host::{Disk, Request};
use crate::insn::asm::Target;
use crate::insn::helper::KTIME_GET_NS;
use crate::insn::{
    Cond::{Eq, Ne, Slt},
    *,
};
use crate::sys::map::{MapSpec, MapType};

/// Where they complete.
pub const COMPLETE: (&str, &str) = ("block", "block_rq_complete");

const STARTED: MapRef = MapRef(0);
const HEAT: MapRef = MapRef(1);

/// Requests that can be under way at a time: about a megabyte.
pub const UNDER_WAY: u32 = 16384;
/// Columns, from 1 nanosecond to 11 seconds.
pub const SLOTS: u32 = 100;
/// Behind the columns: slower than the last.
pub const OVER: u32 = SLOTS;
/// Completed before it was issued, by the clocks of two CPUs.
pub const UNDER: u32 = OVER + 1;
/// Completions of requests that nobody saw issued.
pub const UNMATCHED: u32 = OVER + 2;
/// Requests that were issued again before they completed.
pub const REISSUED: u32 = OVER + 3;
/// Requests that found no room in the hash.
pub const FULL: u32 = OVER + 4;
/// How many counters that makes.
pub const COUNTERS: u32 = OVER + 5;

/// The time of each request that is under way, and the counters: one value, so that one lookup reads
/// them all.
pub fn maps() -> Vec<MapSpec> {
    vec![
        MapSpec::new("started", MapType::Hash, 8, 8, UNDER_WAY),
        MapSpec::new("heat", MapType::Array, 4, 8 * COUNTERS, 1),
    ]
}

const KEY: i32 = -16;
const TIME: i32 = -24;
const EEXIST: i32 = 17;

/// `started[request] = now`
pub fn issue(request: &Request, disk: Option<Disk>) -> Result<Program, AsmError> {
    let mut a = Asm::new();
    let (done, full) = (a.label(), a.label());
    let other = a.label();

    a.load(r6, u64_at(r1 + request_argument(request)));
    only(&mut a, disk, request, &other);
    a.store(u64_at(fp + KEY), r6);
    a.call(KTIME_GET_NS);
    a.store(u64_at(fp + TIME), r0);
    a.insert(STARTED, KEY, TIME);
    a.jump_if(w0, Eq, 0, &done);
    a.jump_if(w0, Ne, -EEXIST, &full);
    // It was put back and comes again, or its end was missed: what counts is the last time.
    a.count_one(HEAT, REISSUED);
    a.update(STARTED, KEY, TIME);
    a.place(done);
    let end = a.place(other);
    a.mov(w0, 0);
    a.exit();

    a.place(full);
    a.count_one(HEAT, FULL);
    a.goto(&end);
    a.finish()
}

/// `heat[slot(now - started[request])] += 1`
pub fn complete(request: &Request, disk: Option<Disk>) -> Result<Program, AsmError> {
    let mut a = Asm::new();
    let (unmatched, under) = (a.label(), a.label());
    let other = a.label();

    a.load(r6, u64_at(r1 + request_argument(request)));
    a.call(KTIME_GET_NS);
    a.mov(r7, r0);
    a.store(u64_at(fp + KEY), r6);
    a.lookup(STARTED, KEY);
    a.jump_if(r0, Eq, 0, &unmatched);
    a.load(r8, u64_at(r0 + 0));
    a.sub(r7, r8);
    a.delete(STARTED, KEY);
    a.jump_if(r7, Slt, 0, &under);
    a.heat_slot(r8, r7, [r1, r2]);
    a.count(HEAT, 0, r8);
    let end = a.place(other);
    a.mov(w0, 0);
    a.exit();

    a.place(under);
    a.count_one(HEAT, UNDER);
    a.goto(&end);

    // Of another disk it would have no start either.
    a.place(unmatched);
    only(&mut a, disk, request, &end);
    a.count_one(HEAT, UNMATCHED);
    a.goto(&end);
    a.finish()
}

/// Where the pointer to the request is in the context; a tracepoint's record has none.
fn request_argument(request: &Request) -> i32 {
    match *request {
        Request::Struct { argument, .. } => argument,
        Request::Record { .. } => 0,
    }
}

/// Goes on at `other` unless the request in r6 is of this disk. Clobbers r8 and r9.
fn only(a: &mut Asm, disk: Option<Disk>, request: &Request, other: &impl Target) {
    let (Some(disk), &Request::Struct { access, disk: path, major, first_minor, .. }) =
        (disk, request)
    else {
        return;
    };
    let mut from = r6;
    for pointer in path.iter().flatten() {
        a.read(access, r9, u64_at(from + *pointer), other);
        from = r9;
    }
    a.read(access, r8, u32_at(r9 + major), other);
    a.jump_if(w8, Ne, disk.major as i32, other);
    a.read(access, r8, u32_at(r9 + first_minor), other);
    a.jump_if(w8, Ne, disk.minor as i32, other);
}
