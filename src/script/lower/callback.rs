//! Functions that the kernel calls for each element of a map.

use super::spot::Spot;
use crate::insn::Label;
use crate::script::ast::{Block, Name, Variable};

/// The function of a loop over a map that is still to be written.
pub(super) struct Callback {
    pub label: Label,
    pub map: Name,
    pub variable: Variable,
    pub block: Block,
    /// Where it says that the probe was left.
    pub left: Spot,
    /// The bytes of the scratch value that are in use around it.
    pub scratch: i32,
    /// How many such functions call it.
    pub depth: usize,
}
