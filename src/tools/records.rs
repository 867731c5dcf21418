//! What the tools share whose programs meet requests in tracepoints' records.

use crate::error::Error;
use crate::host::{KernelTypes, RecordPlace, Tracepoint};
use crate::programs::record::TRACEPOINTS;

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

/// The words for requests that ended where several were under way.
pub(super) const AMBIGUOUS: &str = "requests were not measured: a tracepoint's record does not tell them from \
    others at the same place of the disk at the same time";
