//! Information about loaded objects, by descriptor.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::attr::{self, Attr, GetInfo, address_mut, length, name_text};
use super::call::{BpfCommand, bpf, bpf_fd};
use super::{Errno, LoadedBtf, Prog, SysError, kernel_enum};

pub use super::ids::{ObjectKind, ids, next_id, open};

/// A descriptor of the object that a file in a bpffs pins.
pub fn open_pinned(path: &CStr) -> Result<OwnedFd, SysError> {
    let mut attr = attr::ObjGet { pathname: path.as_ptr() as u64, ..Default::default() };
    // SAFETY: the path ends in a zero and lives until the call returns, which gives a new descriptor.
    unsafe { bpf_fd(BpfCommand::ObjGet, &mut attr) }
}

/// From now on the kernel counts and times the runs of programs, until the descriptor is closed.
/// Requires Linux 5.8. Needs CAP_SYS_ADMIN.
pub fn enable_stats() -> Result<OwnedFd, SysError> {
    // SAFETY: the attr holds no address, and the command returns a new descriptor.
    unsafe { bpf_fd(BpfCommand::EnableStats, &mut attr::EnableStats::default()) }
}

/// A loaded program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgInfo {
    /// Its id.
    pub id: u32,
    /// The number of its type; see [`ProgramType::from_raw`](super::ProgramType::from_raw).
    pub program_type: u32,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// A digest of its instructions.
    pub tag: [u8; 8],
    /// Bytes of its instructions after the verifier rewrote them.
    pub xlated_len: u32,
    /// Bytes of its machine code, 0 when it is interpreted.
    pub jited_len: u32,
    /// How many maps it uses.
    pub map_count: u32,
    /// The id of its BTF, 0 for none.
    pub btf_id: u32,
    /// The id of the user who loaded it.
    pub uid: u32,
    /// When it was loaded, in nanoseconds since boot.
    pub load_time_ns: u64,
    /// The time of all its runs, in nanoseconds. Counted while the sysctl kernel.bpf_stats_enabled is 1.
    pub run_time_ns: u64,
    /// The number of its runs. Counted while the sysctl kernel.bpf_stats_enabled is 1.
    pub run_count: u64,
    /// How often it did not run because it was already running on that CPU. Requires Linux 5.12.
    pub recursion_misses: u64,
    /// The number of instructions that the verifier processed. Requires Linux 5.16, else 0.
    pub verified_insns: u32,
    /// Whether its licence lets it call GPL-only helpers.
    pub gpl_compatible: bool,
}

/// Information on a program.
pub fn prog_info(fd: BorrowedFd<'_>) -> Result<ProgInfo, SysError> {
    let mut info = attr::ProgInfo::default();
    // SAFETY: the info holds no address.
    unsafe { get_info(fd, &mut info) }?;
    Ok(ProgInfo {
        id: info.id,
        program_type: info.prog_type,
        name: name_text(&info.name),
        tag: info.tag,
        xlated_len: info.xlated_prog_len,
        jited_len: info.jited_prog_len,
        map_count: info.nr_map_ids,
        btf_id: info.btf_id,
        uid: info.created_by_uid,
        load_time_ns: info.load_time,
        run_time_ns: info.run_time_ns,
        run_count: info.run_cnt,
        recursion_misses: info.recursion_misses,
        verified_insns: info.verified_insns,
        gpl_compatible: info.gpl_compatible & 1 != 0,
    })
}

/// The ids of the maps a program uses.
pub fn prog_map_ids(prog: &Prog) -> Result<Vec<u32>, SysError> {
    let mut ids = vec![0; prog_info(prog.as_fd())?.map_count as usize];
    let mut info = attr::ProgInfo {
        nr_map_ids: length(ids.len()),
        map_ids: address_mut(&mut ids),
        ..Default::default()
    };
    // SAFETY: it is a program, so that this is the info that the kernel fills in, and the one array that
    // is asked for has the length that is given.
    unsafe { get_info(prog.as_fd(), &mut info) }?;
    Ok(ids)
}

/// A map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapInfo {
    /// Its id.
    pub id: u32,
    /// The number of its type; see [`MapType::from_raw`](super::MapType::from_raw).
    pub map_type: u32,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value, on one CPU.
    pub value_size: u32,
    /// Elements, or bytes of a ring buffer.
    pub max_entries: u32,
    /// The kernel's `BPF_F_*` flags.
    pub flags: u32,
    /// The id of the BTF that describes its keys and values, 0 for none. Requires Linux 4.18, else 0.
    pub btf_id: u32,
}

/// Information on a map.
pub fn map_info(fd: BorrowedFd<'_>) -> Result<MapInfo, SysError> {
    let mut info = attr::MapInfo::default();
    // SAFETY: the info holds no address.
    unsafe { get_info(fd, &mut info) }?;
    Ok(MapInfo {
        id: info.id,
        map_type: info.map_type,
        name: name_text(&info.name),
        key_size: info.key_size,
        value_size: info.value_size,
        max_entries: info.max_entries,
        flags: info.map_flags,
        btf_id: info.btf_id,
    })
}

