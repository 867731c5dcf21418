//! Attaches programs with `bpf(2)`: the attachments are called links.

use std::ffi::{CStr, c_char};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::attr::{
    LinkKprobeMulti, LinkPerfEvent, LinkTracing, LinkUprobeMulti, RawTracepointOpen, address,
    length,
};
use super::call::{BpfCommand, bpf_fd, perf_enable, perf_set_bpf};
pub use super::perf::At;
use super::{AttachType, PerfEvent, Prog, SysError};

/// An attachment of a program: a kernel link or a perf event. Dropping it detaches.
#[must_use = "the program is detached when it is dropped"]
#[derive(Debug)]
pub struct Link {
    fd: OwnedFd,
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl PerfEvent {
    /// Runs a program at each hit, until the link is dropped. Works on every kernel that has the event.
    ///
    /// The program may already run during this call.
    pub fn attach(self, prog: &Prog) -> Result<Link, SysError> {
        perf_set_bpf(self.as_fd(), prog.as_fd())?;
        perf_enable(self.as_fd())?;
        Ok(Link { fd: self.into() })
    }

    /// Like [`PerfEvent::attach`], by a link if this kernel has links to perf events (Linux 5.15): some say what the
    /// event missed.
    pub fn attach_by_link(self, prog: &Prog) -> Result<Link, SysError> {
        match perf_event(prog, &self, 0) {
            Ok(link) => {
                perf_enable(self.as_fd())?;
                Ok(link)
            }
            Err(_) => self.attach(prog),
        }
    }
}

/// Attaches a raw tracepoint program by the tracepoint's name, e.g. `c"block_rq_issue"`: no group, no
/// tracefs. ENOENT when there is no such tracepoint. Requires Linux 4.17.
pub fn raw_tracepoint(prog: &Prog, name: &CStr) -> Result<Link, SysError> {
    open_raw_tracepoint(prog, name.as_ptr() as u64)
}

/// Attaches a tracing program (fentry, fexit, `tp_btf`) to what it was loaded for. Requires Linux 5.5.
pub fn tracing(prog: &Prog) -> Result<Link, SysError> {
    open_raw_tracepoint(prog, 0)
}

fn open_raw_tracepoint(prog: &Prog, name: u64) -> Result<Link, SysError> {
    let mut attr = RawTracepointOpen { name, prog_fd: raw(prog), ..RawTracepointOpen::default() };
    // SAFETY: the name is none or a C string that the caller borrows; the command returns a new descriptor.
    unsafe { bpf_fd(BpfCommand::RawTracepointOpen, &mut attr) }.map(|fd| Link { fd })
}

/// Attaches like [`tracing`], with a number that the program gets from the helper get_attach_cookie.
/// Requires Linux 5.19. `attach_type` is what the program was loaded with.
pub fn tracing_with_cookie(
    prog: &Prog,
    attach_type: AttachType,
    cookie: u64,
) -> Result<Link, SysError> {
    let mut attr = LinkTracing {
        prog_fd: raw(prog),
        attach_type: attach_type as u32,
        cookie,
        ..LinkTracing::default()
    };
    // SAFETY: the attr holds no address; the command returns a new descriptor.
    unsafe { bpf_fd(BpfCommand::LinkCreate, &mut attr) }.map(|fd| Link { fd })
}

/// Attaches a program to a perf event, with a number that the program gets from the helper
/// get_attach_cookie. Requires Linux 5.15 (EINVAL before); [`PerfEvent::attach`] works everywhere.
///
/// The link keeps the event alive.
pub fn perf_event(prog: &Prog, event: &PerfEvent, cookie: u64) -> Result<Link, SysError> {
    let mut attr = LinkPerfEvent {
        prog_fd: raw(prog),
        target_fd: event.as_fd().as_raw_fd() as u32,
        attach_type: AttachType::PerfEvent as u32,
        bpf_cookie: cookie,
        ..LinkPerfEvent::default()
    };
    // SAFETY: the attr holds no address; the command returns a new descriptor.
    unsafe { bpf_fd(BpfCommand::LinkCreate, &mut attr) }.map(|fd| Link { fd })
}

/// Kernel functions.
#[derive(Clone, Copy, Debug)]
pub enum KprobeFunctions<'a> {
    /// By name.
    Names(&'a [&'a CStr]),
    /// By address, as `/proc/kallsyms` gives them to root.
    Addresses(&'a [u64]),
}

/// `BPF_F_KPROBE_MULTI_RETURN` and `BPF_F_UPROBE_MULTI_RETURN`.
const MULTI_RETURN: u32 = 1;

/// Attaches a kprobe program, loaded with [`AttachType::TraceKprobeMulti`], to many kernel functions.
/// `cookies` is empty or has one for each function. Requires Linux 5.18 with CONFIG_FPROBE, else EINVAL
/// or EOPNOTSUPP.
///
/// # Panics
/// When there are cookies, but not one for each function.
pub fn kprobe_multi(
    prog: &Prog,
    functions: KprobeFunctions<'_>,
    at: At,
    cookies: &[u64],
) -> Result<Link, SysError> {
    let names: Vec<*const c_char> = match functions {
        KprobeFunctions::Names(names) => names.iter().map(|name| name.as_ptr()).collect(),
        KprobeFunctions::Addresses(_) => vec![],
    };
    let addresses =
        if let KprobeFunctions::Addresses(addresses) = functions { addresses } else { &[] };
    let count = names.len().max(addresses.len());
    assert!(cookies.is_empty() || cookies.len() == count, "one cookie for each function");
    let mut attr = LinkKprobeMulti {
        prog_fd: raw(prog),
        attach_type: AttachType::TraceKprobeMulti as u32,
        kprobe_multi_flags: if at == At::Return { MULTI_RETURN } else { 0 },
        cnt: length(count),
        syms: address(&names),
        addrs: address(addresses),
        cookies: address(cookies),
        ..LinkKprobeMulti::default()
    };
    // SAFETY: each array that is there has `count` elements, and the names are C strings that their owner
    // still holds. The command returns a new descriptor.
    unsafe { bpf_fd(BpfCommand::LinkCreate, &mut attr) }.map(|fd| Link { fd })
}

