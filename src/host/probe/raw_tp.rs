//! raw_tp: a tracepoint with its bare arguments, by name alone.

use super::kind::{Attachment, Facts, Loader, PRIVILEGES, Probe, QUIET_TRACEPOINT, c_string};
use crate::error::Error;
use crate::host::refusal;
use crate::host::types::KernelTypes;
use crate::sys::{Load, ProgramType, link};

/// A tracepoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawTp {
    tracepoint: String,
}

impl RawTp {
    /// This tracepoint, without its category.
    pub fn new(tracepoint: impl Into<String>) -> RawTp {
        RawTp { tracepoint: tracepoint.into() }
    }
}

impl Probe for RawTp {
    const FACTS: Facts = Facts {
        words: &["raw_tp"],
        sections: &[("raw_tracepoint", "raw_tp"), ("raw_tp", "raw_tp")],
        needs: "needs CONFIG_BPF_EVENTS",
        privileges: PRIVILEGES,
        misses_since: Some((6, 1)),
        detaches_at_once: true,
    };

    fn parse(_: &str, place: &str, _: &KernelTypes) -> Result<RawTp, Error> {
        Ok(RawTp::new(place))
    }

    fn trials(_: &KernelTypes) -> Vec<(&'static str, Result<RawTp, Error>)> {
        vec![("raw_tp", Ok(RawTp::new(QUIET_TRACEPOINT.1)))]
    }

    fn word(&self) -> &'static str {
        "raw_tp"
    }

    fn place(&self) -> String {
        self.tracepoint.clone()
    }

    fn load(&self) -> Result<Load<'static>, Error> {
        Ok(Load::new(ProgramType::RawTracepoint))
    }

    fn attach(&self, load: &mut Loader) -> Result<Attachment, Error> {
        let prog = load()?;
        let link = link::raw_tracepoint(&prog, &c_string(&self.tracepoint)?);
        let link = link.map_err(|error| refusal::attach("raw_tp", &self.tracepoint, &error))?;
        Ok(Attachment::new(self.place(), prog, link))
    }
}
