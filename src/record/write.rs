//! Recording: which bytes belong where.

use std::collections::VecDeque;
use std::time::Duration;

use super::encode::encode;
use super::facts::nanoseconds;
use super::state::State;
use super::{BEFORE_BLOCK, FACTS, Facts, GRAIN, HEAD, LARGEST, MAGIC, ROW, VERSION, checksum};
use crate::sample::{Sample, Time};

/// What is kept of a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// All.
    All,
    /// At least the rows of this time.
    Age(Duration),
    /// At most this many bytes.
    Bytes(u64),
}

impl Keep {
    /// The fewest bytes that a ring can have.
    pub const FEWEST: u64 = 256_000;

    /// The size of a part: a ring loses one at a time.
    fn part(self) -> usize {
        match self {
            Keep::All => 4 << 20,
            Keep::Age(_) => 1 << 20,
            Keep::Bytes(bytes) => {
                let part = usize::try_from(bytes / 16).unwrap_or(LARGEST) / GRAIN * GRAIN;
                part.clamp(4 * GRAIN, 4 << 20)
            }
        }
    }
}

/// Bytes, and the place in the file where they belong. They are written in one call.
#[derive(Debug)]
pub struct Piece<'a> {
    /// The number of bytes before the place.
    pub place: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// A row, or the facts, are larger than a part of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLarge {
    /// Their bytes at least.
    pub bytes: usize,
    /// The bytes of a part.
    pub part: usize,
}

/// What writes a recording.
pub struct Writer {
    keep: Keep,
    /// The size of a part.
    part: usize,
    facts: Vec<u8>,
    /// The parts in the order in which they were begun: each one's place among all, and the end of its last row
    /// since boot.
    parts: VecDeque<(u64, Duration)>,
    /// The number of the current part, from 1.
    number: u64,
    /// The bytes of the current part that are used.
    used: usize,
    state: State,
    bytes: Vec<u8>,
}

impl Writer {
    /// The recording of a run, and its first bytes.
    ///
    /// # Errors
    /// The facts do not fit into a part.
    pub fn new(facts: &Facts, keep: Keep) -> Result<Writer, TooLarge> {
        let mut encoded = vec![FACTS];
        facts.encode(&mut encoded);
        let (part, bytes) = (keep.part(), encoded.len());
        if bytes > part / 2 {
            return Err(TooLarge { bytes, part });
        }
        Ok(Writer {
            keep,
            part,
            facts: encoded,
            parts: VecDeque::new(),
            number: 0,
            used: part,
            state: State::default(),
            bytes: vec![],
        })
    }

    /// The first bytes, before there is a row.
    pub fn begin(&mut self, start: Time) -> Piece<'_> {
        self.bytes.clear();
        self.begin_part(start);
        self.end_piece(0)
    }

    /// The bytes of a row. They may be those of a new part, with the row in it.
    ///
    /// # Errors
    /// The row does not fit into a part. It is left out.
    pub fn push(&mut self, sample: &Sample) -> Result<Piece<'_>, TooLarge> {
        self.bytes.clear();
        let before = self.used;
        let end = sample.span.end.monotonic;
        if self.put(sample) && self.used + BEFORE_BLOCK <= self.part {
            if let Some(last) = self.parts.back_mut() {
                last.1 = end;
            }
            return Ok(self.end_piece(before));
        }
        // Once without its place, since nothing may be given up for a row that does not fit.
        self.bytes.clear();
        (self.state, self.used) = (State::default(), HEAD + BEFORE_BLOCK + self.facts.len());
        let fits = self.put(sample) && self.used + BEFORE_BLOCK <= self.part;
        let bytes = self.bytes.len();
        self.used = self.part;
        if !fits {
            return Err(TooLarge { bytes, part: self.part });
        }
        self.bytes.clear();
        self.begin_part(sample.span.end);
        self.put(sample);
        Ok(self.end_piece(0))
    }

    /// Appends a row to the bytes.
    fn put(&mut self, sample: &Sample) -> bool {
        let begin = self.bytes.len();
        self.bytes.extend([0; BEFORE_BLOCK]);
        self.bytes.push(ROW);
        let possible = encode(&mut self.state, sample, &mut self.bytes);
        self.seal(begin);
        possible
    }

    /// Writes the length and the checksum of the block that begins here.
    fn seal(&mut self, begin: usize) {
        let block = begin + BEFORE_BLOCK;
        let length = (self.bytes.len() - block) as u32;
        let sum = checksum::of(self.number, &self.bytes[block..]);
        self.bytes[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
        self.bytes[begin + 4..block].copy_from_slice(&sum.to_le_bytes());
        self.used += self.bytes.len() - begin;
    }

    /// Appends the head of a new part and the facts. `now` is when it begins.
    fn begin_part(&mut self, now: Time) {
        let oldest = self.parts.front().copied();
        let next = self.parts.len() as u64;
        let is_over = |(_, last): &(u64, Duration)| match self.keep {
            Keep::All => false,
            Keep::Age(age) => now.monotonic.saturating_sub(*last) > age,
            Keep::Bytes(bytes) => (next + 1).saturating_mul(self.part as u64) > bytes,
        };
        let place = match oldest.filter(is_over) {
            Some((place, _)) => {
                self.parts.pop_front();
                place
            }
            None => next,
        };
        self.parts.push_back((place, now.monotonic));
        self.number += 1;
        self.state = State::default();
        let begin = self.bytes.len();
        self.bytes.extend(MAGIC);
        self.bytes.extend(VERSION.to_le_bytes());
        self.bytes.extend([0; 2]);
        self.bytes.extend((self.part as u32).to_le_bytes());
        self.bytes.extend(self.number.to_le_bytes());
        self.bytes.extend(nanoseconds(now).0.to_le_bytes());
        let sum = checksum::of(0, &self.bytes[begin..]);
        self.bytes.extend(sum.to_le_bytes());
        self.used = HEAD;
        let begin = self.bytes.len();
        self.bytes.extend([0; BEFORE_BLOCK]);
        self.bytes.extend_from_slice(&self.facts);
        self.seal(begin);
    }

    /// The bytes, which begin here in the current part, and after them the length at which reading ends.
    fn end_piece(&mut self, begin: usize) -> Piece<'_> {
        self.bytes.extend([0; BEFORE_BLOCK]);
        let part = self.parts.back().map_or(0, |(place, _)| *place);
        Piece { place: part * self.part as u64 + begin as u64, bytes: &self.bytes }
    }
}
