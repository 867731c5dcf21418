//! tracepoint: a tracepoint with its formatted record, by a perf event whose number tracefs has.

use super::kind::{Attachment, Facts, Loader, Probe, QUIET_TRACEPOINT};
use crate::error::Error;
use crate::host::refusal;
use crate::host::types::KernelTypes;
use crate::sys::{Errno, Load, PerfEvent, ProgramType, SysError, Tracefs};

/// A tracepoint of a category.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tracepoint {
    category: String,
    name: String,
}

impl Tracepoint {
    /// This tracepoint, such as "block", "block_rq_issue".
    pub fn new(category: impl Into<String>, name: impl Into<String>) -> Tracepoint {
        Tracepoint { category: category.into(), name: name.into() }
    }

    fn refused(&self, error: &SysError) -> Error {
        refusal::attach("tracepoint", &self.name, error)
    }
}

impl Probe for Tracepoint {
    const FACTS: Facts = Facts {
        words: &["tracepoint"],
        sections: &[("tracepoint", "tracepoint"), ("tp", "tracepoint")],
        needs: "needs tracefs",
        // The last is for tracefs.
        privileges: &["CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH"],
        misses_since: Some((6, 7)),
        detaches_at_once: false,
    };

    /// Its record's layout is in tracefs.
    fn unresolved(_: &str) -> Error {
        refusal::no_tracefs()
    }

    fn parse(_: &str, place: &str, _: &KernelTypes) -> Result<Tracepoint, Error> {
        match place.split_once(['/', ':']) {
            Some((category, name)) => Ok(Tracepoint::new(category, name)),
            None => Err(Error::usage(format!("{place}: a tracepoint is CATEGORY/NAME"))),
        }
    }

    fn trials(_: &KernelTypes) -> Vec<(&'static str, Result<Tracepoint, Error>)> {
        let (category, name) = QUIET_TRACEPOINT;
        vec![("tracepoint", Ok(Tracepoint::new(category, name)))]
    }

    fn word(&self) -> &'static str {
        "tracepoint"
    }

    fn place(&self) -> String {
        format!("{}/{}", self.category, self.name)
    }

    fn load(&self) -> Result<Load<'static>, Error> {
        Ok(Load::new(ProgramType::Tracepoint))
    }

    fn attach(&self, load: &mut Loader) -> Result<Attachment, Error> {
        let tracefs = Tracefs::find().ok_or_else(refusal::no_tracefs)?;
        let id = tracefs.tracepoint_id(&self.category, &self.name);
        let id = id.map_err(|error| match error.errno() {
            Errno::ENOENT => self.refused(&SysError { call: "open()", errno: Errno::ENOENT }),
            _ => refusal::file(&error),
        })?;
        let event = PerfEvent::tracepoint(id).map_err(|error| self.refused(&error))?;
        let prog = load()?;
        let link = event.attach(&prog).map_err(|error| self.refused(&error))?;
        Ok(Attachment::new(self.place(), prog, link))
    }
}
