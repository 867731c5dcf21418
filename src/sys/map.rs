//! Maps: the memory that programs and we share.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::attr::{MapBatch, MapCreate, MapElem, address, address_mut, length, object_name};
use super::call::{Command, bpf, bpf_fd, charged};
use super::{Errno, SysError, cpu, kernel_enum, object};

kernel_enum! {
    /// What a map is.
    MapType {
        Hash = 1 "hash",
        Array = 2 "array",
        ProgArray = 3 "prog_array",
        PerfEventArray = 4 "perf_event_array",
        PercpuHash = 5 "percpu_hash",
        PercpuArray = 6 "percpu_array",
        StackTrace = 7 "stack_trace",
        CgroupArray = 8 "cgroup_array",
        LruHash = 9 "lru_hash",
        LruPercpuHash = 10 "lru_percpu_hash",
        LpmTrie = 11 "lpm_trie",
        ArrayOfMaps = 12 "array_of_maps",
        HashOfMaps = 13 "hash_of_maps",
        Devmap = 14 "devmap",
        Sockmap = 15 "sockmap",
        Cpumap = 16 "cpumap",
        Xskmap = 17 "xskmap",
        Sockhash = 18 "sockhash",
        CgroupStorage = 19 "cgroup_storage",
        ReuseportSockarray = 20 "reuseport_sockarray",
        PercpuCgroupStorage = 21 "percpu_cgroup_storage",
        Queue = 22 "queue",
        Stack = 23 "stack",
        SkStorage = 24 "sk_storage",
        DevmapHash = 25 "devmap_hash",
        StructOps = 26 "struct_ops",
        Ringbuf = 27 "ringbuf",
        InodeStorage = 28 "inode_storage",
        TaskStorage = 29 "task_storage",
        BloomFilter = 30 "bloom_filter",
        UserRingbuf = 31 "user_ringbuf",
        CgrpStorage = 32 "cgrp_storage",
        Arena = 33 "arena",
        InsnArray = 34 "insn_array",
    }
}

impl MapType {
    /// Whether an element has one value for each possible CPU.
    pub const fn is_per_cpu(self) -> bool {
        matches!(
            self,
            MapType::PercpuHash
                | MapType::PercpuArray
                | MapType::LruPercpuHash
                | MapType::PercpuCgroupStorage
        )
    }
}

/// What a map should be, before there is one. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapSpec {
    /// Its name as other tools show it: the first 15 bytes, anything but letters, digits, `_` and `.` as `_`.
    pub name: String,
    /// Its kind.
    pub map_type: MapType,
    /// Bytes of a key; 0 for kinds without keys (ring buffers, queues).
    pub key_size: u32,
    /// Bytes of a value, on one CPU.
    pub value_size: u32,
    /// Elements, or bytes of a ring buffer.
    pub max_entries: u32,
    /// The kernel's `BPF_F_*` flags, e.g. [`MapSpec::NO_PREALLOC`].
    pub flags: u32,
    /// The value of an array's first element to begin with; empty for zeros.
    pub content: Vec<u8>,
}

impl MapSpec {
    /// `BPF_F_NO_PREALLOC`: a hash gets memory per element, when it is added.
    pub const NO_PREALLOC: u32 = 1;
    /// `BPF_F_MMAPABLE`: an array can be mapped into memory. Requires Linux 5.5.
    pub const MMAPABLE: u32 = 1 << 10;

    /// A map without flags; see the fields.
    pub fn new(
        name: &str,
        map_type: MapType,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
    ) -> MapSpec {
        MapSpec {
            name: name.into(),
            map_type,
            key_size,
            value_size,
            max_entries,
            flags: 0,
            content: vec![],
        }
    }

    /// Bytes of one element's value as lookups and updates pass it: for per-CPU kinds each CPU's,
    /// rounded up to 8.
    fn value_len(&self) -> Result<usize, SysError> {
        let size = self.value_size as usize;
        if !self.map_type.is_per_cpu() {
            return Ok(size);
        }
        let cpus = cpu::possible().map_err(|error| SysError {
            call: "read(/sys/devices/system/cpu/possible)",
            errno: error.errno(),
        })?;
        Ok(size.next_multiple_of(8) * cpus)
    }
}

/// Whether an update may add or must replace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u64)]
pub enum Update {
    /// `BPF_ANY`: add or replace.
    #[default]
    Any = 0,
    /// `BPF_NOEXIST`: add; EEXIST when the key is there.
    Add = 1,
    /// `BPF_EXIST`: replace; ENOENT when the key is not there.
    Replace = 2,
}

