//! Counters in the kernel: u64 words in the only value of an array map, or in each value of a hash.
//!
//! They are never cleared: an interval is the difference of two reads, so that no count falls between
//! them.

use std::collections::HashMap;

use super::evicted::Evicted;
use crate::error::Error;
use crate::insn::blocks::BPF_NOEXIST;
use crate::insn::helper::MAP_UPDATE_ELEM;
use crate::insn::{Addr, Asm, Cond, MapRef, R, Regs, Target, r0, r1, r2, r3, r4, u64_at};
use crate::sys::map::{Entries, MapSpec, MapType};
use crate::sys::{Errno, Map};

/// An array map with all counters in its only value, so that one lookup reads them all.
pub fn map(name: &str, counters: u32) -> MapSpec {
    MapSpec::new(name, MapType::Array, 4, 8 * counters, 1)
}

/// `counters[index] += 1`, on all CPUs at once without a loss. The counters are in the only value of the
/// array map `counters`; the verifier must see that `index` stays inside. Clobbers `index`, r1 and r2.
#[track_caller]
pub fn count(a: &mut Asm, counters: MapRef, index: R) {
    a.load_map_value(r1, counters, 0);
    a.lsh(index, 3);
    a.add(r1, index);
    a.mov(r2, 1);
    a.lock_add(u64_at(r1 + 0), r2);
}

/// `counters[index] += 1` for an index that is known, as of what is not in the picture. Clobbers r1 and
/// r2.
#[track_caller]
pub fn count_one(a: &mut Asm, counters: MapRef, index: u32) {
    a.load_map_value(r1, counters, 8 * index);
    a.mov(r2, 1);
    a.lock_add(u64_at(r1 + 0), r2);
}

/// `r0 = &map[*key]`, where the key is on the stack or in a map's value. A key that is new begins with
/// the value that `zeros` holds, an array map of one such value; where the map is full the program goes
/// on at `full`. Clobbers r1 to r5; the key's address is not in those.
#[track_caller]
pub fn lookup_or_insert(
    a: &mut Asm,
    map: MapRef,
    key: impl Into<Addr>,
    zeros: MapRef,
    full: &impl Target,
) {
    let (key, found) = (key.into(), a.label());
    a.lookup(map, key);
    a.jump_if(r0, Cond::Ne, 0, &found);
    a.load_map(r1, map);
    a.load_address(r2, key);
    a.load_map_value(r3, zeros, 0);
    // Another CPU may have been faster: its value must stay.
    a.mov(r4, BPF_NOEXIST);
    a.call(MAP_UPDATE_ELEM);
    a.lookup(map, key);
    a.jump_if(r0, Cond::Eq, 0, full);
    a.place(found);
}

/// The registers that each block overwrites beside those of its result.
pub mod clobbers {
    use super::{R, Regs, r1, r2};

    /// [`count`](super::count).
    pub const fn count(index: R) -> Regs {
        Regs::of([index, r1, r2])
    }

    /// [`count_one`](super::count_one).
    pub const COUNT_ONE: Regs = Regs::of([r1, r2]);

    /// [`lookup_or_insert`](super::lookup_or_insert), whose result is in r0.
    pub const LOOKUP_OR_INSERT: Regs = Regs::ARGUMENTS;
}

/// The u64 counters in the only value of an array map.
#[derive(Default)]
pub struct Counters {
    before: Vec<u64>,
}

impl Counters {
    /// What was counted since the last call, or since the start, and in all.
    ///
    /// # Errors
    /// The map could not be read.
    pub fn read(&mut self, map: &Map) -> Result<Reading, Error> {
        let mut value = vec![0; map.value_len()];
        map.lookup(&0u32.to_ne_bytes(), &mut value).map_err(|error| unreadable(&error))?;
        let total = words(&value);
        self.before.resize(total.len(), 0);
        let interval = difference(&total, &self.before).collect();
        self.before.clone_from(&total);
        Ok(Reading { interval, total })
    }
}

/// Counters as they were read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reading {
    /// What each counted since the last reading.
    pub interval: Vec<u64>,
    /// What each counted since the map was made.
    pub total: Vec<u64>,
}

/// The counters of a key as they were read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyReading<'a> {
    /// The key.
    pub key: &'a [u8],
    /// What each counted since the last reading.
    pub interval: &'a [u64],
    /// What each counted since the map was made, as far as evicted keys are remembered.
    pub total: &'a [u64],
}

/// The keys that counted anything, in the order in which they were read.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    interval: Counts,
    /// The same keys.
    total: Counts,
}

impl Readings {
    fn new(key_len: usize, words: usize) -> Readings {
        Readings { interval: Counts::new(key_len, words), total: Counts::new(key_len, words) }
    }

