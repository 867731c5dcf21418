//! Gives up what the rest of a process's life does not need: capabilities, and system calls by a seccomp
//! filter.

use std::ops::BitOr;

use super::{Errno, SysError, capability};

/// What a process still does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Needs {
    /// Capabilities, a bit for each number.
    pub capabilities: u64,
    /// Whether it makes, replaces or removes files.
    pub files: bool,
    /// Whether it accepts connections at a socket that listens already, and answers.
    pub listens: bool,
    /// Whether it connects to other hosts.
    pub connects: bool,
}

impl BitOr for Needs {
    type Output = Needs;

    fn bitor(self, other: Needs) -> Needs {
        Needs {
            capabilities: self.capabilities | other.capabilities,
            files: self.files | other.files,
            listens: self.listens | other.listens,
            connects: self.connects | other.connects,
        }
    }
}

/// Takes from the calling thread all capabilities but those that are needed and held, for good. What a
/// file of capabilities or a setuid program would add later is refused too.
///
/// # Errors
/// The kernel refuses it, in the middle of which nothing was added.
pub fn capabilities(needs: Needs) -> Result<(), SysError> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    capability::keep(needs.capabilities)
}

/// Forbids the calling thread all system calls but those that a run needs which has attached its programs:
/// to read maps, wait, print, and read files; to write files and to answer at sockets where that is needed; to
/// make a child process and to end. All others, and those of another machine's numbers, fail with EPERM.
///
/// It needs [`capabilities`] before it, or CAP_SYS_ADMIN.
///
/// # Errors
/// This kernel has no seccomp filters, or the numbers of its calls are not known here (ENOSYS).
pub fn system_calls(needs: Needs) -> Result<(), SysError> {
    let unknown = SysError { call: "seccomp()", errno: Errno::ENOSYS };
    let mut code = filter::code(needs).ok_or(unknown)?;
    let length = u16::try_from(code.len()).map_err(|_| unknown)?;
    let program = libc::sock_fprog { len: length, filter: code.as_mut_ptr() };
    // No slower code for fear of what a filter's process might guess: it runs our own code only.
    let flags = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the program is as long as it says, and the kernel copies it.
    let answer = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) };
    answered("seccomp()", answer)
}

fn prctl(option: libc::c_int, value: libc::c_ulong) -> Result<(), SysError> {
    let none: libc::c_ulong = 0;
    // SAFETY: this option takes numbers only.
    let answer = unsafe { libc::prctl(option, value, none, none, none) };
    answered("prctl()", answer.into())
}

fn answered(call: &'static str, answer: libc::c_long) -> Result<(), SysError> {
    let errno = || Errno::from(&std::io::Error::last_os_error());
    if answer < 0 { Err(SysError { call, errno: errno() }) } else { Ok(()) }
}

#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64",
    target_arch = "s390x"
))]
mod filter {
    //! The filter's program, in the kernel's classic BPF.

    use std::ffi::c_long;

    use libc::{
        BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter,
    };

    use super::super::call::BpfCommand;
    use super::Needs;

    /// `AUDIT_ARCH_*`: the machine whose numbers the calls below have.
    const MACHINE: u32 = if cfg!(target_arch = "x86_64") {
        0xc000_003e
    } else if cfg!(target_arch = "aarch64") {
        0xc000_00b7
    } else if cfg!(target_arch = "riscv64") {
        0xc000_00f3
    } else {
        0x8000_0016
    };

    /// Offsets in `struct seccomp_data`.
    const NUMBER: u32 = 0;
    const ARCH: u32 = 4;
    const ARGUMENTS: u32 = 16;

    /// What is allowed of a call.
    #[derive(Clone, Copy)]
    enum Rule {
        Any,
        /// If this argument's lower half is one of these numbers.
        OneOf(u32, &'static [u32]),
        /// If this argument has none of these bits.
        Without(u32, u32),
        /// It seems to be unknown to the kernel.
        NotThere,
    }
    use Rule::{Any, NotThere, OneOf, Without};

