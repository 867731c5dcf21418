//! Probes as perf events: kprobes, uprobes and tracepoints, in a way that works on every kernel.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

use super::attr::PerfEventAttr;
use super::call::perf_event_open;
use super::{Errno, SysError, file};

/// Whether a probe fires when a function is entered or when it returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum At {
    /// On entry.
    #[default]
    Entry,
    /// On return.
    Return,
}

/// `PERF_TYPE_HARDWARE`.
const HARDWARE: u32 = 0;
/// `PERF_TYPE_SOFTWARE`.
const SOFTWARE: u32 = 1;
/// `PERF_COUNT_SW_CPU_CLOCK`.
const CPU_CLOCK: u64 = 0;
/// `PERF_TYPE_TRACEPOINT`.
const TRACEPOINT: u32 = 2;

static KPROBE: Pmu = Pmu::new(
    "/sys/bus/event_source/devices/kprobe/type",
    "read(/sys/bus/event_source/devices/kprobe/type)",
    "/sys/bus/event_source/devices/kprobe/format/retprobe",
    "read(/sys/bus/event_source/devices/kprobe/format/retprobe)",
);

/// Whether this kernel has kprobes as perf events (CONFIG_KPROBE_EVENTS, Linux 4.17).
pub fn has_kprobes() -> bool {
    KPROBE.event_type().is_ok()
}

/// An event that a program can be attached to. Closing it removes the probe.
#[must_use = "the probe is removed when it is dropped"]
#[derive(Debug)]
pub struct PerfEvent {
    fd: OwnedFd,
}

impl PerfEvent {
    /// A probe on a kernel function, `offset` bytes after its start.
    ///
    /// ENOENT from reading the PMU's type: this kernel has no kprobes. From `perf_event_open()`: ENOENT
    /// no such function, EADDRNOTAVAIL several of that name (Linux 6.7), EINVAL or EILSEQ not a place for
    /// a probe. Requires Linux 4.17.
    pub fn kprobe(function: &CStr, offset: u64, at: At) -> Result<PerfEvent, SysError> {
        KPROBE.open(Some(function), offset, at, None)
    }

    /// A probe on a kernel function by its address, as `/proc/kallsyms` gives it to root: one of several
    /// functions that have one name. Errors as for [`PerfEvent::kprobe`].
    pub fn kprobe_at(address: u64, at: At) -> Result<PerfEvent, SysError> {
        KPROBE.open(None, address, at, None)
    }

    /// A probe in an executable or library, at a file offset in bytes, in one process or in all.
    ///
    /// ENOENT from reading the PMU's type: this kernel has no uprobes. Requires Linux 4.17.
    pub fn uprobe(
        path: &CStr,
        offset: u64,
        at: At,
        pid: Option<u32>,
    ) -> Result<PerfEvent, SysError> {
        static UPROBE: Pmu = Pmu::new(
            "/sys/bus/event_source/devices/uprobe/type",
            "read(/sys/bus/event_source/devices/uprobe/type)",
            "/sys/bus/event_source/devices/uprobe/format/retprobe",
            "read(/sys/bus/event_source/devices/uprobe/format/retprobe)",
        );
        UPROBE.open(Some(path), offset, at, pid)
    }

    /// A tracepoint by the number in its `id` file; see [`Tracefs::tracepoint_id`](super::Tracefs::tracepoint_id).
    pub fn tracepoint(id: u64) -> Result<PerfEvent, SysError> {
        // SAFETY: a tracepoint has no config1 and no config2.
        unsafe {
            open(
                &mut PerfEventAttr {
                    event_type: TRACEPOINT,
                    config: id,
                    ..PerfEventAttr::default()
                },
                None,
            )
        }
    }
}

impl From<PerfEvent> for OwnedFd {
    fn from(event: PerfEvent) -> OwnedFd {
        event.fd
    }
}

impl AsFd for PerfEvent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// One of the two kinds of events that create a probe when they are opened, with its numbers in this kernel.
struct Pmu {
    type_path: &'static str,
    type_call: &'static str,
    retprobe_path: &'static str,
    retprobe_call: &'static str,
    event_type: OnceLock<u32>,
    retprobe: OnceLock<u64>,
}

