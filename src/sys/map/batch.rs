//! Reads and writes many elements at a time.

use super::{Map, Update, found};
use crate::sys::attr::{MapBatch, address, address_mut, length};
use crate::sys::call::{BpfCommand, bpf};
use crate::sys::{Errno, SysError};

impl Map {
    /// Fills `batch` with the elements after those that it has; see [`Batch`]. Requires Linux 5.6.
    pub fn lookup_batch(&self, batch: &mut Batch) -> Result<(), SysError> {
        batch.fill(self, BpfCommand::MapLookupBatch)
    }

    /// Like [`Map::lookup_batch`], but also removes the elements. Requires Linux 5.6; hashes only.
    pub fn lookup_and_delete_batch(&self, batch: &mut Batch) -> Result<(), SysError> {
        batch.fill(self, BpfCommand::MapLookupAndDeleteBatch)
    }

    /// Sets many values: keys one after the other, values one after the other. Requires Linux 5.6.
    pub fn update_batch(&self, keys: &[u8], values: &[u8], how: Update) -> Result<(), SysError> {
        let count = self.count(keys);
        assert_eq!(values.len(), count * self.value_len, "one value for each key");
        let mut attr = self.batch(keys, count);
        attr.values = address(values);
        attr.elem_flags = how as u64;
        // SAFETY: `count` keys and values are there, each as long as the map's (checked above).
        unsafe { bpf(BpfCommand::MapUpdateBatch, &mut attr) }
    }

    /// Removes the elements of `keys`, one after the other, and returns how many: it stops at a key that is
    /// not in the map. Requires Linux 5.6.
    pub fn delete_batch(&self, keys: &[u8]) -> Result<usize, SysError> {
        let count = self.count(keys);
        let mut attr = self.batch(keys, count);
        // SAFETY: `count` keys are there, each as long as the map's (checked above).
        if found(unsafe { bpf(BpfCommand::MapDeleteBatch, &mut attr) })? {
            Ok(count)
        } else {
            Ok(attr.count as usize)
        }
    }

    /// Reads all elements; those that come or go meanwhile may be missing or not. `into` is emptied first and
    /// keeps its memory, so that it can be used for every interval.
    ///
    /// Reads in batches, or key by key on kernels without them (before 5.6; per-CPU arrays before 5.13).
    pub fn read_all(&self, into: &mut Entries) -> Result<(), SysError> {
        into.clear(self);
        let mut batch = std::mem::take(&mut into.batch).reused(self);
        let result = self.read_batches(into, &mut batch);
        into.batch = batch;
        match result {
            Err(error)
                if matches!(error.errno, Errno::EINVAL | Errno::ENOTSUPP | Errno::EOPNOTSUPP) =>
            {
                self.read_keys(into)
            }
            result => result,
        }
    }

    fn read_batches(&self, into: &mut Entries, batch: &mut Batch) -> Result<(), SysError> {
        loop {
            match self.lookup_batch(batch) {
                // One bucket of a hash holds more than a whole batch.
                Err(error)
                    if error.errno == Errno::ENOSPC
                        && batch.capacity < self.spec.max_entries as usize =>
                {
                    batch.grow()
                }
                result => result?,
            }
            into.keys.extend_from_slice(batch.keys());
            into.values.extend_from_slice(batch.values());
            if batch.is_last() {
                return Ok(());
            }
        }
    }

    fn read_keys(&self, into: &mut Entries) -> Result<(), SysError> {
        into.clear(self);
        let (mut key, mut next, mut value) =
            (vec![0; self.key_len()], vec![0; self.key_len()], vec![0; self.value_len]);
        let mut more = self.next_key(None, &mut next)?;
        // A hash that changes can make the walk start again: then this bound ends it.
        for _ in 0..self.spec.max_entries {
            if !more {
                break;
            }
            std::mem::swap(&mut key, &mut next);
            if self.lookup(&key, &mut value)? {
                into.keys.extend_from_slice(&key);
                into.values.extend_from_slice(&value);
            }
            more = self.next_key(Some(&key), &mut next)?;
        }
        Ok(())
    }

    fn count(&self, keys: &[u8]) -> usize {
        let size = self.key_len().max(1);
        assert_eq!(keys.len() % size, 0, "a key of map {} is {size} bytes", self.spec.name);
        keys.len() / size
    }

    fn batch(&self, keys: &[u8], count: usize) -> MapBatch {
        MapBatch {
            keys: address(keys),
            count: length(count),
            map_fd: self.raw(),
            ..MapBatch::default()
        }
    }
}

