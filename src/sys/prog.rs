//! Programs: loads them, returns the log of a refusal, runs them once.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::Duration;

use super::attr::{self, ProgLoad, address, address_mut, length, object_name};
use super::call::{BpfCommand, bpf, bpf_fd, charged};
use super::log::with_log;
use super::{Errno, LoadError, LoadedBtf, Log, SysError, kernel_enum};

kernel_enum! {
    /// The type of a program, which decides on its context and its helpers.
    ProgramType {
        SocketFilter = 1 "socket_filter",
        Kprobe = 2 "kprobe",
        SchedCls = 3 "sched_cls",
        SchedAct = 4 "sched_act",
        Tracepoint = 5 "tracepoint",
        Xdp = 6 "xdp",
        PerfEvent = 7 "perf_event",
        CgroupSkb = 8 "cgroup_skb",
        CgroupSock = 9 "cgroup_sock",
        LwtIn = 10 "lwt_in",
        LwtOut = 11 "lwt_out",
        LwtXmit = 12 "lwt_xmit",
        SockOps = 13 "sock_ops",
        SkSkb = 14 "sk_skb",
        CgroupDevice = 15 "cgroup_device",
        SkMsg = 16 "sk_msg",
        RawTracepoint = 17 "raw_tracepoint",
        CgroupSockAddr = 18 "cgroup_sock_addr",
        LwtSeg6local = 19 "lwt_seg6local",
        LircMode2 = 20 "lirc_mode2",
        SkReuseport = 21 "sk_reuseport",
        FlowDissector = 22 "flow_dissector",
        CgroupSysctl = 23 "cgroup_sysctl",
        RawTracepointWritable = 24 "raw_tracepoint_writable",
        CgroupSockopt = 25 "cgroup_sockopt",
        Tracing = 26 "tracing",
        StructOps = 27 "struct_ops",
        Ext = 28 "ext",
        Lsm = 29 "lsm",
        SkLookup = 30 "sk_lookup",
        Syscall = 31 "syscall",
        Netfilter = 32 "netfilter",
    }
}

kernel_enum! {
    /// What a program will be attached to, as far as its type leaves that open.
    AttachType {
        CgroupInetIngress = 0 "cgroup_inet_ingress",
        CgroupInetEgress = 1 "cgroup_inet_egress",
        CgroupInetSockCreate = 2 "cgroup_inet_sock_create",
        CgroupSockOps = 3 "cgroup_sock_ops",
        SkSkbStreamParser = 4 "sk_skb_stream_parser",
        SkSkbStreamVerdict = 5 "sk_skb_stream_verdict",
        CgroupDevice = 6 "cgroup_device",
        SkMsgVerdict = 7 "sk_msg_verdict",
        CgroupInet4Bind = 8 "cgroup_inet4_bind",
        CgroupInet6Bind = 9 "cgroup_inet6_bind",
        CgroupInet4Connect = 10 "cgroup_inet4_connect",
        CgroupInet6Connect = 11 "cgroup_inet6_connect",
        CgroupInet4PostBind = 12 "cgroup_inet4_post_bind",
        CgroupInet6PostBind = 13 "cgroup_inet6_post_bind",
        CgroupUdp4Sendmsg = 14 "cgroup_udp4_sendmsg",
        CgroupUdp6Sendmsg = 15 "cgroup_udp6_sendmsg",
        LircMode2 = 16 "lirc_mode2",
        FlowDissector = 17 "flow_dissector",
        CgroupSysctl = 18 "cgroup_sysctl",
        CgroupUdp4Recvmsg = 19 "cgroup_udp4_recvmsg",
        CgroupUdp6Recvmsg = 20 "cgroup_udp6_recvmsg",
        CgroupGetsockopt = 21 "cgroup_getsockopt",
        CgroupSetsockopt = 22 "cgroup_setsockopt",
        TraceRawTp = 23 "trace_raw_tp",
        TraceFentry = 24 "trace_fentry",
        TraceFexit = 25 "trace_fexit",
        ModifyReturn = 26 "modify_return",
        LsmMac = 27 "lsm_mac",
        TraceIter = 28 "trace_iter",
        CgroupInet4Getpeername = 29 "cgroup_inet4_getpeername",
        CgroupInet6Getpeername = 30 "cgroup_inet6_getpeername",
        CgroupInet4Getsockname = 31 "cgroup_inet4_getsockname",
        CgroupInet6Getsockname = 32 "cgroup_inet6_getsockname",
        XdpDevmap = 33 "xdp_devmap",
        CgroupInetSockRelease = 34 "cgroup_inet_sock_release",
        XdpCpumap = 35 "xdp_cpumap",
        SkLookup = 36 "sk_lookup",
        Xdp = 37 "xdp",
        SkSkbVerdict = 38 "sk_skb_verdict",
        SkReuseportSelect = 39 "sk_reuseport_select",
        SkReuseportSelectOrMigrate = 40 "sk_reuseport_select_or_migrate",
        PerfEvent = 41 "perf_event",
        TraceKprobeMulti = 42 "trace_kprobe_multi",
        LsmCgroup = 43 "lsm_cgroup",
        StructOps = 44 "struct_ops",
        Netfilter = 45 "netfilter",
        TcxIngress = 46 "tcx_ingress",
        TcxEgress = 47 "tcx_egress",
        TraceUprobeMulti = 48 "trace_uprobe_multi",
        CgroupUnixConnect = 49 "cgroup_unix_connect",
        CgroupUnixSendmsg = 50 "cgroup_unix_sendmsg",
        CgroupUnixRecvmsg = 51 "cgroup_unix_recvmsg",
        CgroupUnixGetpeername = 52 "cgroup_unix_getpeername",
        CgroupUnixGetsockname = 53 "cgroup_unix_getsockname",
        NetkitPrimary = 54 "netkit_primary",
        NetkitPeer = 55 "netkit_peer",
        TraceKprobeSession = 56 "trace_kprobe_session",
        TraceUprobeSession = 57 "trace_uprobe_session",
        TraceFsession = 58 "trace_fsession",
    }
}

