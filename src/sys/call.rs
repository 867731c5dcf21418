//! The system calls: the only interface between this program and the kernel.
//!
//! Every system call of this room that matters is a [`Call`] and goes through [`call`], so that a test
//! can answer in the kernel's place, and error paths can be tested without root.

use std::ffi::c_int;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::resource::{Resource, rlim_t, setrlimit};

use super::attr::{Attr, PerfEventAttr};
use super::{Errno, SysError};

macro_rules! commands {
    ($($variant:ident = $number:literal $name:literal,)*) => {
        /// A command of `bpf(2)`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(i32)]
        pub(crate) enum BpfCommand { $($variant = $number,)* }

        impl BpfCommand {
            /// The call's name in errors.
            pub(crate) const fn call(self) -> &'static str {
                match self { $(Self::$variant => concat!("bpf(BPF_", $name, ")"),)* }
            }

            /// The command of a call's name.
            pub(crate) fn of(call: &str) -> Option<BpfCommand> {
                [$(Self::$variant),*].into_iter().find(|command| command.call() == call)
            }
        }
    };
}

commands! {
    MapCreate = 0 "MAP_CREATE",
    MapLookupElem = 1 "MAP_LOOKUP_ELEM",
    MapUpdateElem = 2 "MAP_UPDATE_ELEM",
    MapDeleteElem = 3 "MAP_DELETE_ELEM",
    MapGetNextKey = 4 "MAP_GET_NEXT_KEY",
    ProgLoad = 5 "PROG_LOAD",
    ObjGet = 7 "OBJ_GET",
    ProgTestRun = 10 "PROG_TEST_RUN",
    ProgGetNextId = 11 "PROG_GET_NEXT_ID",
    MapGetNextId = 12 "MAP_GET_NEXT_ID",
    ProgGetFdById = 13 "PROG_GET_FD_BY_ID",
    MapGetFdById = 14 "MAP_GET_FD_BY_ID",
    ObjGetInfoByFd = 15 "OBJ_GET_INFO_BY_FD",
    RawTracepointOpen = 17 "RAW_TRACEPOINT_OPEN",
    BtfLoad = 18 "BTF_LOAD",
    BtfGetFdById = 19 "BTF_GET_FD_BY_ID",
    MapLookupAndDeleteElem = 21 "MAP_LOOKUP_AND_DELETE_ELEM",
    MapFreeze = 22 "MAP_FREEZE",
    BtfGetNextId = 23 "BTF_GET_NEXT_ID",
    MapLookupBatch = 24 "MAP_LOOKUP_BATCH",
    MapLookupAndDeleteBatch = 25 "MAP_LOOKUP_AND_DELETE_BATCH",
    MapUpdateBatch = 26 "MAP_UPDATE_BATCH",
    MapDeleteBatch = 27 "MAP_DELETE_BATCH",
    LinkCreate = 28 "LINK_CREATE",
    LinkGetFdById = 30 "LINK_GET_FD_BY_ID",
    LinkGetNextId = 31 "LINK_GET_NEXT_ID",
    EnableStats = 32 "ENABLE_STATS",
}

/// No memory.
const NOTHING: *const u8 = std::ptr::null();

/// Of `linux/perf_event.h`; libc does not have it.
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;

/// A system call that seccomp filters often forbid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SystemCall {
    /// `bpf(2)`.
    Bpf,
    /// `perf_event_open(2)`.
    PerfEventOpen,
}

impl SystemCall {
    /// The call that failed, if it is one of these.
    pub fn of(error: &SysError) -> Option<SystemCall> {
        match error.call {
            call if call.starts_with("bpf(") => Some(SystemCall::Bpf),
            call if call.starts_with("perf_event_open(") => Some(SystemCall::PerfEventOpen),
            _ => None,
        }
    }

    /// As manuals name it: `bpf(2)`.
    pub fn name(self) -> &'static str {
        match self {
            SystemCall::Bpf => "bpf(2)",
            SystemCall::PerfEventOpen => "perf_event_open(2)",
        }
    }
}

