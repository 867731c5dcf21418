//! What the records of programs mean.

use crate::script::types::Type;
use crate::view::script::printf::Format;

/// What a record means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// `printf()`: a format, and the types of its values.
    Printf(Format, Vec<Type>),
    /// `warnf()` and `errorf()`: the function, a format, the types of its values, and the place: line, first
    /// column, and the one after the last.
    Message(&'static str, Format, Vec<Type>, [u32; 3]),
    /// `join()`: what is between the strings, and the type of all.
    Join(Vec<u8>, Type),
    /// `print()` of a value.
    Print(Type),
    /// `print()` of a map: its index among the script's, how many of its last rows, and a divisor.
    PrintMap {
        /// The map's name.
        map: String,
        /// So many of the last rows; all of them if it is 0.
        top: u64,
        /// What values are divided by.
        divisor: u64,
    },
    /// `clear()`
    Clear(String),
    /// `zero()`
    Zero(String),
    /// `time()`
    Time(Vec<u8>),
    /// The format of a `strftime()`, which no record has alone.
    TimeFormat(Vec<u8>),
    /// `exit()`: its code is the only value.
    Exit,
    /// Something went wrong.
    Warning(Warning),
}

/// What went wrong while a script ran, and where in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// The line, from 1.
    pub line: u32,
    /// The first column, from 1.
    pub column: u32,
    /// The column after the last one.
    pub end: u32,
    /// What went wrong.
    pub what: WarningKind,
}

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WarningKind {
    /// A map had no room for an element: its index among the script's.
    MapFull(u16),
    /// A division by zero gave 1.
    DivisionByZero,
    /// A loop was left after so many turns.
    LoopTooLong(u32),
}