/// The licence to load programs with: GPL-only helpers such as probe_read_kernel accept it.
pub const LICENSE: &CStr = c"Dual MIT/GPL";

/// The parameters for loading a program.
///
/// ```no_run
/// # use rawbpf::sys::{Load, ProgramType, prog};
/// # let insns = &[];
/// let prog = prog::load(&Load { name: "bitehist", insns, ..Load::new(ProgramType::Kprobe) })?;
/// # Ok::<(), rawbpf::sys::LoadError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// Its type.
    pub program_type: ProgramType,
    /// How it will be attached, for the types that need this at load. For kprobes, loading with an attach
    /// type that the kernel does not know succeeds; only attaching fails.
    pub expected_attach_type: Option<AttachType>,
    /// Of a struct_ops program the index of the member that it is for, which the kernel takes in place of an
    /// attach type; else 0.
    pub member: u32,
    /// The BTF id of the function or tracepoint it will be attached to, 0 for none.
    pub attach_btf_id: u32,
    /// The module's BTF that `attach_btf_id` is from; `None` for the kernel's own. Requires Linux 5.11.
    pub attach_btf: Option<BorrowedFd<'a>>,
    /// The instructions, 8 bytes for each slot, in the host's byte order. Map references are descriptors, or
    /// indices into `fd_array`.
    pub insns: &'a [u8],
    /// The licence.
    pub license: &'a CStr,
    /// Its name as other tools show it: the first 15 bytes, anything but letters, digits, `_` and `.` as `_`.
    pub name: &'a str,
    /// Its function and line info; the kernel prints the lines in its log.
    pub btf: Option<LoadBtf<'a>>,
    /// The blob of `btf`, if the kernel has it already. The verdict may depend on it, so that the program is
    /// not loaded without it.
    pub types: Option<&'a LoadedBtf>,
    /// Maps and module BTF that instructions refer to by index. Requires Linux 5.14 unless empty.
    pub fd_array: &'a [BorrowedFd<'a>],
    /// The kernel's `BPF_F_*` flags, e.g. 16 for sleepable.
    pub flags: u32,
    /// The kernel's version as its headers encode it, which kprobes before Linux 5.0 need; else 0.
    pub kern_version: u32,
    /// The content of a refused program's log: 1 the path to the error, 2 every instruction's registers, 4
    /// only the error and statistics; or a sum of these. 0 for no log.
    pub log_level: u32,
}

