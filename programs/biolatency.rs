//! Block I/O latency as a power-of-two histogram.
//!
//! One program remembers when a request was issued to the driver, the other finds out at the
//! request's end how long ago that was.

use crate::aggregate::counters::{self, count_one, lookup_or_insert};
use crate::aggregate::{Buckets, Distributions, Places, Starts, distribution};
use crate::host::{Disk, RecordPlace, StructRequest, Submission};
use crate::insn::helper::KTIME_GET_NS;
use crate::insn::{
    Cond::{Eq, Ne, Sge},
    *,
};
use crate::programs::disk_names;
use crate::programs::record::{self, load_place};
use crate::programs::request::{load_disk, load_ended, skip_flush_steps, skip_other_disks};
use crate::programs::submitter::{KEY, Submitters, copy_key};
use crate::source_text;
use crate::sys::map::MapSpec;

static SOURCE: SourceText = source_text!("biolatency.rs");

/// When requests were issued that have no slot and have not ended.
pub const STARTS: MapRef = MapRef(0);
/// The same of those that have a slot.
pub const SLOTS: MapRef = MapRef(1);
/// Counters of what is not in the distributions: [`missed`].
pub const MISSED: MapRef = MapRef(2);
/// A distribution for each key, or the only one.
pub const LATENCIES: MapRef = MapRef(3);
/// The number of the interval.
pub const EPOCH: MapRef = MapRef(4);
/// The distribution that a new key begins with.
pub const ZEROS: MapRef = MapRef(5);
/// By disk, on kernels that report no numbers of hidden disks: the disks' names.
pub const DISK_NAMES: MapRef = MapRef(6);
/// The first of the maps of who submitted requests, if that is asked for: after the last of the others.
pub const fn submitted(with_key: bool, disk_names: bool) -> MapRef {
    MapRef(5 + with_key as u16 + disk_names as u16)
}

/// Words of the counters of what is not in the picture.
pub mod missed {
    pub use crate::aggregate::starts::{REISSUED, TOO_MANY, UNMATCHED};
    /// Requests of keys that did not fit the map.
    pub const TOO_MANY_KEYS: u32 = 3;
    /// Requests without a time at which they were queued.
    pub const NOT_TIMED: u32 = 4;
    /// How many there are.
    pub const WORDS: u32 = 5;
}

/// The starts by request, what is not in the distributions, those by key, and who submitted requests.
pub fn maps(options: &Options<'_>) -> Vec<MapSpec> {
    let mut maps = options.starts().maps(options.max_requests);
    maps.push(counters::map("missed", missed::WORDS));
    let key_size = 8 * options.key_words() as u32;
    let keys = options.with_key().then_some((key_size, options.max_keys));
    maps.append(&mut Distributions::maps("latencies", &options.buckets(), keys));
    maps.extend(options.disk_names.then(disk_names::map));
    maps.extend(options.submitters.iter().flat_map(Submitters::maps));
    maps
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Nanoseconds of the unit.
    pub unit: i32,
    /// From when the request was made, not from when it was issued.
    pub queued: bool,
    /// A distribution for each disk.
    pub by_disk: bool,
    /// A distribution for each operation with its flags.
    pub by_flags: bool,
    /// Only these disks' requests; none stands for all.
    pub disks: &'a [Disk],
    /// Whether a program beside these reads the names of disks. It needs keys.
    pub disk_names: bool,
    /// Only requests of these tasks, and what of them has a distribution of its own. Their first map is
    /// [`submitted`].
    pub submitters: Option<Submitters>,
    /// Requests that can be between their start and their end.
    pub max_requests: u32,
    /// Disks and operations that there is room for.
    pub max_keys: u32,
}

