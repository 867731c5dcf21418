//! Why this host refuses something: sentences made from error numbers and from facts about the host.

mod function;
mod load;
mod privilege;
mod shared;

use std::ops::ControlFlow;
use std::path::Path;

use super::map_rules;
use crate::error::Error;
use crate::order::PutInOrder;
use crate::sys::{self, Errno, FileError, MapSpec, SysError, Tracefs, kallsyms};
pub use function::no_function;
pub(super) use function::{module_btf, no_btf_of_module, no_types, several_functions};
pub(super) use load::reason;
pub use load::{lines, load, of_program, of_type};
pub(super) use privilege::uprobe_denied;
pub use privilege::{capabilities, denied, in_user_namespace, privilege};
use privilege::{filtered, lockdown, may_mount, may_read_all, sudo_for};
pub use shared::{descriptors, file as unread, too_few_descriptors};
use shared::{general, no_call, no_memory};

/// Why the kernel refused a map.
pub fn map(error: &SysError) -> Error {
    let detail = error.to_string();
    if let Some(filtered) = filtered(error) {
        return filtered.detail(detail);
    }
    match error.errno {
        Errno::EPERM => denied(error).detail(detail),
        Errno::ENOSYS => no_call(error).detail(detail),
        Errno::EMFILE | Errno::ENFILE => descriptors(error.errno, error),
        Errno::ENOMEM => no_memory("the map").detail(detail),
        // The kernel was not asked: a value for each CPU needs their number.
        _ if error.call.starts_with("read(") => no_sysfs()
            .unwrap_or_else(|| {
                Error::lacking(
                    "the number of CPUs cannot be read from /sys/devices/system/cpu/possible",
                )
                .hint("in a container: -v /sys/devices:/sys/devices:ro")
            })
            .detail(detail),
        _ => Error::failed(format!("the kernel did not create the map: {error}")),
    }
}

/// Why the kernel refused a map of this specification.
pub fn map_of(spec: &MapSpec, error: &SysError) -> Error {
    let MapSpec { name, map_type, key_size, value_size, max_entries, flags, .. } = spec;
    let refused = match error.errno {
        Errno::EINVAL | Errno::E2BIG | Errno::EOPNOTSUPP | Errno::ENOTSUPP => {
            match map_rules::broken(spec) {
                Some((what, next)) => {
                    Error::failed(format!("the kernel refuses map {name} ({map_type}): {what}"))
                        .hint(next)
                }
                // MAX_BPF_STACK, by which hashes were limited up to Linux 5.10.
                None if error.errno == Errno::E2BIG && *key_size > 512 => Error::lacking(format!(
                    "this kernel refuses map {name} ({map_type}): its keys have {key_size} bytes, and a kernel \
                     before Linux 5.11 accepts at most 512"
                ))
                .hint("use a shorter key, such as a hash of it, or a newer kernel"),
                None if error.errno == Errno::E2BIG => Error::failed(format!(
                    "the kernel refuses map {name} ({map_type}) of {max_entries} entries of \
                     {} bytes: that is more than it can count",
                    u64::from(*key_size) + u64::from(*value_size)
                ))
                .hint("make it smaller"),
                None => Error::failed(format!(
                    "this kernel refuses map {name} ({map_type}, key {key_size}, value {value_size}, \
                     entries {max_entries}, flags {flags:#x}): it does not know the type or a flag, or \
                     needs other sizes"
                ))
                .hint("see the types that it knows: rawbpf doctor -v"),
            }
        }
        Errno::ENOMEM => no_memory(&format!("map {name}: {max_entries} entries of {} bytes", {
            u64::from(*key_size) + u64::from(*value_size)
        })),
        _ => return map(error),
    };
    refused.detail(error.to_string())
}

/// Why the kernel does not list its programs, maps or links.
pub fn objects(error: &SysError) -> Error {
    let detail = error.to_string();
    let denied = || match capabilities() {
        Some(held) if !held.contains(&"CAP_SYS_ADMIN") => {
            Error::lacking("not permitted: listing others' programs needs CAP_SYS_ADMIN")
                .hint(sudo_for("CAP_SYS_ADMIN"))
        }
        _ => self::denied(error),
    };
    if let Some(filtered) = filtered(error) {
        return filtered.detail(detail);
    }
    match error.errno {
        Errno::EPERM => denied().detail(detail),
        Errno::ENOSYS => no_call(error).detail(detail),
        Errno::EMFILE | Errno::ENFILE => descriptors(error.errno, error),
        _ => {
            Error::failed(format!("the kernel does not list its programs, maps or links: {error}"))
        }
    }
}

