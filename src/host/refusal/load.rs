//! Why the kernel refuses to load a program.

use std::fmt::Display;

use super::ANOTHER_KIND;
use super::privilege::{capabilities, denied, lockdown, privilege};
use super::shared::general;
use crate::error::{Error, Failure};
use crate::insn::helper::PROBE_READ_KERNEL;
use crate::sys::{Errno, LoadError, ProgramType, SysError};
use crate::verifier::log::{LogEvent, events};
use crate::verifier::verification::Verification;

/// Why the kernel refused to load this program, which is attached by this kind; `own` is the error's
/// meaning for this kind alone.
pub fn of_program(
    kind: &dyn Display,
    own: Option<Error>,
    error: &LoadError,
    refused: Verification,
) -> Error {
    diagnosed(load(kind, own, error), kind, error, refused)
}

/// Why the kernel refused to load this program, which is not attached.
pub fn of_type(program_type: ProgramType, error: &LoadError, refused: Verification) -> Error {
    diagnosed(load_type(program_type, error), &program_type, error, refused)
}

/// The error for a refused program: the diagnosis of its log if there is one, otherwise `said`.
fn diagnosed(said: Error, kind: &dyn Display, error: &LoadError, refused: Verification) -> Error {
    if error.errno == Errno::E2BIG
        && let Some(wrong) = length(refused.code.slots().len())
    {
        return wrong.detail(error.to_string());
    }
    let refused = Verification { kind: kind.to_string(), ..refused };
    match refused.diagnose() {
        Some(diagnosis) if said.failure == Failure::Failed => Error::failed(format!(
            "the verifier refused the {kind} program: {}",
            diagnosis.sentence
        ))
        .hint("see its instructions: -v; the verifier's whole log: --verifier-log FILE")
        .detail(error.to_string())
        .refused(refused),
        _ => said,
    }
}

/// Why the kernel refused to load a program that is attached by this kind; `own` is the error's meaning
/// for this kind alone.
pub fn load(kind: &dyn Display, own: Option<Error>, error: &LoadError) -> Error {
    let detail = format!("{error}\n{}", error.log);
    let locked = error.log.contains(PROBE_READ_KERNEL.name).then(lockdown).flatten();
    if let Some(own) = locked.or(own) {
        return own.detail(detail);
    }
    let unknown = (error.errno == Errno::EINVAL).then(|| {
        Error::lacking(format!("this kernel knows no {kind} programs")).hint(ANOTHER_KIND)
    });
    not_loaded(kind, error, unknown)
}

/// Why the kernel refused a program of a type that is not attached here.
pub(super) fn load_type(program_type: ProgramType, error: &LoadError) -> Error {
    let own = matches!(error.errno, Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOTSUPP).then(|| {
        Error::lacking(format!(
            "this kernel refuses {program_type} programs loaded like this: it does not know the type, or \
             must know what the program attaches to"
        ))
        .hint("see the attach kinds: rawbpf doctor; in a text, the .program line names the place")
    });
    let is_traced = matches!(program_type, ProgramType::Tracing | ProgramType::Lsm);
    let own = own.or_else(|| {
        let without = is_traced && error.errno == Errno::EPERM && reason(error).is_none();
        (without && privilege().is_none()).then(|| {
            let what = "this kernel has no trampolines, which programs for this hook need";
            Error::lacking(what)
        })
    });
    not_loaded(&program_type, error, own)
}

/// Why the kernel refused a program of this kind: the verifier's reason, or the error number's general
/// meaning; `own` is its meaning for this kind.
fn not_loaded(kind: &dyn Display, error: &LoadError, own: Option<Error>) -> Error {
    let call = SysError { call: error.call, errno: error.errno };
    let refused = if let Some(reason) = reason(error) {
        Error::failed(format!("the verifier refused the {kind} program: {reason}"))
            .hint("see the whole log: -v")
    } else if let Some(refused) = general(&format!("the {kind} program"), &call).or(own) {
        refused
    } else {
        match error.errno {
            Errno::EPERM => denied(&call),
            Errno::EACCES => security_module(kind),
            Errno::E2BIG => too_old(),
            _ => Error::failed(format!("the kernel did not load the {kind} program: {error}")),
        }
    };
    refused.detail(format!("{error}\n{}", error.log))
}

/// Why the kernel refused a program's source lines.
pub fn lines(error: &LoadError) -> String {
    let why = match error.errno {
        Errno::EINVAL => {
            "it does not know the types that describe them, or they do not fit the program"
        }
        Errno::E2BIG => "they are larger than its limit of 16 MiB",
        Errno::EPERM | Errno::EACCES => "this user may not load types, which needs CAP_BPF",
        Errno::ENOMEM => "it has no memory for them",
        _ => return error.to_string(),
    };
    format!("{why} ({error})")
}

/// The error for a program of a length that the kernel refuses before its verifier sees the program.
pub(super) fn length(slots: usize) -> Option<Error> {
    let most = match capabilities() {
        Some(held) if held.is_empty() => 4096,
        _ => 1_000_000,
    };
    match slots {
        0 => Some(
            Error::failed("the program has no instructions").hint("the shortest is: r0 = 0; exit"),
        ),
        _ if slots > most => Some(
            Error::failed(format!(
                "the program has {slots} instructions; the kernel's limit for this user is {most}"
            ))
            .hint(match most {
                4096 => "with CAP_BPF the limit is a million: run with sudo",
                _ => {
                    "split it, and join the parts with bpf_tail_call; or write repeated code as a loop"
                }
            }),
        ),
        _ => None,
    }
}

/// The error for a kernel that does not know some of the load's attributes, which grow with its versions.
fn too_old() -> Error {
    Error::lacking(
        "this kernel is too old for something that the program asks for besides its instructions",
    )
    .hint("try a text without flags and modules, or a newer kernel")
}

fn security_module(kind: &dyn Display) -> Error {
    Error::lacking(format!("a security module forbids loading the {kind} program"))
        .hint("see its log for the rule: journalctl -k, or ausearch -m avc")
}

/// The line of the verifier's log that gives the reason, if there is one.
pub fn reason(error: &LoadError) -> Option<&str> {
    // The verifier accepted the program.
    if matches!(error.errno, Errno::EMFILE | Errno::ENFILE) {
        return None;
    }
    // Linux 7.3 adds its own report after the reason.
    let log = &*error.log;
    let log = log.find("\nVerification failed:").map_or(log, |at| &log[..=at]);
    let said = events(log).filter_map(|event| match event {
        LogEvent::Message(text) if !text.starts_with("processed ") => Some(text.trim()),
        _ => None,
    });
    said.last()
}
