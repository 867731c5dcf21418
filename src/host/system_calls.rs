//! System calls: the numbers of those that have tracepoints, and how a program at the entry or the return of
//! all of them finds the number.
//!
//! Each tracepoint `syscalls:sys_enter_NAME` costs a perf event, which the kernel takes tens of milliseconds to
//! let go of. All of them come from two tracepoints, `sys_enter` and `sys_exit`, where one program can count
//! every call by its number.

use super::probe::{Attach, AttachKind, RawTp, TpBtf};
use super::request::field;
use super::types::KernelTypes;
use crate::btf::TypeKind;
use crate::error::Error;
use crate::insn::{Access, Field};
use crate::sys::link::At;

/// Numbers of system calls are below this; the highest is 470 in Linux 7.
pub const NUMBERS: u32 = 512;

/// The names of x86_64's system calls in the order of their numbers, as their tracepoints have them: a number
/// never changes, and never gets another name. `-` is a number without a tracepoint, `#N` goes on at N.
const NAMES: &str = "\
read write open close newstat newfstat newlstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask \
rt_sigreturn ioctl pread64 pwrite64 readv writev access pipe select sched_yield mremap msync mincore madvise shmget \
shmat shmctl dup dup2 pause nanosleep getitimer alarm setitimer getpid sendfile64 socket connect accept sendto \
recvfrom sendmsg recvmsg shutdown bind listen getsockname getpeername socketpair setsockopt getsockopt clone fork \
vfork execve exit wait4 kill newuname semget semop semctl shmdt msgget msgsnd msgrcv msgctl fcntl flock fsync \
fdatasync truncate ftruncate getdents getcwd chdir fchdir rename mkdir rmdir creat link unlink symlink readlink chmod \
fchmod chown fchown lchown umask gettimeofday getrlimit getrusage sysinfo times ptrace getuid syslog getgid setuid \
setgid geteuid getegid setpgid getppid getpgrp setsid setreuid setregid getgroups setgroups setresuid getresuid \
setresgid getresgid getpgid setfsuid setfsgid getsid capget capset rt_sigpending rt_sigtimedwait rt_sigqueueinfo \
rt_sigsuspend sigaltstack utime mknod uselib personality ustat statfs fstatfs sysfs getpriority setpriority \
sched_setparam sched_getparam sched_setscheduler sched_getscheduler sched_get_priority_max sched_get_priority_min \
sched_rr_get_interval mlock munlock mlockall munlockall vhangup modify_ldt pivot_root - prctl arch_prctl adjtimex \
setrlimit chroot sync acct settimeofday mount umount swapon swapoff reboot sethostname setdomainname iopl ioperm - \
init_module delete_module - - quotactl - - - - - - gettid readahead setxattr lsetxattr fsetxattr getxattr lgetxattr \
fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr tkill time futex sched_setaffinity \
sched_getaffinity - io_setup io_destroy io_getevents io_submit io_cancel - lookup_dcookie epoll_create - - \
remap_file_pages getdents64 set_tid_address restart_syscall semtimedop fadvise64 timer_create timer_settime \
timer_gettime timer_getoverrun timer_delete clock_settime clock_gettime clock_getres clock_nanosleep exit_group \
epoll_wait epoll_ctl tgkill utimes - mbind set_mempolicy get_mempolicy mq_open mq_unlink mq_timedsend \
mq_timedreceive mq_notify mq_getsetattr kexec_load waitid add_key request_key keyctl ioprio_set ioprio_get \
inotify_init inotify_add_watch inotify_rm_watch migrate_pages openat mkdirat mknodat fchownat futimesat newfstatat \
unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat pselect6 ppoll unshare set_robust_list \
get_robust_list splice tee sync_file_range vmsplice move_pages utimensat epoll_pwait signalfd timerfd_create eventfd \
fallocate timerfd_settime timerfd_gettime accept4 signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv \
pwritev rt_tgsigqueueinfo perf_event_open recvmmsg fanotify_init fanotify_mark prlimit64 name_to_handle_at \
open_by_handle_at clock_adjtime syncfs sendmmsg setns getcpu process_vm_readv process_vm_writev kcmp finit_module \
sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create kexec_file_load bpf execveat userfaultfd \
membarrier mlock2 copy_file_range preadv2 pwritev2 pkey_mprotect pkey_alloc pkey_free statx io_pgetevents rseq \
uretprobe uprobe #424 pidfd_send_signal io_uring_setup io_uring_enter io_uring_register open_tree move_mount fsopen \
fsconfig fsmount fspick pidfd_open clone3 close_range openat2 pidfd_getfd faccessat2 process_madvise epoll_pwait2 \
mount_setattr quotactl_fd landlock_create_ruleset landlock_add_rule landlock_restrict_self memfd_secret \
process_mrelease futex_waitv set_mempolicy_home_node cachestat fchmodat2 map_shadow_stack futex_wake futex_wait \
futex_requeue statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat \
listxattrat removexattrat open_tree_attr file_getattr file_setattr listns";