/// Places in one executable or library.
#[derive(Clone, Copy, Debug)]
pub struct UprobePlaces<'a> {
    /// The file.
    pub path: &'a CStr,
    /// Offsets of instructions in the file, in bytes.
    pub offsets: &'a [u64],
    /// Offsets of USDT semaphores in the file; empty, or one for each place, 0 for none.
    pub semaphores: &'a [u64],
    /// Empty, or one number for each place, which the program gets from the helper get_attach_cookie.
    pub cookies: &'a [u64],
    /// Only this process; `None` for all.
    pub pid: Option<u32>,
}

/// Attaches a kprobe program, loaded with [`AttachType::TraceUprobeMulti`], to many places of a file.
/// Requires Linux 6.6 (EINVAL before).
///
/// # Panics
/// When there are semaphores or cookies, but not one for each place.
pub fn uprobe_multi(prog: &Prog, places: &UprobePlaces<'_>, at: At) -> Result<Link, SysError> {
    let count = places.offsets.len();
    for each in [places.semaphores, places.cookies] {
        assert!(each.is_empty() || each.len() == count, "one for each place");
    }
    let mut attr = LinkUprobeMulti {
        prog_fd: raw(prog),
        attach_type: AttachType::TraceUprobeMulti as u32,
        path: places.path.as_ptr() as u64,
        offsets: address(places.offsets),
        ref_ctr_offsets: address(places.semaphores),
        cookies: address(places.cookies),
        cnt: length(count),
        uprobe_multi_flags: if at == At::Return { MULTI_RETURN } else { 0 },
        pid: places.pid.unwrap_or(0),
        ..LinkUprobeMulti::default()
    };
    // SAFETY: each array that is there has `count` elements, and the path is a C string that its owner
    // still holds. The command returns a new descriptor.
    unsafe { bpf_fd(BpfCommand::LinkCreate, &mut attr) }.map(|fd| Link { fd })
}

/// The name of the process that detaches what this one has left behind.
pub const DETACHING: &CStr = c"rawbpf-detach";

fn raw(prog: &Prog) -> u32 {
    prog.as_fd().as_raw_fd() as u32
}

/// Passes these links, each with its program, to another process, which detaches them one after the other as soon as
/// this one has ended. From now on, dropping them is quick. The process is called [`DETACHING`], and holds each
/// program until it is detached, so that one can see what is.
///
/// To close most links, the kernel waits until no CPU can still be in the probe: 50 to 130 ms for each perf
/// event, up to 100 for a trampoline, 40 for a link at many functions.
///
/// If that process cannot be made, nothing is done: dropping them is as slow as before.
pub fn leave_behind(links: &[(BorrowedFd<'_>, BorrowedFd<'_>)]) {
    let Ok((end, hold)) = std::io::pipe() else { return };
    let end = end.as_raw_fd();
    let links: Vec<_> =
        links.iter().flat_map(|(link, prog)| [link.as_raw_fd(), prog.as_raw_fd()]).collect();
    let mut keep = links.clone();
    keep.push(end);
    keep.sort_unstable();
    // SAFETY: in the child of a process that may have other threads, whose locks nobody gives back there,
    // only what is safe in a signal handler may be called. It calls nothing else: setsid, prctl,
    // close, close_range, read and _exit, on memory that was allocated before. The descriptors that it closes
    // are copies of its own, and what owns them in this process never runs there, since it never returns.
    // What it reads into is a byte of its own.
    unsafe {
        if libc::fork() == 0 {
            libc::setsid();
            libc::prctl(libc::PR_SET_NAME, DETACHING.as_ptr());
            // Who waits for the end of our output, or for a lock that we hold, waits until these are closed.
            let mut next = 0;
            for fd in &keep {
                for other in next..*fd {
                    libc::close(other);
                }
                next = fd + 1;
            }
            libc::syscall(libc::SYS_close_range, next, u32::MAX, 0);
            let mut byte = 0u8;
            libc::read(end, (&raw mut byte).cast(), 1);
            // The end of the process would close them too, but nobody could see what it still holds.
            for fd in &links {
                libc::close(*fd);
            }
            libc::_exit(0);
        }
    }
    // The end of this process closes it.
    std::mem::forget(hold);
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::thread;

    use super::*;

    /// Threads that hold the allocator's lock are not there in the other process.
    #[test]
    #[cfg_attr(miri, ignore = "another process")]
    fn what_is_left_behind_holds_nothing_but_the_links_whatever_other_threads_do() {
        let link = File::open("/dev/null").unwrap();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    drop(vec![0u8; 1 << 20]);
                }
            });
            for _ in 0..20 {
                let (mut reader, writer) = std::io::pipe().unwrap();
                leave_behind(&[(link.as_fd(), link.as_fd())]);
                drop(writer);
                assert_eq!(reader.read(&mut [0]).unwrap(), 0);
            }
            over.store(true, Relaxed);
        });
    }
}