    /// Writing to a file, or making one.
    const WRITING: u32 = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC) as u32;

    /// New namespaces, in which a process would have all capabilities.
    const NAMESPACES: u32 = (libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP) as u32;

    /// `PERF_EVENT_IOC_DISABLE`, which some machines' `_IO()` numbers otherwise.
    const PERF_DISABLE: u32 = nix::request_code_none!(b'$', 1) as u32;

    /// Commands of `bpf(2)` on what is open already.
    const COMMANDS: &[u32] = &[
        BpfCommand::MapLookupElem as u32,
        BpfCommand::MapUpdateElem as u32,
        BpfCommand::MapDeleteElem as u32,
        BpfCommand::MapGetNextKey as u32,
        BpfCommand::ObjGetInfoByFd as u32,
        BpfCommand::ProgTestRun as u32,
        BpfCommand::MapLookupAndDeleteElem as u32,
        BpfCommand::MapLookupBatch as u32,
        BpfCommand::MapLookupAndDeleteBatch as u32,
        BpfCommand::MapUpdateBatch as u32,
        BpfCommand::MapDeleteBatch as u32,
        LINK_DETACH,
    ];
    /// `BPF_LINK_DETACH`.
    const LINK_DETACH: u32 = 34;

    /// The commands of ioctl(2) that a terminal, a probe or a socket gets.
    const CONTROLS: &[u32] = &[
        libc::TCGETS as u32,
        libc::TCSETS as u32,
        libc::TCSETSW as u32,
        libc::TCSETSF as u32,
        libc::TIOCGWINSZ as u32,
        PERF_DISABLE,
        libc::FIONBIO as u32,
    ];

    /// Calls of every machine.
    const CALLS: &[(c_long, Rule)] = &[
        (libc::SYS_bpf, OneOf(0, COMMANDS)),
        (libc::SYS_ppoll, Any),
        (libc::SYS_clock_gettime, Any),
        (libc::SYS_write, Any),
        (libc::SYS_read, Any),
        (libc::SYS_close, Any),
        (libc::SYS_readlinkat, Any),
        // Memory.
        (libc::SYS_brk, Any),
        (libc::SYS_madvise, Any),
        (libc::SYS_mmap, MAPPING),
        (libc::SYS_mprotect, Without(2, libc::PROT_EXEC as u32)),
        (libc::SYS_mremap, Any),
        (libc::SYS_munmap, Any),
        // Files.
        (libc::SYS_faccessat, Any),
        (libc::SYS_fcntl, Any),
        (libc::SYS_fstat, Any),
        (libc::SYS_fstatfs, Any),
        (libc::SYS_getcwd, Any),
        (libc::SYS_getdents64, Any),
        (libc::SYS_ioctl, OneOf(1, CONTROLS)),
        (libc::SYS_lseek, Any),
        (libc::SYS_newfstatat, Any),
        (libc::SYS_pread64, Any),
        (libc::SYS_readv, Any),
        (libc::SYS_statx, Any),
        (libc::SYS_writev, Any),
        // Time.
        (libc::SYS_clock_nanosleep, Any),
        (libc::SYS_nanosleep, Any),
        (libc::SYS_restart_syscall, Any),
        // Signals, to this process itself.
        (libc::SYS_rt_sigaction, Any),
        (libc::SYS_rt_sigprocmask, Any),
        (libc::SYS_rt_sigreturn, Any),
        (libc::SYS_sigaltstack, Any),
        (libc::SYS_tgkill, Any),
        (libc::SYS_tkill, Any),
        // The process, and a child that detaches.
        (libc::SYS_clone, Without(CLONE_FLAGS, NAMESPACES)),
        (libc::SYS_close_range, Any),
        (libc::SYS_exit, Any),
        (libc::SYS_exit_group, Any),
        (libc::SYS_futex, Any),
        (libc::SYS_geteuid, Any),
        (libc::SYS_getpid, Any),
        (libc::SYS_getrandom, Any),
        (libc::SYS_gettid, Any),
        (libc::SYS_getuid, Any),
        (libc::SYS_pipe2, Any),
        (libc::SYS_prlimit64, Any),
        (libc::SYS_rseq, Any),
        (libc::SYS_sched_yield, Any),
        (libc::SYS_set_robust_list, Any),
        (libc::SYS_set_tid_address, Any),
        (libc::SYS_setsid, Any),
        (libc::SYS_prctl, OneOf(0, &[libc::PR_SET_NAME as u32])),
        (libc::SYS_sysinfo, Any),
        (libc::SYS_uname, Any),
        (libc::SYS_wait4, Any),
    ];

