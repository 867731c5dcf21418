//! The privileges of this process, and the host's settings that restrict tracing.

use std::path::Path;

use nix::sys::resource::{Resource::RLIMIT_MEMLOCK, getrlimit, setrlimit};

use super::check::{cannot_tell, check};
use crate::error::Error;
use crate::host::refusal;
use crate::sys::perf::has_kprobes;
use crate::sys::{Map, MapSpec, MapType, file};
use crate::view::checks::{Check, CheckState};

/// All checks of privileges. `memlock` is the result of [`memlock`].
pub fn checks(memlock: Check) -> Vec<Check> {
    let mut checks = vec![capabilities(), user_namespace(), lockdown(), memlock];
    checks.extend(SYSCTLS.iter().filter_map(Sysctl::check));
    if has_kprobes() {
        checks.push(kprobes_enabled());
    }
    checks
}

fn capabilities() -> Check {
    let Some(held) = refusal::capabilities() else {
        return cannot_tell("capabilities", "/proc is not mounted");
    };
    let enough = held.contains(&"CAP_SYS_ADMIN")
        || ["CAP_BPF", "CAP_PERFMON"].iter().all(|name| held.contains(name));
    match refusal::privilege().filter(|_| !enough) {
        None => check("capabilities", Ok(held.join(", "))),
        Some(error) => Check {
            name: "capabilities".into(),
            state: CheckState::Missing,
            found: error.what,
            remedy: error.hint,
            detail: None,
        },
    }
}

fn user_namespace() -> Check {
    let inside = || {
        Error::lacking("not the host's: root here is not root on the host")
            .hint("try: outside of the container, or in a privileged container")
    };
    let outside = (!refusal::in_user_namespace()).then(|| "the host's own".to_owned());
    check("user namespace", outside.ok_or_else(inside))
}

fn lockdown() -> Check {
    let Ok(modes) = file::read_text(Path::new("/sys/kernel/security/lockdown")) else {
        return cannot_tell("lockdown", "securityfs is not mounted, or the kernel has no lockdown");
    };
    let mode = modes.split(['[', ']']).nth(1).unwrap_or(modes.trim()).to_owned();
    match mode.as_str() {
        "confidentiality" => check(
            "lockdown",
            Err(Error::lacking(
                "mode confidentiality: no perf events, tracefs, copies of kernel memory",
            )
            .hint("tp_btf and fentry work; the mode is chosen at boot, by lockdown=")),
        ),
        _ => check("lockdown", Ok(mode)),
    }
}

/// Whether the kernel charges maps and programs to RLIMIT_MEMLOCK, as kernels before 5.11 do. Creates a
/// map under a limit of 0; if the kernel refuses that, [`Map::create`] lifts the limit.
pub fn memlock() -> Check {
    const NAME: &str = "RLIMIT_MEMLOCK";
    let Ok((soft, hard)) = getrlimit(RLIMIT_MEMLOCK) else {
        return cannot_tell(NAME, "it cannot be read");
    };
    if let Err(error) = setrlimit(RLIMIT_MEMLOCK, 0, hard) {
        return cannot_tell(NAME, error.to_string());
    }
    let made = Map::create(&MapSpec::new("doctor", MapType::Array, 4, 8, 1));
    let lifted = getrlimit(RLIMIT_MEMLOCK).is_ok_and(|(soft, _)| soft > 0);
    if !lifted {
        // Restore the limit.
        let _ = setrlimit(RLIMIT_MEMLOCK, soft, hard);
    }
    let found = match lifted {
        true => "charged for maps and programs; rawbpf lifts it",
        false => "not charged for maps and programs",
    };
    check(NAME, made.map(|_| found.into()).map_err(|error| refusal::map(&error)))
}

/// A number in `/proc/sys`.
struct Sysctl {
    name: &'static str,
    path: &'static str,
    /// The meaning of a value; if the value prevents tracing, also the remedy.
    meaning: fn(i64) -> Result<&'static str, (&'static str, &'static str)>,
}

const SYSCTLS: [Sysctl; 4] = [
    Sysctl {
        name: "perf_event_paranoid",
        path: "/proc/sys/kernel/perf_event_paranoid",
        meaning: |level| match level {
            3.. => Ok("probes for root and CAP_PERFMON only"),
            _ => Ok(""),
        },
    },
    Sysctl {
        name: "unprivileged_bpf_disabled",
        path: "/proc/sys/kernel/unprivileged_bpf_disabled",
        meaning: |level| match level {
            0 => Ok("bpf(2) for everybody, but tracing needs privileges anyway"),
            _ => Ok("bpf(2) for root and CAP_BPF only"),
        },
    },
    Sysctl {
        name: "kptr_restrict",
        path: "/proc/sys/kernel/kptr_restrict",
        meaning: |level| match level {
            2.. => Err((
                "the kernel hides its addresses from everybody",
                "try: sudo sysctl kernel.kptr_restrict=1",
            )),
            _ => Ok(""),
        },
    },
    Sysctl {
        name: "bpf_stats_enabled",
        path: "/proc/sys/kernel/bpf_stats_enabled",
        meaning: |level| match level {
            0 => Ok("programs are not timed"),
            _ => Ok("programs are timed, which adds some 40 ns to each run"),
        },
    },
];

impl Sysctl {
    /// The check of the setting; `None` if the kernel does not have it.
    fn check(&self) -> Option<Check> {
        let value = file::read_text(Path::new(self.path)).ok()?;
        let value: i64 = value.trim().parse().ok()?;
        let said = |meaning: &str| format!("{value}: {meaning}").trim_end_matches(": ").to_owned();
        Some(match (self.meaning)(value) {
            Ok(meaning) => check(self.name, Ok(said(meaning))),
            Err((meaning, remedy)) => {
                check(self.name, Err(Error::lacking(said(meaning)).hint(remedy)))
            }
        })
    }
}

/// Whether kprobes are switched on. If they are off, they can still be attached, but are never hit.
fn kprobes_enabled() -> Check {
    let path = "/sys/kernel/debug/kprobes/enabled";
    match file::read_text(Path::new(path)).as_deref().map(str::trim) {
        Ok("0") => check(
            "kprobes enabled",
            Err(Error::lacking("all kprobes are switched off: none is ever hit")
                .hint(format!("try: echo 1 | sudo tee {path}"))),
        ),
        Ok(_) => check("kprobes enabled", Ok(String::new())),
        Err(_) => cannot_tell("kprobes enabled", "debugfs is not mounted, or may not be read"),
    }
}
