//! Block I/O sizes as a power-of-two histogram.
//!
//! A request's size is final when it is issued to the driver: merging and splitting are over.
//! So the program counts there, in an array of counters that the other side reads.

use crate::aggregate::counters::{self, count, count_one};
use crate::host::{Disk, Request, StructRequest, Submission};
use crate::insn::*;
use crate::programs::request::{skip_other_disks, skip_records_of_other_disks};
use crate::programs::submitter::{KEY, Submitters};
use crate::source_text;
use crate::sys::map::MapSpec;

static SOURCE: SourceText = source_text!("bitehist.rs");

/// A counter for each bucket, and one for what is in none.
pub const HIST: MapRef = MapRef(0);
/// The first of the maps of who submitted requests, if that is asked for.
pub const SUBMITTED: MapRef = MapRef(1);
/// A request has at most 2^32 - 1 bytes.
pub const BUCKETS: u32 = 32;
/// Behind the buckets: requests whose size could not be read.
pub const UNREADABLE: u32 = BUCKETS;

/// The counters (one value, so that one lookup reads them all), and who submitted requests.
pub fn maps(submitters: Option<&Submitters>) -> Vec<MapSpec> {
    let mut maps = vec![counters::map("hist", BUCKETS + 1)];
    maps.extend(submitters.into_iter().flat_map(Submitters::maps));
    maps
}

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Bucket 0 is below `2 << shift` bytes.
    pub shift: i32,
    /// Only these disks' requests; none stands for all.
    pub disks: &'a [Disk],
    /// Only requests of these tasks.
    pub submitters: Option<Submitters>,
}

/// `hist[log2(size >> shift)] += 1`
pub fn program(
    request: &Request,
    submission: Option<&Submission>,
    options: Options<'_>,
) -> Result<Program, AsmError> {
    let mut a = Asm::with_source(&SOURCE);
    let (other, unreadable) = (a.label(), a.label());
    let submitters = options.submitters.map(|submitters| {
        a.frame.place_for_reads();
        (submitters, a.frame.place(KEY))
    });

    match *request {
        // The context is the tracepoint's record.
        Request::Record(record) => {
            skip_records_of_other_disks(&mut a, options.disks, &record, &other);
            let context = if submitters.is_some() { r6 } else { r1 };
            if let Some((submitters, own_key)) = submitters {
                a.mov(context, r1);
                submitters.load_current(&mut a, Some(record.comm), own_key, &other);
            }
            a.load(r7, u32_at(context + record.bytes));
        }
        // The context leads to the struct request.
        Request::Struct(request) => {
            let StructRequest { argument, access, data_len, .. } = request;
            // It outlives the calls below in r6, and needs to only if there is more than one.
            let several = !options.disks.is_empty() || submitters.is_some();
            let rq = if several { r6 } else { r3 };
            a.load(rq, u64_at(r1 + argument));
            skip_other_disks(&mut a, options.disks, &request, &other);
            if let Some((submitters, own_key)) = submitters {
                submitters.load(&mut a, &request, submission, own_key, &other);
            }
            a.read(access, r7, u32_at(rq + data_len), &unreadable);
        }
    }

    a.rsh(r7, options.shift);
    a.log2(r8, r7, r1);
    count(&mut a, HIST, r8);
    let done = a.place(other);
    a.mov(w0, 0);
    a.exit();

    if matches!(request, Request::Struct(StructRequest { access: Access::Probe, .. })) {
        a.place(unreadable);
        count_one(&mut a, HIST, UNREADABLE);
        a.goto(&done);
    }
    a.finish()
}
