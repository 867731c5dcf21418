//! Where a block request's process can be found.

use super::probe::{Attach, RawTp};
use super::request::{Request, RequestPlace, RequestTypes, field};
use super::task::Task;
use super::types::KernelTypes;
use crate::btf::{BtfError, TypeKind};
use crate::error::Error;
use crate::insn::Field;

/// Where requests are issued, and all that is needed to find who submitted them.
#[derive(Clone, Debug)]
pub struct Issue {
    /// How a program is attached there.
    pub attach: Attach,
    /// How it finds the request.
    pub request: Request,
    /// Where they are submitted. `None` where no types say so, and for tracepoints with a record, which
    /// has no pointer to the request.
    pub submission: Option<Submission>,
    /// How the task that runs is read, if not by helper calls.
    pub task: Option<Task>,
}

/// A tracepoint that the process which submits I/O runs through. Whoever issues the request later may be
/// another, such as a kworker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submission {
    /// The tracepoint.
    pub attach: Attach,
    /// Where in its context the pointer is by which the I/O is known again.
    pub argument: i32,
    /// What the pointer leads to, which the issue has too.
    pub identity: Identity,
}

/// How a request is recognised again at its issue: what its submission had a pointer to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identity {
    /// The `struct request`.
    Request,
    /// The `struct bio` that a request begins with, by this member of it.
    Bio(Field),
}

const START: &str = "block_io_start";
const GETRQ: &str = "block_getrq";
const TYPES: [(TypeKind, &str); 2] =
    [(TypeKind::Typedef, "btf_trace_block_io_start"), (TypeKind::Typedef, "btf_trace_block_getrq")];

impl Issue {
    /// All of it by one walk over the types. The request's disk is looked up only `with_disk`.
    ///
    /// # Errors
    /// The kernel's types cannot be read, or this architecture's registers are not known.
    pub fn find(place: RequestPlace, types: &KernelTypes, with_disk: bool) -> Result<Issue, Error> {
        let more = [&TYPES[..], &Task::TYPES].concat();
        let mut found = RequestTypes::look_up(&[place], types, with_disk, &more)?;
        let (attach, request) = place.request(found.as_mut(), types)?;
        let submitter = found.as_mut().map(|found| Submitter::among(found, types)).transpose()?;
        let (submission, task) = submitter.map_or((None, None), |it| (it.submission, it.task));
        Ok(Issue { attach, request, submission, task })
    }
}

/// Where the task that submits a request is found.
#[derive(Clone, Debug)]
pub struct Submitter {
    /// Where requests are submitted. `None` where no types say so.
    pub submission: Option<Submission>,
    /// How the task that runs is read, if not by helper calls.
    pub task: Option<Task>,
}

impl Submitter {
    /// By a walk over the types.
    ///
    /// # Errors
    /// The kernel's types cannot be read.
    pub fn find(types: &KernelTypes) -> Result<Submitter, Error> {
        let more = [&TYPES[..], &Task::TYPES].concat();
        let found = RequestTypes::find_more(types, &more)?;
        let submitter = found.map(|mut found| Submitter::among(&mut found, types)).transpose()?;
        Ok(submitter.unwrap_or(Submitter { submission: None, task: None }))
    }

    fn among(found: &mut RequestTypes, types: &KernelTypes) -> Result<Submitter, Error> {
        let submission = Submission::among(found).map_err(|error| types.error(&error))?;
        let task = Task::among(found, types).map_err(|error| types.error(&error))?;
        Ok(Submitter { submission, task })
    }
}

impl Submission {
    /// `block_io_start`, which knows the request (Linux 6.5), else `block_getrq`, which knows the bio
    /// that it is made for.
    fn among(found: &mut RequestTypes) -> Result<Option<Submission>, BtfError> {
        let raw_tp = |name: &str| Attach::from(RawTp::new(name));
        if found.trace_args(START)?.is_some() {
            return Ok(Some(Submission {
                attach: raw_tp(START),
                argument: 0,
                identity: Identity::Request,
            }));
        }
        let Some(trace) = found.trace_args(GETRQ)? else { return Ok(None) };
        let mut bio = field("request", "bio");
        bio.offset = found.offset(bio)?;
        Ok(Some(Submission {
            attach: raw_tp(GETRQ),
            // Until 5.11 the request's queue comes first.
            argument: if trace.args > 1 { 8 } else { 0 },
            identity: Identity::Bio(bio),
        }))
    }
}
