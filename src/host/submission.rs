//! Where a block request's process can be told.

use super::attach::{Attach, AttachKind};
use super::types::KernelTypes;
use crate::btf::Kind;
use crate::error::Error;
use crate::insn::Field;

/// A tracepoint that the process which submits I/O runs through. Whoever issues the request later may be
/// another, such as a kworker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submission {
    /// The tracepoint.
    pub attach: Attach,
    /// Where in its context the pointer is by which the I/O is known again.
    pub argument: i32,
    /// What the pointer leads to.
    pub by: By,
}

/// What is the same at submission and at issue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// The `struct request`.
    Request,
    /// The `struct bio` that a request begins with, by this member of it.
    Bio(Field),
}

impl Submission {
    /// `block_io_start`, which knows the request (Linux 6.5), else `block_getrq`, which knows the bio
    /// that it is made for. `None` where no types tell, and for tracepoints with a record, which has no
    /// pointer to know the request by.
    ///
    /// # Errors
    /// The kernel's types cannot be read.
    pub fn find(kind: AttachKind, types: &KernelTypes) -> Result<Option<Submission>, Error> {
        let Some(mut btf) = types.btf()?.filter(|_| kind != AttachKind::Tracepoint) else {
            return Ok(None);
        };
        let wanted = [
            (Kind::Typedef, "btf_trace_block_io_start"),
            (Kind::Typedef, "btf_trace_block_getrq"),
            (Kind::Struct, "request"),
        ];
        let found = btf.find_all(&wanted).map_err(|error| types.error(&error))?;
        let [start, getrq, request] = found[..] else { return Ok(None) };
        if start.is_some() {
            let attach = Attach::RawTp("block_io_start".into());
            return Ok(Some(Submission { attach, argument: 0, by: By::Request }));
        }
        let (Some((id, getrq)), Some((_, request))) = (getrq, request) else { return Ok(None) };
        let trace = btf.trace_args_of(id, &getrq).map_err(|error| types.error(&error))?;
        let bio = btf.placement_in(&request, "bio").map_err(|error| types.error(&error))?;
        let offset = bio.map(|place| place.offset as i32);
        Ok(Some(Submission {
            attach: Attach::RawTp("block_getrq".into()),
            // Until 5.11 the request's queue comes first.
            argument: if trace.args > 1 { 8 } else { 0 },
            by: By::Bio(Field { of: "request", member: "bio", offset }),
        }))
    }
}