impl Load<'_> {
    /// An empty program of a type, with [`LICENSE`] and log level 1.
    pub const fn new(program_type: ProgramType) -> Load<'static> {
        Load {
            program_type,
            expected_attach_type: None,
            member: 0,
            attach_btf_id: 0,
            attach_btf: None,
            insns: &[],
            license: LICENSE,
            name: "",
            btf: None,
            types: None,
            fd_array: &[],
            flags: 0,
            kern_version: 0,
            log_level: 1,
        }
    }
}

/// A program's BTF.
#[derive(Clone, Copy, Debug)]
pub struct LoadBtf<'a> {
    /// The BTF blob.
    pub blob: &'a [u8],
    /// `struct bpf_func_info` records, 8 bytes each; may be empty.
    pub func_info: &'a [u8],
    /// `struct bpf_line_info` records, 16 bytes each; may be empty.
    pub line_info: &'a [u8],
}

const FUNC_INFO: usize = 8;
const LINE_INFO: usize = 16;

/// How often a load is tried if the kernel interrupts it, as it does when a signal or other work for the
/// process is pending. In a busy process with many threads, that can happen ten times in a row.
const TRIES: u32 = 50;
/// The time that is left for such work.
const PAUSE: Duration = Duration::from_millis(1);

/// The log level of the reason and the statistics only.
const ERRORS_ONLY: u32 = 4;

/// The number of instructions after which the verifier gives up. Nobody reads a walk over a million, and the
/// kernel would need minutes to write it.
const GIVEN_UP: u32 = 1_000_000;
/// The number of instructions in a walk above which only the refused path is logged.
const LONG: u32 = 20_000;

/// A loaded program. It lives as long as this, or as long as it is attached.
#[derive(Debug)]
pub struct Prog {
    fd: OwnedFd,
    btf_refused: Option<Box<LoadError>>,
}

impl Prog {
    /// Opens a loaded program by its id.
    pub fn from_id(id: u32) -> Result<Prog, SysError> {
        Ok(Prog { fd: super::ids::open(super::ids::ObjectKind::Prog, id)?, btf_refused: None })
    }

    /// Why the kernel refused the program's BTF, if it did: the program was loaded without it, and its
    /// log has no source lines.
    pub fn btf_refused(&self) -> Option<&LoadError> {
        self.btf_refused.as_deref()
    }

    /// Runs the program on given data; see [`TestRun`]. ENOTSUPP (524) for types that cannot be run so, such
    /// as kprobes and tracepoints. ENOSPC if an output does not fit. Requires Linux 5.10 for raw
    /// tracepoints, else 4.12.
    ///
    /// # Panics
    /// When a length is 4 GiB or more.
    pub fn test_run(&self, run: TestRun<'_>) -> Result<TestResult, SysError> {
        let mut ctx = run.ctx_in.to_vec();
        let mut ctx_out = vec![0; run.ctx_out_len];
        let mut attr = attr::TestRun {
            prog_fd: self.fd.as_raw_fd() as u32,
            data_size_in: length(run.data_in.len()),
            data_size_out: length(run.data_out.len()),
            data_in: address(run.data_in),
            data_out: address_mut(run.data_out),
            repeat: run.repeat,
            ctx_size_in: length(ctx.len()),
            ctx_size_out: length(ctx_out.len()),
            ctx_in: address_mut(&mut ctx),
            ctx_out: address_mut(&mut ctx_out),
            flags: run.flags,
            cpu: run.cpu,
            ..attr::TestRun::default()
        };
        // SAFETY: the four buffers have the lengths that are given. Three of them the kernel may write:
        // the two outputs and, of a syscall program, the context where it came from; these nobody else
        // can reach. An empty output must have no address, since the kernel takes a length of 0 for
        // "long enough": `address_mut` sees to that.
        unsafe { bpf(BpfCommand::ProgTestRun, &mut attr) }?;
        if !ctx_out.is_empty() {
            ctx_out.truncate(attr.ctx_size_out as usize);
            ctx = ctx_out;
        }
        Ok(TestResult {
            retval: attr.retval,
            duration_ns: attr.duration,
            data_len: attr.data_size_out,
            ctx_out: ctx,
        })
    }
}

