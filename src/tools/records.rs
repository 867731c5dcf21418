//! What the tools share whose programs meet requests in tracepoints' records.

use super::Choice;
use crate::aggregate::{Places, counters::unreadable};
use crate::error::Error;
use crate::host::{KernelTypes, RecordPlace, Tracepoint};
use crate::programs::record::TRACEPOINTS;
use crate::sys::Map;
use crate::sys::map::Entries;

/// The tracepoints where requests begin, are given back and end, each with the places in its record.
///
/// # Errors
/// The kernel's types cannot be read.
pub(super) fn find(types: &KernelTypes) -> Result<[(Tracepoint, RecordPlace); 3], Error> {
    let find =
        |name| Ok::<_, Error>((Tracepoint::new("block", name), RecordPlace::find(name, types)?));
    let [issue, requeue, complete] = TRACEPOINTS;
    Ok([find(issue)?, find(requeue)?, find(complete)?])
}

/// Why `-p` and its like cannot be had: by this choice of the attach kind, or for want of types.
pub(super) fn no_submitter(attach: Choice) -> Error {
    let what =
        "-p, -c, --cgroup and --by: a tracepoint's record does not say who submitted the request";
    match attach {
        Choice::Auto => Error::lacking(format!("{what}, and this kernel has no BTF"))
            .hint("try: without that option, or --btf FILE with this kernel's types"),
        Choice::Only(_) => Error::usage(what).hint("try: --attach raw_tp"),
    }
}

/// The words for requests that ended where several were under way.
pub(super) const AMBIGUOUS: &str = "requests were not measured: a tracepoint's record does not tell them from \
    others at the same place of the disk at the same time";

/// How many requests are under way, by the hash of starts. Before Linux 6.7 the kernel does not count the records
/// that a program misses, so that a start which stays is all that shows a missed end.
pub(super) fn open(starts: &Map) -> Result<u64, Error> {
    let mut entries = Entries::new();
    starts.read_all(&mut entries).map_err(|error| unreadable(&error))?;
    Ok(Places::open(&entries))
}

/// The words for these.
pub(super) const OPEN: &str =
    "requests still open: not finished, or the CPU ran another program when they ended";