/// The error for a place that has no room for another program, or that has this one already.
pub(super) fn occupied(place: &str, error: &SysError) -> Option<Error> {
    let next = "end one of them: rawbpf list shows what is attached where";
    match error.errno {
        Errno::E2BIG => Some(
            Error::failed(format!(
                "{place} has as many programs as the kernel allows there: 64 at an event, 38 at a function"
            ))
            .hint(next),
        ),
        Errno::EEXIST => Some(
            Error::failed(format!("this program is attached to {place} already"))
                .hint("once is enough: it sees all that happens there"),
        ),
        Errno::EBUSY => Some(
            Error::failed(format!("{place} is held by something that does not share it"))
                .hint(next),
        ),
        _ => general(place, error),
    }
}

/// The error for a `word` that is not among these names: the name that was probably meant, and the names
/// that there are, the likeliest first.
pub fn misspelt<'a>(what: String, word: &str, names: impl Iterator<Item = &'a str>) -> Error {
    // Users may leave out the prefix that a struct's members share.
    let likeness = |name: &str| match word.len() > 2 && name.contains(word) {
        true => 1.0,
        false => strsim::jaro_winkler(word, name),
    };
    let mut names: Vec<_> = names.map(|name| (likeness(name), name)).collect();
    names.order_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    names.dedup_by_key(|(_, name)| *name);
    let meant = names.first().filter(|(likeness, _)| *likeness > LIKE);
    let meant = meant.map_or(String::new(), |(_, name)| format!("did you mean {name}? "));
    let all: Vec<_> = names.into_iter().map(|(_, name)| name).collect();
    let shown = all.len().min(12);
    let there = match (all.len() - shown, &all[..shown]) {
        (_, []) => "there is none".to_owned(),
        (0, few) => format!("available: {}", few.join(", ")),
        (more, few) => format!("available: {}, and {more} more (-v)", few.join(", ")),
    };
    Error::failed(what).hint(format!("{meant}{there}")).detail(all.join(" "))
}

/// The error for a tracepoint that this kernel does not have.
pub fn no_tracepoint(category: &str, name: &str) -> Error {
    let asked = format!("{category}:{name}");
    let error = Error::failed(format!("this kernel has no tracepoint {asked}"));
    let mut most = MostLike::new(&asked);
    if let Some(tracefs) = Tracefs::find() {
        let _ = tracefs.events(|category, name| most.compare(&format!("{category}:{name}")));
    }
    match most.found {
        Some(name) => error.hint(format!("did you mean {name}?")),
        None => error.hint(
            "a function of a file is named by its path or its library: /bin/bash:main, c:malloc",
        ),
    }
}

/// Why a program of this kind could not be attached to a tracepoint or by a trampoline.
pub(super) fn attach(kind: &str, place: &str, error: &SysError) -> Error {
    let detail = error.to_string();
    if let Some(filtered) = filtered(error) {
        return filtered.detail(detail);
    }
    let refused = match error.errno {
        Errno::EPERM | Errno::EACCES => denied(error),
        Errno::ENOENT => Error::lacking(format!("this kernel has no tracepoint {place}")),
        Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOTSUPP => {
            Error::lacking(format!("this kernel does not attach {kind} programs to {place}"))
        }
        _ => occupied(place, error)
            .unwrap_or_else(|| Error::failed(format!("attaching to {place} failed: {error}"))),
    };
    refused.detail(detail)
}

/// The error for a host on which sysfs is not mounted, if it is not.
pub fn no_sysfs() -> Option<Error> {
    (!Path::new("/sys/kernel").exists()).then(|| {
        Error::lacking("/sys is not mounted").hint(match may_mount() {
            true => "try: mount -t sysfs sysfs /sys; mount -t tracefs tracefs /sys/kernel/tracing",
            false => "start the container with -v /sys:/sys:ro",
        })
    })
}

/// That /proc is not mounted, if it is not.
pub fn no_proc() -> Option<Error> {
    (!Path::new("/proc/self").exists())
        .then(|| Error::lacking("/proc is not mounted").hint("try: mount -t proc proc /proc"))
}

