//! tp_btf: a tracepoint with typed arguments, by the BTF id of its `btf_trace_` type.

use super::kind::{Attachment, Facts, Loader, PRIVILEGES, Probe, QUIET_TRACEPOINT, tracing};
use crate::error::Error;
use crate::host::refusal;
use crate::host::types::KernelTypes;
use crate::sys::{AttachType, Load, link};

/// A tracepoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TpBtf {
    tracepoint: String,
    id: Option<u32>,
}

impl TpBtf {
    /// This tracepoint, by the BTF id of its `btf_trace_` type, if the kernel's BTF was there to tell
    /// it.
    pub fn new(tracepoint: impl Into<String>, id: Option<u32>) -> TpBtf {
        TpBtf { tracepoint: tracepoint.into(), id }
    }
}

impl Probe for TpBtf {
    const FACTS: Facts = Facts {
        words: &["tp_btf"],
        sections: &[("tp_btf", "tp_btf")],
        needs: "needs the kernel's own BTF (CONFIG_DEBUG_INFO_BTF)",
        privileges: PRIVILEGES,
        misses_since: Some((6, 1)),
        detaches_at_once: true,
    };

    fn parse(_: &str, place: &str, types: &KernelTypes) -> Result<TpBtf, Error> {
        let args = types.btf()?.map(|mut btf| btf.trace_args(place)).transpose();
        match args.map_err(|error| types.error(&error))? {
            Some(None) => Err(Error::lacking(format!("this kernel has no tracepoint {place}"))),
            args => Ok(TpBtf::new(place, args.flatten().map(|args| args.type_id))),
        }
    }

    fn trials(types: &KernelTypes) -> Vec<(&'static str, Result<TpBtf, Error>)> {
        vec![("tp_btf", TpBtf::parse("tp_btf", QUIET_TRACEPOINT.1, types))]
    }

    fn word(&self) -> &'static str {
        "tp_btf"
    }

    fn place(&self) -> String {
        self.tracepoint.clone()
    }

    fn load(&self) -> Result<Load<'static>, Error> {
        tracing("tp_btf", AttachType::TraceRawTp, self.id)
    }

    fn attach(&self, load: &mut Loader) -> Result<Attachment, Error> {
        let prog = load()?;
        let link = link::tracing(&prog);
        let link = link.map_err(|error| refusal::attach("tp_btf", &self.tracepoint, &error))?;
        Ok(Attachment::new(self.place(), prog, link))
    }
}