/// The numbers of the system calls that have tracepoints, with their names there; none on architectures other than
/// x86_64.
pub fn numbers() -> impl Iterator<Item = (u32, &'static str)> {
    let names = if cfg!(target_arch = "x86_64") { NAMES } else { "" };
    let mut next = 0;
    names.split(' ').filter_map(move |name| match name.strip_prefix('#') {
        Some(number) => {
            next = number.parse().unwrap_or(NUMBERS);
            None
        }
        None => {
            next += 1;
            (!matches!(name, "-" | "")).then_some((next - 1, name))
        }
    })
}

/// All system calls at their entry or their return, as a program's context leads to the number of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SystemCalls {
    /// Whether at the entry or at the return.
    pub at: At,
    /// How to read through the pointers.
    pub access: Access,
    /// In the registers, whose address is the context's first u64: the number, u64.
    pub number: Field,
    /// In the task that runs: flags of its call, u32.
    pub status: Field,
}

impl SystemCalls {
    /// Offset in the context of the number of a call that is entered, u64.
    pub const ENTERED: i32 = 8;
    /// The bit of [`SystemCalls::status`] in calls of 32-bit programs, whose numbers mean other calls. The
    /// tracepoints of single calls leave these out.
    pub const COMPAT: i32 = 2;

    /// How a program is attached by `kind` there, and finds the number.
    ///
    /// # Errors
    /// This architecture's numbers are not known, or the kernel's types cannot be read or do not tell.
    pub fn find(
        at: At,
        kind: AttachKind,
        types: &KernelTypes,
    ) -> Result<(Attach, SystemCalls), Error> {
        if numbers().next().is_none() {
            let arch = std::env::consts::ARCH;
            return Err(Error::lacking(format!(
                "the numbers of system calls on {arch} are unknown"
            )));
        }
        let tracepoint = if at == At::Entry { "sys_enter" } else { "sys_exit" };
        let mut number = field("pt_regs", "orig_ax");
        let mut status = field("task_struct", "thread_info.status");
        let mut id = None;
        let typedef = format!("btf_trace_{tracepoint}");
        if let Some(mut btf) = types.btf()? {
            if kind == AttachKind::TpBtf && !types.are_from_file() {
                // The helper that gives a typed pointer to the task (Linux 5.11) has a typedef.
                let wanted = [&*typedef, "btf_bpf_get_current_task_btf"];
                let found = btf.find_all(&wanted.map(|name| (TypeKind::Typedef, name)));
                let found = found.map_err(|error| types.error(&error))?;
                id = found[1].and(found[0]).map(|(id, _)| id);
            }
            let asked = [&number, &status].map(|field| (field.of, field.member));
            let places = btf.placements(&asked).map_err(|error| types.error(&error))?;
            for (field, place) in [&mut number, &mut status].into_iter().zip(places) {
                field.offset = place.map(|place| place.offset as i32);
            }
        }
        let (attach, access) = match kind {
            AttachKind::TpBtf => (Attach::from(TpBtf::new(tracepoint, id)), Access::Typed),
            _ => (RawTp::new(tracepoint).into(), Access::Probe),
        };
        Ok((attach, SystemCalls { at, access, number, status }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_numbers_are_those_of_the_c_library() {
        let number =
            |name: &str| numbers().find(|(_, known)| *known == name).map(|(number, _)| number);
        for (name, expected) in [
            ("read", libc::SYS_read),
            ("newuname", libc::SYS_uname),
            ("umount", libc::SYS_umount2),
            ("init_module", libc::SYS_init_module),
            ("lookup_dcookie", libc::SYS_lookup_dcookie),
            ("kexec_load", libc::SYS_kexec_load),
            ("finit_module", libc::SYS_finit_module),
            ("kexec_file_load", libc::SYS_kexec_file_load),
            ("rseq", libc::SYS_rseq),
            ("pidfd_send_signal", libc::SYS_pidfd_send_signal),
            ("memfd_secret", libc::SYS_memfd_secret),
            ("fchmodat2", libc::SYS_fchmodat2),
        ] {
            assert_eq!(number(name).map(i64::from), Some(expected), "{name}");
        }
        assert_eq!((number("map_shadow_stack"), number("listns")), (Some(453), Some(470)));
        assert!(numbers().all(|(number, _)| number < NUMBERS));
    }
}
