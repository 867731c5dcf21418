//! Reading a recording, which may be anybody's, and may have been cut off anywhere.

use std::io::{self, Read, Seek, SeekFrom};
use std::time::{Duration, SystemTime};

use super::decode::decode;
use super::state::State;
use super::wire::Rest;
use super::{BEFORE_BLOCK, FACTS, Facts, GRAIN, HEAD, LARGEST, MAGIC, ROW, VERSION, checksum};
use crate::order::PutInOrder;
use crate::sample::Sample;

/// What a recording is read from.
pub trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// What a recording says next.
#[derive(Debug)]
pub enum Entry {
    /// The facts about the run: at first, and once others follow.
    Facts(Facts),
    /// A row.
    Sample(Sample),
}

/// Why a file is not read.
#[derive(Debug)]
pub enum Refused {
    /// It cannot be read.
    Io(io::Error),
    /// It is no recording.
    Other,
    /// It is of a newer version of the format.
    Newer(u16),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Refused {
        Refused::Io(error)
    }
}

/// What could not be read of a recording.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Damage {
    /// Whether the last row was not written to its end.
    pub torn: bool,
    /// Parts of which some rows, or all, are not what was written, or are missing.
    pub parts: u64,
}

/// A part that has a head.
#[derive(Clone, Copy)]
struct Part {
    number: u64,
    /// Where it is, in bytes.
    at: u64,
    /// When it began, in nanoseconds since 1970.
    began: u64,
}

/// What reads a recording.
pub struct Reader<'a> {
    source: &'a mut dyn Source,
    /// The size of a part.
    size: usize,
    parts: Vec<Part>,
    /// The next part.
    next: usize,
    /// The number of the current part.
    number: u64,
    bytes: Vec<u8>,
    /// The current place in the bytes.
    at: usize,
    state: State,
    facts: Option<Facts>,
    damage: Damage,
}

impl<'a> Reader<'a> {
    /// Finds the parts of a recording.
    ///
    /// # Errors
    /// It cannot be read, or is no recording of a known version.
    pub fn new(source: &'a mut dyn Source) -> Result<Reader<'a>, Refused> {
        let length = source.seek(SeekFrom::End(0))?;
        // The first part may have been lost just when it was to be replaced.
        let searched = length.min(LARGEST as u64);
        let mut size = None;
        for at in (0..searched).step_by(GRAIN) {
            size = head(source, at, None)?.map(|(_, size)| size);
            if size.is_some() {
                break;
            }
        }
        let size = size.ok_or(Refused::Other)?;
        let mut parts = vec![];
        for at in (0..length).step_by(size) {
            parts.extend(head(source, at, Some(size))?.map(|(part, _)| part));
        }
        parts.order_by_key(|part| part.number);
        Ok(Reader {
            source,
            size,
            parts,
            next: 0,
            number: 0,
            bytes: vec![],
            at: 0,
            state: State::default(),
            facts: None,
            damage: Damage::default(),
        })
    }

    /// Leaves out parts that ended before this time.
    pub fn skip_to(&mut self, time: SystemTime) {
        let time = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        while self.parts.get(self.next + 1).is_some_and(|part| u128::from(part.began) < time) {
            self.next += 1;
        }
    }

    /// When the oldest part that is there began.
    pub fn began(&self) -> SystemTime {
        let began = self.parts.first().map_or(0, |part| part.began);
        SystemTime::UNIX_EPOCH + Duration::from_nanos(began)
    }

    /// Only the last part is read.
    pub fn skip_to_last(&mut self) {
        self.next = self.parts.len().saturating_sub(1);
    }

    /// What could not be read so far.
    pub fn damage(&self) -> Damage {
        self.damage
    }

    /// What comes next; None at the end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn entry(&mut self) -> io::Result<Option<Entry>> {
        loop {
            let Some(block) = self.block() else {
                if !self.load()? {
                    return Ok(None);
                }
                continue;
            };
            let (kind, mut rest) =
                (self.bytes[block.start], Rest(&self.bytes[block.start + 1..block.end]));
            match kind {
                FACTS => match Facts::decode(&mut rest) {
                    Ok(facts) if self.facts.as_ref() == Some(&facts) => continue,
                    Ok(facts) => {
                        self.facts = Some(facts.clone());
                        return Ok(Some(Entry::Facts(facts)));
                    }
                    Err(_) => {}
                },
                ROW if self.facts.is_some() => {
                    if let Ok(sample) = decode(&mut self.state, &mut rest) {
                        return Ok(Some(Entry::Sample(sample)));
                    }
                }
                _ => {}
            }
            self.damage.parts += 1;
            self.at = self.bytes.len();
        }
    }

    /// The next block of the current part, which is more than empty; None at the part's end.
    fn block(&mut self) -> Option<std::ops::Range<usize>> {
        let begin = self.at;
        self.at = self.bytes.len();
        let left = &self.bytes[begin..];
        if let Some((before, rest)) = left.split_first_chunk::<BEFORE_BLOCK>() {
            let [length, sum] = [0, 4].map(|at| {
                before[at..at + 4]
                    .iter()
                    .rev()
                    .fold(0, |number, byte| number << 8 | u32::from(*byte))
            });
            if length == 0 {
                return None;
            }
            let block = rest.get(..length as usize);
            if let Some(block) = block.filter(|block| checksum::of(self.number, block) == sum) {
                let begin = begin + BEFORE_BLOCK;
                self.at = begin + block.len();
                return Some(begin..self.at);
            }
        } else if left.iter().all(|byte| *byte == 0) {
            return None;
        }
        match self.next == self.parts.len() {
            true => self.damage.torn = true,
            false => self.damage.parts += 1,
        }
        None
    }

    /// Reads the next part; false if there is none.
    fn load(&mut self) -> io::Result<bool> {
        let Some(part) = self.parts.get(self.next).copied() else { return Ok(false) };
        if self.number > 0 && part.number > self.number + 1 {
            self.damage.parts += part.number - self.number - 1;
        }
        self.next += 1;
        self.number = part.number;
        self.bytes.clear();
        self.state = State::default();
        self.source.seek(SeekFrom::Start(part.at))?;
        (&mut *self.source).take(self.size as u64).read_to_end(&mut self.bytes)?;
        self.at = HEAD.min(self.bytes.len());
        Ok(true)
    }
}

/// The head of a part at this place, and the size of parts, which must be `size` if that is known.
fn head(
    source: &mut dyn Source,
    at: u64,
    size: Option<usize>,
) -> Result<Option<(Part, usize)>, Refused> {
    source.seek(SeekFrom::Start(at))?;
    let mut bytes = vec![];
    (&mut *source).take(HEAD as u64).read_to_end(&mut bytes)?;
    let Some(bytes) = bytes.first_chunk::<HEAD>() else { return Ok(None) };
    let number = |range: std::ops::Range<usize>| {
        bytes[range].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    if bytes[..8] != MAGIC {
        return Ok(None);
    }
    let version = number(8..10) as u16;
    if version > VERSION {
        return Err(Refused::Newer(version));
    }
    if number(32..36) as u32 != checksum::of(0, &bytes[..32]) {
        return Ok(None);
    }
    let own = number(12..16) as usize;
    let fits = own.is_multiple_of(GRAIN) && (GRAIN..=LARGEST).contains(&own);
    if !fits || size.is_some_and(|size| size != own) {
        return Ok(None);
    }
    Ok(Some((Part { number: number(16..24), at, began: number(24..32) }, own)))
}