/// A place for some elements at a time, and the position in the walk over the map.
///
/// ```no_run
/// # use rawbpf::sys::{Map, map::Batch};
/// # fn each(map: &Map) -> Result<(), rawbpf::sys::SysError> {
/// let mut batch = Batch::new(map, 1024);
/// while !batch.is_last() {
///     map.lookup_batch(&mut batch)?;
///     for (key, value) in batch.iter() { /* ... */ }
/// }
/// # Ok(()) }
/// ```
/// On ENOSPC nothing was read and the walk has not moved: [`Batch::grow`] and ask again.
#[derive(Debug, Default)]
pub struct Batch {
    keys: Vec<u8>,
    values: Vec<u8>,
    key_len: usize,
    value_len: usize,
    capacity: usize,
    len: usize,
    /// The position where the kernel continues; only it knows the meaning of the bytes.
    position: Vec<u8>,
    started: bool,
    last: bool,
}

impl Batch {
    /// A batch of at most `capacity` elements of `map`, at least one.
    pub fn new(map: &Map, capacity: usize) -> Batch {
        let capacity = capacity.clamp(1, u32::MAX as usize);
        Batch {
            keys: vec![0; capacity * map.key_len()],
            values: vec![0; capacity * map.value_len],
            key_len: map.key_len(),
            value_len: map.value_len,
            capacity,
            len: 0,
            // A hash writes a u32 whatever its keys are, others a key.
            position: vec![0; map.key_len().max(4)],
            started: false,
            last: false,
        }
    }

    /// Prepares the batch for another walk with the same memory, if it fits this map's sizes.
    fn reused(self, map: &Map) -> Batch {
        if self.capacity > 0 && (self.key_len, self.value_len) == (map.key_len(), map.value_len) {
            Batch { len: 0, started: false, last: false, ..self }
        } else {
            // A quarter of a megabyte of values at a time, but no more elements than there can be.
            Batch::new(
                map,
                ((256 << 10) / map.value_len.max(1))
                    .clamp(16, 4096)
                    .min(map.spec.max_entries as usize),
            )
        }
    }

    /// Makes room for twice as many elements.
    pub fn grow(&mut self) {
        self.capacity = (self.capacity * 2).min(u32::MAX as usize);
        self.keys.resize(self.capacity * self.key_len, 0);
        self.values.resize(self.capacity * self.value_len, 0);
    }

    /// Whether the walk has reached its end: the batch has the last elements.
    pub fn is_last(&self) -> bool {
        self.last
    }

    /// How many elements the batch holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The keys, one after the other.
    pub fn keys(&self) -> &[u8] {
        &self.keys[..self.len * self.key_len]
    }

    /// The values, one after the other, in the keys' order.
    pub fn values(&self) -> &[u8] {
        &self.values[..self.len * self.value_len]
    }

    /// Keys with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        pairs(self.keys(), self.key_len, self.values(), self.value_len)
    }

    fn fill(&mut self, map: &Map, command: BpfCommand) -> Result<(), SysError> {
        let sizes = (self.key_len, self.value_len);
        assert_eq!(sizes, (map.key_len(), map.value_len), "a batch of another map's sizes");
        self.len = 0;
        let position = address_mut(&mut self.position);
        let mut attr = MapBatch {
            in_batch: if self.started { position } else { 0 },
            out_batch: position,
            keys: address_mut(&mut self.keys),
            values: address_mut(&mut self.values),
            count: length(self.capacity),
            map_fd: map.raw(),
            ..MapBatch::default()
        };
        // SAFETY: there is room for `capacity` keys and values of the map's sizes (checked above), and
        // the position has room for a key and for a u32. The kernel reads the old position before it
        // writes the new one.
        let more = found(unsafe { bpf(command, &mut attr) })?;
        // At the end the kernel returns ENOENT, but has still filled in `count` elements.
        self.len = (attr.count as usize).min(self.capacity);
        self.started = true;
        self.last = !more;
        Ok(())
    }
}

/// Elements that were read from a map: the flat bytes of keys and of values.
#[derive(Debug, Default)]
pub struct Entries {
    keys: Vec<u8>,
    values: Vec<u8>,
    key_len: usize,
    value_len: usize,
    batch: Batch,
}

impl Entries {
    /// None yet.
    pub fn new() -> Entries {
        Entries::default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len().checked_div(self.key_len).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Keys with their values; a per-CPU element's value is all CPUs' ([`Map::cpu_values`]).
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        pairs(&self.keys, self.key_len, &self.values, self.value_len)
    }

    fn clear(&mut self, map: &Map) {
        self.keys.clear();
        self.values.clear();
        (self.key_len, self.value_len) = (map.key_len(), map.value_len);
    }
}

