//! Distributions in the kernel by key: how often, how much in all, and the extremes of an interval.
//!
//! A distribution is a map's value: a counter for each bucket, the sum of the values, and twice the
//! extremes of an interval with its number. All are u64. The counters and the sum only grow; the extremes
//! cannot be the difference of two reads, so that those of an interval are read while the next ones are
//! measured: they take turns. The number of the interval is in a map of its own, the epoch, to which the
//! reader adds one at the end of each interval.

use super::buckets::Buckets;
use super::counters::{KeyedCounters, unreadable, words};
use crate::error::Error;
use crate::insn::Cond::{Ge, Le, Ne};
use crate::insn::{Asm, MapRef, R, Regs, r0, r1, r2, r3, u64_at};
use crate::order::PutInOrder;
use crate::sys::Map;
use crate::sys::map::{MapSpec, MapType, Update};

/// The number of an interval and its extremes, as words.
const EXTREMES: usize = 3;

/// The number of a distribution's words that are counters: the buckets and the sum.
fn counters(buckets: &Buckets) -> usize {
    buckets.len() + 1
}

/// The size of a distribution in bytes.
fn size(buckets: &Buckets) -> u32 {
    8 * (counters(buckets) + 2 * EXTREMES) as u32
}

/// Adds `value` to the distribution that r0 points to, its bucket being that of `value / unit`, or of so many
/// [fractions](Buckets::fraction) of it. The distribution is this CPU's own: its smallest and greatest value are
/// kept without atomic operations, which kernels before 5.12 do not have for them. `epoch` is one of
/// [`Distributions::maps`]. Clobbers `value` and r0 to r3.
#[track_caller]
pub fn add(a: &mut Asm, value: R, unit: i32, buckets: &Buckets, epoch: MapRef) {
    let (first, not_less, done) = (a.label(), a.label(), a.label());
    let sum = 8 * buckets.len() as i32;
    let (interval, min, max) = (sum + 8, sum + 16, sum + 24);
    // A place that was not used in this interval yet holds another interval's number.
    a.load_map_value(r1, epoch, 0);
    a.load(r1, u64_at(r1 + 0));
    a.add(r1, 1);
    a.mov(r2, r1);
    a.and(r2, 1);
    a.mul(r2, 8 * EXTREMES as i32);
    a.add(r2, r0);
    a.load(r3, u64_at(r2 + interval));
    a.jump_if(r3, Ne, r1, &first);
    a.load(r3, u64_at(r2 + min));
    a.jump_if(r3, Le, value, &not_less);
    a.store(u64_at(r2 + min), value);
    a.place(not_less);
    a.load(r3, u64_at(r2 + max));
    a.jump_if(r3, Ge, value, &done);
    a.store(u64_at(r2 + max), value);
    a.goto(&done);
    a.place(first);
    a.store(u64_at(r2 + min), value);
    a.store(u64_at(r2 + max), value);
    a.store(u64_at(r2 + interval), r1);
    a.place(done);
    // On one CPU, yet atomic: an interrupt may bring the next value in between.
    a.lock_add(u64_at(r0 + sum), value);
    let part = unit >> buckets.fraction(unit as u64);
    if part != 1 {
        a.div(value, part);
    }
    buckets.find(a, r1, value, [r2, r3]);
    a.lsh(r1, 3);
    a.add(r0, r1);
    a.mov(r2, 1);
    a.lock_add(u64_at(r0 + 0), r2);
}

/// The registers that [`add`] overwrites.
pub const fn clobbers(value: R, unit: i32, buckets: &Buckets) -> Regs {
    let divided = if unit == 1 { Regs::NONE } else { Regs::of([value]) };
    Regs::of([r0, r1, r2, r3]).or(divided).or(buckets.clobbers(value, [r2, r3]))
}

/// What was measured during an interval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Distribution {
    /// How many values fell into each bucket.
    pub counts: Vec<u64>,
    /// All values together.
    pub sum: u64,
    /// The smallest and the greatest value. None if they fell between two intervals.
    pub extremes: Option<(u64, u64)>,
}

/// Reads the distributions in a per-CPU hash, or the only one in a per-CPU array, which programs [`add`]
/// to.
pub struct Distributions {
    counters: KeyedCounters,
    /// How many words of a value are counters.
    len: usize,
    epoch: u64,
    /// The first bucket whose values have no bound.
    open: usize,
    /// No value since the start was above it.
    greatest: u64,
}

