//! Why this host refuses: from an error number and what the host says of itself to a sentence.

use std::ops::ControlFlow;
use std::path::Path;

use super::attach::AttachKind;
use crate::error::Error;
use crate::sys::{Errno, LoadError, SysError, Tracefs, file};

const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// What keeps this process from loading and attaching programs of any kind, if anything does.
pub fn privilege() -> Option<Error> {
    let status = file::read_text(Path::new("/proc/self/status")).ok()?;
    let hex = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    let held = u64::from_str_radix(hex.trim(), 16).ok()?;
    let has = |capability: u32| held >> capability & 1 == 1;
    let missing: Vec<_> = [(CAP_BPF, "CAP_BPF"), (CAP_PERFMON, "CAP_PERFMON")]
        .into_iter()
        .filter(|(number, _)| !has(*number) && !has(CAP_SYS_ADMIN))
        .map(|(_, name)| name)
        .collect();
    if missing.is_empty() {
        return in_user_namespace().then(|| {
            Error::lacking("not permitted: this is root of a user namespace, not of the host")
                .next("try: outside of the container, or in one that is privileged")
        });
    }
    let (verb, program) = (if missing.len() == 1 { "is" } else { "are" }, program());
    Some(Error::lacking(format!("not permitted: {} {verb} missing", missing.join(" and "))).next(
        format!("try: sudo {program}, or once: sudo setcap cap_bpf,cap_perfmon+ep {program}"),
    ))
}

/// Why the kernel refused a map.
pub fn map(error: &SysError) -> Error {
    let detail = error.to_string();
    match error.errno {
        Errno::EPERM => privilege().unwrap_or_else(|| policy(error)).detail(detail),
        Errno::ENOSYS => no_bpf().detail(detail),
        Errno::ENOMEM => Error::failed("the kernel has no memory for the map").detail(detail),
        _ => Error::failed(format!("the kernel made no map: {error}")),
    }
}

/// Why the kernel refused to load a program of this kind.
pub fn load(kind: AttachKind, error: &LoadError) -> Error {
    let detail = format!("{error}\n{}", error.log);
    if !error.log.trim().is_empty() {
        let reason = decisive(&error.log);
        return Error::failed(format!("the verifier refused the {kind} program: {reason}"))
            .next("its whole log: -v")
            .detail(detail);
    }
    let refused = match error.errno {
        Errno::ENOSYS => no_bpf(),
        Errno::EPERM => match (privilege(), kind) {
            (Some(missing), _) => missing,
            (None, AttachKind::Fentry) => Error::lacking(
                "this kernel refuses fentry programs: it has no trampolines for them",
            )
            .next("try: --attach tp_btf"),
            (None, _) => policy(&SysError { call: error.call, errno: error.errno }),
        },
        Errno::EINVAL => Error::lacking(format!("this kernel knows no {kind} programs"))
            .next("try: --attach auto"),
        _ => Error::failed(format!("the kernel did not load the {kind} program: {error}")),
    };
    refused.detail(detail)
}

/// Why the kernel refused a probe at the entry of `function`.
pub fn kprobe(function: &str, error: &SysError) -> Error {
    let detail = error.to_string();
    let refused = match error.errno {
        Errno::ENOENT | Errno::ENODEV if error.call.starts_with("read") => no_kprobes(),
        Errno::ENOENT => {
            let error = Error::failed(format!("this kernel has no function {function}"));
            match similar(function) {
                Some(name) => error.next(format!("did you mean {name}?")),
                None => error,
            }
        }
        Errno::EINVAL | Errno::EILSEQ => {
            Error::failed(format!("{function} cannot be probed: the kernel forbids it there"))
        }
        Errno::EADDRNOTAVAIL => {
            Error::failed(format!("this kernel has several functions named {function}"))
        }
        Errno::EPERM | Errno::EACCES => privilege().unwrap_or_else(|| policy(error)),
        _ => Error::failed(format!("{function} was not probed: {error}")),
    };
    refused.detail(detail)
}

/// Why a tracepoint's event could not be opened or its program attached.
pub fn attach(kind: AttachKind, place: &str, error: &SysError) -> Error {
    let detail = error.to_string();
    let refused = match error.errno {
        Errno::EPERM | Errno::EACCES => privilege().unwrap_or_else(|| policy(error)),
        Errno::ENOENT => Error::lacking(format!("this kernel has no tracepoint {place}")),
        Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOTSUPP => {
            Error::lacking(format!("this kernel does not attach {kind} programs to {place}"))
        }
        _ => Error::failed(format!("{place} was not attached to: {error}")),
    };
    refused.detail(detail)
}