impl Options<'_> {
    /// Whether the programs must find out a request's disk.
    pub fn with_disk(&self) -> bool {
        self.by_disk || !self.disks.is_empty()
    }

    /// Whether there is a distribution for each submitter.
    fn by_submitter(&self) -> bool {
        self.submitters.is_some_and(|submitters| submitters.by.is_some())
    }

    /// Whether there are several distributions.
    fn with_key(&self) -> bool {
        self.by_disk || self.by_flags || self.by_submitter()
    }

    /// How latencies are counted together.
    pub fn buckets(&self) -> Buckets {
        Buckets::LOG2.by_key(self.with_key())
    }

    /// The words of a key: disk and flags, and the submitter's key.
    fn key_words(&self) -> i32 {
        i32::from(self.with_key()) + if self.by_submitter() { KEY as i32 / 8 } else { 0 }
    }

    /// What is remembered of a request: its time and, if it matters, its key.
    fn starts(&self) -> Starts {
        let words = 1 + self.key_words();
        Starts { map: STARTS, slots: SLOTS, words, missed: MISSED, first: 0 }
    }
}

/// The starts by place, for programs that meet requests in tracepoints' records; the other maps as in [`maps`].
pub fn record_maps(options: &Options<'_>) -> Vec<MapSpec> {
    let mut maps = maps(options);
    maps[STARTS.0 as usize] = Places::map(options.max_requests);
    // No request has an address, which would lead to a slot.
    maps[SLOTS.0 as usize].value_size = 8;
    maps
}

/// The starts by place.
const PLACES: Places = Places { map: STARTS, missed: MISSED, first: 0 };

/// `places[disk, sector] = now`
pub fn issued_by_record(place: &RecordPlace, options: Options<'_>) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let other = a.label();
    load_place(&mut a, place, options.disks, &other);
    a.call(KTIME_GET_NS);
    a.mov(r9, r0);
    PLACES.begin(&mut a);
    a.place(other);
    a.mov(w0, 0);
    a.exit();
    a.finish()
}

/// Forgets `places[disk, sector]`.
pub fn given_back_by_record(
    place: &RecordPlace,
    options: Options<'_>,
) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let other = a.label();
    load_place(&mut a, place, options.disks, &other);
    PLACES.give_back(&mut a);
    a.place(other);
    a.mov(w0, 0);
    a.exit();
    a.finish()
}

/// `latencies[disk].add(now - places[disk, sector])`
pub fn completed_by_record(place: &RecordPlace, options: Options<'_>) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let (unmatched, too_many, out) = (a.label(), a.label(), a.label());
    let key = a.frame.place(8);

    record::skip_flush_steps(&mut a, place, &out);
    load_place(&mut a, place, options.disks, &out);
    a.call(KTIME_GET_NS);
    a.mov(r9, r0);
    PLACES.end(&mut a, &unmatched, &out);
    // Clocks of two CPUs can differ by a little.
    let forward = a.label();
    a.sub(r9, r7);
    a.jump_if(r9, Sge, 0, &forward);
    a.mov(r9, 0);
    a.place(forward);
    if options.by_disk {
        // Without the operation.
        a.mov(w8, w8);
        a.store(u64_at(key), r8);
        lookup_or_insert(&mut a, LATENCIES, key, ZEROS, &too_many);
    } else {
        a.lookup_first(LATENCIES, key, &out);
    }
    distribution::add(&mut a, r9, options.unit, &options.buckets(), EPOCH);
    let done = a.place(out);
    a.mov(w0, 0);
    a.exit();

    if options.by_disk {
        a.place(too_many);
        count_one(&mut a, MISSED, missed::TOO_MANY_KEYS);
        a.goto(&done);
    }
    a.place(unmatched);
    count_one(&mut a, MISSED, missed::UNMATCHED);
    a.goto(&done);
    a.finish()
}

/// What a distribution is of: the disk as the kernel numbers it, and operation and flags, each 0 if not
/// asked for; and the submitter's key, empty if not asked for.
pub fn key(bytes: &[u8]) -> (u32, u32, &[u8]) {
    let (key, submitter) = bytes.split_first_chunk().unwrap_or((&[0; 8], &[]));
    let key = u64::from_ne_bytes(*key);
    (key as u32, (key >> 32) as u32, submitter)
}