/// Why a file of the kernel's could not be read.
pub fn file(error: &FileError) -> Error {
    let path = &error.path;
    let proc = || path.starts_with("/proc").then(no_proc).flatten();
    let sys = || path.starts_with("/sys").then(no_sysfs).flatten();
    let tracefs = || {
        let denied = matches!(error.errno(), Errno::EPERM | Errno::EACCES);
        let within = Tracefs::PLACES.iter().any(|place| path.starts_with(place));
        (denied && within).then(no_tracefs)
    };
    let known = unread(error).or_else(proc).or_else(sys).or_else(tracefs);
    known.unwrap_or_else(|| Error::lacking(error.to_string())).detail(error.to_string())
}

/// What to do if programs are interpreted.
pub fn no_jit() -> &'static str {
    // The file is only in the host's network namespace, and only if the kernel can compile.
    match Path::new("/proc/sys/net/core/bpf_jit_enable").exists() {
        true => "for programs loaded from now on: sudo sysctl net.core.bpf_jit_enable=1",
        false => {
            "it takes CONFIG_BPF_JIT, and in the host's network namespace net.core.bpf_jit_enable=1"
        }
    }
}

/// What to do if an attach kind is not there: `rawbpf run` has no option for another one.
pub(super) const ANOTHER_KIND: &str =
    "see what works here: rawbpf doctor; without --attach, tools use that";

/// The error for a missing BTF that would describe `needed`.
pub fn no_btf(needed: &str) -> Error {
    if let Some(missing) = no_sysfs() {
        return missing;
    }
    Error::lacking(format!(
        "{needed} is not known: this kernel has no BTF (CONFIG_DEBUG_INFO_BTF) that describes it"
    ))
    .hint(format!("try: --btf FILE with this kernel's types; or {ANOTHER_KIND}"))
}

/// The error for a kind that needs the kernel's own BTF ids, if the kernel has none or they would come
/// from a file.
pub(super) fn no_ids(kind: &str) -> Error {
    Error::lacking(format!(
        "{kind} needs the kernel's own BTF (CONFIG_DEBUG_INFO_BTF), and this hook in it"
    ))
    .hint(format!("it cannot use a file's BTF (--btf); {ANOTHER_KIND}"))
}

/// The error for a tracefs that is not mounted, or that we may not read: it has the tracepoints' numbers.
pub fn no_tracefs() -> Error {
    if let Some(missing) = privilege().or_else(no_sysfs).or_else(lockdown) {
        return missing;
    }
    let place = Tracefs::PLACES[0];
    let mounts = sys::file::read_text(Path::new("/proc/mounts")).unwrap_or_default();
    let mut mounts = mounts.lines().map(|line| line.split(' ').skip(1).take(2));
    // If several are mounted at one place, the last is visible.
    if mounts.rfind(|mount| mount.clone().next() == Some(place)).and_then(|mut m| m.nth(1))
        == Some("tracefs")
    {
        return match may_read_all() {
            false => Error::lacking(format!("{place} may not be read"))
                .hint("run with sudo, or with CAP_DAC_READ_SEARCH too"),
            true => Error::lacking(format!("{place} has no tracepoints (CONFIG_EVENT_TRACING)"))
                .hint(ANOTHER_KIND),
        };
    }
    Error::lacking(format!("tracefs is not mounted at {place}")).hint(match may_mount() {
        true => format!("try: mount -t tracefs tracefs {place}"),
        false => format!("start the container with -v {place}:{place}"),
    })
}

/// The function of this kernel whose name is most like `name`.
fn similar(name: &str) -> Option<String> {
    let mut most = MostLike::new(name);
    let tracefs = Tracefs::find();
    let traceable = tracefs.map(|t| t.traceable_functions(|function, _| most.compare(function)));
    if !matches!(traceable, Some(Ok(_))) {
        let _ = kallsyms::for_each(|symbol| match symbol.is_text() {
            true => most.compare(symbol.name),
            false => ControlFlow::Continue(()),
        });
    }
    most.found
}

/// The likeness from which on two names count as spelt almost like each other.
const LIKE: f64 = 0.85;

/// Finds the name that is most like another one, if any is similar.
struct MostLike<'a> {
    name: &'a str,
    likeness: f64,
    found: Option<String>,
}