/// A map in the kernel. It lives as long as this, or as long as a loaded program uses it.
///
/// Keys and values are bytes, in the host's byte order and layout.
///
/// # Panics
/// All methods panic when a key or value is not exactly as long as the map's: the kernel would read
/// or write beyond it.
#[derive(Debug)]
pub struct Map {
    fd: OwnedFd,
    spec: MapSpec,
    value_len: usize,
}

impl Map {
    /// Creates a map.
    pub fn create(spec: &MapSpec) -> Result<Map, SysError> {
        Map::create_from(spec, None)
    }

    /// Creates an array or a hash of maps like `inner`. Their `value_size` is 4, a descriptor's.
    pub fn create_of_maps(spec: &MapSpec, inner: &Map) -> Result<Map, SysError> {
        Map::create_from(spec, Some(inner))
    }

    fn create_from(spec: &MapSpec, inner: Option<&Map>) -> Result<Map, SysError> {
        let value_len = spec.value_len()?;
        let mut attr = MapCreate {
            map_type: spec.map_type as u32,
            key_size: spec.key_size,
            value_size: spec.value_size,
            max_entries: spec.max_entries,
            map_flags: spec.flags,
            inner_map_fd: inner.map_or(0, Map::raw),
            map_name: object_name(&spec.name),
            ..MapCreate::default()
        };
        // SAFETY: the attr holds no address.
        let fd = charged(|| unsafe { bpf_fd(Command::MapCreate, &mut attr) })?;
        let map = Map { fd, spec: spec.clone(), value_len };
        if !spec.content.is_empty() {
            map.update(&[0; 4], &spec.content, Update::Any)?;
        }
        Ok(map)
    }

    /// Opens a map that somebody created, by its id. EOPNOTSUPP when its kind is newer than this program.
    pub fn from_id(id: u32) -> Result<Map, SysError> {
        let fd = object::open(object::Kind::Map, id)?;
        let info = object::map_info(fd.as_fd())?;
        // The size of an unknown kind's values is unknown as well.
        let unknown = SysError { call: Command::ObjGetInfoByFd.call(), errno: Errno::EOPNOTSUPP };
        let spec = MapSpec {
            name: info.name,
            map_type: MapType::from_raw(info.map_type).ok_or(unknown)?,
            key_size: info.key_size,
            value_size: info.value_size,
            max_entries: info.max_entries,
            flags: info.flags,
            content: vec![],
        };
        Ok(Map { fd, value_len: spec.value_len()?, spec })
    }

    /// What the map was asked to be.
    pub fn spec(&self) -> &MapSpec {
        &self.spec
    }

    /// Bytes of a key.
    pub fn key_len(&self) -> usize {
        self.spec.key_size as usize
    }

    /// Bytes of an element's value as lookups fill it: for per-CPU kinds one value, rounded up to 8
    /// bytes, for each possible CPU.
    pub fn value_len(&self) -> usize {
        self.value_len
    }

