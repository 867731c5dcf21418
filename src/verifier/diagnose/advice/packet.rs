//! Accesses to the packet.

use super::Advice;
use crate::verifier::diagnose::Case;
use crate::verifier::diagnose::words::bytes;

impl<'a> Case<'a, '_> {
    pub(super) fn packet(&self, at: u32, register: u8) -> Option<Advice> {
        let (off, size, r) = (self.number("off")?, self.size("size")?, self.number("r")?);
        let end = off.checked_add(size).filter(|end| *end > 0)?;
        Some((
            format!(
                "instruction {at} uses {} at offset {off} of the packet, and only {} are known to exist",
                bytes(size),
                bytes(r)
            ),
            format!(
                "before instruction {at}, compare r{register} as loaded from the context, plus {end}, with \
                 data_end, and leave if it is greater"
            ),
        ))
    }
}
