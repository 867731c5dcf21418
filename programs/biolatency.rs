//! Block I/O latency as a power-of-two histogram.
//!
//! One program remembers when a request was issued to the driver, the other finds out at the
//! request's end how long ago that was.

use crate::distributions::Distributions;
use crate::host::{Disk, Request};
use crate::insn::helper::KTIME_GET_NS;
use crate::insn::{
    Cond::{Eq, Sge},
    *,
};
use crate::programs::request::{Starts, load_disk, only};
use crate::sys::map::{MapSpec, MapType};

const STARTS: Starts = Starts { map: MapRef(0), words: 2, missed: MISSED, first: 0 };
const LATENCIES: MapRef = MapRef(1);
const ZEROS: MapRef = MapRef(2);
const EPOCH: MapRef = MapRef(3);
const MISSED: MapRef = MapRef(4);

/// How latencies are counted together.
pub const BUCKETS: Buckets = Buckets::Log2;

/// Words of the last map: what is not in the picture.
pub mod missed {
    pub use crate::programs::request::{REISSUED, TOO_MANY, UNMATCHED};
    /// Requests of keys that did not fit the map.
    pub const TOO_MANY_KEYS: u32 = 3;
    /// Requests without a time at which they were queued.
    pub const NOT_TIMED: u32 = 4;
    /// How many there are.
    pub const WORDS: u32 = 5;
}

/// The starts by request, the distributions by key, and what is not in them.
pub fn maps(options: &Options) -> Vec<MapSpec> {
    // An idle key makes room once a map is half full: the only one there is stays.
    let keys = if options.by_disk || options.by_flags { options.max_keys } else { 2 };
    let [latencies, zeros, epoch] = Distributions::maps("latencies", &BUCKETS, 8, keys);
    vec![
        STARTS.map(options.max_requests),
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
    /// A distribution for each operation with its flags.
    pub by_flags: bool,
    /// Only this disk's requests.
    pub disk: Option<Disk>,
    /// Requests that can be between their start and their end.
    pub max_requests: u32,
    /// Disks and operations that there is room for.
    pub max_keys: u32,
}

impl Options {
    /// Whether the programs must find out a request's disk.
    pub fn with_disk(&self) -> bool {
        self.by_disk || self.disk.is_some()
    }
}

/// What a distribution is of: the disk as the kernel numbers it, and operation and flags, each 0 if not asked for.
pub fn key(bytes: &[u8]) -> (u32, u32) {
    let key = u64::from_ne_bytes(bytes.try_into().unwrap_or_default());
    (key as u32, (key >> 32) as u32)
}

// On the stack. Reads of kernel memory go through the last eight bytes.
const RQ: i32 = -16;
const START: i32 = -32;
/// What the request is told apart by, beside its start, as it will be needed at the end: one number,
/// the flags in its high half.
const KEY: i32 = START + 8;

/// `starts[rq] = now`
pub fn issued(request: &Request, options: Options) -> Result<Program, AsmError> {
    let mut a = Asm::new();
    let (no_disk, out) = (a.label(), a.label());
    let Request::Struct { argument, access, cmd_flags, start_time, .. } = *request else {
        return a.finish();
    };

    a.load(r6, u64_at(r1 + argument));
    a.store(u64_at(fp + RQ), r6);
    only(&mut a, options.disk, request, &out);
    a.mov(r8, 0);
    if options.by_disk {
        match options.disk {
            Some(disk) => a.mov(w8, disk.dev() as i32),
            None => load_disk(&mut a, request, &no_disk),
        }
    }
    a.place(no_disk);
    if options.by_flags {
        a.read(access, r9, u32_at(r6 + cmd_flags), &out);
        a.lsh(r9, 32);
        a.or(r8, r9);
    }
    a.store(u64_at(fp + KEY), r8);
    if options.queued {
        a.read(access, r0, u64_at(r6 + start_time), &out);
    } else {
        a.call(KTIME_GET_NS);
    }
    a.store(u64_at(fp + START), r0);
    STARTS.begin(&mut a, RQ, START);
    a.place(out);
    a.mov(w0, 0);
    a.exit();
    a.finish()
}

/// `latencies[key].add(now - starts[rq])`
pub fn completed(request: &Request, options: Options) -> Result<Program, AsmError> {
    let mut a = Asm::new();
    let (unmatched, not_timed, too_many) = (a.label(), a.label(), a.label());
    let out = a.label();
    let Request::Struct { data_len, .. } = *request else { return a.finish() };

    STARTS.end(&mut a, request, Some(data_len), [RQ, START], &unmatched, &out);
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
    a.lookup_or_insert(LATENCIES, fp + KEY, ZEROS, &too_many);
    a.add_to_distribution(r9, options.unit, &BUCKETS, EPOCH);
    let done = a.place(out);
    a.mov(w0, 0);
    a.exit();

    // A flush ends twice, once for the disk and once for who asked; some were issued before the
    // first program ran; the others are of other disks.
    a.place(unmatched);
    only(&mut a, options.disk, request, &done);
    a.count_one(MISSED, missed::UNMATCHED);
    a.goto(&done);

    a.place(too_many);
    a.count_one(MISSED, missed::TOO_MANY_KEYS);
    a.goto(&done);

    if options.queued {
        a.place(not_timed);
        a.count_one(MISSED, missed::NOT_TIMED);
        a.goto(&done);
    }
    a.finish()
}
