//! What keys had counted when they were evicted from a map, so that their totals go on when they return.

use std::collections::HashMap;

type Totals = HashMap<Box<[u8]>, Vec<u64>>;

/// The totals of keys that were evicted. Of those that are gone, the last ones are remembered, at least as
/// many as a limit and at most twice as many; a key that was forgotten begins again at 0.
#[derive(Default)]
pub(super) struct Evicted {
    recent: Totals,
    older: Totals,
    /// Of keys that are in the map again: what they had counted before.
    returned: Totals,
}

impl Evicted {
    /// A key appears in the map.
    pub fn appears(&mut self, key: &[u8]) {
        if self.recent.is_empty() && self.older.is_empty() {
            return;
        }
        let found = self.recent.remove_entry(key).or_else(|| self.older.remove_entry(key));
        if let Some((key, totals)) = found {
            self.returned.insert(key, totals);
        }
    }

    /// A key is evicted whose counters have these values.
    pub fn evict(&mut self, key: &[u8], counters: &[u64], limit: usize) {
        let mut totals = counters.to_vec();
        self.add_before(key, &mut totals);
        self.returned.remove(key);
        if self.recent.len() >= limit {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(key.into(), totals);
    }

    /// Adds what a key in the map had counted before it was evicted.
    pub fn add_before(&self, key: &[u8], counters: &mut [u64]) {
        if let Some(before) = self.returned.get(key) {
            for (counter, before) in counters.iter_mut().zip(before) {
                *counter = counter.wrapping_add(*before);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(evicted: &Evicted, key: u8, counter: u64) -> u64 {
        let mut counters = [counter];
        evicted.add_before(&[key], &mut counters);
        counters[0]
    }

    #[test]
    fn a_key_goes_on_where_it_was_each_time_it_returns() {
        let mut evicted = Evicted::default();
        evicted.evict(&[1], &[10], 4);
        assert_eq!(total(&evicted, 1, 0), 0, "it is not in the map");
        evicted.appears(&[1]);
        assert_eq!(total(&evicted, 1, 3), 13);
        evicted.evict(&[1], &[5], 4);
        evicted.appears(&[1]);
        assert_eq!(total(&evicted, 1, 1), 16);
        evicted.appears(&[2]);
        assert_eq!(total(&evicted, 2, 7), 7);
    }

    #[test]
    fn no_more_keys_are_remembered_than_twice_the_limit() {
        let mut evicted = Evicted::default();
        for key in 0..100 {
            evicted.evict(&[key], &[1], 4);
            assert!(evicted.recent.len() + evicted.older.len() <= 8);
        }
        evicted.appears(&[99]);
        evicted.appears(&[0]);
        assert_eq!((total(&evicted, 99, 0), total(&evicted, 0, 0)), (1, 0));
    }
}