    /// Memory that is no code. On s390x the arguments are in memory.
    const MAPPING: Rule =
        if cfg!(target_arch = "s390x") { Any } else { Without(2, libc::PROT_EXEC as u32) };

    /// The flags are not the first argument there.
    const CLONE_FLAGS: u32 = if cfg!(target_arch = "s390x") { 1 } else { 0 };

    /// Older forms, which newer machines do not have.
    #[cfg(any(target_arch = "x86_64", target_arch = "s390x"))]
    const OLDER_CALLS: &[(c_long, Rule)] = &[
        (libc::SYS_access, Any),
        (libc::SYS_fork, Any),
        (libc::SYS_lstat, Any),
        (libc::SYS_pipe, Any),
        (libc::SYS_poll, Any),
        (libc::SYS_readlink, Any),
        (libc::SYS_stat, Any),
    ];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "s390x")))]
    const OLDER_CALLS: &[(c_long, Rule)] = &[];

    /// To open a file, in both forms.
    #[cfg(any(target_arch = "x86_64", target_arch = "s390x"))]
    const OPEN: &[(c_long, u32)] = &[(libc::SYS_openat, 2), (libc::SYS_open, 1)];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "s390x")))]
    const OPEN: &[(c_long, u32)] = &[(libc::SYS_openat, 2)];

    /// To write a file beside its place, and to put it there.
    const FILE_CALLS: &[c_long] = &[
        libc::SYS_copy_file_range,
        libc::SYS_fallocate,
        libc::SYS_fchmod,
        libc::SYS_fchmodat,
        libc::SYS_fchown,
        libc::SYS_fdatasync,
        libc::SYS_fsync,
        libc::SYS_ftruncate,
        libc::SYS_pwrite64,
        libc::SYS_renameat2,
        libc::SYS_sendfile,
        libc::SYS_splice,
        libc::SYS_unlinkat,
    ];
    /// To read and write at sockets.
    const SOCKET_CALLS: &[c_long] = &[
        libc::SYS_epoll_ctl,
        libc::SYS_epoll_pwait,
        libc::SYS_recvfrom,
        libc::SYS_sendto,
        libc::SYS_shutdown,
        libc::SYS_timerfd_settime,
    ];
    /// To connect by TCP.
    const CONNECT_CALLS: [(c_long, Rule); 2] = [
        (libc::SYS_socket, OneOf(0, &[libc::AF_INET as u32, libc::AF_INET6 as u32])),
        (libc::SYS_connect, Any),
    ];
    #[cfg(any(target_arch = "x86_64", target_arch = "s390x"))]
    const WAIT_CALLS: &[c_long] = &[libc::SYS_epoll_wait];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "s390x")))]
    const WAIT_CALLS: &[c_long] = &[];

    #[cfg(not(target_arch = "riscv64"))]
    const RENAME: &[c_long] = &[libc::SYS_renameat];
    #[cfg(target_arch = "riscv64")]
    const RENAME: &[c_long] = &[];

    /// Where a jump leads.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Target {
        /// The next instruction.
        Next,
        /// The instruction of this index.
        At(usize),
        /// The code of the rule of this index.
        Rule(usize),
        Allow,
        Deny,
        /// As if the kernel did not know the call.
        Unknown,
    }

    /// An instruction whose jumps are not resolved yet.
    struct Step {
        code: u32,
        k: u32,
        then: Target,
        otherwise: Target,
    }

    impl Step {
        fn load(offset: u32) -> Step {
            Step {
                code: BPF_LD | BPF_W | BPF_ABS,
                k: offset,
                then: Target::Next,
                otherwise: Target::Next,
            }
        }

        fn jump(condition: u32, k: u32, then: Target, otherwise: Target) -> Step {
            Step { code: BPF_JMP | condition | BPF_K, k, then, otherwise }
        }

        fn answer(k: u32) -> Step {
            Step { code: BPF_RET | BPF_K, k, then: Target::Next, otherwise: Target::Next }
        }
    }

    /// The program. It is short and looks for a number by bisection, since the kernel compiles it and tries
    /// each number once, which together take longer than all else.
    pub fn code(needs: Needs) -> Option<Vec<sock_filter>> {
        let mut rules: Vec<(c_long, Rule)> = vec![];
        for (number, argument) in OPEN {
            rules.push((*number, if needs.files { Any } else { Without(*argument, WRITING) }));
        }
        rules.extend(CALLS.iter().chain(OLDER_CALLS).copied());
        if needs.listens || needs.connects {
            rules.extend(SOCKET_CALLS.iter().chain(WAIT_CALLS).map(|number| (*number, Any)));
        }
        if needs.listens {
            rules.push((libc::SYS_accept4, Any));
        }
        if needs.connects {
            rules.extend(CONNECT_CALLS);
        }
        if needs.files {
            rules.extend(FILE_CALLS.iter().chain(RENAME).map(|number| (*number, Any)));
        }
        // The flags of clone3 are in memory. C libraries call clone then.
        rules.push((libc::SYS_clone3, NotThere));
        rules.sort_by_key(|(number, _)| *number);
        let mut code = vec![
            Step::load(ARCH),
            Step::jump(BPF_JEQ, MACHINE, Target::Next, Target::Deny),
            Step::load(NUMBER),
        ];
        bisect(&mut code, &ranges(&rules));
        let bodies: Vec<usize> = rules
            .iter()
            .map(|(_, rule)| {
                let start = code.len();
                body(&mut code, rule);
                start
            })
            .collect();
        let end = code.len();
        code.push(Step::answer(libc::SECCOMP_RET_ALLOW));
        for errno in [libc::EPERM, libc::ENOSYS] {
            code.push(Step::answer(libc::SECCOMP_RET_ERRNO | errno as u32));
        }
        let distance = |from: usize, target: Target| {
            let to = match target {
                Target::Next => from + 1,
                Target::At(index) => index,
                Target::Rule(index) => bodies[index],
                Target::Allow => end,
                Target::Deny => end + 1,
                Target::Unknown => end + 2,
            };
            u8::try_from(to.checked_sub(from + 1)?).ok()
        };
        let resolved = code.iter().enumerate().map(|(index, step)| {
            let (jt, jf) = (distance(index, step.then)?, distance(index, step.otherwise)?);
            Some(sock_filter { code: step.code as u16, jt, jf, k: step.k })
        });
        resolved.collect()
    }

    /// Where ranges of numbers begin that have one target.
    fn ranges(rules: &[(c_long, Rule)]) -> Vec<(u32, Target)> {
        let mut ranges = vec![(0, Target::Deny)];
        let mut add = |number: u32, target| match ranges.last_mut() {
            Some((start, last)) if *start == number => *last = target,
            Some((_, last)) if *last == target => {}
            _ => ranges.push((number, target)),
        };
        for (index, (number, rule)) in rules.iter().enumerate() {
            let target = match rule {
                Any => Target::Allow,
                NotThere => Target::Unknown,
                OneOf(..) | Without(..) => Target::Rule(index),
            };
            add(*number as u32, target);
            if rules.get(index + 1).is_none_or(|(next, _)| *next != number + 1) {
                add(*number as u32 + 1, Target::Deny);
            }
        }
        ranges
    }

    /// Looks for the range of a number; gives the first instruction, or the target if there is one range.
    fn bisect(code: &mut Vec<Step>, ranges: &[(u32, Target)]) -> Target {
        if let [(_, target)] = ranges {
            return *target;
        }
        let (lower, upper) = ranges.split_at(ranges.len() / 2);
        let node = code.len();
        code.push(Step::jump(BPF_JGE, upper[0].0, Target::Next, Target::Next));
        let below = bisect(code, lower);
        let from = bisect(code, upper);
        (code[node].then, code[node].otherwise) = (from, below);
        Target::At(node)
    }

    fn body(code: &mut Vec<Step>, rule: &Rule) {
        let lower = if cfg!(target_endian = "big") { 4 } else { 0 };
        let argument = |index: u32| Step::load(ARGUMENTS + 8 * index + lower);
        match rule {
            Any | NotThere => {}
            OneOf(index, numbers) => {
                code.push(argument(*index));
                for (left, number) in (0..numbers.len()).rev().zip(*numbers) {
                    let otherwise = if left == 0 { Target::Deny } else { Target::Next };
                    code.push(Step::jump(BPF_JEQ, *number, Target::Allow, otherwise));
                }
            }
            Without(index, bits) => {
                code.push(argument(*index));
                code.push(Step::jump(BPF_JSET, *bits, Target::Deny, Target::Allow));
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// What the program answers to a call.
        fn answer(code: &[sock_filter], machine: u32, number: u32, arguments: [u32; 6]) -> u32 {
            let (mut at, mut value) = (0, 0);
            loop {
                let sock_filter { code: op, jt, jf, k } = code[at];
                at += 1;
                let mut jump = |holds| at += usize::from(if holds { jt } else { jf });
                match u32::from(op) {
                    op if op == BPF_LD | BPF_W | BPF_ABS => {
                        value = match k {
                            ARCH => machine,
                            NUMBER => number,
                            argument => arguments[(argument as usize - 16) / 8],
                        }
                    }
                    op if op == BPF_JMP | BPF_JEQ | BPF_K => jump(value == k),
                    op if op == BPF_JMP | BPF_JGE | BPF_K => jump(value >= k),
                    op if op == BPF_JMP | BPF_JSET | BPF_K => jump(value & k != 0),
                    op if op == BPF_RET | BPF_K => return k,
                    op => panic!("{op:#x}"),
                }
            }
        }

        const DENIED: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
        const NOTHING: [u32; 6] = [0; 6];

        #[test]
        fn each_number_has_its_answer() {
            for bits in 0..8 {
                let [files, listens, connects] = [1, 2, 4].map(|bit| bits & bit != 0);
                let needs = Needs { files, listens, connects, ..Needs::default() };
                let code = code(needs).unwrap();
                assert!(code.len() < 240, "{}", code.len());
                let all = || CALLS.iter().chain(OLDER_CALLS);
                for number in 0..1000 {
                    let is = |listed: &c_long| *listed == c_long::from(number);
                    let rule = all().find(|(listed, _)| is(listed)).map(|(_, rule)| rule);
                    let opens = OPEN.iter().any(|(listed, _)| is(listed));
                    let writes = files && FILE_CALLS.iter().chain(RENAME).any(is);
                    let sockets = listens || connects;
                    let answers = sockets && SOCKET_CALLS.iter().chain(WAIT_CALLS).any(is)
                        || listens && is(&libc::SYS_accept4)
                        || connects && is(&libc::SYS_connect);
                    let expected = match rule {
                        Some(OneOf(..)) => DENIED,
                        Some(_) => libc::SECCOMP_RET_ALLOW,
                        None if opens || writes || answers => libc::SECCOMP_RET_ALLOW,
                        None if is(&libc::SYS_clone3) => {
                            libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32
                        }
                        None => DENIED,
                    };
                    assert_eq!(answer(&code, MACHINE, number, NOTHING), expected, "{number}");
                    assert_eq!(answer(&code, MACHINE + 1, number, NOTHING), DENIED);
                    // The numbers of x86's third form.
                    assert_eq!(answer(&code, MACHINE, number | 1 << 30, NOTHING), DENIED);
                }
            }
        }

        #[test]
        fn arguments_decide() {
            let [reads, writes] =
                [false, true].map(|files| code(Needs { files, ..Needs::default() }).unwrap());
            let with = |index: usize, value| {
                let mut arguments = NOTHING;
                arguments[index] = value;
                arguments
            };
            let bpf = |command: BpfCommand| {
                answer(&reads, MACHINE, libc::SYS_bpf as u32, with(0, command as u32))
            };
            assert_eq!(bpf(BpfCommand::MapLookupBatch), libc::SECCOMP_RET_ALLOW);
            assert_eq!(bpf(BpfCommand::ObjGetInfoByFd), libc::SECCOMP_RET_ALLOW);
            for command in [BpfCommand::ProgLoad, BpfCommand::MapCreate, BpfCommand::LinkCreate] {
                assert_eq!(bpf(command), DENIED, "{command:?}");
            }
            let made = with(2, (libc::O_WRONLY | libc::O_CREAT) as u32);
            assert_eq!(answer(&reads, MACHINE, libc::SYS_openat as u32, made), DENIED);
            let allowed = answer(&writes, MACHINE, libc::SYS_openat as u32, made);
            assert_eq!(allowed, libc::SECCOMP_RET_ALLOW);
            let user = with(CLONE_FLAGS as usize, libc::CLONE_NEWUSER as u32);
            assert_eq!(answer(&reads, MACHINE, libc::SYS_clone as u32, user), DENIED);
        }
    }
}

#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64",
    target_arch = "s390x"
)))]
mod filter {
    /// The numbers of system calls are not known here.
    pub fn code(_: super::Needs) -> Option<Vec<libc::sock_filter>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io;
    use std::thread;

