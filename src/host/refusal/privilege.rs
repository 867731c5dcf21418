//! Why a process may not do something: it lacks a capability, or the host forbids it to everybody.

use std::path::Path;

use crate::error::Error;
use crate::sys::trial::{self, SystemCall};
use crate::sys::{SysError, file};

/// The capabilities that matter here, with their bits.
const CAPABILITIES: [(u32, &str); 3] =
    [(39, "CAP_BPF"), (38, "CAP_PERFMON"), (21, "CAP_SYS_ADMIN")];

/// What the kernel says of this process in `/proc/self/status`.
struct Status {
    /// The capabilities that it has, a bit for each.
    effective: u64,
    /// Those that any program that it starts can have; all if the kernel does not say.
    bounding: u64,
    /// Whether neither sudo nor capabilities of a file give it others.
    no_new_privileges: bool,
    /// Whether a seccomp filter looks at its system calls.
    filtered: bool,
}

impl Status {
    fn read() -> Option<Status> {
        let status = file::read_text(Path::new("/proc/self/status")).ok()?;
        let field = |name: &str| {
            let mut fields = status.lines().filter_map(|line| line.split_once(':'));
            fields.find(|(field, _)| *field == name).map(|(_, value)| value.trim())
        };
        let set = |name| u64::from_str_radix(field(name)?, 16).ok();
        Some(Status {
            effective: set("CapEff")?,
            bounding: set("CapBnd").unwrap_or(u64::MAX),
            no_new_privileges: field("NoNewPrivs") == Some("1"),
            filtered: field("Seccomp") == Some("2"),
        })
    }

    fn has(&self, capability: &str) -> bool {
        names(self.effective).any(|name| name == capability)
    }
}

/// The names of those of these capabilities that matter here.
fn names(set: u64) -> impl Iterator<Item = &'static str> {
    CAPABILITIES.into_iter().filter(move |(bit, _)| set >> bit & 1 == 1).map(|(_, name)| name)
}

/// What keeps this process from loading and attaching programs of any kind, if anything does.
pub fn privilege() -> Option<Error> {
    let status = Status::read()?;
    if in_user_namespace() {
        return Some(
            Error::lacking("not permitted: this is a user namespace, whose root is not the host's")
                .hint("try: on the host itself, or in a container that the host's root starts"),
        );
    }
    let held: Vec<_> = names(status.effective).collect();
    let missing = ["CAP_BPF", "CAP_PERFMON"].into_iter();
    let missing: Vec<_> =
        missing.filter(|name| !held.contains(name) && !held.contains(&"CAP_SYS_ADMIN")).collect();
    if missing.is_empty() {
        return None;
    }
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let error = Error::lacking(format!("not permitted: {} {verb} missing", missing.join(" and ")));
    Some(error.hint(out_of_reach(&missing).unwrap_or_else(grant)))
}

/// What to do about missing capabilities which neither sudo nor setcap can give to this process.
fn out_of_reach(missing: &[&str]) -> Option<String> {
    let status = Status::read()?;
    let has =
        |name: &str| names(status.bounding).any(|within| [name, "CAP_SYS_ADMIN"].contains(&within));
    let add: Vec<_> = missing
        .iter()
        .filter(|name| !has(name))
        .map(|name| format!("--cap-add {}", name.trim_start_matches("CAP_")))
        .collect();
    match (add.is_empty(), status.no_new_privileges) {
        (true, false) => None,
        (true, true) => Some(
            "sudo and setcap cannot help here (no_new_privs): start the shell or the service as root"
                .to_owned(),
        ),
        (false, _) => Some(format!(
            "sudo and setcap cannot help here: start the container with {}, or the service with them in \
             CapabilityBoundingSet=",
            add.join(" ")
        )),
    }
}

/// `run with sudo`, if that can give this capability.
pub(super) fn sudo_for(capability: &str) -> String {
    out_of_reach(&[capability]).unwrap_or_else(|| "run with sudo".to_owned())
}

/// How to give this program the capabilities. Everybody who may execute a file that has them has them,
/// hence the group.
fn grant() -> String {
    let file = program();
    format!(
        "run with sudo, or let one group do it: sudo chgrp GROUP {file} && sudo chmod 750 {file} && \
         sudo setcap cap_bpf,cap_perfmon+ep {file}"
    )
}

/// Why something is not permitted: to this process, or to everybody.
pub fn denied(error: &SysError) -> Error {
    privilege().or_else(|| forbidden(error)).unwrap_or_else(|| unexplained(error))
}

/// Why a probe of a user function by a perf event is not permitted.
pub fn uprobe_denied(error: &SysError) -> Error {
    let demanded = || {
        let status = Status::read()?;
        (!status.has("CAP_SYS_ADMIN")).then(|| {
            Error::lacking(
                "not permitted: this kernel demands CAP_SYS_ADMIN for a uprobe by a perf event, and \
                 CAP_PERFMON is not enough",
            )
            .hint(format!(
                "{}; a kernel that has uprobe.multi (rawbpf doctor) needs no more for that",
                sudo_for("CAP_SYS_ADMIN")
            ))
        })
    };
    let known = privilege().or_else(|| forbidden(error)).or_else(demanded);
    known.unwrap_or_else(|| unexplained(error))
}

/// Which of CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN (which includes the other two) this process has.
/// `None` if it cannot be found out.
pub fn capabilities() -> Option<Vec<&'static str>> {
    Some(names(Status::read()?.effective).collect())
}