impl AsFd for Prog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The input of a test run.
#[derive(Debug, Default)]
pub struct TestRun<'a> {
    /// The packet, for types that see one: at least 14 bytes.
    pub data_in: &'a [u8],
    /// The buffer for the packet afterwards; may be empty.
    pub data_out: &'a mut [u8],
    /// The context: a raw tracepoint's arguments, 8 bytes each; at most 65535 bytes of a syscall
    /// program's own.
    pub ctx_in: &'a [u8],
    /// Bytes that the context may have afterwards, for kinds that see a packet: 0 not to ask for it.
    pub ctx_out_len: usize,
    /// How often; 0 is once. Not for raw tracepoints.
    pub repeat: u32,
    /// The kernel's `BPF_F_TEST_*` flags: 1 to run on `cpu`.
    pub flags: u32,
    /// The CPU to run on.
    pub cpu: u32,
}

/// The result of a test run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// The value that the program returned.
    pub retval: u32,
    /// Nanoseconds per run, the mean over all repetitions.
    pub duration_ns: u32,
    /// Bytes of the packet afterwards.
    pub data_len: u32,
    /// The context afterwards: as a syscall program left it, or what [`TestRun::ctx_out_len`] asked for;
    /// else as it was given.
    pub ctx_out: Vec<u8>,
}

/// Loads a program: silently, and again with a log if it is refused. If the verifier walked over many
/// instructions, the log has only the path to the refusal; if it gave up, or the log would not fit, only the
/// reason.
///
/// The program's BTF is not essential: if only it is refused, the program is loaded without it
/// ([`Prog::btf_refused`] has the reason).
///
/// # Panics
/// When the instructions or the BTF's records are not whole, or a length is 4 GiB or more.
pub fn load(load: &Load<'_>) -> Result<Prog, LoadError> {
    let (own, refused) = load_btf(load);
    let btf = load.types.or(own.as_ref());
    let error = match attempt(load, btf, &mut [], 0).0 {
        Ok(fd) => {
            return Ok(Prog { fd, btf_refused: refused });
        }
        Err(error) => error,
    };
    // The silent load's errno counts: a log that does not fit gives ENOSPC, whatever the verdict.
    let (loaded, reason) = with_log(|buffer| attempt(load, btf, buffer, ERRORS_ONLY));
    match loaded {
        Ok(fd) => Ok(Prog { fd, btf_refused: refused }),
        Err(_) => with_reason(load, btf, refused, error, reason),
    }
}

/// What is known of a refused load whose `reason` is known, with the log that its instructions allow. It may
/// be accepted after all, without its BTF.
fn with_reason(
    load: &Load<'_>,
    btf: Option<&LoadedBtf>,
    btf_refused: Option<Box<LoadError>>,
    error: SysError,
    reason: Log,
) -> Result<Prog, LoadError> {
    let log = match reason.walked() {
        GIVEN_UP.. => reason,
        walked => {
            let level = if walked > LONG { load.log_level.min(1) } else { load.log_level };
            let (loaded, log) = with_log(|buffer| attempt(load, btf, buffer, level));
            if let Ok(fd) = loaded {
                return Ok(Prog { fd, btf_refused });
            }
            // Before Linux 6.4 the end is cut off, and the reason with it.
            if log.truncated && !log.has_end() { reason } else { log }
        }
    };
    let error = LoadError {
        call: error.call,
        errno: error.errno,
        log: log.text,
        log_truncated: log.truncated,
    };
    // Wrong line info is EINVAL, as most things are.
    if btf.is_some()
        && load.types.is_none()
        && error.errno == Errno::EINVAL
        && let Ok(fd) = attempt(load, None, &mut [], 0).0
    {
        return Ok(Prog { fd, btf_refused: Some(Box::new(error)) });
    }
    Err(error)
}

