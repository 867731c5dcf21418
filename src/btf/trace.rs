//! The arguments of tracepoints, from the `btf_trace_` typedefs.

use super::{Btf, BtfError, Type, TypeKind};

/// A tracepoint in BTF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceArgs {
    /// The id of the typedef, which is the `attach_btf_id` of a program with the `expected_attach_type`
    /// `BPF_TRACE_RAW_TP` (kernel 5.5).
    pub type_id: u32,
    /// The number of arguments in the program's context, of 8 bytes each. The function has another parameter
    /// before them, which is not the program's.
    pub args: u32,
}

impl<'a> Btf<'a> {
    /// The tracepoint of this name, without `btf_trace_`; `None` when the kernel has none.
    ///
    /// The number of arguments shows which form a tracepoint has: `block_rq_issue` has two, the queue and the
    /// request, before 5.10.137, and since then only the request.
    ///
    /// # Errors
    /// The typedef is not what it should be, or a record on the way is malformed.
    pub fn trace_args(&mut self, tracepoint: &str) -> Result<Option<TraceArgs>, BtfError> {
        let name = format!("btf_trace_{tracepoint}");
        match self.find_all(&[(TypeKind::Typedef, &name)])?[0] {
            Some((id, typedef)) => self.trace_args_of(id, &typedef).map(Some),
            None => Ok(None),
        }
    }

    /// The tracepoint whose `btf_trace_` typedef was found before, by [`Btf::find_all`].
    ///
    /// # Errors
    /// The typedef is not what it should be, or a record on the way is malformed.
    pub fn trace_args_of(
        &mut self,
        type_id: u32,
        typedef: &Type<'a>,
    ) -> Result<TraceArgs, BtfError> {
        let mut record = *typedef;
        for kind in [TypeKind::Ptr, TypeKind::FuncProto] {
            record = self.by_id(record.size_or_type())?;
            if record.kind() != kind {
                return Err(no_function(typedef));
            }
        }
        let args = record.vlen().checked_sub(1);
        let args = args.ok_or_else(|| no_function(typedef))?;
        Ok(TraceArgs { type_id, args })
    }
}

fn no_function(typedef: &Type) -> BtfError {
    let name = typedef.name().unwrap_or_default();
    BtfError::NoTraceFunction(String::from_utf8_lossy(name).into_owned())
}
