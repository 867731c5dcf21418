//! What is to be said of every attach kind.

use std::ffi::CString;

use crate::error::Error;
use crate::host::names::KernelFunction;
use crate::host::refusal;
use crate::host::types::KernelTypes;
use crate::sys::{AttachType, Link, Load, LoadError, Prog, ProgramType};

/// What is known of a kind, whatever the place and the host.
#[derive(Debug)]
#[non_exhaustive]
pub struct Facts {
    /// How texts and `--attach` write it: for an entry first, then for a return.
    pub words: &'static [&'static str],
    /// libbpf's names of sections, each with its word here.
    pub sections: &'static [(&'static str, &'static str)],
    /// What a host needs that does not have it, or what is used instead.
    pub needs: &'static str,
    /// The capabilities that it takes to load and attach such programs. CAP_SYS_ADMIN stands for the
    /// first two, and is the only one of them before Linux 5.8.
    pub privileges: &'static [&'static str],
    /// The version of Linux since which the kernel counts the events that a program missed because it
    /// ran already (`recursion_misses`), if it does.
    pub misses_since: Option<(u32, u32)>,
    /// Whether the kernel lets go of such a program at once. It takes tens of milliseconds for others.
    pub detaches_at_once: bool,
}

/// What loads a place's program.
pub(crate) type Loader<'a> = dyn FnMut() -> Result<Prog, Error> + 'a;

/// A program at its place.
pub(crate) struct Attachment {
    /// Where it is.
    pub place: String,
    pub prog: Prog,
    pub link: Link,
    /// The functions that only patterns found and that cannot be probed, and why.
    pub left_out: Vec<(KernelFunction, Error)>,
}

impl Attachment {
    /// All that was asked for.
    pub fn new(place: String, prog: Prog, link: Link) -> Attachment {
        Attachment { place, prog, link, left_out: vec![] }
    }
}

/// A place of a kind.
pub(super) trait Probe: Sized {
    /// What is known of the kind.
    const FACTS: Facts;

    /// Why this host has nothing of the kind, where that is known without trying.
    fn missing() -> Option<Error> {
        None
    }

    /// What a refused load means for this kind alone.
    fn refused(_: &LoadError) -> Option<Error> {
        None
    }

    /// Why the offset of a field is not known that a program uses.
    fn unresolved(field: &str) -> Error {
        refusal::no_btf(field)
    }

    /// The place that a text names by one of the kind's words.
    fn parse(word: &str, place: &str, types: &KernelTypes) -> Result<Self, Error>;

    /// Places where hardly anything ever happens, each by its word.
    fn trials(types: &KernelTypes) -> Vec<(&'static str, Result<Self, Error>)>;

    /// The word for it.
    fn word(&self) -> &'static str;

    /// Where it is.
    fn place(&self) -> String;

    /// What its program is loaded as.
    fn load(&self) -> Result<Load<'_>, Error>;

    /// Loads its program by `load`, and attaches it.
    fn attach(&self, load: &mut Loader) -> Result<Attachment, Error>;
}

/// Runs when somebody calls sync(2), and is there on every kernel.
pub(super) const QUIET_FUNCTION: &str = "ksys_sync";
/// Runs when the kernel kills for want of memory: category and name.
pub(super) const QUIET_TRACEPOINT: (&str, &str) = ("oom", "mark_victim");

/// What it takes to load and attach programs of most kinds.
pub(super) const PRIVILEGES: &[&str] = &["CAP_BPF", "CAP_PERFMON"];

/// The load of a program that is attached to what it was loaded for, which `id` says.
pub(super) fn tracing(
    kind: &str,
    attach_type: AttachType,
    id: Option<u32>,
) -> Result<Load<'static>, Error> {
    let attach_btf_id = id.ok_or_else(|| refusal::no_ids(kind))?;
    let expected_attach_type = Some(attach_type);
    Ok(Load { expected_attach_type, attach_btf_id, ..Load::new(ProgramType::Tracing) })
}

/// A name for the kernel.
pub(super) fn c_string(name: &str) -> Result<CString, Error> {
    CString::new(name).map_err(|_| Error::usage(format!("{name:?} is no name: it holds a NUL")))
}
