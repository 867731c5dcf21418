//! Settings with which the kernel accepts probes that never run.

use std::path::Path;

use crate::error::Error;
use crate::sys::file;

/// Whether this file says that something is off. Where it cannot be read, that is not known.
fn is_off(path: &str) -> bool {
    file::read_text(Path::new(path)).is_ok_and(|text| text.trim() == "0")
}

/// Why nothing runs that ftrace calls at the entry of a function, if it does not: trampolines, and on most architectures
/// kprobes too.
pub fn ftrace_off() -> Option<Error> {
    is_off("/proc/sys/kernel/ftrace_enabled").then(|| {
        Error::lacking(
            "kernel.ftrace_enabled is 0: the kernel runs no programs at the entries of functions",
        )
        .hint("try: sudo sysctl kernel.ftrace_enabled=1")
    })
}

/// Why no kprobe ever runs, if none does.
pub fn kprobes_off() -> Option<Error> {
    const ENABLED: &str = "/sys/kernel/debug/kprobes/enabled";
    let off = is_off(ENABLED).then(|| {
        Error::lacking(format!("{ENABLED} is 0: no kprobe ever runs"))
            .hint(format!("try: echo 1 | sudo tee {ENABLED}"))
    });
    // arm64 has breakpoints there.
    off.or_else(|| if cfg!(target_arch = "aarch64") { None } else { ftrace_off() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::AttachKind::{Fentry, Kprobe, KprobeMulti, TpBtf};
    use crate::host::refusal::tests::{host, says};

    #[test]
    fn what_never_runs_is_missing_with_what_turns_it_on() {
        let _host = host([
            ("/sys/bus/event_source/devices/kprobe/type", "6\n"),
            ("/proc/sys/kernel/ftrace_enabled", "0\n"),
        ]);
        for kind in [Kprobe, Fentry, KprobeMulti] {
            says(&kind.missing().unwrap(), "ftrace_enabled is 0", "sysctl kernel.ftrace_enabled=1");
        }
        assert_eq!(TpBtf.missing(), None);
    }

    #[test]
    fn kprobes_that_are_off_leave_the_other_kinds() {
        let _host = host([
            ("/proc/sys/kernel/ftrace_enabled", "1\n"),
            ("/sys/kernel/debug/kprobes/enabled", "0\n"),
        ]);
        says(&kprobes_off().unwrap(), "no kprobe ever runs", "echo 1 | sudo tee");
        assert_eq!((Fentry.missing(), KprobeMulti.missing()), (None, None));
    }
}
