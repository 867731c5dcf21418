//! How a call of a function is distinguished from others that are open at the same time.

use super::registers;
use crate::error::Error;

/// Where a program finds the place on the stack of the call it runs for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallFrame {
    /// In the stack pointer of its context, which is at the function's return `popped` bytes further
    /// than at its entry.
    StackPointer {
        /// Offset of the stack pointer in the context.
        register: i32,
        /// The size of what the return takes off the stack.
        popped: i32,
    },
    /// The context itself lies there: fentry and fexit share the trampoline's.
    Context,
}

impl CallFrame {
    /// In the context of a kprobe or uprobe of this host.
    ///
    /// # Errors
    /// Nobody has looked where this architecture keeps it.
    pub fn of_probes() -> Result<CallFrame, Error> {
        let registers = registers::host().ok_or_else(|| {
            let arch = std::env::consts::ARCH;
            Error::lacking(format!("the place of the stack pointer on {arch} is unknown"))
        })?;
        let (register, popped) = (registers.stack_pointer, registers.popped);
        Ok(CallFrame::StackPointer { register, popped })
    }

    /// The same where a program runs at the instruction that returns, which has not taken anything off yet.
    pub fn before_return(self) -> CallFrame {
        match self {
            CallFrame::StackPointer { register, .. } => {
                CallFrame::StackPointer { register, popped: 0 }
            }
            CallFrame::Context => CallFrame::Context,
        }
    }

    /// How many bytes further the place is at the return.
    pub fn popped(self) -> i32 {
        match self {
            CallFrame::StackPointer { popped, .. } => popped,
            CallFrame::Context => 0,
        }
    }
}
