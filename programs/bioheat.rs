//! Block I/O latency, from issue to completion, in the columns of a heat map.
//!
//! A request's time is kept by its address, from the moment it is issued to the driver until
//! block_rq_complete. That tracepoint sees each request also where completions come in batches, which
//! the functions that end a request do not.

use crate::aggregate::counters::{self, count, count_one};
use crate::aggregate::{Places, Starts, heat, starts};
use crate::host::{Disk, RecordPlace, StructRequest, Submission};
use crate::insn::helper::KTIME_GET_NS;
use crate::insn::{Cond::Slt, *};
use crate::programs::record::{self, load_place};
use crate::programs::request::{load_ended, skip_flush_steps, skip_other_disks};
use crate::programs::submitter::{KEY, Submitters};
use crate::source_text;
use crate::sys::map::MapSpec;

static SOURCE: SourceText = source_text!("bioheat.rs");

/// When requests were issued that have not completed.
pub const STARTS: Starts =
    Starts { map: MapRef(0), slots: MapRef(1), words: 1, missed: HEAT, first: OVER + 1 };
/// A counter for each column, between those of what is in none.
pub const HEAT: MapRef = MapRef(2);
/// The first of the maps of who submitted requests, if that is asked for.
pub const SUBMITTED: MapRef = MapRef(3);

/// Requests that can be under way at a time beside those that have a slot: about a megabyte.
pub const UNDER_WAY: u32 = 16384;
/// Before the columns: what took no time, or completed before it was issued, by the clocks of two CPUs.
pub const UNDER: u32 = 0;
/// After the columns: slower than the last.
pub const OVER: u32 = heat::COLUMNS + 1;
/// Completions of requests that nobody saw issued.
pub const UNMATCHED: u32 = STARTS.first + starts::UNMATCHED;
/// Requests that were issued again before they completed.
pub const REISSUED: u32 = STARTS.first + starts::REISSUED;
/// Requests that found no room in the hash.
pub const FULL: u32 = STARTS.first + starts::TOO_MANY;
/// How many counters that makes.
pub const COUNTERS: u32 = OVER + 4;

/// The time of each request that is under way, the counters (one value, so that one lookup reads them
/// all), and who submitted requests.
pub fn maps(options: &Options<'_>) -> Vec<MapSpec> {
    let mut maps = STARTS.maps(UNDER_WAY);
    maps.push(counters::map("heat", COUNTERS));
    maps.extend(options.submitters.iter().flat_map(Submitters::maps));
    maps
}

/// What is measured.
#[derive(Clone, Copy, Default, Debug)]
pub struct Options<'a> {
    /// Only these disks' requests; none stands for all.
    pub disks: &'a [Disk],
    /// Only requests of these tasks.
    pub submitters: Option<Submitters>,
}

/// `starts[rq] = now`
pub fn issue(
    request: &StructRequest,
    submission: Option<&Submission>,
    options: Options<'_>,
    by_slot: bool,
) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let other = a.label();
    a.frame.place_for_reads();

    a.load(r6, u64_at(r1 + request.argument));
    skip_other_disks(&mut a, options.disks, request, &other);
    if let Some(submitters) = options.submitters {
        let own_key = a.frame.place(KEY);
        submitters.load(&mut a, request, submission, own_key, &other);
    }
    a.call(KTIME_GET_NS);
    a.mov(r9, r0);
    STARTS.begin(&mut a, by_slot, None);
    a.place(other);
    a.mov(w0, 0);
    a.exit();
    a.finish()
}

/// `heat[column(now - starts[rq])] += 1`
pub fn complete(
    request: &StructRequest,
    options: Options<'_>,
    by_slot: bool,
) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let (unmatched, under) = (a.label(), a.label());
    let (going_on, other) = (a.label(), a.label());
    a.frame.place_for_reads();

    // A kernel without types does not tell the size, which is no reason to show nothing.
    let size = request.data_len.offset.map(|_| request.data_len);
    load_ended(&mut a, request, size, &going_on);
    STARTS.end(&mut a, by_slot, &unmatched);
    a.sub(r9, r7);
    a.jump_if(r9, Slt, 0, &under);
    heat::column(&mut a, r8, r9, [r1, r2]);
    count(&mut a, HEAT, r8);
    let done = a.place(going_on);
    a.mov(w0, 0);
    a.exit();

    a.place(under);
    count_one(&mut a, HEAT, UNDER);
    a.goto(&done);

    // Of another disk or another task it would have no start either.
    a.place(unmatched);
    if options.submitters.is_none() {
        skip_flush_steps(&mut a, request, &other);
        skip_other_disks(&mut a, options.disks, request, &other);
        count_one(&mut a, HEAT, UNMATCHED);
    }
    a.place(other);
    a.mov(w0, 0);
    a.exit();
    a.finish()
}

/// The starts by place, for programs that meet requests in tracepoints' records; the other maps as in [`maps`].
pub fn record_maps() -> Vec<MapSpec> {
    let mut maps = maps(&Options::default());
    maps[STARTS.map.0 as usize] = Places::map(UNDER_WAY);
    // No request has an address, which would lead to a slot.
    maps[STARTS.slots.0 as usize].value_size = 8;
    maps
}

/// The starts by place.
const PLACES: Places = Places { map: STARTS.map, missed: HEAT, first: STARTS.first };

/// `places[disk, sector] = now`
pub fn issue_by_record(place: &RecordPlace, disks: &[Disk]) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let other = a.label();
    load_place(&mut a, place, disks, &other);
    a.call(KTIME_GET_NS);
    a.mov(r9, r0);
    PLACES.begin(&mut a);
    a.place(other);
    a.mov(w0, 0);
    a.exit();
    a.finish()
}

/// Forgets `places[disk, sector]`.
pub fn give_back_by_record(place: &RecordPlace, disks: &[Disk]) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let other = a.label();
    load_place(&mut a, place, disks, &other);
    PLACES.give_back(&mut a);
    a.place(other);
    a.mov(w0, 0);
    a.exit();
    a.finish()
}

/// `heat[column(now - places[disk, sector])] += 1`
pub fn complete_by_record(place: &RecordPlace, disks: &[Disk]) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let (unmatched, under, out) = (a.label(), a.label(), a.label());

    record::skip_flush_steps(&mut a, place, &out);
    load_place(&mut a, place, disks, &out);
    a.call(KTIME_GET_NS);
    a.mov(r9, r0);
    PLACES.end(&mut a, &unmatched, &out);
    a.sub(r9, r7);
    a.jump_if(r9, Slt, 0, &under);
    heat::column(&mut a, r8, r9, [r1, r2]);
    count(&mut a, HEAT, r8);
    let done = a.place(out);
    a.mov(w0, 0);
    a.exit();

    a.place(under);
    count_one(&mut a, HEAT, UNDER);
    a.goto(&done);
    a.place(unmatched);
    count_one(&mut a, HEAT, UNMATCHED);
    a.goto(&done);
    a.finish()
}
