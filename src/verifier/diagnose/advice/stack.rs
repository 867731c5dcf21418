//! Accesses to the stack, and their alignment.

use super::Advice;
use crate::insn::Insn;
use crate::verifier::diagnose::Case;
use crate::verifier::diagnose::words::bytes;

/// An access to the stack.
pub(in super::super) struct Stack {
    off: i64,
    size: i64,
    /// Whether it reads inside the frame: then the bytes were never written.
    pub inside: bool,
}

impl<'a> Case<'a, '_> {
    /// The access to the stack that the message is about.
    pub(in super::super) fn stack(&self) -> Option<Stack> {
        let (off, size) = (self.number("off")?, self.size("size")?);
        let inside = off >= -512 && off.checked_add(size)? <= 0;
        let reads = self.first.contains("read");
        Some(Stack { off, size, inside: inside && reads })
    }

    pub(super) fn stack_access(&self, at: Option<u32>) -> Option<Advice> {
        let Stack { off, size, inside } = self.stack()?;
        let what = at.map_or("the access".into(), |at| match self.helper(at) {
            Some(helper) => format!("{} at {at}", helper.name),
            None => format!("instruction {at}"),
        });
        if inside {
            let store = match size {
                1 | 2 | 4 | 8 => format!("*(u{} *)(r10 {off}) = 0", size * 8),
                _ => format!("zeros to all {size} bytes from r10{off} on"),
            };
            return Some((
                format!(
                    "{what} reads {} at r10{off} that nothing on this path has written",
                    bytes(size)
                ),
                format!("write them before this: {store}"),
            ));
        }
        if self.class_known() == "stack-uninit" {
            return None;
        }
        let (wrong, remedy) = if off < -512 {
            (
                "they begin below the frame, which ends at r10-512",
                "use r10-512 or higher; larger data belongs in a map".to_owned(),
            )
        } else if off.checked_add(size)? > 0 {
            let lower = format!("point to r10-{size} or lower");
            (
                "they end above the frame, whose last byte is at r10-1",
                match self.helper(at?) {
                    _ if size > 512 => {
                        "the frame has 512 bytes: larger data belongs in a map".into()
                    }
                    Some(_) if off < 0 => format!("{lower}, or pass a size of at most {}", -off),
                    Some(_) => lower,
                    None => format!("use r10-{} or lower", (size + 7) / 8 * 8),
                },
            )
        } else {
            return None;
        };
        Some((format!("{what} uses {} at r10{off:+}: {wrong}", bytes(size)), remedy))
    }

    pub(super) fn aligned(&self, at: u32, register: u8) -> Option<Advice> {
        let size = self.number("size").filter(|size| matches!(size, 2 | 4 | 8))?;
        let offset: i64 = match self.code.insn(at)? {
            Insn::Load { offset, .. } | Insn::Store { offset, .. } => offset.into(),
            _ => return None,
        };
        let remedy = if register == 10 {
            format!("use (r10 {:+}) in instruction {at}", offset.div_euclid(size) * size)
        } else {
            format!("use an offset that is a multiple of {size}, or several smaller accesses")
        };
        Some((
            format!(
                "instruction {at} uses {size} bytes at r{register}{offset:+}, which is not a multiple of \
                 {size}"
            ),
            remedy,
        ))
    }
}