/// Stands for a time that is not known, where 0 stands for none.
const UNKNOWN: i32 = 1;

/// `starts[rq] = now`
pub fn issued(
    request: &StructRequest,
    submission: Option<&Submission>,
    options: Options<'_>,
    by_slot: bool,
) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let (no_disk, timed, out) = (a.label(), a.label(), a.label());
    a.frame.place_for_reads();
    let StructRequest { argument, access, cmd_flags, start_time, .. } = *request;

    a.load(r6, u64_at(r1 + argument));
    skip_other_disks(&mut a, options.disks, request, &out);
    let submitter = options.submitters.map(|submitters| {
        let own_key = a.frame.place(KEY);
        submitters.load(&mut a, request, submission, own_key, &out);
        if submitters.by.is_some() {
            copy_key(&mut a, own_key);
        }
        own_key
    });
    // Of several disks, or one of unknown number, r8 has the request's.
    let in_r8 = options.by_disk && !matches!(options.disks, [] | [Disk { hidden: None, .. }]);
    if options.with_key() && !in_r8 {
        a.mov(r8, 0);
    }
    if options.by_disk {
        match options.disks {
            [] => load_disk(&mut a, request, &no_disk),
            [disk] if disk.hidden.is_none() => a.mov(w8, disk.dev() as i32),
            _ => {}
        }
    }
    a.place(no_disk);
    if options.by_flags {
        a.read(access, r9, u32_at(r6 + cmd_flags), &out);
        a.lsh(r9, 32);
        a.or(r8, r9);
    }
    if options.queued {
        a.read(access, r9, u64_at(r6 + start_time), &out);
        a.jump_if(r9, Ne, 0, &timed);
        a.mov(r9, UNKNOWN);
    } else {
        a.call(KTIME_GET_NS);
        a.mov(r9, r0);
    }
    a.place(timed);
    options.starts().begin(&mut a, by_slot, submitter);
    a.place(out);
    a.mov(w0, 0);
    a.exit();
    a.finish()
}

/// `latencies[key].add(now - starts[rq])`
pub fn completed(
    request: &StructRequest,
    options: Options<'_>,
    by_slot: bool,
) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let (unmatched, not_timed, too_many) = (a.label(), a.label(), a.label());
    let (out, other) = (a.label(), a.label());
    a.frame.place_for_reads();

    load_ended(&mut a, request, Some(request.data_len), &out);
    // The disk in its low half, the flags in its high half, and the submitter's key, as the other program
    // remembered them.
    let key = options.starts().end(&mut a, by_slot, &unmatched);
    // Clocks of two CPUs can differ by a little.
    let forward = a.label();
    if options.queued {
        a.jump_if(r7, Eq, UNKNOWN, &not_timed);
    }
    a.sub(r9, r7);
    a.jump_if(r9, Sge, 0, &forward);
    a.mov(r9, 0);
    a.place(forward);
    if options.with_key() {
        lookup_or_insert(&mut a, LATENCIES, key, ZEROS, &too_many);
    } else {
        a.lookup_first(LATENCIES, key, &out);
    }
    distribution::add(&mut a, r9, options.unit, &options.buckets(), EPOCH);
    let done = a.place(out);
    a.mov(w0, 0);
    a.exit();

    if options.with_key() {
        a.place(too_many);
        count_one(&mut a, MISSED, missed::TOO_MANY_KEYS);
        a.goto(&done);
    }

    if options.queued {
        a.place(not_timed);
        count_one(&mut a, MISSED, missed::NOT_TIMED);
        a.goto(&done);
    }

    // It was issued before the first program ran, is of another disk or task, or ends a second time, for
    // who asked for a flush.
    a.place(unmatched);
    if !options.submitters.is_some_and(|submitters| submitters.whose.is_some()) {
        skip_flush_steps(&mut a, request, &other);
        skip_other_disks(&mut a, options.disks, request, &other);
        count_one(&mut a, MISSED, missed::UNMATCHED);
    }
    a.place(other);
    a.mov(w0, 0);
    a.exit();
    a.finish()
}
