//! Distributions in the kernel by key: how often, how much in all, and the extremes of an interval.

use crate::counters::{KeyedCounters, unreadable, words};
use crate::error::Error;
use crate::insn::Buckets;
use crate::insn::blocks::distribution;
use crate::sys::Map;
use crate::sys::map::{MapSpec, MapType, Update};

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

/// The distributions in a per-CPU hash, or the only one in a per-CPU array, each made by
/// [`add_to_distribution`](crate::insn::Asm::add_to_distribution).
pub struct Distributions {
    counters: KeyedCounters,
    /// How many words of a value are counters.
    len: usize,
    epoch: u64,
}

impl Distributions {
    /// Distributions over these buckets.
    pub fn new(buckets: &Buckets) -> Distributions {
        let len = distribution::counters(buckets);
        Distributions { counters: KeyedCounters::first(len), len, epoch: 0 }
    }

    /// The maps: the distributions and the epoch, and with `keys` of so many bytes, at most so many, an
    /// empty distribution for a new key to begin with. Without keys there is one distribution, an
    /// array's only value, which is found without a search.
    pub fn maps(name: &str, buckets: &Buckets, keys: Option<(u32, u32)>) -> Vec<MapSpec> {
        let size = distribution::size(buckets);
        let (map_type, key_size, max_keys) = match keys {
            Some((key_size, max_keys)) => (MapType::PercpuHash, key_size, max_keys),
            None => (MapType::PercpuArray, 4, 1),
        };
        let mut maps = vec![
            MapSpec::new(name, map_type, key_size, size, max_keys),
            MapSpec::new("epoch", MapType::Array, 4, 8, 1),
        ];
        if keys.is_some() {
            maps.push(MapSpec::new("zeros", MapType::Array, 4, size, 1));
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

    /// The keys that measured anything since the last call, and what.
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
            })
            .collect();
        all.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        for (key, value) in self.counters.entries().iter() {
            if let Ok(at) = all.binary_search_by(|measured| (*measured.key).cmp(key)) {
                let cpus = distributions.cpu_values(value);
                all[at].interval.extremes = extremes(cpus, self.len, self.epoch);
            }
        }
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
    /// What was measured since the key was added, without extremes.
    pub total: Distribution,
}

/// The extremes of this interval on any CPU.
fn extremes<'a>(
    cpus: impl Iterator<Item = &'a [u8]>,
    counters: usize,
    interval: u64,
) -> Option<(u64, u64)> {
    let places: Vec<u64> = cpus.flat_map(|value| words(value).split_off(counters)).collect();
    let (places, _) = places.as_chunks::<3>();
    let these = places.iter().filter(|[of, ..]| *of == interval);
    these.map(|[_, min, max]| (*min, *max)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}
