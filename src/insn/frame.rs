//! Places on the stack of a program.

use std::ops::Add;

use super::error::AsmError;
use super::mem::Addr;
use super::program::Line;
use super::reg::fp;

/// The stack of a program: 512 bytes that end at [`fp`].
///
/// Places are allocated from the top down, each in whole slots of 8 bytes, as the verifier tracks them.
///
/// ```
/// use rawbpf::insn::{helper::KTIME_GET_NS, *};
///
/// let mut a = Asm::new();
/// let key = a.frame.place(4);
/// let time = a.frame.place(8);
/// a.store(u32_at(key), 7);
/// a.call(KTIME_GET_NS);
/// a.store(u64_at(time), r0);
/// a.update(MapRef(0), key, time);
/// a.exit();
/// let listing = a.finish()?.listing(&["times"]).to_string();
/// assert!(listing.starts_with("0: (62) *(u32 *)(r10 -8) = 7\n"));
/// # Ok::<(), AsmError>(())
/// ```
#[derive(Debug)]
pub struct Frame {
    used: u32,
    /// Whether the last 8 bytes are reserved for reads.
    for_reads: bool,
    error: Option<AsmError>,
}

/// A place on the stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StackPlace {
    /// The offset from [`fp`], below 0.
    offset: i32,
}

impl Frame {
    /// The size of the stack in bytes.
    pub const SIZE: u32 = 512;

    pub(super) const fn new() -> Frame {
        Frame { used: 0, for_reads: false, error: None }
    }

    /// A place of at least `size` bytes, below all others. If the stack is too small,
    /// [`Asm::finish`](super::Asm::finish) returns the error, with the line that asked for too much.
    #[track_caller]
    pub fn place(&mut self, bytes: u32) -> StackPlace {
        let used = self.used.saturating_add(bytes.checked_next_multiple_of(8).unwrap_or(u32::MAX));
        if used > Frame::SIZE {
            let at = Line::caller();
            self.error.get_or_insert(AsmError::StackTooSmall { at, bytes: used });
            return StackPlace { offset: -(Frame::SIZE as i32) };
        }
        self.used = used;
        StackPlace { offset: -(used as i32) }
    }

    /// The last 8 bytes, to which [`Asm::read`](super::Asm::read) copies: a value stored there lasts until the
    /// next read. They must be reserved by this call or by a read before the first other place.
    #[track_caller]
    pub fn place_for_reads(&mut self) -> StackPlace {
        if self.used > 0 && !self.for_reads {
            let at = Line::caller();
            self.error.get_or_insert(AsmError::NoPlaceForReads { at });
        }
        self.used = self.used.max(8);
        self.for_reads = true;
        StackPlace { offset: -8 }
    }

    /// The first mistake.
    pub(super) fn error(&self) -> Option<AsmError> {
        self.error
    }
}

impl From<StackPlace> for Addr {
    fn from(place: StackPlace) -> Addr {
        fp + place.offset
    }
}

/// The address at an offset in bytes into the place.
impl Add<i32> for StackPlace {
    type Output = Addr;
    fn add(self, bytes: i32) -> Addr {
        fp + self.offset.saturating_add(bytes)
    }
}