fn pairs<'a>(
    keys: &'a [u8],
    key_len: usize,
    values: &'a [u8],
    value_len: usize,
) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    keys.chunks_exact(key_len.max(1)).zip(values.chunks_exact(value_len.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::call::hook;
    use crate::sys::map::tests::{hash, map};

    /// Puts elements (key, key + 1) where a batch lookup wants them.
    fn put_elements(attr: &mut [u8], elements: std::ops::Range<u16>) {
        let count = elements.len();
        let keys: Vec<u8> = elements.clone().flat_map(u16::to_ne_bytes).collect();
        let values: Vec<u8> = elements.flat_map(|key| u32::from(key + 1).to_ne_bytes()).collect();
        hook::memory(attr, 16, keys.len()).copy_from_slice(&keys);
        hook::memory(attr, 24, values.len()).copy_from_slice(&values);
        hook::put_u32(attr, 32, count as u32);
    }

    #[test]
    fn the_last_batch_is_enoent_with_data() {
        let mut turn = 0;
        let (_hook, map) = map(&hash(), move |_, attr| {
            turn += 1;
            assert_eq!(attr[..8] == [0; 8], turn == 1, "only the first walk has no position");
            hook::memory(attr, 8, 4).fill(0xff); // A hash's position is a u32, whatever its keys are.
            if turn == 1 {
                put_elements(attr, 0..3);
                Ok(0)
            } else {
                put_elements(attr, 3..5);
                Err(Errno::ENOENT)
            }
        });
        let mut batch = Batch::new(&map, 3);
        assert!(batch.position.len() >= 4, "room for the position");
        map.lookup_batch(&mut batch).unwrap();
        assert_eq!((batch.len(), batch.is_last()), (3, false));
        map.lookup_batch(&mut batch).unwrap();
        assert_eq!((batch.len(), batch.is_last()), (2, true));
        let (key, value) = batch.iter().last().unwrap();
        assert_eq!((key, value), (&4u16.to_ne_bytes()[..], &5u32.to_ne_bytes()[..]));
    }

    #[test]
    fn a_refused_batch_has_no_data_whatever_its_count_says() {
        let (_hook, map) = map(&hash(), |_, _| Err(Errno::EINVAL));
        let mut batch = Batch::new(&map, 3);
        assert_eq!(map.lookup_batch(&mut batch).unwrap_err().errno, Errno::EINVAL);
        assert!(batch.is_empty() && !batch.is_last());
    }

    #[test]
    fn a_count_beyond_the_batch_is_not_believed() {
        let (_hook, map) = map(&hash(), |_, attr| {
            hook::put_u32(attr, 32, 1_000_000);
            Ok(0)
        });
        let mut batch = Batch::new(&map, 3);
        map.lookup_batch(&mut batch).unwrap();
        assert_eq!((batch.len(), batch.iter().count()), (3, 3));
    }

    #[test]
    fn a_bucket_larger_than_the_batch_makes_the_batch_grow() {
        let (_hook, map) = map(&hash(), |_, attr| {
            if hook::u32_at(attr, 32) < 90 {
                hook::put_u32(attr, 32, 0);
                return Err(Errno::ENOSPC);
            }
            put_elements(attr, 0..90);
            Err(Errno::ENOENT)
        });
        let mut entries = Entries { batch: Batch::new(&map, 16), ..Entries::new() };
        map.read_all(&mut entries).unwrap();
        assert_eq!(entries.len(), 90);
    }

    #[test]
    fn where_there_are_no_batches_a_map_is_read_key_by_key() {
        for errno in [Errno::EINVAL, Errno::ENOTSUPP] {
            let (_hook, map) = map(&hash(), move |command, attr| match command {
                BpfCommand::MapLookupBatch => Err(errno),
                BpfCommand::MapGetNextKey => {
                    let first = attr[8..16] == [0; 8];
                    let key = if first {
                        0
                    } else {
                        1 + u16::from_ne_bytes(hook::memory(attr, 8, 2).try_into().unwrap())
                    };
                    hook::memory(attr, 16, 2).copy_from_slice(&key.to_ne_bytes());
                    if key < 3 { Ok(0) } else { Err(Errno::ENOENT) }
                }
                BpfCommand::MapLookupElem => {
                    let key = u16::from_ne_bytes(hook::memory(attr, 8, 2).try_into().unwrap());
                    hook::memory(attr, 16, 4).copy_from_slice(&u32::from(key + 1).to_ne_bytes());
                    if key == 1 { Err(Errno::ENOENT) } else { Ok(0) } // Gone meanwhile.
                }
                other => panic!("{other:?}"),
            });
            let mut entries = Entries::new();
            map.read_all(&mut entries).unwrap();
            let keys: Vec<_> = entries.iter().map(|(key, _)| key.to_vec()).collect();
            assert_eq!(keys, [0u16.to_ne_bytes(), 2u16.to_ne_bytes()]);
        }
    }

    #[test]
    fn a_hash_that_never_ends_is_not_walked_for_ever() {
        let (_hook, map) = map(&hash(), |command, _| match command {
            BpfCommand::MapLookupBatch => Err(Errno::EINVAL),
            _ => Ok(0),
        });
        let mut entries = Entries::new();
        map.read_all(&mut entries).unwrap();
        assert_eq!(entries.len(), 100);
    }

    #[test]
    fn deleting_stops_where_a_key_is_missing() {
        let (_hook, map) = map(&hash(), |_, attr| {
            hook::put_u32(attr, 32, 1);
            Err(Errno::ENOENT)
        });
        assert_eq!(map.delete_batch(&[0; 6]).unwrap(), 1);
    }
}
