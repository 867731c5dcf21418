//! The names of numbers: errors, signals, system calls.

use crate::host::system_calls;
use crate::texts;

/// The name of an error, whatever its sign.
pub(super) fn error(number: u64) -> String {
    let number = (number as i32).unsigned_abs() as usize;
    match texts::text("src/trace/errors.txt").lines().nth(number) {
        Some(name) if !name.is_empty() => name.into(),
        _ => "Unknown error".into(),
    }
}

/// The name of a signal.
pub(super) fn signal(number: u64) -> String {
    match number as i32 {
        number @ 34..=64 => format!("Real-time signal {}", number - 34),
        number @ (0 | 32 | 33) => format!("Unknown signal {number}"),
        number => {
            let number = usize::try_from(number).unwrap_or(usize::MAX);
            let name = texts::text("src/trace/signals.txt").lines().nth(number);
            name.unwrap_or("N/A").into()
        }
    }
}

/// Where a system call has another name than its tracepoint.
const OTHERWISE: [(&str, &str); 6] = [
    ("newstat", "stat"),
    ("newfstat", "fstat"),
    ("newlstat", "lstat"),
    ("newuname", "uname"),
    ("sendfile64", "sendfile"),
    ("umount", "umount2"),
];

/// System calls of x86_64 that have no tracepoint any more.
const GONE: [(u32, &str); 12] = [
    (134, "uselib"),
    (156, "_sysctl"),
    (174, "create_module"),
    (177, "get_kernel_syms"),
    (178, "query_module"),
    (180, "nfsservctl"),
    (205, "set_thread_area"),
    (211, "get_thread_area"),
    (214, "epoll_ctl_old"),
    (215, "epoll_wait_old"),
    (236, "vserver"),
    (212, "lookup_dcookie"),
];

/// The name of a system call.
pub(super) fn system_call(number: u64) -> String {
    let is = |(known, _): &(u32, &str)| u64::from(*known) == number;
    let gone = GONE.into_iter().filter(|_| cfg!(target_arch = "x86_64"));
    match system_calls::numbers().chain(gone).find(is) {
        Some((_, name)) => {
            let otherwise = OTHERWISE.iter().find(|(tracepoint, _)| *tracepoint == name);
            otherwise.map_or(name, |(_, name)| name).into()
        }
        None => "Unknown syscall".into(),
    }
}
