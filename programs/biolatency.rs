//! Block I/O latency as a power-of-two histogram.
//!
//! One program remembers when a request was issued to the driver, the other finds out at the
//! request's end how long ago that was.

use crate::distributions::Distributions;
use crate::host::{Disk, Request};
use crate::insn::asm::Target;
use crate::insn::helper::KTIME_GET_NS;
use crate::insn::{
    Cond::{Eq, Gt, Ne, Sge},
    *,
};
use crate::sys::map::{MapSpec, MapType};

/// The tracepoint at a request's end, and at the end of a part of it. The functions around it miss
/// requests that a driver ends in batches, as NVMe's does.
pub const COMPLETE: (&str, &str) = ("block", "block_rq_complete");

const STARTS: MapRef = MapRef(0);
const LATENCIES: MapRef = MapRef(1);
const ZEROS: MapRef = MapRef(2);
const EPOCH: MapRef = MapRef(3);
const MISSED: MapRef = MapRef(4);

/// How latencies are counted together.
pub const BUCKETS: Buckets = Buckets::Log2;

/// Requests that can be between their start and their end.
const IN_FLIGHT: u32 = 32768;
/// Disks.
const DISKS: u32 = 1024;

/// Words of the last map: what is not in the picture.
pub mod missed {
    /// Ends of requests whose start was not seen.
    pub const UNMATCHED: u32 = 0;
    /// Requests that were issued a second time.
    pub const REISSUED: u32 = 1;
    /// Requests that found no place beside all those in flight.
    pub const TOO_MANY: u32 = 2;
    /// Requests of more disks than there is room for.
    pub const TOO_MANY_DISKS: u32 = 3;
    /// Requests without a time at which they were queued.
    pub const NOT_TIMED: u32 = 4;
    /// How many there are.
    pub const WORDS: u32 = 5;
}

/// The starts by request, the distributions by disk, and what is not in them.
pub fn maps() -> Vec<MapSpec> {
    let [latencies, zeros, epoch] = Distributions::maps("latencies", &BUCKETS, 4, DISKS);
    vec![
        MapSpec::new("starts", MapType::Hash, 8, 16, IN_FLIGHT),
        latencies,
        zeros,
        epoch,
        MapSpec::new("missed", MapType::Array, 4, 8 * missed::WORDS, 1),
    ]
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Nanoseconds of the unit.
    pub unit: i32,
    /// From when the request was made, not from when it was issued.
    pub queued: bool,
    /// A distribution for each disk.
    pub by_disk: bool,
    /// Only this disk's requests.
    pub disk: Option<Disk>,
}

impl Options {
    /// Whether the programs must find out a request's disk.
    pub fn with_disk(&self) -> bool {
        self.by_disk || self.disk.is_some()
    }
}

// On the stack. Reads of kernel memory go through the last eight bytes.
const RQ: i32 = -16;
const START: i32 = -32;
/// The disk beside the start, as it will be needed at the end.
const START_DISK: i32 = START + 8;
const DISK: i32 = -40;

/// `starts[rq] = now`
pub fn issued(request: &Request, options: Options) -> Result<Program, AsmError> {
    let mut a = Asm::new();
    let (store, out) = (a.label(), a.label());
    let known = a.label();
    let Request::Struct { argument, access, start_time, .. } = *request else {
        return a.finish();
    };

    a.load(r6, u64_at(r1 + argument));
    a.store(u64_at(fp + RQ), r6);
    a.mov(r8, 0);
    if options.with_disk() {
        let none = if options.disk.is_some() { &out } else { &store };
        load_disk(&mut a, request, none);
    }
    if let Some(disk) = options.disk {
        a.jump_if(w8, Ne, disk.dev() as i32, &out);
    }
    a.place(store);
    a.store(u64_at(fp + START_DISK), r8);
    if options.queued {
        a.read(access, r0, u64_at(r6 + start_time), &out);
    } else {
        a.call(KTIME_GET_NS);
    }
    a.store(u64_at(fp + START), r0);
    a.insert(STARTS, RQ, START);
    a.jump_if(r0, Ne, 0, &known);
    let done = a.place(out);
    a.mov(w0, 0);
    a.exit();

    // Either the driver could not take it and gave it back, or its end was not seen: the newest
    // start is the one that its end belongs to.
    let full = a.label();
    a.place(known);
    a.update(STARTS, RQ, START);
    a.jump_if(r0, Ne, 0, &full);
    a.count_one(MISSED, missed::REISSUED);
    a.goto(&done);
    a.place(full);
    a.count_one(MISSED, missed::TOO_MANY);
    a.goto(&done);
    a.finish()
}