    /// The element's value of one CPU out of a per-CPU element's. Other kinds have CPU 0 only.
    pub fn cpu_values<'a>(&self, value: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let size = self.spec.value_size as usize;
        let stride = if self.spec.map_type.is_per_cpu() { size.next_multiple_of(8) } else { size };
        value.chunks(stride.max(1)).map(move |cpu| &cpu[..size.min(cpu.len())])
    }

    /// Copies the value of `key`; `false` when there is no such element.
    pub fn lookup(&self, key: &[u8], value: &mut [u8]) -> Result<bool, SysError> {
        self.check(key, Some(value));
        let mut attr = self.elem(key, address_mut(value), 0);
        // SAFETY: key and value are as long as the map's (checked above).
        found(unsafe { bpf(Command::MapLookupElem, &mut attr) })
    }

    /// Copies the value of `key` and removes the element at once; `false` when there is no such element.
    /// Requires Linux 5.14 for hashes (4.20 for queues and stacks).
    pub fn lookup_and_delete(&self, key: &[u8], value: &mut [u8]) -> Result<bool, SysError> {
        self.check(key, Some(value));
        let mut attr = self.elem(key, address_mut(value), 0);
        // SAFETY: key and value are as long as the map's (checked above).
        found(unsafe { bpf(Command::MapLookupAndDeleteElem, &mut attr) })
    }

    /// Sets the value of `key`. E2BIG when a map that does not replace its oldest is full.
    pub fn update(&self, key: &[u8], value: &[u8], how: Update) -> Result<(), SysError> {
        self.check(key, Some(value));
        let mut attr = self.elem(key, address(value), how as u64);
        // SAFETY: key and value are as long as the map's (checked above).
        unsafe { bpf(Command::MapUpdateElem, &mut attr) }
    }

    /// Puts a map, program or perf event, as the map's kind demands, at `key`. For a map in a map this
    /// returns when no program uses the old one any more.
    pub fn update_fd(&self, key: &[u8], fd: BorrowedFd<'_>) -> Result<(), SysError> {
        self.update(key, &fd.as_raw_fd().to_ne_bytes(), Update::Any)
    }

    /// Removes the element; `false` when there is no such element.
    pub fn delete(&self, key: &[u8]) -> Result<bool, SysError> {
        self.check(key, None);
        let mut attr = self.elem(key, 0, 0);
        // SAFETY: the key is as long as the map's (checked above).
        found(unsafe { bpf(Command::MapDeleteElem, &mut attr) })
    }

    /// Writes the key after `key`, or the first one, to `next`; `false` at the end. After a key that is
    /// gone a hash starts again at the first.
    pub fn next_key(&self, key: Option<&[u8]>, next: &mut [u8]) -> Result<bool, SysError> {
        self.check(next, None);
        if let Some(key) = key {
            self.check(key, None);
        }
        let mut attr = self.elem(key.unwrap_or(&[]), address_mut(next), 0);
        // SAFETY: both keys are as long as the map's (checked above).
        found(unsafe { bpf(Command::MapGetNextKey, &mut attr) })
    }

    /// Fills `batch` with the elements after those it holds; see [`Batch`]. Requires Linux 5.6.
    pub fn lookup_batch(&self, batch: &mut Batch) -> Result<(), SysError> {
        batch.fill(self, Command::MapLookupBatch)
    }

    /// As [`Map::lookup_batch`], and removes the elements. Requires Linux 5.6; hashes only.
    pub fn lookup_and_delete_batch(&self, batch: &mut Batch) -> Result<(), SysError> {
        batch.fill(self, Command::MapLookupAndDeleteBatch)
    }

    /// Sets many values: keys one after the other, values one after the other. Requires Linux 5.6.
    pub fn update_batch(&self, keys: &[u8], values: &[u8], how: Update) -> Result<(), SysError> {
        let count = self.count(keys);
        assert_eq!(values.len(), count * self.value_len, "one value for each key");
        let mut attr = self.batch(keys, count);
        attr.values = address(values);
        attr.elem_flags = how as u64;
        // SAFETY: `count` keys and values are there, each as long as the map's (checked above).
        unsafe { bpf(Command::MapUpdateBatch, &mut attr) }
    }

    /// Removes the elements of `keys`, one after the other, and says how many: all of them unless one
    /// was not there, where it stops. Requires Linux 5.6.
    pub fn delete_batch(&self, keys: &[u8]) -> Result<usize, SysError> {
        let count = self.count(keys);
        let mut attr = self.batch(keys, count);
        // SAFETY: `count` keys are there, each as long as the map's (checked above).
        if found(unsafe { bpf(Command::MapDeleteBatch, &mut attr) })? {
            Ok(count)
        } else {
            Ok(attr.count as usize)
        }
    }

    /// Every element, as it is while this runs: elements that come or go meanwhile may be in it or not.
    /// `into` is emptied first and keeps its memory, so that one can serve for every interval.
    ///
    /// Reads in batches, and key by key where the kernel cannot (before 5.6; per-CPU arrays before 5.13).
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
        // A hash that changes can send us back to its start: then this bound ends the walk.
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

    fn raw(&self) -> u32 {
        self.fd.as_raw_fd() as u32
    }

    /// What makes each call on an element safe.
    #[track_caller]
    fn check(&self, key: &[u8], value: Option<&[u8]>) {
        assert_eq!(
            key.len(),
            self.key_len(),
            "a key of map {} is {} bytes",
            self.spec.name,
            self.key_len()
        );
        if let Some(value) = value {
            assert_eq!(
                value.len(),
                self.value_len,
                "a value of map {} is {} bytes",
                self.spec.name,
                self.value_len
            );
        }
    }

    #[track_caller]
    fn count(&self, keys: &[u8]) -> usize {
        let size = self.key_len().max(1);
        assert_eq!(keys.len() % size, 0, "a key of map {} is {size} bytes", self.spec.name);
        keys.len() / size
    }

    fn elem(&self, key: &[u8], value_or_next_key: u64, flags: u64) -> MapElem {
        MapElem {
            map_fd: self.raw(),
            key: address(key),
            value_or_next_key,
            flags,
            ..MapElem::default()
        }
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

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether the element was there.
fn found(result: Result<(), SysError>) -> Result<bool, SysError> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.errno == Errno::ENOENT => Ok(false),
        Err(error) => Err(error),
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
    /// Where the kernel continues; it alone knows what the bytes mean.
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

    /// The same memory for another walk, if it is of this map's sizes.
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

    /// Whether the walk has reached its end: what is in the batch is the last of it.
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

    fn fill(&mut self, map: &Map, command: Command) -> Result<(), SysError> {
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
        // At the end the kernel says ENOENT, and still has filled in `count` elements.
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
    use super::super::call::{Call, hook};
    use super::*;

    fn hash() -> MapSpec {
        MapSpec {
            name: "h".into(),
            map_type: MapType::Hash,
            key_size: 2,
            value_size: 4,
            max_entries: 100,
            flags: 0,
            content: vec![],
        }
    }

    /// A map, and `kernel` answers what is asked of it.
    fn map(
        spec: &MapSpec,
        mut kernel: impl FnMut(Command, &mut [u8]) -> Result<i64, Errno> + 'static,
    ) -> (hook::Installed, Map) {
        let installed = hook::install(move |call| match call {
            Call::Bpf { command: Command::MapCreate, .. } => Some(Ok(hook::fd())),
            Call::Bpf { command, attr } => Some(kernel(*command, attr)),
            other => panic!("{other:?}"),
        });
        (installed, Map::create(spec).unwrap())
    }

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
                Command::MapLookupBatch => Err(errno),
                Command::MapGetNextKey => {
                    let first = attr[8..16] == [0; 8];
                    let key = if first {
                        0
                    } else {
                        1 + u16::from_ne_bytes(hook::memory(attr, 8, 2).try_into().unwrap())
                    };
                    hook::memory(attr, 16, 2).copy_from_slice(&key.to_ne_bytes());
                    if key < 3 { Ok(0) } else { Err(Errno::ENOENT) }
                }
                Command::MapLookupElem => {
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
            Command::MapLookupBatch => Err(Errno::EINVAL),
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

    #[test]
    fn a_per_cpu_value_is_rounded_up_for_each_possible_cpu() {
        let spec = MapSpec { map_type: MapType::PercpuHash, ..hash() };
        let (_hook, map) = map(&spec, |_, attr| {
            let cpus = cpu::possible().unwrap();
            for (cpu, value) in hook::memory(attr, 16, 8 * cpus).chunks_mut(8).enumerate() {
                value.copy_from_slice(&(cpu as u64 + 7).to_ne_bytes());
            }
            Ok(0)
        });
        let cpus = cpu::possible().unwrap();
        assert_eq!(map.value_len(), 8 * cpus);
        let mut value = vec![0; map.value_len()];
        assert!(map.lookup(&[0; 2], &mut value).unwrap());
        assert_eq!(map.cpu_values(&value).map(<[u8]>::len).collect::<Vec<_>>(), vec![4; cpus]);
    }

    #[test]
    fn buffers_the_kernel_would_write_beyond_are_refused() {
        let (_hook, map) = map(&hash(), |command, _| panic!("{command:?} was asked"));
        let refused: [&dyn Fn() -> bool; 8] = [
            &|| map.lookup(&[0; 2], &mut [0; 3]).is_ok(),
            &|| map.lookup(&[0; 1], &mut [0; 4]).is_ok(),
            &|| map.lookup_and_delete(&[0; 2], &mut [0; 8]).is_ok(),
            &|| map.next_key(Some(&[0; 2]), &mut [0; 1]).is_ok(),
            &|| map.next_key(Some(&[0; 3]), &mut [0; 2]).is_ok(),
            &|| map.update_batch(&[0; 4], &[0; 4], Update::Any).is_ok(),
            &|| map.delete_batch(&[0; 3]).is_ok(),
            &|| map.lookup_batch(&mut Batch::default()).is_ok(),
        ];
        for (index, ask) in refused.iter().enumerate() {
            assert!(
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask)).is_err(),
                "call {index}"
            );
        }
    }
}