    /// Adds a key with what its counters are now, what they were before, and what an evicted key had
    /// counted earlier.
    fn push(&mut self, key: &[u8], now: &[u64], before: &[u64], evicted: &Evicted) {
        self.interval.push(key, difference(now, before));
        let mut total = now.to_vec();
        evicted.add_before(key, &mut total);
        self.total.push(key, total.into_iter());
    }

    /// Each key with its counters.
    pub fn iter(&self) -> impl Iterator<Item = KeyReading<'_>> {
        let readings = self.interval.iter().zip(self.total.iter());
        readings.map(|((key, interval), (_, total))| KeyReading { key, interval, total })
    }
}

/// The u64 counters in each value of a map.
///
/// Once a hash is half full, the keys that counted nothing during an interval are removed, since all
/// their counts have been returned; so a run of days has room for new keys. Counts until the moment of
/// the removal are returned too; a count is lost only if a program adds it to a value that it looked up
/// before that moment.
#[derive(Default)]
pub struct KeyedCounters {
    /// The number of words of a value that are counters; `None` for all.
    len: Option<usize>,
    before: Counts,
    entries: Entries,
    evicted: Evicted,
}

impl KeyedCounters {
    /// The counters of values whose first `len` words are counters. [`KeyedCounters::entries`] has the
    /// rest of each value.
    pub fn first(len: usize) -> KeyedCounters {
        KeyedCounters { len: Some(len), ..KeyedCounters::default() }
    }

    /// The map as it was last read.
    pub fn entries(&self) -> &Entries {
        &self.entries
    }

    /// The keys that counted anything since the last call, and what; all keys of an array.
    ///
    /// # Errors
    /// The map could not be read.
    pub fn read(&mut self, map: &Map) -> Result<Readings, Error> {
        map.read_all(&mut self.entries).map_err(|error| unreadable(&error))?;
        let spec = map.spec();
        let array = spec.map_type.is_array();
        let crowded = self.entries.len() * 2 > spec.max_entries as usize;
        let len = self.len.unwrap_or(spec.value_size as usize / 8);
        let before = std::mem::replace(&mut self.before, Counts::new(map.key_len(), len));
        let mut counted = Readings::new(map.key_len(), len);
        let zeros = vec![0; len];
        let mut walk = KeyFinder::over(&before);
        let (mut now, mut last) = (vec![0; len], vec![0; map.value_len()]);
        for (key, value) in self.entries.iter() {
            sum_of_cpus(map, value, &mut now);
            match walk.to(key) {
                KeyState::Known(then) if *then == now && !array => {
                    if !crowded {
                        self.before.push(key, now.iter().copied());
                    } else if remove(map, key, &mut last)? {
                        sum_of_cpus(map, &last, &mut now);
                        if *then != now {
                            counted.push(key, &now, then, &self.evicted);
                        }
                        self.evicted.evict(key, &now, 2 * spec.max_entries as usize);
                    }
                }
                KeyState::Known(then) => {
                    counted.push(key, &now, then, &self.evicted);
                    self.before.push(key, now.iter().copied());
                }
                KeyState::New => {
                    self.evicted.appears(key);
                    // A program may have added the key, and be about to count.
                    if array || now.iter().any(|count| *count > 0) {
                        counted.push(key, &now, &zeros, &self.evicted);
                    }
                    self.before.push(key, now.iter().copied());
                }
                KeyState::Again => {}
            }
        }
        for (key, counts) in walk.left_out() {
            self.before.push(key, counts.iter().copied());
        }
        Ok(counted)
    }
}

/// Takes a key out of the map, with its last value; false if it was not there.
fn remove(map: &Map, key: &[u8], value: &mut [u8]) -> Result<bool, Error> {
    // Kernels before 5.14 cannot read and remove a hash's key at once.
    let removed = match map.lookup_and_delete(key, value) {
        Err(error) if matches!(error.errno, Errno::EINVAL | Errno::ENOTSUPP) => {
            map.lookup(key, value).and_then(|_| map.delete(key))
        }
        result => result,
    };
    removed.map_err(|error| unreadable(&error))
}

/// Counters by key, in the order in which they were read.
#[derive(Clone, Debug, Default)]
struct Counts {
    keys: Vec<u8>,
    counts: Vec<u64>,
    key_len: usize,
    /// How many counters a key has.
    words: usize,
}

impl Counts {
    fn new(key_len: usize, words: usize) -> Counts {
        Counts { key_len, words, ..Counts::default() }
    }

    fn push(&mut self, key: &[u8], counts: impl Iterator<Item = u64>) {
        self.keys.extend_from_slice(key);
        self.counts.extend(counts);
    }

    fn get(&self, at: usize) -> Option<(&[u8], &[u64])> {
        let part = |at: usize, len: usize| at * len..(at + 1) * len;
        let key = self.keys.get(part(at, self.key_len))?;
        Some((key, self.counts.get(part(at, self.words))?))
    }