impl Distributions {
    /// Distributions over these buckets.
    pub fn new(buckets: &Buckets) -> Distributions {
        let len = counters(buckets);
        let has_no_end = |index: &usize| buckets.range(*index).1.is_none();
        let open = (0..buckets.len()).find(has_no_end).unwrap_or(buckets.len());
        Distributions { counters: KeyedCounters::first(len), len, epoch: 0, open, greatest: 0 }
    }

    /// The maps: the distributions, the epoch and, with `keys`, an empty distribution that a new key
    /// begins with. `keys` are the size of a key in bytes and the maximum number of keys. Without keys
    /// there is one distribution, an array's only value, which is found without a search.
    pub fn maps(name: &str, buckets: &Buckets, keys: Option<(u32, u32)>) -> Vec<MapSpec> {
        let size = size(buckets);
        let (map_type, key_size, max_keys) = match keys {
            Some((key_size, max_keys)) => (MapType::PercpuHash, key_size, max_keys),
            None => (MapType::PercpuArray, 4, 1),
        };
        let mut maps = vec![
            MapSpec::new(name, map_type, key_size, size, max_keys),
            super::counters::map("epoch", 1),
        ];
        if keys.is_some() {
            maps.push(super::counters::map("zeros", size / 8));
        }
        maps
    }

    /// Says in the epoch that an interval begins: it is 0 before the first.
    ///
    /// # Errors
    /// The map could not be written.
    pub fn begin(&mut self, epoch: &Map) -> Result<(), Error> {
        self.epoch += 1;
        let epoch = epoch.update(&0u32.to_ne_bytes(), &self.epoch.to_ne_bytes(), Update::Any);
        epoch.map_err(|error| unreadable(&error))
    }

    /// The keys that measured anything since the last call, and what, by key. The distribution in an array
    /// is there whether it measured anything or not.
    ///
    /// # Errors
    /// The maps could not be read.
    pub fn read(&mut self, distributions: &Map, epoch: &Map) -> Result<Vec<Measured>, Error> {
        self.begin(epoch)?;
        let distribution = |words: &[u64]| {
            let (counts, sum) = (words[..self.len - 1].to_vec(), words[self.len - 1]);
            Distribution { counts, sum, extremes: None }
        };
        let readings = self.counters.read(distributions)?;
        let mut all: Vec<_> = readings
            .iter()
            .map(|reading| Measured {
                key: reading.key.to_vec(),
                interval: distribution(reading.interval),
                total: distribution(reading.total),
                greatest: 0,
            })
            .collect();
        all.order_by(|one, other| one.key.cmp(&other.key));
        for (key, value) in self.counters.entries().iter() {
            if let Ok(at) = all.binary_search_by(|measured| (*measured.key).cmp(key)) {
                let cpus = distributions.cpu_values(value);
                all[at].interval.extremes = extremes(cpus, self.len, self.epoch);
            }
        }
        for Measured { interval, .. } in &all {
            // Of an interval that ended just then, only the last bucket has values of any size.
            let greatest = match interval.extremes {
                Some((_, greatest)) => greatest,
                None if interval.counts[self.open..].iter().any(|count| *count > 0) => u64::MAX,
                None => 0,
            };
            self.greatest = self.greatest.max(greatest);
        }
        all.iter_mut().for_each(|measured| measured.greatest = self.greatest);
        Ok(all)
    }
}

/// The distribution of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Measured {
    /// The key.
    pub key: Vec<u8>,
    /// What was measured since the last reading.
    pub interval: Distribution,
    /// What was measured since the map was made, without extremes.
    pub total: Distribution,
    /// No value that counts in a bucket without an end was ever above it.
    pub greatest: u64,
}

/// The extremes of this interval on any CPU.
fn extremes<'a>(
    cpus: impl Iterator<Item = &'a [u8]>,
    counters: usize,
    interval: u64,
) -> Option<(u64, u64)> {
    let places: Vec<u64> = cpus.flat_map(|value| words(value).split_off(counters)).collect();
    let (places, _) = places.as_chunks::<EXTREMES>();
    let these = places.iter().filter(|[of, ..]| *of == interval);
    these.map(|[_, min, max]| (*min, *max)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}