/// Loads a program as [`load`] does, discards it, and returns the verifier's log of it: all paths, and
/// the statistics after them; or only the statistics, and `true`, if the verifier walked over more than
/// 20000 instructions.
///
/// # Errors
/// As [`load`].
///
/// # Panics
/// As [`load`].
pub fn verify(load: &Load<'_>) -> Result<(String, bool), LoadError> {
    let (own, refused) = load_btf(load);
    let mut btf = load.types.or(own.as_ref());
    // A walk over a million instructions takes a minute: the first load gives the verdict and the statistics.
    let (loaded, mut statistics) = with_log(|buffer| attempt(load, btf, buffer, ERRORS_ONLY));
    if let Err(mut error) = loaded {
        if statistics.truncated
            && let Err(silent) = attempt(load, btf, &mut [], 0).0
        {
            error = silent;
        }
        let loaded = with_reason(load, btf, refused, error, statistics)?;
        btf = btf.filter(|_| loaded.btf_refused().is_none());
        statistics = with_log(|buffer| attempt(load, btf, buffer, ERRORS_ONLY)).1;
    }
    if statistics.walked() > LONG {
        return Ok((statistics.text, true));
    }
    // The time in this log includes writing it; the verifier's own time is in the other log.
    let (_, walk) = with_log(|buffer| attempt(load, btf, buffer, 2));
    Ok((walk.text + &statistics.text, false))
}

/// Loads a program with a log at `level` from the start, which an accepted program has too. The errno is
/// ENOSPC, whatever the verdict, if the log is truncated; EINVAL for level 0.
///
/// # Panics
/// As [`load`].
pub fn load_with_log(load: &Load<'_>, level: u32) -> (Result<Prog, SysError>, Log) {
    let (own, btf_refused) = load_btf(load);
    let btf = load.types.or(own.as_ref());
    let (result, log) = with_log(|buffer| attempt(load, btf, buffer, level));
    (result.map(|fd| Prog { fd, btf_refused }), log)
}

fn load_btf(load: &Load<'_>) -> (Option<LoadedBtf>, Option<Box<LoadError>>) {
    match load.btf.filter(|_| load.types.is_none()).map(|btf| LoadedBtf::load(btf.blob)) {
        None => (None, None),
        Some(Ok(btf)) => (Some(btf), None),
        Some(Err(error)) => (None, Some(Box::new(error))),
    }
}

