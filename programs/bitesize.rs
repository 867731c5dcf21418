//! Block I/O sizes by the process that asked for them.
//!
//! The process is known when I/O is submitted, its size when the request is issued to the driver: see
//! `submitter.rs`.

use crate::aggregate::counters::{self, count_one, lookup_or_insert};
use crate::host::{Disk, Issue, Request, StructRequest};
use crate::insn::*;
use crate::programs::request::{skip_other_disks, skip_records_of_other_disks};
use crate::programs::submitter::{FLAGS, KEY, Submitters, copy_key};
use crate::source_text;
use crate::sys::map::{MapSpec, MapType};

static SOURCE: SourceText = source_text!("bitesize.rs");

/// A histogram for each task.
pub const SIZES: MapRef = MapRef(0);
/// The first value of a task's histogram.
pub const ZEROS: MapRef = MapRef(1);
/// Counters of requests that no histogram has: size unreadable, map full.
pub const LOST: MapRef = MapRef(2);
/// The first of the maps of who submitted requests.
pub const SUBMITTED: MapRef = MapRef(3);

/// A request has at most 2^32 - 1 bytes.
pub const BUCKETS: u32 = 32;
/// The index after the buckets: the bytes of all of them.
pub const BYTES: u32 = BUCKETS;
/// In [`LOST`]: requests whose size could not be read.
pub const UNREADABLE: u32 = 0;
/// In [`LOST`]: requests of tasks that did not fit the map.
pub const FULL: u32 = 1;

/// The maps, with room for `max_keys` keys.
pub fn maps(max_keys: u32, submitters: &Submitters) -> Vec<MapSpec> {
    let mut maps = vec![
        MapSpec::new("sizes", MapType::Hash, KEY, 8 * (BUCKETS + 1), max_keys),
        counters::map("zeros", BUCKETS + 1),
        counters::map("lost", 2),
    ];
    maps.append(&mut submitters.maps());
    maps
}

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Only these disks' requests; none stands for all.
    pub disks: &'a [Disk],
    /// Whose requests, and what of their tasks has a histogram of its own.
    pub submitters: Submitters,
    /// A histogram for each operation with its flags too. Tracepoints' records have none: there the
    /// flags are 0.
    pub by_flags: bool,
}

/// `sizes[task][log2(kbytes)] += 1`, where the task is who submitted the request or, if that was not
/// seen, who issues it.
pub fn count(issue: &Issue, options: &Options<'_>) -> Result<Program, AsmError> {
    let request = &issue.request;
    let Options { disks, submitters, .. } = options;
    let by_flags = options.by_flags && matches!(request, Request::Struct(_));
    let mut a = Asm::with_source(&SOURCE);
    let (other, unreadable, full) = (a.label(), a.label(), a.label());
    a.frame.place_for_reads();
    let own_key = a.frame.place(KEY);

    match *request {
        // The context is the tracepoint's record, which has the name of who issues.
        Request::Record(record) => {
            skip_records_of_other_disks(&mut a, disks, &record, &other);
            a.load(r9, u32_at(r1 + record.bytes));
            a.mov(r6, r1);
            submitters.load_current(&mut a, Some(record.comm), own_key, &other);
        }
        // The context leads to the struct request, which stays in r6.
        Request::Struct(request) => {
            let StructRequest { argument, access, data_len, cmd_flags, .. } = request;
            a.load(r6, u64_at(r1 + argument));
            skip_other_disks(&mut a, disks, &request, &other);
            a.read(access, r9, u32_at(r6 + data_len), &unreadable);
            if by_flags {
                a.read(access, r8, u32_at(r6 + cmd_flags), &unreadable);
            }
            submitters.load(&mut a, &request, issue.submission.as_ref(), own_key, &other);
        }
    }
    // The key is at r7.
    if by_flags {
        copy_key(&mut a, own_key);
        a.store(u32_at(own_key + FLAGS), r8);
        a.load_address(r7, own_key);
    }
    lookup_or_insert(&mut a, SIZES, r7 + 0, ZEROS, &full);
    a.lock_add(u64_at(r0 + 8 * BYTES as i32), r9);
    a.rsh(r9, 10);
    a.log2(r8, r9, r1);
    a.lsh(r8, 3);
    a.add(r0, r8);
    a.mov(r1, 1);
    a.lock_add(u64_at(r0 + 0), r1);
    let done = a.place(other);
    a.mov(w0, 0);
    a.exit();

    a.place(full);
    count_one(&mut a, LOST, FULL);
    a.goto(&done);
    if matches!(request, Request::Struct(StructRequest { access: Access::Probe, .. })) {
        a.place(unreadable);
        count_one(&mut a, LOST, UNREADABLE);
        a.goto(&done);
    }
    a.finish()
}
