//! Recordings: a run's samples in a file, which stays whole up to its last row after a kill or a power cut.
//!
//! A file is a row of parts of one size. Each has a head (its number, and when it began), the facts about the
//! run, and rows; it can be read without the others, so that a new part may take the place of the oldest one:
//! that makes the file a ring. A row is written in one piece: its length, its checksum and its bytes, and
//! after it a length of 0, at which reading ends.
//!
//! Rows are compact: within a part, what was said before (tables, labels, buckets) is a number, counts are those
//! that are not 0, and totals are left out where they are what counts lead to.
//!
//! Nothing here opens a file. A [`Writer`] hands out bytes and the place where they belong; a [`Reader`] takes
//! anything that can be read and sought, and believes nothing of it.

mod checksum;
pub mod compare;
mod decode;
mod encode;
mod facts;
mod read;
pub mod script;
mod seal;
mod state;
mod wire;
mod write;

#[cfg(test)]
mod tests;

pub use facts::Facts;
pub use read::{Damage, Entry, Reader, Refused, Source};
pub use seal::seal;
pub use write::{Keep, Piece, TooLarge, Writer};

/// The first bytes of each part: no text begins like that.
const MAGIC: [u8; 8] = *b"\xb7rawbpf\n";

/// The format's version. A reader refuses files of newer ones.
pub const VERSION: u16 = 1;

/// The parts of a file begin at multiples of this.
const GRAIN: usize = 4096;

/// The largest size of a part.
const LARGEST: usize = 16 << 20;

/// The bytes of a part's head: magic, version, 2 bytes of 0, size, number, when it began in nanoseconds since
/// 1970, and the checksum of these.
const HEAD: usize = 36;

/// The bytes before a block's own: their number and their checksum.
const BEFORE_BLOCK: usize = 8;

/// What a block is.
const FACTS: u8 = 1;
const ROW: u8 = 2;

/// The most counters that the totals of a part may have together, 8 bytes each: a reader needs twice as much
/// memory. A part with more is ended, a row with more is not recorded.
const MOST_COUNTERS: usize = 4 << 20;

/// The most counters that the rows of a part may have together, so that a part of a few bytes is read in a few
/// seconds whatever is in it.
const MOST_WORK: u64 = 1 << 30;