kernel_enum! {
    /// The type of a link, by what it attaches a program to.
    LinkType {
        RawTracepoint = 1 "raw_tracepoint",
        Tracing = 2 "tracing",
        Cgroup = 3 "cgroup",
        Iter = 4 "iter",
        Netns = 5 "netns",
        Xdp = 6 "xdp",
        PerfEvent = 7 "perf_event",
        KprobeMulti = 8 "kprobe_multi",
        StructOps = 9 "struct_ops",
        Netfilter = 10 "netfilter",
        Tcx = 11 "tcx",
        UprobeMulti = 12 "uprobe_multi",
        Netkit = 13 "netkit",
        Sockmap = 14 "sockmap",
    }
}

/// A link: a program attached to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// Its id.
    pub id: u32,
    /// The number of its type; see [`LinkType::from_raw`].
    pub link_type: u32,
    /// The id of the program.
    pub prog_id: u32,
}

/// Information on a link. Requires Linux 5.8.
pub fn link_info(fd: BorrowedFd<'_>) -> Result<LinkInfo, SysError> {
    let mut info = attr::LinkInfo::default();
    // SAFETY: the info holds no address.
    unsafe { get_info(fd, &mut info) }?;
    Ok(LinkInfo { id: info.id, link_type: info.link_type, prog_id: info.prog_id })
}

/// `BPF_LINK_TYPE_PERF_EVENT`.
const PERF_EVENT_LINK: u32 = 7;
/// `BPF_PERF_EVENT_KRETPROBE`.
const KRETPROBE: u32 = 4;

/// How many calls a link's kretprobe did not follow to their return, since it followed as many as it can. `None` if it
/// is no link to a kretprobe. Requires Linux 6.7, else 0 or `None`.
pub fn missed_returns(fd: BorrowedFd<'_>) -> Option<u64> {
    let mut info = attr::KprobeLinkInfo::default();
    // SAFETY: the only address in it is that of the function's name, and it is none.
    unsafe { get_info(fd, &mut info) }.ok()?;
    (info.link_type == PERF_EVENT_LINK && info.event_type == KRETPROBE).then_some(info.missed)
}

/// BTF in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BtfInfo {
    /// Its id.
    pub id: u32,
    /// Its size in bytes.
    pub size: u32,
    /// "vmlinux" or a module's name; empty for a program's. Requires Linux 5.11, else empty.
    pub name: String,
    /// Whether it is the kernel's own or a module's. Requires Linux 5.11, else false.
    pub kernel: bool,
}

/// Information on BTF.
pub fn btf_info(btf: &LoadedBtf) -> Result<BtfInfo, SysError> {
    let mut name = [0; 64];
    let mut info = attr::BtfInfo {
        name: address_mut(&mut name),
        name_len: length(name.len()),
        ..Default::default()
    };
    // SAFETY: it is BTF, so that this is the info that the kernel fills in, and the one array that is
    // asked for has the length that is given.
    match unsafe { get_info(btf.as_fd(), &mut info) } {
        // Before 5.11 there are no names, and bytes beyond the kernel's struct must be zero.
        Err(error) if error.errno == Errno::E2BIG => {
            info = attr::BtfInfo::default();
            // SAFETY: the info holds no address.
            unsafe { get_info(btf.as_fd(), &mut info) }?;
        }
        result => result?,
    }
    Ok(BtfInfo {
        id: info.id,
        size: info.btf_size,
        name: name_text(&name),
        kernel: info.kernel_btf != 0,
    })
}

/// The BTF of a module of the kernel; `None` if the kernel has none. Requires Linux 5.11. Needs
/// CAP_SYS_ADMIN.
pub fn btf_of_module(name: &str) -> Result<Option<LoadedBtf>, SysError> {
    for id in ids(ObjectKind::Btf) {
        let btf = match LoadedBtf::from_id(id?) {
            // It was let go of since its id was read.
            Err(error) if error.errno == Errno::ENOENT => continue,
            btf => btf?,
        };
        let info = btf_info(&btf)?;
        if info.kernel && info.name == name {
            return Ok(Some(btf));
        }
    }
    Ok(None)
}

/// The BTF itself, e.g. a module's that is not under `/sys/kernel/btf`.
pub fn btf_bytes(btf: &LoadedBtf) -> Result<Vec<u8>, SysError> {
    let mut bytes = vec![0; btf_info(btf)?.size as usize];
    let mut info = attr::BtfInfo {
        btf: address_mut(&mut bytes),
        btf_size: length(bytes.len()),
        ..Default::default()
    };
    // SAFETY: it is BTF, so that this is the info that the kernel fills in, and the one array that is
    // asked for has the length that is given.
    unsafe { get_info(btf.as_fd(), &mut info) }?;
    Ok(bytes)
}

/// `BPF_OBJ_GET_INFO_BY_FD`. The kernel fills as much of `info` as it knows, and clears nothing else.
///
/// # Safety
/// Where `info` holds the address of an array, it also holds its length, and `fd` is of the kind of
/// object that `info` is about: of another kind the kernel would look for its addresses elsewhere. An
/// info that is all zeros holds none for any kind.
pub(super) unsafe fn get_info<I: Attr>(fd: BorrowedFd<'_>, info: &mut I) -> Result<(), SysError> {
    let mut attr = GetInfo {
        bpf_fd: fd.as_raw_fd() as u32,
        info_len: length(size_of::<I>()),
        info: info.bytes_mut().as_mut_ptr() as u64,
    };
    // SAFETY: `info` is as long as we say, and the kernel writes to no address in it but those that the
    // caller vouches for.
    unsafe { bpf(BpfCommand::ObjGetInfoByFd, &mut attr) }
}