/// Whether this process may read files of other users.
pub(super) fn may_read_all() -> bool {
    // CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
    Status::read().is_none_or(|status| status.effective & 0b110 != 0)
}

/// Whether a capability that mount(8) needs can be had here: in most containers it cannot.
pub(super) fn may_mount() -> bool {
    Status::read().is_none_or(|status| names(status.bounding).any(|name| name == "CAP_SYS_ADMIN"))
}

/// The error for a call that a seccomp filter answers, whatever it answers.
pub(super) fn filtered(error: &SysError) -> Option<Error> {
    let call = SystemCall::of(error)?;
    (Status::read()?.filtered && trial::is_filtered(call)).then(|| {
        Error::lacking(format!("not permitted: a seccomp filter forbids {}", call.name())).hint(
            "in a container: --security-opt seccomp=unconfined; in a service: SystemCallFilter=",
        )
    })
}

/// What forbids a call that this process has the usual capabilities for, as far as trials show.
fn forbidden(error: &SysError) -> Option<Error> {
    if let Some(filtered) = filtered(error) {
        return Some(filtered);
    }
    let (call, status) = (SystemCall::of(error), Status::read());
    if call != Some(SystemCall::Bpf)
        && let Some(locked) = lockdown()
    {
        return Some(locked);
    }
    if call == Some(SystemCall::PerfEventOpen)
        && status.is_some_and(|status| !status.has("CAP_SYS_ADMIN"))
    {
        let paranoid = file::read_text(Path::new("/proc/sys/kernel/perf_event_paranoid"));
        let paranoid: Option<i32> = paranoid.ok().and_then(|text| text.trim().parse().ok());
        if paranoid.is_some_and(|level| level >= 3) && trial::is_refused_outright(error) {
            return Some(
                Error::lacking("not permitted: kernel.perf_event_paranoid is 3 or more")
                    .hint("run with sudo, or try: sudo sysctl kernel.perf_event_paranoid=2"),
            );
        }
    }
    if let Some(call) = call
        && trial::is_refused_outright(error)
    {
        return Some(security_module(call));
    }
    let limit = locked_memory().filter(|_| {
        matches!(error.call, "bpf(BPF_MAP_CREATE)" | "bpf(BPF_PROG_LOAD)" | "bpf(BPF_BTF_LOAD)")
            && trial::is_memlock_charged() == Some(true)
    });
    limit.map(|limit| {
        Error::lacking(format!(
            "not permitted: RLIMIT_MEMLOCK is {limit} bytes, and this kernel charges maps and programs \
             to it"
        ))
        .hint("try: ulimit -l unlimited; in a container: --ulimit memlock=-1")
    })
}

/// The error for a call that is refused before the kernel reads what is asked for, though no filter does it.
fn security_module(call: SystemCall) -> Error {
    let modules = file::read_text(Path::new("/sys/kernel/security/lsm")).unwrap_or_default();
    let modules = match modules.trim() {
        "" => String::new(),
        modules => format!(" ({})", modules.replace(',', ", ")),
    };
    Error::lacking(format!("not permitted: a security module forbids {}{modules}", call.name()))
        .hint("see its log for the rule: journalctl -k, or ausearch -m avc")
}

/// The error for a refusal that no trial explains.
fn unexplained(error: &SysError) -> Error {
    if Status::read().is_some_and(|status| !status.has("CAP_SYS_ADMIN")) {
        return Error::lacking(format!(
            "not permitted: {error}; CAP_BPF and CAP_PERFMON are not enough for it"
        ))
        .hint(sudo_for("CAP_SYS_ADMIN"));
    }
    Error::lacking(format!("not permitted, though no capability is missing: {error}"))
        .hint("see what the kernel says of it: journalctl -k, or ausearch -m avc")
}

/// The error for a kernel whose lockdown lets nobody read its memory. The weaker mode, integrity,
/// forbids nothing that we do.
pub(super) fn lockdown() -> Option<Error> {
    let mode = match file::read_text(Path::new("/sys/kernel/security/lockdown")) {
        Ok(modes) => modes.contains("[confidentiality]"),
        // securityfs is not mounted.
        Err(_) => {
            let options = file::read_text(Path::new("/proc/cmdline")).unwrap_or_default();
            options.split_whitespace().any(|option| option == "lockdown=confidentiality")
        }
    };
    mode.then(|| {
        Error::lacking(
            "the kernel is locked down (mode confidentiality), which forbids perf events, tracefs and \
             copies of kernel memory",
        )
        .hint(
            "tp_btf and fentry work; the mode is chosen at boot: by lockdown= on the command line, or by \
             the distribution",
        )
    })
}

/// The limit of locked memory in bytes, if there is one.
fn locked_memory() -> Option<u64> {
    let limits = file::read_text(Path::new("/proc/self/limits")).ok()?;
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
    limit.split_whitespace().next()?.parse().ok()
}

/// Whether this is a user namespace other than the host's, in which user ids differ from those on the host.
pub fn in_user_namespace() -> bool {
    let map = file::read_text(Path::new("/proc/self/uid_map")).unwrap_or_default();
    let mut numbers = map.split_whitespace();
    !map.is_empty() && numbers.nth(2) != Some("4294967295")
}

/// The path of this program's file, since a link to it cannot have capabilities.
fn program() -> String {
    let path = std::env::current_exe().unwrap_or_else(|_| "rawbpf".into());
    path.display().to_string()
}