    use super::*;

    /// Both hold for a thread alone, so that the other tests are not affected.
    fn confined<T: Send>(needs: Needs, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let confined = scope.spawn(|| {
                capabilities(needs).unwrap();
                system_calls(needs).unwrap();
                work()
            });
            confined.join().unwrap()
        })
    }

    fn forbidden<T>(result: io::Result<T>) -> bool {
        result.is_err_and(|error| error.raw_os_error() == Some(libc::EPERM))
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls of the kernel's")]
    fn what_is_left_can_read_and_neither_write_files_nor_start_programs() {
        let file = std::env::temp_dir().join(format!("rawbpf-confined-{}", std::process::id()));
        confined(Needs::default(), || {
            let status = fs::read_to_string("/proc/thread-self/status").unwrap();
            assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
            assert!(status.contains("CapPrm:\t0000000000000000"), "{status}");
            assert!(
                status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"),
                "{status}"
            );
            assert!(fs::read_dir("/proc/self/fd").is_ok());
            assert!(forbidden(File::create(&file)));
            assert!(forbidden(File::options().write(true).open("/dev/null")));
            assert!(forbidden(std::process::Command::new("true").spawn()));
            assert!(forbidden(std::net::UdpSocket::bind("127.0.0.1:0")));
            // SAFETY: an empty attr of no length.
            let load = unsafe { libc::syscall(libc::SYS_bpf, 5, std::ptr::null::<u8>(), 0) };
            assert!(load == -1 && forbidden(Err::<(), _>(io::Error::last_os_error())));
        });
        confined(Needs { files: true, ..Needs::default() }, || {
            fs::write(&file, "x").unwrap();
            assert!(forbidden(std::process::Command::new("true").spawn()));
        });
        fs::remove_file(&file).unwrap();
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls of the kernel's")]
    fn capabilities_that_are_needed_stay_if_they_were_held() {
        let held = || {
            let status = fs::read_to_string("/proc/thread-self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("CapEff:\t"));
            u64::from_str_radix(line.unwrap(), 16).unwrap()
        };
        let before = held();
        let needs = Needs { capabilities: 1 << 1 | 1 << 63, ..Needs::default() };
        assert_eq!(confined(needs, held), before & 1 << 1);
        assert_eq!(held(), before);
    }
}