/// A request to the kernel.
#[derive(Debug)]
pub(crate) enum Call<'a> {
    /// `bpf(2)`; the kernel may write its answer into the attr.
    Bpf { command: BpfCommand, attr: &'a mut [u8] },
    /// `perf_event_open(2)`, without a group, close-on-exec.
    PerfEventOpen { attr: &'a mut [u8], pid: i32, cpu: i32 },
    /// `ioctl(PERF_EVENT_IOC_SET_BPF)`: runs the program at each event from now on.
    PerfSetBpf { event: BorrowedFd<'a>, program: BorrowedFd<'a> },
    /// `ioctl(PERF_EVENT_IOC_ENABLE)`.
    PerfEnable { event: BorrowedFd<'a> },
    /// The call with arguments that make no sense: attributes of 2 GiB at no address, flags of all
    /// ones. The kernel looks at these before anything else.
    Nonsense(SystemCall),
    /// `perf_event_open(2)` without attributes.
    EmptyPerfEvent,
    /// `setrlimit(RLIMIT_MEMLOCK)` to no limit.
    RaiseMemlock,
    /// `fcntl(F_DUPFD_CLOEXEC)` to 3 or above, then `close(2)` of the old descriptor.
    MoveFd(RawFd),
}

/// Makes the call.
///
/// # Safety
/// Each address inside an attr is valid for what the kernel reads from or writes to it, and each
/// descriptor is open.
unsafe fn call(call: Call<'_>) -> Result<i64, Errno> {
    #[cfg(test)]
    let mut call = call;
    #[cfg(test)]
    if let Some(answer) = hook::answer(&mut call) {
        return answer;
    }
    match call {
        Call::Bpf { command, attr } => {
            // SAFETY: the attr is as long as we say, and the addresses in it are the caller's promise.
            let answer = unsafe {
                libc::syscall(libc::SYS_bpf, command as c_int, attr.as_mut_ptr(), attr.len())
            };
            answered(answer)
        }
        Call::PerfEventOpen { attr, pid, cpu } => {
            let (group, flags) = (-1 as c_int, PERF_FLAG_FD_CLOEXEC);
            // SAFETY: as for bpf(2); the attr carries its own length.
            let answer = unsafe {
                libc::syscall(libc::SYS_perf_event_open, attr.as_mut_ptr(), pid, cpu, group, flags)
            };
            answered(answer)
        }
        Call::PerfSetBpf { event, program } => {
            // SAFETY: takes two descriptors, both borrowed, and no memory.
            let answer = unsafe { ioctl::set_bpf(event.as_raw_fd(), program.as_raw_fd() as _) };
            answered(answer.unwrap_or(-1))
        }
        Call::PerfEnable { event } => {
            // SAFETY: takes one borrowed descriptor and no memory.
            let answer = unsafe { ioctl::enable(event.as_raw_fd()) };
            answered(answer.unwrap_or(-1))
        }
        Call::Nonsense(SystemCall::Bpf) => {
            // SAFETY: there is no memory that it could read or write.
            answered(unsafe { libc::syscall(libc::SYS_bpf, -1, NOTHING, 1u32 << 31) })
        }
        Call::Nonsense(SystemCall::PerfEventOpen) => {
            let flags = libc::c_ulong::MAX;
            // SAFETY: the same.
            answered(unsafe { libc::syscall(libc::SYS_perf_event_open, NOTHING, 0, -1, -1, flags) })
        }
        Call::EmptyPerfEvent => {
            let flags = PERF_FLAG_FD_CLOEXEC;
            // SAFETY: the same.
            answered(unsafe { libc::syscall(libc::SYS_perf_event_open, NOTHING, 0, -1, -1, flags) })
        }
        Call::RaiseMemlock => {
            let answer = setrlimit(Resource::RLIMIT_MEMLOCK, rlim_t::MAX, rlim_t::MAX);
            answered(if answer.is_ok() { 0 } else { -1 })
        }
        Call::MoveFd(low) => {
            // SAFETY: `low` is open and nobody else's (the caller's promise), so it is ours to close.
            let low = unsafe { OwnedFd::from_raw_fd(low) };
            // SAFETY: duplicates a descriptor we own; no memory is involved.
            let answer = unsafe { libc::fcntl(low.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) };
            answered(answer)
        }
    }
}

mod ioctl {
    //! `_IO('$', 0)` and `_IOW('$', 8, u32)`, whose numbers differ between architectures.
    nix::ioctl_none!(enable, b'$', 0);
    nix::ioctl_write_int!(set_bpf, b'$', 8);
}

/// What a call returned, or the errno it left. Not nix's: for it 524 is 0.
fn answered(answer: impl Into<i64>) -> Result<i64, Errno> {
    match answer.into() {
        error if error < 0 => Err(Errno::from(&std::io::Error::last_os_error())),
        answer => Ok(answer),
    }
}

/// A new descriptor, moved away from the numbers of stdin, stdout and stderr.
///
/// If we are started with stdin closed, a map could otherwise get descriptor 0, which means "none" in most
/// fields of `bpf_attr`.
///
/// # Safety
/// `answer` is a new descriptor.
unsafe fn owned(answer: i64) -> Result<OwnedFd, Errno> {
    let mut raw = RawFd::try_from(answer).map_err(|_| Errno::EBADF)?;
    if raw < 3 {
        // SAFETY: it is new (the caller's promise), hence open and ours.
        raw = RawFd::try_from(unsafe { call(Call::MoveFd(raw)) }?).map_err(|_| Errno::EBADF)?;
    }
    // SAFETY: new, and owned by nobody yet.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// `bpf(2)` for a command that returns no descriptor.
///
/// # Safety
/// Each address in `attr` is valid for what `command` reads from or writes to it.
pub(crate) unsafe fn bpf<A: Attr>(command: BpfCommand, attr: &mut A) -> Result<(), SysError> {
    // SAFETY: the caller's promise.
    let answer = unsafe { call(Call::Bpf { command, attr: attr.bytes_mut() }) };
    answer.map(drop).map_err(|errno| SysError { call: command.call(), errno })
}

/// `bpf(2)` for a command that returns a new descriptor.
///
/// # Safety
/// As for [`bpf`], and `command` is one that returns a descriptor.
pub(crate) unsafe fn bpf_fd<A: Attr>(
    command: BpfCommand,
    attr: &mut A,
) -> Result<OwnedFd, SysError> {
    // SAFETY: the caller's promises.
    let fd = unsafe {
        call(Call::Bpf { command, attr: attr.bytes_mut() }).and_then(|answer| owned(answer))
    };
    fd.map_err(|errno| SysError { call: command.call(), errno })
}

/// `perf_event_open(2)`.
///
/// # Safety
/// `config1` and `config2` are valid for the event type: a string's address where it reads a string.
pub(crate) unsafe fn perf_event_open(
    attr: &mut PerfEventAttr,
    pid: i32,
    cpu: i32,
) -> Result<OwnedFd, SysError> {
    // SAFETY: the caller's promise; the call returns a new descriptor.
    let fd = unsafe {
        call(Call::PerfEventOpen { attr: attr.bytes_mut(), pid, cpu })
            .and_then(|answer| owned(answer))
    };
    fd.map_err(|errno| SysError { call: "perf_event_open()", errno })
}

/// Runs `program` at each hit of `event`.
pub(crate) fn perf_set_bpf(event: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), SysError> {
    // SAFETY: borrowed descriptors are open, and no memory is involved.
    let answer = unsafe { call(Call::PerfSetBpf { event, program }) };
    answer.map(drop).map_err(|errno| SysError { call: "ioctl(PERF_EVENT_IOC_SET_BPF)", errno })
}

/// Lets `event` count.
pub(crate) fn perf_enable(event: BorrowedFd<'_>) -> Result<(), SysError> {
    // SAFETY: a borrowed descriptor is open, and no memory is involved.
    let answer = unsafe { call(Call::PerfEnable { event }) };
    answer.map(drop).map_err(|errno| SysError { call: "ioctl(PERF_EVENT_IOC_ENABLE)", errno })
}

/// What the kernel answers to a call whose arguments make no sense.
pub(crate) fn nonsense(system_call: SystemCall) -> Result<i64, Errno> {
    // SAFETY: no memory and no descriptor is involved.
    unsafe { call(Call::Nonsense(system_call)) }
}

/// What the kernel answers to a command of `bpf(2)` that asks for nothing.
pub(crate) fn empty_bpf(command: BpfCommand) -> Result<i64, Errno> {
    let mut attr = [0; 128];
    // SAFETY: no address is in it. Descriptor 0, which is stdin, is nothing that a command accepts.
    unsafe { call(Call::Bpf { command, attr: &mut attr }) }
}

/// What the kernel answers to `perf_event_open(2)` without attributes.
pub(crate) fn empty_perf_event() -> Result<i64, Errno> {
    // SAFETY: no memory and no descriptor is involved.
    unsafe { call(Call::EmptyPerfEvent) }
}

/// Makes something that a kernel before 5.11 charges to RLIMIT_MEMLOCK: on EPERM, lifts the limit, once in
/// this process, and tries again.
pub(crate) fn charged<T>(mut make: impl FnMut() -> Result<T, SysError>) -> Result<T, SysError> {
    match make() {
        Err(error) if error.errno == Errno::EPERM && memlock_raised() => make(),
        result => result,
    }
}

/// Whether the limit is lifted; the first call tries to.
fn memlock_raised() -> bool {
    // SAFETY: no memory and no descriptor is involved.
    let raise = || unsafe { call(Call::RaiseMemlock) }.is_ok();
    #[cfg(not(test))]
    {
        static RAISED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *RAISED.get_or_init(raise)
    }
    #[cfg(test)]
    hook::once(raise)
}

#[cfg(test)]
pub(crate) mod hook {
    //! Answers in the kernel's place, on the thread of one test.

    use std::cell::{Cell, RefCell};

    use super::{Call, Errno};

    type Hook = Box<dyn FnMut(&mut Call<'_>) -> Option<Result<i64, Errno>>>;

    thread_local! {
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
        static RAISED: Cell<Option<bool>> = const { Cell::new(None) };
    }

    /// Takes the hook away again when dropped.
    pub(crate) struct Installed;

    impl Drop for Installed {
        fn drop(&mut self) {
            HOOK.set(None);
            RAISED.set(None);
        }
    }

    /// From now on `hook` answers this thread's calls; where it gives `None`, the kernel does.
    ///
    /// An answer that is a descriptor must be a real one ([`fd`]), since it will be closed.
    pub(crate) fn install(
        hook: impl FnMut(&mut Call<'_>) -> Option<Result<i64, Errno>> + 'static,
    ) -> Installed {
        RAISED.set(None);
        HOOK.set(Some(Box::new(hook)));
        Installed
    }

    pub(super) fn answer(call: &mut Call<'_>) -> Option<Result<i64, Errno>> {
        HOOK.with_borrow_mut(|hook| hook.as_mut()?(call))
    }

    pub(super) fn once(raise: impl FnOnce() -> bool) -> bool {
        RAISED.get().unwrap_or_else(|| {
            let raised = raise();
            RAISED.set(Some(raised));
            raised
        })
    }

    /// The u32 at an offset of an attr.
    pub(crate) fn u32_at(attr: &[u8], at: usize) -> u32 {
        u32::from_ne_bytes(attr[at..at + 4].try_into().expect("four bytes"))
    }

    /// Sets the u32 at an offset of an attr.
    pub(crate) fn put_u32(attr: &mut [u8], at: usize, value: u32) {
        attr[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }

    /// The memory that an attr holds the address of.
    pub(crate) fn memory(attr: &mut [u8], address_at: usize, length: usize) -> &mut [u8] {
        let address =
            u64::from_ne_bytes(attr[address_at..address_at + 8].try_into().expect("eight bytes"));
        // SAFETY: the code under test promises it, as it does to the kernel.
        unsafe { std::slice::from_raw_parts_mut(address as *mut u8, length) }
    }

    /// A descriptor to answer with.
    pub(crate) fn fd() -> i64 {
        use std::os::fd::IntoRawFd;
        std::fs::File::open("/dev/null").expect("/dev/null is there").into_raw_fd().into()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::super::{Map, MapSpec, MapType};
    use super::*;

    fn spec() -> MapSpec {
        MapSpec::new("m", MapType::Array, 4, 8, 1)
    }

    /// Refuses the first maps with EPERM and counts calls: maps asked for, limits lifted.
    fn refuse(first: u32, raise: Result<i64, Errno>) -> (hook::Installed, Rc<Cell<(u32, u32)>>) {
        let calls = Rc::new(Cell::new((0, 0)));
        let counted = calls.clone();
        let hook = hook::install(move |call| {
            let (maps, raised) = counted.get();
            Some(match call {
                Call::Bpf { .. } => {
                    counted.set((maps + 1, raised));
                    if maps < first { Err(Errno::EPERM) } else { Ok(hook::fd()) }
                }
                Call::RaiseMemlock => {
                    counted.set((maps, raised + 1));
                    raise
                }
                other => panic!("{other:?}"),
            })
        });
        (hook, calls)
    }

    #[test]
    fn a_map_that_the_kernel_makes_at_once_costs_one_call() {
        let (_hook, calls) = refuse(0, Ok(0));
        Map::create(&spec()).unwrap();
        assert_eq!(calls.get(), (1, 0));
    }

    #[test]
    fn eperm_lifts_the_memlock_limit_once_and_asks_again() {
        let (_hook, calls) = refuse(1, Ok(0));
        Map::create(&spec()).unwrap();
        assert_eq!(calls.get(), (2, 1));

        let (_hook, calls) = refuse(u32::MAX, Ok(0));
        let error = Map::create(&spec()).unwrap_err();
        assert_eq!((error.call, error.errno), ("bpf(BPF_MAP_CREATE)", Errno::EPERM));
        assert_eq!(calls.get(), (2, 1));
        Map::create(&spec()).unwrap_err();
        assert_eq!(calls.get(), (4, 1), "the limit is lifted once in a process");
    }

    #[test]
    fn a_limit_that_cannot_be_lifted_is_no_reason_to_ask_again() {
        let (_hook, calls) = refuse(u32::MAX, Err(Errno::EPERM));
        Map::create(&spec()).unwrap_err();
        Map::create(&spec()).unwrap_err();
        assert_eq!(calls.get(), (2, 1));
    }

    #[test]
    fn no_object_ever_has_a_descriptor_below_3() {
        for low in 0..3 {
            let moved = Rc::new(Cell::new(None));
            let seen = moved.clone();
            let _hook = hook::install(move |call| {
                Some(Ok(match call {
                    Call::Bpf { .. } => low,
                    Call::MoveFd(fd) => {
                        seen.set(Some(*fd));
                        hook::fd()
                    }
                    other => panic!("{other:?}"),
                }))
            });
            Map::create(&spec()).unwrap();
            assert_eq!(moved.get(), Some(low as i32));
        }
    }

    #[test]
    fn moving_a_descriptor_keeps_it_open_and_close_on_exec() {
        let low = hook::fd() as RawFd;
        // SAFETY: a new descriptor.
        let high = unsafe { call(Call::MoveFd(low)) }.unwrap() as RawFd;
        assert!(high >= 3 && high != low);
        // SAFETY: the same.
        let high = unsafe { OwnedFd::from_raw_fd(high) };
        // SAFETY: no memory is involved.
        let flags = unsafe { libc::fcntl(high.as_raw_fd(), libc::F_GETFD) };
        assert_eq!(flags, libc::FD_CLOEXEC);
    }
}
