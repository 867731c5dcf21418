//! Counters in the kernel that are never cleared: an interval is the difference of two reads, so that
//! no count falls between them.

use crate::error::Error;
use crate::sys::Map;

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

/// A value's u64 words.
pub fn words(value: &[u8]) -> Vec<u64> {
    let (words, _) = value.as_chunks::<8>();
    words.iter().map(|word| u64::from_ne_bytes(*word)).collect()
}

fn unreadable(error: &crate::sys::SysError) -> Error {
    Error::failed(format!("the counters could not be read: {error}"))
}
