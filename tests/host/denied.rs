//! What is not permitted, or not there, on hosts that are set up otherwise: the true reason, and what to type.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc::{self, sock_filter, sock_fprog};

use crate::tool::{self, Ended, RAWBPF};

/// Runs a tool under a seccomp filter that answers `call` with EPERM.
fn filtered(call: libc::c_long, args: &[&str]) -> Ended {
    answered(call, libc::EPERM, args)
}

/// Runs a tool under a seccomp filter that answers `call` with this error.
fn answered(call: libc::c_long, errno: i32, args: &[&str]) -> Ended {
    let mut command = Command::new(RAWBPF);
    command.args(args);
    let filter = move || {
        let op = |code: u32, jt, jf, k| sock_filter { code: code as u16, jt, jf, k };
        let mut code = [
            op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
            op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, call as u32),
            op(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
            op(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = sock_fprog { len: code.len() as u16, filter: code.as_mut_ptr() };
        // SAFETY: the program is of this function and as long as it says.
        let answer = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
        };
        if answer == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: between fork and exec, it makes two system calls on memory of its own.
    unsafe { command.pre_exec(filter) };
    command.output().unwrap().into()
}

#[track_caller]
fn says(ended: &Ended, what: &str, next: &str) {
    assert_eq!(ended.code, Some(77), "{}", ended.stderr);
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains(what) && lines[1].contains(next), "{lines:?}");
    assert!(!ended.stderr.contains("RLIMIT_MEMLOCK"), "{}", ended.stderr);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_seccomp_filter_is_named_with_the_call_that_it_forbids() {
    let ended = filtered(libc::SYS_bpf, &["bitehist", "1", "1"]);
    says(&ended, "a seccomp filter forbids bpf(2)", "--security-opt seccomp=unconfined");
    let text = uprobe();
    let ended = filtered(libc::SYS_perf_event_open, &["run", &text, "0.1", "1"]);
    says(&ended, "a seccomp filter forbids perf_event_open(2)", "SystemCallFilter=");
    std::fs::remove_file(&text).unwrap();
    let tracepoint = ["bitehist", "--attach", "tracepoint", "1", "1"];
    tool::with_tracefs();
    let ended = filtered(libc::SYS_perf_event_open, &tracepoint);
    says(&ended, "a seccomp filter forbids perf_event_open(2)", "SystemCallFilter=");
    // Filters answer as they like.
    for errno in [libc::ENOSYS, libc::EACCES, libc::ENOENT] {
        let ended = answered(libc::SYS_bpf, errno, &["bitehist", "1", "1"]);
        says(&ended, "a seccomp filter forbids bpf(2)", "--security-opt seccomp=unconfined");
        let ended = answered(libc::SYS_perf_event_open, errno, &tracepoint);
        says(&ended, "a seccomp filter forbids perf_event_open(2)", "SystemCallFilter=");
    }
}

/// A text whose program is attached by a perf event, to a function of a file that everybody may read.
fn uprobe() -> String {
    tool::file(&format!(".program nothing uprobe {RAWBPF}:main\n r0 = 0\n exit\n"))
}

/// A copy of the tool with these capabilities of its own, called by nobody.
fn granted(capabilities: &str, args: &str) -> Ended {
    tool::shell(&format!(
        "cp $RAWBPF $OUT && setcap {capabilities}+ep $OUT && \
         setpriv --reuid 65534 --regid 65534 --clear-groups $OUT {args}; code=$?; rm $OUT; exit $code"
    ))
}

/// Kernels since CVE-2025-38466 demand CAP_SYS_ADMIN; others attach it.
#[test]
#[ignore = "needs root to grant capabilities: run tests/run"]
fn a_uprobe_that_takes_more_than_cap_perfmon_says_so() {
    let text = uprobe();
    let ended = granted("cap_bpf,cap_perfmon", &format!("run {text} 0.1 1"));
    std::fs::remove_file(&text).unwrap();
    if ended.code != Some(0) {
        says(&ended, "demands CAP_SYS_ADMIN for a uprobe by a perf event", "uprobe.multi");
    }
}

/// What the bounding set lacks neither sudo nor setcap can add.
#[test]
#[ignore = "needs root to give up capabilities: run tests/run"]
fn in_a_container_the_remedy_is_where_it_starts() {
    let contained = "setpriv --bounding-set=-bpf,-perfmon,-sys_admin ";
    let ended = tool::shell(&format!("{contained} $RAWBPF bitehist 1 1"));
    says(&ended, "CAP_BPF and CAP_PERFMON are missing", "--cap-add BPF --cap-add PERFMON");
    let root = tool::shell("unshare -Ur $RAWBPF bitehist 1 1");
    says(&root, "a user namespace", "on the host itself");
    let hide = "for at in /sys/kernel/tracing /sys/kernel/debug; do mount -t tmpfs none $at; done \
                2>/dev/null; setpriv --bounding-set=-sys_admin --inh-caps=-all";
    let tracepoint = "$RAWBPF argdist sched:sched_switch prev_pid 1 1";
    let ended = tool::shell(&format!("unshare -m sh -c '{hide} {tracepoint}'"));
    says(&ended, "tracefs is not mounted", "-v /sys/kernel/tracing:/sys/kernel/tracing");
}

/// One sentence for each tool that cannot do without it, whichever file it misses first.
#[test]
#[ignore = "needs root to hide /sys: run tests/run"]
fn without_sysfs_every_tool_says_the_same() {
    for tool in [
        "bitehist",
        "bitehist -d vda",
        "bitehist -d v*",
        "bitesize",
        "biolatency",
        "funccount syscalls:sys_enter_read",
        "funccount vfs_read",
        "funclatency vfs_read",
        "funclatency $RAWBPF:main",
        "argdist vfs_read arg0",
        "argdist vfs_read count",
        "argdist sched:sched_switch prev_pid",
    ] {
        let hidden = format!("umount -l /sys; $RAWBPF {tool} 0.1 1");
        let ended = tool::shell(&format!("unshare -m sh -c '{hidden}'"));
        assert_eq!(ended.code, Some(77), "{tool}: {}", ended.stderr);
        let said: Vec<_> = ended.stderr.lines().collect();
        assert_eq!(said.len(), 2, "{tool}: {said:?}");
        assert!(said[0].ends_with(": /sys is not mounted"), "{tool}: {said:?}");
        assert!(said[1].contains("mount -t sysfs sysfs /sys"), "{tool}: {said:?}");
    }
    let hidden = "umount -l /sys; $RAWBPF bioheat 0.1 1";
    let ended = tool::shell(&format!("unshare -m sh -c '{hidden}'"));
    assert_eq!(ended.code, Some(0), "bioheat needs nothing of it: {}", ended.stderr);
}

#[test]
#[ignore = "needs root to hide /proc: run tests/run"]
fn without_procfs_its_mount_line_is_given() {
    let hide = "umount -l /proc; for at in /sys/kernel/tracing /sys/kernel/debug; do \
                mount -t tmpfs none $at; done 2>/dev/null";
    let ended = tool::shell(&format!("unshare -m sh -c '{hide}; $RAWBPF funccount \"vfs_*\" 1 1'"));
    says(&ended, "/proc is not mounted", "mount -t proc proc /proc");
}

/// Those for each kind, not that there are some.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn where_no_kind_works_the_reasons_are_told() {
    let ended = tool::run("funclatency", &["ksys_sync", "0.1", "1"]);
    if ended.code != Some(0) {
        assert!(ended.stderr.contains("kprobe: ") && ended.stderr.contains("fentry: "));
    }
}