/// This kernel has no kprobes.
pub fn no_kprobes() -> Error {
    Error::lacking("this kernel has no kprobes (CONFIG_KPROBE_EVENTS)").next("try: --attach auto")
}

/// There is no BTF to tell what `needed` is.
pub fn no_btf(needed: &str) -> Error {
    Error::lacking(format!(
        "{needed} is not known: this kernel has no BTF (CONFIG_DEBUG_INFO_BTF) that tells it"
    ))
    .next("try: --attach tracepoint, which needs none, or --btf FILE")
}

/// tracefs, which tells a tracepoint's number, is not mounted or closed to us.
pub fn no_tracefs() -> Error {
    if let Some(missing) = privilege() {
        return missing;
    }
    let place = Tracefs::PLACES[0];
    let mounts = file::read_text(Path::new("/proc/mounts")).unwrap_or_default();
    let mut mounts = mounts.lines().map(|line| line.split(' ').skip(1).take(2));
    // Of several mounts at one place the last is seen.
    if mounts.rfind(|mount| mount.clone().next() == Some(place)).and_then(|mut m| m.nth(1))
        == Some("tracefs")
    {
        return Error::lacking(format!("{place} may not be read"))
            .next("try: as root, or with CAP_DAC_READ_SEARCH");
    }
    Error::lacking(format!("tracefs is not mounted at {place}"))
        .next(format!("try: mount -t tracefs tracefs {place}"))
}

/// Every capability is there, and still the kernel says no: something forbids it to everybody.
fn policy(error: &SysError) -> Error {
    let lockdown = file::read_text(Path::new("/sys/kernel/security/lockdown")).unwrap_or_default();
    let mode = lockdown.split(['[', ']']).nth(1).filter(|mode| *mode != "none");
    if let Some(mode) = mode {
        return Error::lacking(format!(
            "the kernel is locked down (mode {mode}), which forbids tracing"
        ))
        .next("it is lifted by booting without Secure Boot or without lockdown=");
    }
    let paranoid = file::read_text(Path::new("/proc/sys/kernel/perf_event_paranoid"));
    let paranoid: Option<i32> = paranoid.ok().and_then(|text| text.trim().parse().ok());
    if error.call.starts_with("perf") && paranoid.is_some_and(|level| level >= 3) {
        return Error::lacking("not permitted: kernel.perf_event_paranoid is 3 or more")
            .next("try: sudo sysctl kernel.perf_event_paranoid=2");
    }
    Error::lacking(format!("not permitted, though no capability is missing: {error}"))
        .next("a security module or a seccomp filter may forbid it; -v says more")
}

fn no_bpf() -> Error {
    Error::lacking("this kernel has no bpf(2) (CONFIG_BPF_SYSCALL), or a seccomp filter hides it")
}

/// Whether ids of users here are others on the host.
fn in_user_namespace() -> bool {
    let map = file::read_text(Path::new("/proc/self/uid_map")).unwrap_or_default();
    let mut numbers = map.split_whitespace();
    !map.is_empty() && numbers.nth(2) != Some("4294967295")
}

/// How this program was called.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "rawbpf".into())
}

/// The line of a verifier's log that says why.
fn decisive(log: &str) -> &str {
    let statistics = ["processed ", "verification time", "stack depth", "peak_states"];
    let said =
        |line: &&str| !line.is_empty() && !statistics.iter().any(|start| line.starts_with(start));
    // Linux 7.3 adds a report of its own behind the reason.
    let log = log.split("\nVerification failed:").next().unwrap_or(log);
    log.lines().map(str::trim).rfind(said).unwrap_or("it did not say why")
}

/// The function of this kernel whose name is most like `name`.
fn similar(name: &str) -> Option<String> {
    let mut best: Option<(f64, String)> = None;
    let tracefs = Tracefs::find()?;
    let _ = tracefs.traceable_functions(|function| {
        let likeness = strsim::jaro_winkler(name, function);
        if likeness > best.as_ref().map_or(0.85, |(likeness, _)| *likeness) {
            best = Some((likeness, function.to_owned()));
        }
        ControlFlow::<()>::Continue(())
    });
    best.map(|(_, name)| name)
}
