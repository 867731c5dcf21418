//! Block I/O sizes as a power-of-two histogram.
//!
//! A request's size is final when it is issued to the driver: merging and splitting are over.
//! So the program counts there, in an array of counters that the other side reads.

use crate::host::{Disk, Request};
use crate::insn::{Cond::*, *};
use crate::sys::map::{MapSpec, MapType};

/// Where requests are issued. The function is the one that the block layer of this kernel has; those
/// that had both (before 5.0) lack helpers that the program needs.
pub const FUNCTIONS: [&str; 2] = ["blk_mq_start_request", "blk_start_request"];
/// The tracepoint in it.
pub const TRACEPOINT: (&str, &str) = ("block", "block_rq_issue");

const HIST: MapRef = MapRef(0);
/// A request has at most 2^32 - 1 bytes.
pub const BUCKETS: u32 = 32;
/// Behind the buckets: requests whose size could not be read.
pub const UNREADABLE: u32 = BUCKETS;

/// The counters: one value, so that one lookup reads them all.
pub fn maps() -> Vec<MapSpec> {
    vec![MapSpec::new("hist", MapType::Array, 4, 8 * (BUCKETS + 1), 1)]
}

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bucket 0 is below `2 << shift` bytes.
    pub shift: i32,
    /// Only this disk's requests.
    pub disk: Option<Disk>,
}

/// `hist[log2(size >> shift)] += 1`
pub fn program(request: &Request, options: Options) -> Result<Program, AsmError> {
    let mut a = Asm::new();
    let (other, unreadable) = (a.label(), a.label());

    match *request {
        // The context is the tracepoint's record.
        Request::Record { bytes, dev } => {
            if let Some(disk) = options.disk {
                a.load(r2, u32_at(r1 + dev));
                a.jump_if(w2, Ne, disk.dev() as i32, &other);
            }
            a.load(r7, u32_at(r1 + bytes));
        }
        // The context leads to the struct request.
        Request::Struct { argument, access, data_len, disk: path, major, first_minor, .. } => {
            // It outlives the calls below in r6, and needs to only if there is more than one.
            let rq = if options.disk.is_some() { r6 } else { r3 };
            a.load(rq, u64_at(r1 + argument));
            if let Some(disk) = options.disk {
                let mut from = rq;
                for pointer in path.iter().flatten() {
                    a.read(access, r7, u64_at(from + *pointer), &unreadable);
                    from = r7;
                }
                // A driver's own queue has no disk.
                a.jump_if(r7, Eq, 0, &other);
                a.read(access, r8, u32_at(r7 + major), &unreadable);
                a.jump_if(w8, Ne, disk.major as i32, &other);
                a.read(access, r8, u32_at(r7 + first_minor), &unreadable);
                a.jump_if(w8, Ne, disk.minor as i32, &other);
            }
            a.read(access, r7, u32_at(rq + data_len), &unreadable);
        }
    }

    a.rsh(r7, options.shift);
    a.log2(r8, r7, r1);
    a.count(HIST, 0, r8);
    let done = a.place(other);
    a.mov(w0, 0);
    a.exit();

    if matches!(request, Request::Struct { access: Access::Probe, .. }) {
        a.place(unreadable);
        a.count_one(HIST, UNREADABLE);
        a.goto(&done);
    }
    a.finish()
}
