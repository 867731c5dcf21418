//! The mistakes in a program that is built.

use thiserror::Error;

use super::program::Line;

/// The first mistake in a program, with the line that made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[allow(missing_docs)] // The sentence of each names its fields.
pub enum AsmError {
    #[error("the program has no instructions")]
    Empty,
    #[error("{last}: the program runs past its last instruction, which must be an exit or a goto")]
    MissingExit { last: Line<'static> },
    #[error("{made}: this label is jumped to from {jump} but never placed")]
    Unplaced { made: Line<'static>, jump: Line<'static> },
    #[error("{jump}: this jumps to the end of the program, where there is no instruction")]
    PastEnd { jump: Line<'static> },
    #[error("{jump}: this label belongs to another program")]
    ForeignLabel { jump: Line<'static> },
    #[error("{from}: the jump to {to} spans {distance} instruction slots, more than 16 bits hold")]
    JumpTooFar { from: Line<'static>, to: Line<'static>, distance: i64 },
    #[error("{at}: the offset {offset} is out of range, which is -32768 to 32767")]
    OffsetOutOfRange { at: Line<'static>, offset: i32 },
    #[error("{at}: a read copies to the last 8 bytes of the stack, which another place uses")]
    NoPlaceForReads { at: Line<'static> },
    #[error("{at}: with this place, the program needs {bytes} bytes of stack, more than 512")]
    StackTooSmall { at: Line<'static>, bytes: u32 },
}