impl MostLike<'_> {
    fn new(name: &str) -> MostLike<'_> {
        MostLike { name, likeness: LIKE, found: None }
    }

    fn compare(&mut self, other: &str) -> ControlFlow<()> {
        let likeness = strsim::jaro_winkler(self.name, other);
        if likeness > self.likeness {
            self.likeness = likeness;
            self.found = Some(other.to_owned());
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::load::{length, load_type};
    use super::*;
    use crate::error::Failure;
    use crate::sys::call::Call;
    use crate::sys::call::hook::fd as hook_fd;
    use crate::sys::{LoadError, ProgramType};
    use nix::sys::resource::Resource::RLIMIT_MEMLOCK;

    pub const ROOT: &str = "CapEff:\t000001ffffffffff\n";
    const NOBODY: &str = "CapEff:\t0000000000000000\n";

    /// A host that has these files, and no others that explanations read.
    pub fn host<const N: usize>(
        files: [(&'static str, &'static str); N],
    ) -> sys::file::hook::Installed {
        sys::file::hook::install(move |path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            let missing = || std::io::Error::from_raw_os_error(libc::ENOENT);
            Some(found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(missing))
        })
    }

    pub fn perf(errno: Errno) -> SysError {
        SysError { call: "perf_event_open()", errno }
    }

    fn refused(errno: Errno, log: &str) -> LoadError {
        LoadError { call: "bpf(BPF_PROG_LOAD)", errno, log: log.into(), log_truncated: false }
    }

    #[track_caller]
    pub fn says(error: &Error, what: &str, next: &str) {
        assert_eq!(error.failure, Failure::Lacking, "{error}");
        assert!(error.what.contains(what), "{error}");
        assert!(error.hint.as_ref().is_some_and(|text| text.contains(next)), "{error}");
    }

    #[test]
    fn without_capabilities_it_names_them() {
        let _host = host([("/proc/self/status", NOBODY)]);
        for error in [
            map(&BPF),
            load(&"tp_btf", None, &refused(Errno::EPERM, "")),
            denied(&perf(Errno::EACCES)),
            attach("tracepoint", "t", &perf(Errno::EACCES)),
            no_tracefs(),
        ] {
            says(&error, "CAP_BPF and CAP_PERFMON are missing", "setcap cap_bpf,cap_perfmon+ep");
        }
    }

    #[test]
    fn one_missing_capability_is_named_alone() {
        // CAP_BPF is bit 39, CAP_PERFMON 38.
        let _host = host([("/proc/self/status", "CapEff:\t0000008000000000\n")]);
        says(&privilege().unwrap(), "permitted: CAP_PERFMON is missing", "sudo");
    }

    #[test]
    fn the_old_capability_stands_for_both() {
        let _host = host([("/proc/self/status", "CapEff:\t0000000000200000\n")]);
        assert_eq!(privilege(), None);
    }

    #[test]
    fn root_of_a_container_is_not_the_hosts() {
        let map = ("/proc/self/uid_map", "0 100000 65536\n");
        for status in [ROOT, NOBODY] {
            let _host = host([("/proc/self/status", status), map]);
            says(&denied(&perf(Errno::EPERM)), "a user namespace", "container");
        }
    }

    /// Neither sudo nor setcap can add what the bounding set lacks.
    #[test]
    fn what_a_container_withholds_is_added_where_it_starts() {
        // CAP_PERFMON is bit 38.
        let within = "CapEff:\t0000000000000000\nCapBnd:\t0000004000000000\n";
        let _host = host([("/proc/self/status", within)]);
        let error = privilege().unwrap();
        says(&error, "CAP_BPF and CAP_PERFMON are missing", "--cap-add BPF,");
        assert!(!error.hint.unwrap().contains("sudo setcap"));
    }

    #[test]
    fn a_process_that_can_get_no_privileges_is_not_sent_to_sudo() {
        let _host = host([("/proc/self/status", "CapEff:\t0000000000000000\nNoNewPrivs:\t1\n")]);
        says(&privilege().unwrap(), "are missing", "no_new_privs");
    }

    #[test]
    fn who_gets_the_capabilities_is_decided_before_the_file_has_them() {
        let _host = host([("/proc/self/status", NOBODY)]);
        let hint = privilege().unwrap().hint.unwrap();
        let [group, mode, capabilities] =
            ["chgrp GROUP", "chmod 750", "setcap cap_"].map(|word| hint.find(word).expect(word));
        assert!(group < mode && mode < capabilities, "{hint}");
    }

    /// A kernel that answers each trial, and whatever is asked for besides with EPERM.
    fn kernel(nonsense: Errno, empty: Errno) -> sys::call::hook::Installed {
        sys::call::hook::install(move |call| {
            Some(Err(match call {
                Call::Nonsense(_) => nonsense,
                Call::EmptyPerfEvent => empty,
                Call::Bpf { attr, .. } if attr.iter().all(|byte| *byte == 0) => empty,
                _ => Errno::EPERM,
            }))
        })
    }

    const BPF: SysError = SysError { call: "bpf(BPF_MAP_CREATE)", errno: Errno::EPERM };
    const FILTERED: &str = "CapEff:\t000001ffffffffff\nSeccomp:\t2\n";

    #[test]
    fn a_filter_that_refuses_all_is_named_with_the_call() {
        let _host = host([("/proc/self/status", FILTERED)]);
        let _kernel = kernel(Errno::EPERM, Errno::EPERM);
        says(&denied(&BPF), "a seccomp filter forbids bpf(2)", "seccomp=unconfined");
        let perf = denied(&perf(Errno::EPERM));
        says(&perf, "a seccomp filter forbids perf_event_open(2)", "SystemCallFilter=");
    }

    /// It lets the call pass, so that the kernel sees what is asked for.
    #[test]
    fn a_filter_that_is_there_is_not_blamed_for_what_others_refuse() {
        let _host = host([
            ("/proc/self/status", FILTERED),
            ("/sys/kernel/security/lsm", "lockdown,capability,selinux\n"),
        ]);
        let _kernel = kernel(Errno::E2BIG, Errno::EACCES);
        says(
            &denied(&BPF),
            "a security module forbids bpf(2) (lockdown, capability, selinux)",
            "log",
        );
    }

    #[test]
    fn lockdown_is_named_with_its_mode_for_what_it_forbids() {
        let lockdown = ("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
        let option = ("/proc/cmdline", "quiet lockdown=confidentiality\n");
        let helper = "program of this type cannot use helper bpf_probe_read_kernel#113\n";
        let _kernel = kernel(Errno::EINVAL, Errno::EINVAL);
        // securityfs need not be mounted.
        for sign in [lockdown, option] {
            let _host = host([("/proc/self/status", ROOT), sign]);
            for error in [
                denied(&perf(Errno::EPERM)),
                load(&"kprobe", None, &refused(Errno::EINVAL, helper)),
                no_tracefs(),
            ] {
                says(&error, "locked down (mode confidentiality)", "at boot");
            }
            says(&denied(&BPF), "not permitted, though no capability", "journalctl");
        }
    }

    #[test]
    fn a_lockdown_that_allows_tracing_is_not_blamed() {
        let _host = host([
            ("/proc/self/status", ROOT),
            ("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n"),
        ]);
        let _kernel = kernel(Errno::EINVAL, Errno::EINVAL);
        says(&denied(&perf(Errno::EPERM)), "no capability is missing", "journalctl");
    }

    /// CAP_BPF and CAP_PERFMON.
    const GRANTED: &str = "CapEff:\t000000c000000000\n";

    #[test]
    fn the_paranoid_sysctl_is_named_if_it_is_the_reason() {
        let paranoid = ("/proc/sys/kernel/perf_event_paranoid", "4\n");
        let _host = host([("/proc/self/status", GRANTED), paranoid]);
        {
            let _kernel = kernel(Errno::EINVAL, Errno::EACCES);
            says(&denied(&perf(Errno::EACCES)), "perf_event_paranoid", "sysctl");
        }
        // The kernel looked at the attributes of the event first.
        let _kernel = kernel(Errno::EINVAL, Errno::EFAULT);
        says(&denied(&perf(Errno::EACCES)), "are not enough for it", "sudo");
    }

    #[test]
    fn a_uprobe_by_a_perf_event_may_take_more_than_cap_perfmon() {
        let _kernel = kernel(Errno::EINVAL, Errno::EFAULT);
        let error = perf(Errno::EACCES);
        {
            let _host = host([("/proc/self/status", GRANTED)]);
            says(&uprobe_denied(&error), "demands CAP_SYS_ADMIN", "uprobe.multi");
        }
        let _host = host([("/proc/self/status", ROOT)]);
        says(&uprobe_denied(&error), "no capability is missing", "journalctl");
    }

    /// Whether the kernel charges it is found out by a map under another limit, not by its version.
    #[test]
    fn the_limit_of_locked_memory_is_named_where_it_counts() {
        let limits =
            ("/proc/self/limits", "Max locked memory         65536                65536  bytes\n");
        let _host = host([("/proc/self/status", ROOT), limits]);
        for charged in [true, false] {
            let _kernel = sys::call::hook::install(move |call| match call {
                Call::Bpf { attr, .. } if attr.iter().all(|byte| *byte == 0) => {
                    Some(Err(Errno::EINVAL))
                }
                Call::Bpf { .. } => {
                    let (soft, _) = nix::sys::resource::getrlimit(RLIMIT_MEMLOCK).unwrap();
                    Some(if charged && soft == 0 { Err(Errno::EPERM) } else { Ok(hook_fd()) })
                }
                _ => Some(Err(Errno::EPERM)),
            });
            match charged {
                true => says(&map(&BPF), "RLIMIT_MEMLOCK is 65536 bytes", "ulimit -l unlimited"),
                false => says(&map(&BPF), "no capability is missing", "journalctl"),
            }
        }
    }

    #[test]
    fn a_map_that_needs_the_number_of_cpus_is_not_called_refused() {
        let _host = host([("/proc/self/status", ROOT)]);
        let call = "read(/sys/devices/system/cpu/possible)";
        let error = map(&SysError { call, errno: Errno::ENOENT });
        says(&error, "the number of CPUs cannot be read", "/sys/devices");
    }

    #[test]
    fn the_limit_of_the_control_group_is_named() {
        let full = SysError { call: "bpf(BPF_MAP_CREATE)", errno: Errno::ENOMEM };
        {
            let _host = host([
                ("/proc/self/cgroup", "0::/user/shell\n"),
                ("/sys/fs/cgroup/user/shell/memory.max", "max\n"),
                ("/sys/fs/cgroup/user/memory.max", "41943040\n"),
            ]);
            let error = map(&full);
            assert!(error.what.contains("may use 41943040 bytes"), "{error}");
            let file = "/sys/fs/cgroup/user/memory.max";
            assert!(error.hint.as_ref().unwrap().contains(file), "{error}");
        }
        {
            let limit = "/sys/fs/cgroup/memory/memory.limit_in_bytes";
            let _host = host([
                ("/proc/self/cgroup", "4:memory:/box\n0::/\n"),
                ("/sys/fs/cgroup/memory/box/memory.limit_in_bytes", "9223372036854771712\n"),
                (limit, "1000000\n"),
            ]);
            assert!(map(&full).hint.unwrap().ends_with(limit));
        }
        let _host = host([]);
        let error = map(&full);
        assert_eq!(error.what, "the kernel has no memory for the map");
        assert!(error.hint.unwrap().contains("free -m"));
    }

    /// 5.10 has no message for it, and its other reason for the same error is a size.
    #[test]
    fn a_key_that_is_too_long_for_an_old_kernel_is_said_to_be_that() {
        let error = SysError { call: "bpf(BPF_MAP_CREATE)", errno: Errno::E2BIG };
        let long = MapSpec::new("m", crate::sys::MapType::Hash, 513, 8, 10);
        let refused = map_of(&long, &error);
        says(&refused, "its keys have 513 bytes, and a kernel before Linux 5.11", "shorter key");
        let refused = map_of(&MapSpec { key_size: 512, ..long }, &error);
        assert!(refused.what.contains("more than it can count"), "{refused}");
    }

    /// Each error number of each call has a sentence of its own with something to type.
    #[test]
    fn no_error_number_is_the_message() {
        let _host = host([("/proc/self/status", ROOT)]);
        let numbers = [
            (Errno::EINVAL, ["knows no", "refuses xdp programs", "does not attach"]),
            (Errno::E2BIG, ["too old", "too old", "as many programs as"]),
            (Errno::EACCES, ["security module", "security module", "not permitted"]),
            (Errno::EPERM, ["not permitted"; 3]),
            (Errno::ENOMEM, ["no memory"; 3]),
            (Errno::EBADF, ["one of its descriptors"; 3]),
            (Errno::EAGAIN, ["signals arrived"; 3]),
            (Errno::ENOSPC, ["no place left"; 3]),
            (Errno::EMFILE, ["too few file descriptors"; 3]),
        ];
        for (errno, said) in numbers {
            let error = SysError { call: "bpf(BPF_RAW_TRACEPOINT_OPEN)", errno };
            let errors = [
                load(&"raw_tp", None, &refused(errno, "")),
                load_type(ProgramType::Xdp, &refused(errno, "")),
                attach("raw_tp", "sys_enter", &error),
            ];
            for (error, said) in errors.iter().zip(said) {
                assert!(error.what.contains(said), "{errno}: {error}");
                let denied = matches!(errno, Errno::EPERM | Errno::EACCES | Errno::EMFILE);
                assert!(denied || !error.what.contains(&errno.name()), "{error}");
                assert!(error.detail.is_some(), "{error}");
            }
        }
        for (errno, said) in
            [(Errno::EEXIST, "attached to sys_enter already"), (Errno::EBUSY, "does not share it")]
        {
            let error = SysError { call: "ioctl(PERF_EVENT_IOC_SET_BPF)", errno };
            let error = attach("raw_tp", "sys_enter", &error);
            assert!(error.what.contains(said) && error.hint.is_some(), "{error}");
        }
    }

    #[test]
    fn a_program_that_is_too_long_is_told_the_limit_of_its_user() {
        {
            let _host = host([("/proc/self/status", ROOT)]);
            assert!(length(1_000_000).is_none());
            let error = length(1_000_001).unwrap();
            assert!(
                error
                    .what
                    .contains("1000001 instructions; the kernel's limit for this user is 1000000")
            );
            assert!(length(0).unwrap().what.contains("no instructions"));
        }
        let _host = host([("/proc/self/status", NOBODY)]);
        let error = length(4097).unwrap();
        assert!(error.what.contains("is 4096"), "{error}");
        assert!(error.hint.unwrap().contains("sudo"));
    }

    #[test]
    fn types_that_are_refused_are_no_bare_error_number() {
        for (errno, why) in [
            (Errno::EINVAL, "does not know the types"),
            (Errno::E2BIG, "larger than its limit"),
            (Errno::EPERM, "CAP_BPF"),
            (Errno::ENOMEM, "no memory"),
        ] {
            let said = lines(&refused(errno, ""));
            assert!(said.starts_with(|c: char| c.is_lowercase()) && said.contains(why), "{said}");
        }
    }

    #[test]
    fn a_log_that_gives_no_reason_does_not_hide_the_error_number() {
        let _host = host([("/proc/self/status", ROOT)]);
        let error = load_type(ProgramType::StructOps, &refused(Errno::ENOTSUPP, "func#0 @0\n"));
        assert!(error.what.contains("refuses struct_ops programs"), "{error}");
    }

    #[test]
    fn a_kernel_without_the_syscall_or_btf_is_named() {
        let _host = host([("/proc/self/status", ROOT)]);
        let bpf = SysError { call: "bpf(BPF_MAP_CREATE)", errno: Errno::ENOSYS };
        assert!(map(&bpf).what.contains("CONFIG_BPF_SYSCALL"));
        says(&no_btf("x"), "no BTF", "--btf FILE");
    }

    #[test]
    fn tracefs_is_to_be_mounted_unless_it_is() {
        {
            let _host = host([("/proc/self/status", ROOT), ("/proc/mounts", "")]);
            says(&no_tracefs(), "not mounted", "mount -t tracefs tracefs /sys/kernel/tracing");
        }
        let mounts = ("/proc/mounts", "tracefs /sys/kernel/tracing tracefs rw 0 0\n");
        let _host = host([("/proc/self/status", ROOT), mounts]);
        says(&no_tracefs(), "has no tracepoints", "rawbpf doctor");
        let _host = host([("/proc/self/status", GRANTED), mounts]);
        says(&no_tracefs(), "may not be read", "CAP_DAC_READ_SEARCH");
    }

    #[test]
    fn of_a_verifiers_log_the_reason_is_shown() {
        let log = "0: (bf) r0 = r7\nR7 !read_ok\nprocessed 1 insns (limit 1000000)\n";
        let error = load(&"kprobe", None, &refused(Errno::EACCES, log));
        assert_eq!(error.what, "the verifier refused the kprobe program: R7 !read_ok");
        assert!(error.detail.unwrap().contains(log));
        // Linux 7.3 writes more after it.
        let log = "0: (bf) r0 = r7\nR7 !read_ok\nVerification failed: Bad: x\nReason: y\n";
        let error = load(&"kprobe", None, &refused(Errno::EACCES, log));
        assert_eq!(error.what, "the verifier refused the kprobe program: R7 !read_ok");
    }
}
