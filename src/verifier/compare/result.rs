//! What comes of comparing two logs.

use crate::verifier::log::{KnownValue, Missing, Place};

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The one that was given first.
    Here,
    /// The other.
    There,
}

/// How the instructions in a log match a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Match<'a> {
    /// All instructions in the log are the program's.
    Same,
    /// Some have other numbers, such as the offsets of another kernel's structs.
    Numbers(Vec<(u32, &'a str)>),
    /// At this slot the log has another instruction.
    Other(u32, &'a str),
    /// The log has no instructions.
    Unknown,
}

/// How much of a walk is in a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Coverage {
    /// Instructions that were walked over.
    pub insns: u32,
    /// Whether that is all of them. A log of level 1 has only the path to the refusal.
    pub whole: bool,
    /// Which end of the log is missing.
    pub missing: Missing,
}

/// A value of which the two know different things, though they knew the same of the values that it is
/// made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Differing<'a> {
    /// The instruction after which they differ.
    pub at: u32,
    /// Where its branch goes on, if they differ only there.
    pub to: Option<u32>,
    /// The place of the value.
    pub place: Place,
    /// The value here, the first time.
    pub here: KnownValue<'a>,
    /// The value there, the first time.
    pub there: KnownValue<'a>,
    /// How often they differ.
    pub times: u32,
}

/// Why one of the two walks over a path and the other does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// The state at its beginning was found safe before.
    Safe,
    /// The other way is always taken.
    NeverTaken,
    /// The program was refused before.
    Ended,
}

/// A path that only one of the two walks over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parting {
    /// The instruction before it, if there is one.
    pub from: Option<u32>,
    /// Its first instruction.
    pub at: u32,
    /// The one that walks over it.
    pub walked: Side,
    /// Why the other one does not.
    pub why: Why,
    /// How often that happens.
    pub times: u32,
    /// The number of instructions that the one processes more than the other.
    pub insns: u32,
}

/// Two logs, compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comparison<'a> {
    /// How the log there matches the program; for another program, nothing below is compared.
    pub program: Match<'a>,
    /// How much of the walk is in the log here.
    pub here: Coverage,
    /// How much of the walk is in the log there.
    pub there: Coverage,
    /// Values, in the order of the walk here.
    pub values: Vec<Differing<'a>>,
    /// Paths that only one of them walks over.
    pub paths: Vec<Parting>,
}
