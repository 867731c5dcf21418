//! The maps of a script, as user space sees them: read, cleared, set to zero.
//!
//! What is counted is never cleared in the kernel, since a count could fall between a read and a clear.
//! A clear remembers what was read last, and later reads are the difference to that.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::error::Error;
use crate::sample::ScriptMap;
use crate::script::MapUse;
use crate::script::contents::{self, Known, counted, words};
use crate::script::types::{Aggregate, Type};
use crate::sys::map::{Entries, Update};
use crate::sys::{Map, SysError};

/// The values of a key: one, or of extremes one of each CPU.
type Values = Vec<Vec<u64>>;

/// A map of a script.
pub(super) struct TracedMap<'a> {
    held: &'a MapUse,
    map: &'a Map,
    /// What was read last.
    last: HashMap<Vec<u8>, Values>,
    /// What there was at the last clear.
    base: HashMap<Vec<u8>, Values>,
    /// Keys that were set to zero, and have counted nothing since.
    zeroed: Vec<Vec<u8>>,
    /// What keys had counted that were removed to make room.
    gone: HashMap<Vec<u8>, Values>,
}

impl<'a> TracedMap<'a> {
    pub fn new(held: &'a MapUse, map: &'a Map) -> TracedMap<'a> {
        let [last, base, gone] = [(); 3].map(|()| HashMap::new());
        TracedMap { held, map, last, base, zeroed: vec![], gone }
    }

    /// What the script says of it.
    pub fn held(&self) -> &'a MapUse {
        self.held
    }

    /// What was counted for each key since the start of the run, also before a clear, unless elements are
    /// removed by one.
    pub fn since_start(&self) -> Result<HashMap<Vec<u8>, Values>, Error> {
        let mut all = self.read_kernel()?;
        for (key, gone) in &self.gone {
            let Some(values) = all.get_mut(key) else { continue };
            for (words, gone) in values.iter_mut().zip(gone) {
                let words = words.iter_mut().zip(gone);
                words.for_each(|(word, gone)| *word = word.wrapping_add(*gone));
            }
        }
        Ok(all)
    }

    fn aggregate(&self) -> Option<Aggregate> {
        match self.held.value {
            Type::Aggregate(aggregate) => Some(aggregate),
            _ => None,
        }
    }

    fn keyed(&self) -> bool {
        self.held.keyed == Some(true)
    }

    /// The values in an element: of extremes those of each CPU.
    fn parts(&self, value: Vec<u64>) -> Values {
        match self.aggregate() {
            Some(aggregate) if aggregate.is_per_cpu() => {
                value.chunks(aggregate.words()).map(<[u64]>::to_vec).collect()
            }
            _ => vec![value],
        }
    }

    /// Whether a clear only remembers what there was. It cannot where an element may be replaced by a new
    /// one that begins at zero: the script deletes some, or the kernel does.
    fn remembers(&self) -> bool {
        let replaced = self.held.deleted
            || matches!(&self.held.declared, Some((kind, _)) if kind.contains("lru"));
        self.aggregate().is_some_and(|aggregate| !aggregate.is_per_cpu()) && !replaced
    }

    /// The keys in the kernel's map now.
    pub fn keys(&self) -> Result<Vec<Vec<u8>>, Error> {
        Ok(self.read_kernel()?.into_keys().collect())
    }

    /// What is in the kernel's map now.
    fn read_kernel(&self) -> Result<HashMap<Vec<u8>, Values>, Error> {
        let mut entries = Entries::new();
        self.map.read_all(&mut entries).map_err(|error| unreadable(&error))?;
        let entry = |(key, value): (&[u8], &[u8])| (key.to_vec(), self.parts(words(value)));
        Ok(entries.iter().map(entry).collect())
    }

    /// What the map holds; `whole` also what it holds nothing of: a map without keys is printed if it is
    /// asked for.
    pub fn read(&mut self, whole: bool, known: &dyn Known) -> Result<ScriptMap, Error> {
        let decode = |of: &Type, words: &[u64]| contents::value(of, words, known);
        self.last = self.read_kernel()?;
        let mut rows = vec![];
        for (key, values) in &self.last {
            let value = match self.aggregate() {
                Some(aggregate) => {
                    let values = self.since_clear(aggregate, key, values);
                    let zeroed = self.zeroed.contains(key).then(|| contents::zero(aggregate));
                    counted(aggregate, &values).or(zeroed)
                }
                None if self.keyed() => Some(decode(&self.held.value, &values[0])),
                None => (values[0].first() != Some(&0))
                    .then(|| decode(&self.held.value, values[0].get(1..).unwrap_or_default())),
            };
            let key = self.keyed().then(|| decode(&self.held.key, &words(key)));
            rows.extend(value.map(|value| (key, value)));
        }
        if rows.is_empty() && whole && !self.keyed() {
            let value = match self.aggregate() {
                // A histogram of nothing has no rows.
                Some(Aggregate::Histogram(_) | Aggregate::Linear { .. }) => None,
                Some(aggregate) => Some(contents::zero(aggregate)),
                None => Some(decode(&self.held.value, &vec![0; self.held.value.words()])),
            };
            rows.extend(value.map(|value| (None, value)));
        }
        Ok(ScriptMap { name: self.held.name.clone(), kind: contents::kind(self.held), rows })
    }

    /// What was counted since the last clear.
    fn since_clear(&self, aggregate: Aggregate, key: &[u8], values: &Values) -> Values {
        let Some(base) = self.base.get(key) else { return values.clone() };
        let difference = |(now, before): (&Vec<u64>, &Vec<u64>)| -> Vec<u64> {
            let words = now.iter().zip(before);
            // The last word of a sum says that there is one.
            let sum = matches!(aggregate, Aggregate::Sum(_));
            let changed = now != before;
            words
                .enumerate()
                .map(|(index, (now, before))| match sum && index == 1 {
                    true => u64::from(changed),
                    false => now.wrapping_sub(*before),
                })
                .collect()
        };
        values.iter().zip(base).map(difference).collect()
    }

    /// Forgets all. What was printed just before is what is forgotten: no count falls in between.
    pub fn clear(&mut self, just_printed: bool) -> Result<(), Error> {
        self.zeroed.clear();
        if !just_printed {
            self.last = self.read_kernel()?;
        }
        if self.remembers() {
            self.evict_idle()?;
            self.base = std::mem::take(&mut self.last);
            return Ok(());
        }
        if !self.keyed() {
            return self.write_zeros(&[0; 4]);
        }
        for key in self.last.keys() {
            self.map.delete(key).map_err(|error| unreadable(&error))?;
        }
        Ok(())
    }

    /// Sets all values to zero; keys stay.
    pub fn zero(&mut self, just_printed: bool) -> Result<(), Error> {
        if !just_printed {
            self.last = self.read_kernel()?;
        }
        self.zeroed = self.last.keys().cloned().collect();
        match self.aggregate() {
            _ if self.remembers() => {
                self.base = std::mem::take(&mut self.last);
            }
            aggregate => {
                for (key, before) in &self.last {
                    let mut value = vec![0; self.map.value_len()];
                    if aggregate.is_none() && !self.keyed() {
                        // It stays set if it was.
                        let set = before.first().and_then(|words| words.first()).copied();
                        value[..8].copy_from_slice(&set.unwrap_or_default().to_ne_bytes());
                    }
                    self.map
                        .update(key, &value, Update::Any)
                        .map_err(|error| unreadable(&error))?;
                }
            }
        }
        Ok(())
    }

    /// Once the map is half full, removes what counted nothing since the last clear: it would stay for ever.
    fn evict_idle(&mut self) -> Result<(), Error> {
        if !self.keyed() || self.last.len() <= self.map.spec().max_entries as usize / 2 {
            return Ok(());
        }
        let idle = |(key, values): &(&Vec<u8>, &Values)| self.base.get(*key) == Some(values);
        let idle: Vec<_> = self.last.iter().filter(idle).map(|(key, _)| key.clone()).collect();
        if self.gone.len() > 2 * self.map.spec().max_entries as usize {
            self.gone.clear();
        }
        for key in idle {
            self.map.delete(&key).map_err(|error| unreadable(&error))?;
            let Some(last) = self.last.remove(&key) else { continue };
            match self.gone.entry(key) {
                Entry::Vacant(place) => _ = place.insert(last),
                Entry::Occupied(mut place) => {
                    let all = place.get_mut().iter_mut().flatten().zip(last.iter().flatten());
                    all.for_each(|(sum, more)| *sum = sum.wrapping_add(*more));
                }
            }
        }
        Ok(())
    }

    fn write_zeros(&self, key: &[u8]) -> Result<(), Error> {
        let zeros = vec![0; self.map.value_len()];
        self.map.update(key, &zeros, Update::Any).map_err(|error| unreadable(&error))
    }
}

fn unreadable(error: &SysError) -> Error {
    Error::failed(format!("a map of the script cannot be read: {error}"))
}
