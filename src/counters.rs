//! Counters in the kernel that are never cleared: an interval is the difference of two reads, so that
//! no count falls between them.

use std::collections::HashMap;

use crate::error::Error;
use crate::sys::map::Entries;
use crate::sys::{Errno, Map};

/// The u64 counters in the only value of an array map.
#[derive(Default)]
pub struct Counters {
    before: Vec<u64>,
}

impl Counters {
    /// What was counted since the last call, or since the start.
    ///
    /// # Errors
    /// The map could not be read.
    pub fn interval(&mut self, map: &Map) -> Result<Vec<u64>, Error> {
        let mut value = vec![0; map.value_len()];
        map.lookup(&0u32.to_ne_bytes(), &mut value).map_err(|error| unreadable(&error))?;
        let now = words(&value);
        self.before.resize(now.len(), 0);
        let counts = now.iter().zip(&self.before).map(|(now, then)| now.wrapping_sub(*then));
        let counts = counts.collect();
        self.before = now;
        Ok(counts)
    }
}

/// The u64 counters in each value of a hash map.
///
/// Keys that counted nothing during an interval, and so have been told in full, are taken out of the
/// map once it is half full, so that a run of days goes on with new keys.
#[derive(Default)]
pub struct KeyedCounters {
    /// How many words of a value are counters; all if not told.
    len: Option<usize>,
    before: HashMap<Vec<u8>, Vec<u64>>,
    /// What keys counted between their last read and their removal.
    late: HashMap<Vec<u8>, Vec<u64>>,
    entries: Entries,
}

impl KeyedCounters {
    /// Of values whose first `len` words are counters. What is behind them is found in
    /// [`KeyedCounters::entries`].
    pub fn first(len: usize) -> KeyedCounters {
        KeyedCounters { len: Some(len), ..KeyedCounters::default() }
    }

    /// The map as it was last read.
    pub fn entries(&self) -> &Entries {
        &self.entries
    }

    /// The keys that counted anything since the last call, and what.
    ///
    /// # Errors
    /// The map could not be read.
    pub fn interval(&mut self, map: &Map) -> Result<HashMap<Vec<u8>, Vec<u64>>, Error> {
        map.read_all(&mut self.entries).map_err(|error| unreadable(&error))?;
        let crowded = self.entries.len() * 2 > map.spec().max_entries as usize;
        let mut counted = std::mem::take(&mut self.late);
        let mut idle = vec![];
        for (key, value) in self.entries.iter() {
            let now = sum_of_cpus(map, value, self.len);
            let before = self.before.entry(key.to_owned()).or_default();
            before.resize(now.len(), 0);
            if now == *before {
                idle.push(key.to_owned());
                continue;
            }
            let counts = counted.entry(key.to_owned()).or_insert_with(|| vec![0; now.len()]);
            for ((count, now), then) in counts.iter_mut().zip(&now).zip(&*before) {
                *count += now.wrapping_sub(*then);
            }
            *before = now;
        }
        if crowded {
            self.forget(map, idle)?;
        }
        Ok(counted)
    }

    fn forget(&mut self, map: &Map, idle: Vec<Vec<u8>>) -> Result<(), Error> {
        let mut value = vec![0; map.value_len()];
        for key in idle {
            // Kernels before 5.14 cannot read and remove a hash's key at once.
            let removed = match map.lookup_and_delete(&key, &mut value) {
                Err(error) if matches!(error.errno, Errno::EINVAL | Errno::ENOTSUPP) => {
                    map.lookup(&key, &mut value).and_then(|_| map.delete(&key))
                }
                result => result,
            };
            let removed = removed.map_err(|error| unreadable(&error))?;
            let before = self.before.remove(&key).unwrap_or_default();
            let last = sum_of_cpus(map, &value, self.len);
            if removed && last != before {
                let counts = last.iter().zip(&before).map(|(now, then)| now.wrapping_sub(*then));
                self.late.insert(key, counts.collect());
            }
        }
        Ok(())
    }
}

/// The first words of a value, those of all CPUs added up where each has its own.
fn sum_of_cpus(map: &Map, value: &[u8], len: Option<usize>) -> Vec<u64> {
    let mut cpus = map.cpu_values(value).map(words);
    let mut sum = cpus.next().unwrap_or_default();
    sum.truncate(len.unwrap_or(usize::MAX));
    for cpu in cpus {
        for (sum, count) in sum.iter_mut().zip(cpu) {
            *sum = sum.wrapping_add(count);
        }
    }
    sum
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