/// `latencies[disk].add(now - starts[rq])`
pub fn completed(request: &Request, options: Options) -> Result<Program, AsmError> {
    let mut a = Asm::new();
    let (unmatched, not_timed, too_many) = (a.label(), a.label(), a.label());
    let out = a.label();
    let Request::Struct { argument, access, data_len, .. } = *request else {
        return a.finish();
    };

    a.load(r6, u64_at(r1 + argument));
    // The third argument: how many bytes end.
    a.load(r7, u64_at(r1 + (argument + 16)));
    a.call(KTIME_GET_NS);
    a.mov(r9, r0);
    a.store(u64_at(fp + RQ), r6);
    a.lookup(STARTS, RQ);
    a.jump_if(r0, Eq, 0, &unmatched);
    a.load(r1, u64_at(r0 + 0));
    a.store(u64_at(fp + START), r1);
    a.load(r8, u64_at(r0 + 8));
    a.store(u32_at(fp + DISK), r8);

    // The request ends with its last part: it has still the size it had before this one.
    a.read(access, r8, u32_at(r6 + data_len), &out);
    a.jump_if(w8, Gt, w7, &out);
    a.delete(STARTS, RQ);

    // Clocks of two CPUs can differ by a little.
    let forward = a.label();
    a.load(r1, u64_at(fp + START));
    if options.queued {
        a.jump_if(r1, Eq, 0, &not_timed);
    }
    a.sub(r9, r1);
    a.jump_if(r9, Sge, 0, &forward);
    a.mov(r9, 0);
    a.place(forward);
    a.lookup_or_insert(LATENCIES, DISK, ZEROS, &too_many);
    a.add_to_distribution(r9, options.unit, &BUCKETS, EPOCH);
    let done = a.place(out);
    a.mov(w0, 0);
    a.exit();

    // A flush ends twice, once for the disk and once for who asked; some were issued before the
    // first program ran; the others are of other disks.
    a.place(unmatched);
    if let Some(disk) = options.disk {
        load_disk(&mut a, request, &done);
        a.jump_if(w8, Ne, disk.dev() as i32, &done);
    }
    a.count_one(MISSED, missed::UNMATCHED);
    a.goto(&done);

    a.place(too_many);
    a.count_one(MISSED, missed::TOO_MANY_DISKS);
    a.goto(&done);

    if options.queued {
        a.place(not_timed);
        a.count_one(MISSED, missed::NOT_TIMED);
        a.goto(&done);
    }
    a.finish()
}

/// `r8 = ` the disk of the request in r6, as the kernel numbers it, or on to `none` with 0. Clobbers
/// r0 to r5, r7 and r9.
fn load_disk(a: &mut Asm, request: &Request, none: &impl Target) {
    let Request::Struct { access, disk: path, major, first_minor, .. } = *request else { return };
    a.mov(r8, 0);
    let mut from = r6;
    for pointer in path.iter().flatten() {
        a.read(access, r7, u64_at(from + *pointer), none);
        from = r7;
    }
    a.read(access, r9, u32_at(r7 + first_minor), none);
    a.read(access, r8, u32_at(r7 + major), none);
    a.lsh(r8, 20);
    a.or(r8, r9);
}
