//! What the tools share whose programs meet requests in tracepoints' records.

use crate::error::Error;
use crate::host::{KernelTypes, RecordPlace, Tracepoint};
use crate::insn::{AsmError, Program};
use crate::programs::record::TRACEPOINTS;
use crate::run::Plan;

/// Makes a program for a tracepoint whose record has a request's place like this.
type Make<'a> = &'a dyn Fn(&RecordPlace) -> Result<Program, AsmError>;

/// The programs where requests begin, are given back and end, which these functions make.
///
/// # Errors
/// The kernel's types cannot be read, or a program cannot be made.
pub(super) fn plans(
    types: &KernelTypes,
    [issued, given_back, completed]: [Make<'_>; 3],
) -> Result<Vec<Plan>, Error> {
    let [issue, requeue, complete] = TRACEPOINTS;
    // The end first: otherwise starts would be stored that nobody ends.
    let programs = [
        ("request_end", complete, completed),
        ("request_requeue", requeue, given_back),
        ("request_start", issue, issued),
    ];
    let plan = |(name, tracepoint, program): (&str, &'static str, Make<'_>)| {
        let program = program(&RecordPlace::find(tracepoint, types)?)?;
        Ok(Plan::new(name, Tracepoint::new("block", tracepoint), program))
    };
    programs.into_iter().map(plan).collect()
}

/// The words for requests that ended where several were under way.
pub(super) const AMBIGUOUS: &str = "requests were not measured: a tracepoint's record does not tell them from \
    others at the same place of the disk at the same time";
