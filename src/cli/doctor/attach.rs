//! The attach kinds, each tried with a program that does nothing.

use std::ffi::CStr;

use super::check::{Held, check, since};
use super::features::{load_for, nothing};
use crate::error::Error;
use crate::host::{Attach, AttachKind, KernelTypes, UserFunction, refusal};
use crate::run::{Plan, Session};
use crate::sys::link::{self, At};
use crate::sys::{AttachType, Errno, Link, PerfEvent, Prog, ProgramType, SysError};
use crate::view::checks::Check;

/// This program's own file.
const SELF: &CStr = c"/proc/self/exe";

pub fn checks(types: &KernelTypes, held: &mut Held) -> Vec<Check> {
    let mut checks = vec![];
    for kind in AttachKind::ALL {
        for (word, place) in kind.trials(types) {
            let tried = place.and_then(alone).map(|session| held.push(Box::new(session)));
            checks.push(row(word, tried, kind.facts().needs));
        }
    }
    let link = perf_link().map(|link| held.push(Box::new(link)));
    checks.push(row("link to a perf event", link, &since(5, 15)));
    checks
}

/// Attaches a program that does nothing, as a tool would.
fn alone(attach: Attach) -> Result<Session, Error> {
    match attach.kind().missing() {
        Some(missing) => Err(missing),
        None => Session::attach(&[], vec![Plan::new("doctor", attach, nothing())]),
    }
}

fn row(name: &str, tried: Result<(), Error>, needs: &str) -> Check {
    check(name, unless_by_option(tried, needs))
}

/// Replaces a remedy that a tool's option offers by what the attach kind needs: doctor has no such option.
fn unless_by_option(tried: Result<(), Error>, needs: &str) -> Result<String, Error> {
    tried.map(|()| String::new()).map_err(|error| match &error.hint {
        Some(next) if !next.contains("--attach") => error,
        _ => error.hint(needs),
    })
}

fn kprobe(attach_type: Option<AttachType>) -> Result<Prog, Error> {
    load_for(ProgramType::Kprobe, attach_type, 0, &nothing())
        .map_err(|error| AttachKind::Kprobe.explain(&error))
}

/// A uprobe, attached by a link.
fn perf_link() -> Result<Link, Error> {
    let UserFunction { offset, pid, .. } = UserFunction::own_entry()?;
    let event = PerfEvent::uprobe(SELF, offset, At::Entry, pid);
    let event = event.map_err(|error| unknown(&error, "this kernel has no uprobes"))?;
    link::perf_event(&kprobe(None)?, &event, 0)
        .map_err(|error| unknown(&error, "this kernel has no links to perf events"))
}

/// The error of a call that the kernel does not know, unless it is forbidden.
fn unknown(error: &SysError, what: &str) -> Error {
    match error.errno {
        Errno::EPERM | Errno::EACCES => refusal::denied(error).detail(error.to_string()),
        _ => Error::lacking(what).detail(error.to_string()),
    }
}