    /// How many keys there are.
    fn len(&self) -> usize {
        self.keys.len().checked_div(self.key_len).unwrap_or(0)
    }

    /// Keys with their counters.
    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u64])> {
        (0..self.len()).map_while(|at| self.get(at))
    }
}

/// Finds keys in what was read before. The kernel hands over a map's keys in the same order every time
/// but for those that come and go, so that most are where the last one's neighbour was.
struct KeyFinder<'a> {
    before: &'a Counts,
    next: usize,
    seen: Vec<bool>,
    /// Where the keys are. Made for the first that is out of order; has those, too, that are new.
    index: HashMap<&'a [u8], Option<usize>>,
}

enum KeyState<'a> {
    Known(&'a [u64]),
    New,
    /// It has been met already: a map that changes while it is read may give a key twice.
    Again,
}

impl<'a> KeyFinder<'a> {
    fn over(before: &'a Counts) -> KeyFinder<'a> {
        KeyFinder { before, next: 0, seen: vec![false; before.len()], index: HashMap::new() }
    }

    fn to(&mut self, key: &'a [u8]) -> KeyState<'a> {
        let at = match self.before.get(self.next) {
            Some((next, _)) if next == key => self.next,
            _ => {
                if self.index.is_empty() {
                    let keys = self.before.iter().map(|(key, _)| key);
                    self.index = keys.zip((0..).map(Some)).collect();
                }
                match self.index.get(key) {
                    Some(Some(at)) => *at,
                    Some(None) => return KeyState::Again,
                    None => {
                        self.index.insert(key, None);
                        return KeyState::New;
                    }
                }
            }
        };
        self.next = at + 1;
        match (std::mem::replace(&mut self.seen[at], true), self.before.get(at)) {
            (false, Some((_, counts))) => KeyState::Known(counts),
            _ => KeyState::Again,
        }
    }

    /// What was not met.
    fn left_out(&self) -> impl Iterator<Item = (&'a [u8], &'a [u64])> {
        let all = self.before.iter().zip(&self.seen);
        all.filter_map(|(counts, seen)| (!seen).then_some(counts))
    }
}

/// What was counted between two reads.
fn difference(now: &[u64], before: &[u64]) -> impl Iterator<Item = u64> {
    now.iter().zip(before).map(|(now, before)| now.wrapping_sub(*before))
}

/// The first words of a value, those of all CPUs added up where each has its own.
fn sum_of_cpus(map: &Map, value: &[u8], sum: &mut [u64]) {
    sum.fill(0);
    for cpu in map.cpu_values(value) {
        let (words, _) = cpu.as_chunks::<8>();
        for (sum, word) in sum.iter_mut().zip(words) {
            *sum = sum.wrapping_add(u64::from_ne_bytes(*word));
        }
    }
}

/// A value's u64 words.
pub fn words(value: &[u8]) -> Vec<u64> {
    let (words, _) = value.as_chunks::<8>();
    words.iter().map(|word| u64::from_ne_bytes(*word)).collect()
}

/// A map that could not be read, as a user should see it.
pub fn unreadable(error: &crate::sys::SysError) -> Error {
    Error::failed(format!("the counters could not be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(u8, u64)]) -> Counts {
        let mut counts = Counts::new(1, 1);
        pairs.iter().for_each(|(key, count)| counts.push(&[*key], [*count].into_iter()));
        counts
    }

    /// The counts before of each key in this order: None for a new one, "again" for a double.
    fn walk(before: &Counts, keys: &[u8]) -> (Vec<String>, Vec<u8>) {
        let mut walk = KeyFinder::over(before);
        let found = keys.iter().map(|key| match walk.to(std::slice::from_ref(key)) {
            KeyState::Known(counts) => counts[0].to_string(),
            KeyState::New => "new".into(),
            KeyState::Again => "again".into(),
        });
        (found.collect(), walk.left_out().map(|(key, _)| key[0]).collect())
    }

    #[test]
    fn a_key_is_found_wherever_it_was() {
        let before = of(&[(1, 10), (2, 20), (3, 30), (4, 40)]);
        let all = |found: &[&str]| found.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(walk(&before, &[1, 2, 3, 4]), (all(&["10", "20", "30", "40"]), vec![]));
        assert_eq!(walk(&before, &[4, 5, 1, 2]), (all(&["40", "new", "10", "20"]), vec![3]));
        assert_eq!(walk(&before, &[]), (vec![], vec![1, 2, 3, 4]));
        assert_eq!(walk(&of(&[]), &[7, 8]), (all(&["new", "new"]), vec![]));
    }

    #[test]
    fn a_key_that_comes_twice_counts_once() {
        let before = of(&[(1, 10), (2, 20)]);
        let (found, _) = walk(&before, &[1, 5, 5, 1, 2, 2]);
        assert_eq!(found, ["10", "new", "again", "again", "20", "again"]);
    }
}