impl Pmu {
    const fn new(
        type_path: &'static str,
        type_call: &'static str,
        retprobe_path: &'static str,
        retprobe_call: &'static str,
    ) -> Pmu {
        Pmu {
            type_path,
            type_call,
            retprobe_path,
            retprobe_call,
            event_type: OnceLock::new(),
            retprobe: OnceLock::new(),
        }
    }

    fn event_type(&self) -> Result<u32, SysError> {
        once(&self.event_type, self.type_path, self.type_call, |text| text.parse().ok())
    }

    fn open(
        &self,
        name: Option<&CStr>,
        offset: u64,
        at: At,
        pid: Option<u32>,
    ) -> Result<PerfEvent, SysError> {
        let event_type = self.event_type()?;
        let config = match at {
            At::Entry => 0,
            At::Return => once(&self.retprobe, self.retprobe_path, self.retprobe_call, config_bit)?,
        };
        let mut attr = PerfEventAttr {
            event_type,
            config,
            config1: name.map_or(0, |name| name.as_ptr() as u64),
            config2: offset,
            ..PerfEventAttr::default()
        };
        // SAFETY: config1 is 0 or a C string that its owner still holds, which is what these kinds read.
        unsafe { open(&mut attr, pid) }
    }
}

impl PerfEvent {
    /// A clock that fires each `period` nanoseconds on this CPU.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn cpu_clock(period: u64, cpu: u32) -> Result<PerfEvent, SysError> {
        PerfEvent::counter(false, CPU_CLOCK, period, cpu)
    }

    /// Fires each time that a counter of this CPU has gone on by `period`: one of `hardware` or of the kernel, by its
    /// number there (`enum perf_hw_id`, `enum perf_sw_ids`).
    ///
    /// # Errors
    /// The kernel refuses it: the processor may have no such counter, or none for a guest.
    pub fn counter(
        hardware: bool,
        counter: u64,
        period: u64,
        cpu: u32,
    ) -> Result<PerfEvent, SysError> {
        let mut attr = PerfEventAttr {
            event_type: if hardware { HARDWARE } else { SOFTWARE },
            config: counter,
            sample_period: period,
            size: size_of::<PerfEventAttr>() as u32,
            ..PerfEventAttr::default()
        };
        // SAFETY: a counter has no config1 and no config2.
        let fd = unsafe { perf_event_open(&mut attr, -1, cpu as i32) }?;
        Ok(PerfEvent { fd })
    }
}

/// # Safety
/// As for [`perf_event_open`].
unsafe fn open(attr: &mut PerfEventAttr, pid: Option<u32>) -> Result<PerfEvent, SysError> {
    attr.size = size_of::<PerfEventAttr>() as u32;
    // For all processes, the kernel requires a CPU. The program runs on all CPUs, whichever is named.
    let (pid, cpu) = pid.map_or((-1, 0), |pid| (pid as i32, -1));
    // SAFETY: the caller's promise.
    let fd = unsafe { perf_event_open(attr, pid, cpu) }?;
    Ok(PerfEvent { fd })
}

/// The content of a file in sysfs, read once. EINVAL if it makes no sense.
fn once<T: Copy>(
    cell: &OnceLock<T>,
    path: &str,
    call: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, SysError> {
    if let Some(&known) = cell.get() {
        return Ok(known);
    }
    let text = file::read_text(Path::new(path))
        .map_err(|error| SysError { call, errno: error.errno() })?;
    let value = parse(text.trim()).ok_or(SysError { call, errno: Errno::EINVAL })?;
    Ok(*cell.get_or_init(|| value))
}

/// The bit that a format file such as "config:0" names.
fn config_bit(text: &str) -> Option<u64> {
    1u64.checked_shl(text.strip_prefix("config:")?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_retprobe_bit_is_what_the_format_file_says() {
        assert_eq!(config_bit("config:0"), Some(1));
        assert_eq!(config_bit("config:5"), Some(32));
        for bad in ["", "config:", "config:64", "config:-1", "config1:0", "config:0-3"] {
            assert_eq!(config_bit(bad), None, "{bad:?}");
        }
    }
}
