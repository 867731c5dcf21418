//! Why this host refuses something: sentences made from error numbers and from facts about the host.

mod load;
mod privilege;
mod shared;

use std::ops::ControlFlow;
use std::path::Path;

use super::map_rules;
use crate::error::Error;
use crate::sys::{Errno, MapSpec, SysError, Tracefs, file, kallsyms};
pub(super) use load::reason;
pub use load::{lines, load, of_program, of_type};
pub use privilege::{capabilities, denied, in_user_namespace, privilege};
pub use shared::{descriptors, file as unread, too_few_descriptors};
use shared::{general, no_bpf, no_memory};

/// Why the kernel refused a map.
pub fn map(error: &SysError) -> Error {
    let detail = error.to_string();
    match error.errno {
        Errno::EPERM => denied(error).detail(detail),
        Errno::ENOSYS => no_bpf().detail(detail),
        Errno::EMFILE | Errno::ENFILE => descriptors(error.errno, error),
        Errno::ENOMEM => no_memory("the map").detail(detail),
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
        Errno::ENOMEM => {
            no_memory(&format!("map {name}: {max_entries} entries of {} bytes", {
                u64::from(*key_size) + u64::from(*value_size)
            }))
        }
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
                .hint("run with sudo")
        }
        _ => self::denied(error),
    };
    match error.errno {
        Errno::EPERM => denied().detail(detail),
        Errno::ENOSYS => no_bpf().detail(detail),
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

/// The error for a function that this kernel does not have, with a name that is spelt almost like it.
pub fn no_function(function: &str) -> Error {
    let error = Error::failed(format!("this kernel has no function {function}"));
    match similar(function) {
        Some(name) => error.hint(format!("did you mean {name}?")),
        None => error,
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
    names.sort_by(|one, other| other.0.total_cmp(&one.0));
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
        None => error,
    }
}

/// Why a program of this kind could not be attached to a tracepoint or by a trampoline.
pub(super) fn attach(kind: &str, place: &str, error: &SysError) -> Error {
    let detail = error.to_string();
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
        Error::lacking("/sys is not mounted")
            .hint("try: mount -t sysfs sysfs /sys; mount -t tracefs tracefs /sys/kernel/tracing")
    })
}

/// The error for a missing BTF that would describe `needed`.
pub fn no_btf(needed: &str) -> Error {
    if let Some(missing) = no_sysfs() {
        return missing;
    }
    Error::lacking(format!(
        "{needed} is not known: this kernel has no BTF (CONFIG_DEBUG_INFO_BTF) that describes it"
    ))
    .hint("try: --attach tracepoint, which needs no BTF, or --btf FILE")
}

/// The error for a kind that needs the kernel's own BTF ids, if the kernel has none or they would come
/// from a file.
pub(super) fn no_ids(kind: &str) -> Error {
    Error::lacking(format!(
        "{kind} needs the kernel's own BTF (CONFIG_DEBUG_INFO_BTF), and this hook in it"
    ))
    .hint("try: --attach raw_tp or tracepoint; tp_btf and fentry cannot use a file's BTF (--btf)")
}

/// The error for a tracefs that is not mounted, or that we may not read: it has the tracepoints' numbers.
pub fn no_tracefs() -> Error {
    if let Some(missing) = privilege().or_else(no_sysfs) {
        return missing;
    }
    let place = Tracefs::PLACES[0];
    let mounts = file::read_text(Path::new("/proc/mounts")).unwrap_or_default();
    let mut mounts = mounts.lines().map(|line| line.split(' ').skip(1).take(2));
    // If several are mounted at one place, the last is visible.
    if mounts.rfind(|mount| mount.clone().next() == Some(place)).and_then(|mut m| m.nth(1))
        == Some("tracefs")
    {
        return Error::lacking(format!("{place} may not be read"))
            .hint("try: as root, or with CAP_DAC_READ_SEARCH");
    }
    Error::lacking(format!("tracefs is not mounted at {place}"))
        .hint(format!("try: mount -t tracefs tracefs {place}"))
}

/// The function of this kernel whose name is most like `name`.
fn similar(name: &str) -> Option<String> {
    let mut most = MostLike::new(name);
    let tracefs = Tracefs::find();
    let traceable = tracefs.map(|t| t.traceable_functions(|function| most.compare(function)));
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
    use crate::sys::{LoadError, ProgramType};

    pub const ROOT: &str = "CapEff:\t000001ffffffffff\n";
    const NOBODY: &str = "CapEff:\t0000000000000000\n";

    /// A host that has these files, and no others that explanations read.
    pub fn host<const N: usize>(files: [(&'static str, &'static str); N]) -> file::hook::Installed {
        file::hook::install(move |path| {
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
        let bpf = SysError { call: "bpf(BPF_MAP_CREATE)", errno: Errno::EPERM };
        for error in [
            map(&bpf),
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
        let _host = host([("/proc/self/status", ROOT), ("/proc/self/uid_map", "0 100000 65536\n")]);
        says(&denied(&perf(Errno::EPERM)), "root of a user namespace", "container");
    }

    #[test]
    fn lockdown_is_named_with_its_mode() {
        let _host = host([
            ("/proc/self/status", ROOT),
            ("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n"),
        ]);
        let helper = "program of this type cannot use helper bpf_probe_read_kernel#113\n";
        for error in
            [denied(&perf(Errno::EPERM)), load(&"kprobe", None, &refused(Errno::EINVAL, helper))]
        {
            says(&error, "locked down (mode confidentiality)", "at boot");
        }
    }

    #[test]
    fn a_lockdown_that_allows_tracing_is_not_blamed() {
        let _host = host([
            ("/proc/self/status", ROOT),
            ("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n"),
        ]);
        says(&denied(&perf(Errno::EPERM)), "no capability is missing", "seccomp");
    }

    #[test]
    fn the_paranoid_sysctl_is_named() {
        let _host =
            host([("/proc/self/status", ROOT), ("/proc/sys/kernel/perf_event_paranoid", "4\n")]);
        says(&denied(&perf(Errno::EPERM)), "perf_event_paranoid", "sysctl");
    }

    #[test]
    fn the_limit_of_locked_memory_is_named() {
        let _host = host([
            ("/proc/self/status", ROOT),
            ("/proc/self/limits", "Max locked memory         65536                65536  bytes\n"),
        ]);
        let bpf = SysError { call: "bpf(BPF_MAP_CREATE)", errno: Errno::EPERM };
        says(&map(&bpf), "RLIMIT_MEMLOCK is 65536 bytes", "ulimit -l unlimited");
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
        says(&no_tracefs(), "may not be read", "as root");
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
