//! The task that runs: its numbers as a PID namespace has them, and whether it is of the process that was
//! asked for.

use crate::host::{PidNamespace, Process};
use crate::insn::helper::{GET_CURRENT_PID_TGID, GET_NS_CURRENT_PID_TGID};
use crate::insn::{Cond::Ne, *};

/// `r1 = ` the process, `r2 = ` the thread that runs, as this PID namespace numbers them. Both are 0 if
/// that is not the task's own namespace. Clobbers r0 to r5 and 8 bytes of the stack at `scratch`. Requires
/// Linux 5.7.
#[track_caller]
pub fn load_numbers(a: &mut Asm, namespace: PidNamespace, scratch: impl Fn(i32) -> Addr) {
    a.load_address(r3, scratch(0));
    a.mov(w1, namespace.device as i32);
    a.mov(w2, namespace.inode as i32);
    a.mov(w4, 8);
    // It clears the place if it fails.
    a.call(GET_NS_CURRENT_PID_TGID);
    a.load(r1, u32_at(scratch(4)));
    a.load(r2, u32_at(scratch(0)));
}

/// Goes on at `other` unless the task that runs is of this process. Clobbers r0 to r5 and, for a process in
/// a namespace, 8 bytes of the stack at `scratch`.
#[track_caller]
pub fn skip_other_processes(
    a: &mut Asm,
    process: Option<Process>,
    scratch: impl Fn(i32) -> Addr,
    other: &impl Target,
) {
    match process {
        None => {}
        Some(Process { own_pid, namespace: None, .. }) => {
            a.call(GET_CURRENT_PID_TGID);
            a.rsh(r0, 32);
            a.jump_if(w0, Ne, own_pid as i32, other);
        }
        Some(Process { own_pid, namespace: Some(namespace), .. }) => {
            load_numbers(a, namespace, scratch);
            a.jump_if(w1, Ne, own_pid as i32, other);
        }
    }
}

/// The registers that each block overwrites beside those of its result.
pub mod clobbers {
    use super::{Process, Regs};

    /// [`load_numbers`](super::load_numbers), whose results are in r1 and r2.
    pub const LOAD_NUMBERS: Regs = Regs::CALL;

    /// [`skip_other_processes`](super::skip_other_processes).
    pub const fn skip_other_processes(process: Option<Process>) -> Regs {
        if process.is_some() { Regs::CALL } else { Regs::NONE }
    }
}