/// Loads once, and also returns the size that the log needs. A buffer with level 0 gives EINVAL, and so does
/// a level without a buffer.
fn attempt(
    load: &Load<'_>,
    btf: Option<&LoadedBtf>,
    log: &mut [u8],
    level: u32,
) -> (Result<OwnedFd, SysError>, u32) {
    assert_eq!(load.insns.len() % 8, 0, "an instruction is 8 bytes");
    let mut attr = ProgLoad {
        prog_type: load.program_type as u32,
        insn_cnt: length(load.insns.len() / 8),
        insns: address(load.insns),
        license: load.license.as_ptr() as u64,
        log_level: level,
        log_size: length(log.len()),
        log_buf: address_mut(log),
        kern_version: load.kern_version,
        prog_flags: load.flags,
        prog_name: object_name(load.name),
        expected_attach_type: load.expected_attach_type.map_or(load.member, |attach| attach as u32),
        attach_btf_id: load.attach_btf_id,
        attach_btf_obj_fd: load.attach_btf.map_or(0, |fd| fd.as_raw_fd() as u32),
        fd_array: address(load.fd_array),
        ..ProgLoad::default()
    };
    if let (Some(btf), Some(info)) = (btf, &load.btf) {
        assert_eq!(
            (info.func_info.len() % FUNC_INFO, info.line_info.len() % LINE_INFO),
            (0, 0),
            "whole records"
        );
        attr.prog_btf_fd = btf.as_fd().as_raw_fd() as u32;
        attr.func_info_rec_size = length(FUNC_INFO);
        attr.func_info = address(info.func_info);
        attr.func_info_cnt = length(info.func_info.len() / FUNC_INFO);
        attr.line_info_rec_size = length(LINE_INFO);
        attr.line_info = address(info.line_info);
        attr.line_info_cnt = length(info.line_info.len() / LINE_INFO);
    }
    let mut tries = 1;
    loop {
        // SAFETY: every buffer has the length that is given, the licence ends in a zero, and `BorrowedFd`
        // is laid out as the int that the kernel reads. Beyond the last of these it reads too where an
        // instruction says so, but takes what it finds for a descriptor as any other, and writes nothing.
        // The command returns a new descriptor.
        let result = charged(|| unsafe { bpf_fd(BpfCommand::ProgLoad, &mut attr) });
        match result {
            Err(error) if error.errno == Errno::EAGAIN && tries < TRIES => {
                tries += 1;
                thread::sleep(PAUSE);
            }
            result => return (result, attr.log_true_size),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::super::call::{Call, hook};
    use super::*;

    const LOG_LEVEL: usize = 24;
    const LOG_SIZE: usize = 28;
    const LOG_BUF: usize = 32;
    const BTF_FD: usize = 72;
    const LINE_INFO_CNT: usize = 104;
    const LOG_TRUE_SIZE: usize = 140;

    /// `r0 = 0; exit`
    const INSNS: &[u8] = &[0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];

    const LOAD: Load<'static> = Load { insns: INSNS, ..Load::new(ProgramType::SocketFilter) };

    /// Command, log level and log size of each call.
    type Calls = Rc<RefCell<Vec<(BpfCommand, u32, u32)>>>;

    /// Answers loads with `kernel`, given the attr, and records them.
    fn answer(
        mut kernel: impl FnMut(BpfCommand, &mut [u8]) -> Result<i64, Errno> + 'static,
    ) -> (hook::Installed, Calls) {
        let calls = Rc::new(RefCell::new(vec![]));
        let seen = calls.clone();
        let installed = hook::install(move |call| match call {
            Call::Bpf { command, attr } => {
                let log =
                    if *command == BpfCommand::BtfLoad { (24, 20) } else { (LOG_LEVEL, LOG_SIZE) };
                seen.borrow_mut().push((
                    *command,
                    hook::u32_at(attr, log.0),
                    hook::u32_at(attr, log.1),
                ));
                Some(kernel(*command, attr))
            }
            other => panic!("{other:?}"),
        });
        (installed, calls)
    }

    fn write_log(attr: &mut [u8], text: &[u8]) {
        let size = hook::u32_at(attr, LOG_SIZE) as usize;
        if size > 0 {
            let buffer = hook::memory(attr, LOG_BUF, size);
            let length = text.len().min(size - 1);
            buffer[..length].copy_from_slice(&text[..length]);
        }
    }

    #[test]
    fn an_accepted_program_costs_one_silent_load() {
        let (_hook, calls) = answer(|_, attr| {
            assert_eq!(&attr[LOG_BUF..LOG_BUF + 8], [0; 8], "a buffer with level 0 is EINVAL");
            Ok(hook::fd())
        });
        load(&LOAD).unwrap();
        assert_eq!(*calls.borrow(), [(BpfCommand::ProgLoad, 0, 0)]);
    }

    #[test]
    fn a_refused_program_is_loaded_again_with_a_log() {
        let (_hook, calls) = answer(|_, attr| {
            write_log(attr, b"R0 !read_ok \xff\n");
            Err(Errno::EACCES)
        });
        let error = load(&LOAD).unwrap_err();
        assert_eq!((error.call, error.errno), ("bpf(BPF_PROG_LOAD)", Errno::EACCES));
        assert_eq!((error.log.as_str(), error.log_truncated), ("R0 !read_ok \u{fffd}\n", false));
        let levels: Vec<_> = calls.borrow().iter().map(|call| (call.1, call.2)).collect();
        assert_eq!(levels, [(0, 0), (4, 65536), (1, 65536)]);
    }

    #[test]
    fn a_log_that_is_too_long_grows_to_the_cap_and_hides_no_errno() {
        let (_hook, calls) = answer(|_, attr| {
            let mut tail = vec![b'x'; Log::MAX - 14];
            tail.extend(b"\nprocessed 999");
            write_log(attr, &tail[..Log::MAX - 1]);
            Err(if hook::u32_at(attr, LOG_SIZE) == 0 { Errno::EINVAL } else { Errno::ENOSPC })
        });
        let error = load(&LOAD).unwrap_err();
        assert_eq!(
            (error.errno, error.log_truncated, error.log.len()),
            (Errno::EINVAL, true, Log::MAX - 1)
        );
        let calls = calls.borrow();
        let sizes: Vec<u32> = calls.iter().filter(|call| call.1 != 4).map(|call| call.2).collect();
        assert_eq!(
            sizes,
            [
                0,
                1 << 16,
                1 << 17,
                1 << 18,
                1 << 19,
                1 << 20,
                1 << 21,
                1 << 22,
                1 << 23,
                (1 << 24) - 1
            ]
        );
    }

    #[test]
    fn where_the_end_does_not_fit_there_is_the_reason_alone() {
        let (_hook, _) = answer(|_, attr| {
            if hook::u32_at(attr, LOG_LEVEL) == ERRORS_ONLY {
                write_log(attr, b"R0 !read_ok\nprocessed 9 insns (limit 1000000)\n");
                return Err(Errno::EACCES);
            }
            write_log(attr, &vec![b'x'; Log::MAX]);
            Err(if hook::u32_at(attr, LOG_SIZE) == 0 { Errno::EACCES } else { Errno::ENOSPC })
        });
        let error = load(&Load { log_level: 2, ..LOAD }).unwrap_err();
        assert_eq!((error.errno, error.log_truncated), (Errno::EACCES, false));
        assert!(error.log.starts_with("R0 !read_ok"), "{}", error.log);
    }

    #[test]
    fn a_long_walk_is_not_written_down() {
        for (walked, levels) in
            [(20_000, vec![0, 4, 2]), (20_001, vec![0, 4, 1]), (1_000_001, vec![0, 4])]
        {
            let (_hook, calls) = answer(move |_, attr| {
                write_log(attr, format!("no\nprocessed {walked} insns (limit)\n").as_bytes());
                Err(Errno::E2BIG)
            });
            load(&Load { log_level: 2, ..LOAD }).unwrap_err();
            assert_eq!(calls.borrow().iter().map(|call| call.1).collect::<Vec<_>>(), levels);
        }
    }

    #[test]
    fn what_is_verified_is_loaded_once_if_its_walk_is_long() {
        for (walked, accepted, levels) in [
            (20_000, true, vec![4, 2]),
            (20_001, true, vec![4]),
            (1_000_000, true, vec![4]),
            (20_000, false, vec![4, 2]),
            (20_001, false, vec![4, 1]),
            (1_000_001, false, vec![4]),
        ] {
            let (_hook, calls) = answer(move |_, attr| {
                write_log(attr, format!("no\nprocessed {walked} insns (limit)\n").as_bytes());
                if accepted { Ok(hook::fd()) } else { Err(Errno::E2BIG) }
            });
            let verdict = verify(&Load { log_level: 2, ..LOAD });
            assert_eq!(verdict.is_ok(), accepted);
            assert_eq!(calls.borrow().iter().map(|call| call.1).collect::<Vec<_>>(), levels);
        }
    }

    #[test]
    fn a_kernel_that_names_the_size_of_its_log_is_asked_once_more() {
        let (_hook, calls) = answer(|_, attr| {
            hook::put_u32(attr, LOG_TRUE_SIZE, 300_000);
            Err(if matches!(hook::u32_at(attr, LOG_SIZE), 1..300_000) {
                Errno::ENOSPC
            } else {
                Errno::EINVAL
            })
        });
        assert!(!load(&LOAD).unwrap_err().log_truncated);
        let calls = calls.borrow();
        let sizes: Vec<u32> = calls.iter().filter(|call| call.1 != 4).map(|call| call.2).collect();
        assert_eq!(sizes, [0, 65536, 300_000]);
    }

    #[test]
    fn an_absurd_log_size_is_held_to_the_cap() {
        let (_hook, calls) = answer(|_, attr| {
            hook::put_u32(attr, LOG_TRUE_SIZE, u32::MAX);
            write_log(attr, b"processed 9");
            Err(Errno::ENOSPC)
        });
        assert!(load(&LOAD).unwrap_err().log_truncated);
        assert_eq!(calls.borrow().last().unwrap().2 as usize, Log::MAX);
        assert_eq!(calls.borrow().iter().filter(|call| call.1 == 1).count(), 2);
    }

    #[test]
    fn an_interrupted_load_is_tried_again() {
        let (_hook, calls) = answer(|_, _| Err(Errno::EAGAIN));
        assert_eq!(load(&LOAD).unwrap_err().errno, Errno::EAGAIN);
        assert_eq!(calls.borrow().iter().filter(|call| call.1 == 0).count(), TRIES as usize);
        assert_eq!(calls.borrow().len(), 3 * TRIES as usize);

        let mut left = 4;
        let (_hook, calls) = answer(move |_, _| {
            left -= 1;
            if left >= 0 { Err(Errno::EAGAIN) } else { Ok(hook::fd()) }
        });
        load(&LOAD).unwrap();
        assert_eq!(calls.borrow().len(), 5);
    }

    const WITH_BTF: Load<'static> = Load {
        btf: Some(LoadBtf { blob: &[1, 2, 3], func_info: &[0; 8], line_info: &[0; 32] }),
        ..LOAD
    };

    #[test]
    fn line_info_goes_with_its_btf() {
        let (_hook, _) = answer(|command, attr| {
            if command == BpfCommand::ProgLoad {
                assert!(hook::u32_at(attr, BTF_FD) >= 3);
                assert_eq!(hook::u32_at(attr, LINE_INFO_CNT), 2);
            }
            Ok(hook::fd())
        });
        assert!(load(&WITH_BTF).unwrap().btf_refused().is_none());
    }

    #[test]
    fn a_program_whose_btf_is_refused_is_loaded_without() {
        let (_hook, calls) = answer(|command, attr| match command {
            BpfCommand::BtfLoad => Err(Errno::EINVAL),
            _ => {
                assert_eq!((hook::u32_at(attr, BTF_FD), hook::u32_at(attr, LINE_INFO_CNT)), (0, 0));
                Ok(hook::fd())
            }
        });
        let prog = load(&WITH_BTF).unwrap();
        assert_eq!(prog.btf_refused().unwrap().call, "bpf(BPF_BTF_LOAD)");
        assert_eq!(
            *calls.borrow(),
            [
                (BpfCommand::BtfLoad, 0, 0),
                (BpfCommand::BtfLoad, 1, 65536),
                (BpfCommand::ProgLoad, 0, 0)
            ]
        );
    }

    #[test]
    fn a_program_whose_line_info_is_refused_is_loaded_without() {
        let (_hook, _) = answer(|command, attr| {
            let with_btf = command == BpfCommand::ProgLoad && hook::u32_at(attr, BTF_FD) != 0;
            if with_btf {
                write_log(attr, b"line_info[1].insn_off");
                Err(Errno::EINVAL)
            } else {
                Ok(hook::fd())
            }
        });
        let prog = load(&WITH_BTF).unwrap();
        assert_eq!(prog.btf_refused().unwrap().log, "line_info[1].insn_off");
    }

    #[test]
    fn an_accepted_program_gives_its_log_at_the_level_asked_for() {
        let (_hook, calls) = answer(|_, attr| {
            write_log(attr, b"processed 2 insns");
            Ok(hook::fd())
        });
        let (prog, log) = load_with_log(&LOAD, 4);
        prog.unwrap();
        assert_eq!(log, Log { text: "processed 2 insns".into(), truncated: false });
        assert_eq!(*calls.borrow(), [(BpfCommand::ProgLoad, 4, 65536)]);
    }

    #[test]
    fn an_empty_output_of_a_test_run_has_no_address() {
        let (_hook, _) = answer(|command, attr| match command {
            BpfCommand::ProgTestRun => {
                assert_eq!((&attr[24..32], &attr[56..64]), (&[0; 8][..], &[0; 8][..]));
                hook::put_u32(attr, 4, 42);
                Ok(0)
            }
            _ => Ok(hook::fd()),
        });
        let result =
            load(&LOAD).unwrap().test_run(TestRun { data_in: &[0; 14], ..TestRun::default() });
        assert_eq!(result.unwrap().retval, 42);
    }

    #[test]
    #[should_panic(expected = "an instruction is 8 bytes")]
    fn half_an_instruction_is_refused() {
        let (_hook, _) = answer(|_, _| Ok(hook::fd()));
        let _ = load(&Load { insns: &INSNS[..12], ..LOAD });
    }
}
