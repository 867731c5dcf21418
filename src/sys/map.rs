//! Maps: memory that is shared by programs and user space.

mod batch;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::attr::{MapCreate, MapElem, MapFreeze, address, address_mut, object_name};
use super::call::{BpfCommand, bpf, bpf_fd, charged};
use super::{Errno, LoadedBtf, SysError, cpu, kernel_enum, object};
pub use batch::{Batch, Entries};

kernel_enum! {
    /// The type of a map.
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
    /// Whether all its elements always exist, and are found by their index.
    pub const fn is_array(self) -> bool {
        matches!(self, MapType::Array | MapType::PercpuArray)
    }

    /// Whether its values are other maps.
    pub const fn holds_maps(self) -> bool {
        matches!(self, MapType::ArrayOfMaps | MapType::HashOfMaps)
    }

    /// Whether the kernel makes such a map only with the types of its key and value.
    pub const fn is_local_storage(self) -> bool {
        use MapType::{CgrpStorage, InodeStorage, SkStorage, TaskStorage};
        matches!(self, SkStorage | InodeStorage | TaskStorage | CgrpStorage)
    }

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

/// The types of a map's keys and values, in BTF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapTypes {
    /// The blob, which several maps may share.
    pub btf: Arc<[u8]>,
    /// The id of a key's type in it; 0 for none.
    pub key: u32,
    /// The id of a value's type in it; 0 for none.
    pub value: u32,
    /// The offset of the `struct bpf_spin_lock` in a value, without which the map makes no sense. `None` if
    /// the types are only a description: a map whose types the kernel refuses is then made without them.
    pub lock: Option<u32>,
    /// The same of a `struct bpf_timer`.
    pub timer: Option<u32>,
}

/// The specification of a map. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapSpec {
    /// Its name as other tools show it: the first 15 bytes, anything but letters, digits, `_` and `.` as `_`.
    pub name: String,
    /// Its type.
    pub map_type: MapType,
    /// Bytes of a key; 0 for types without keys (ring buffers, queues).
    pub key_size: u32,
    /// Bytes of a value, on one CPU.
    pub value_size: u32,
    /// Elements, or bytes of a ring buffer.
    pub max_entries: u32,
    /// The kernel's `BPF_F_*` flags, e.g. [`MapSpec::NO_PREALLOC`].
    pub flags: u32,
    /// The types of keys and values, by which the kernel finds locks, timers and pointers in a value.
    /// Requires Linux 4.18.
    pub types: Option<MapTypes>,
    /// The initial value of an array's first element; empty for zeros.
    pub content: Vec<u8>,
    /// Whether nobody may change the map once it has its content, so that the verifier knows the values of
    /// one with [`MapSpec::READ_ONLY`]. Requires Linux 5.2.
    pub frozen: bool,
    /// The NUMA node that its memory is on, if a flag says that it is on one.
    pub numa_node: u32,
    /// What the type makes of it: of a bloom filter the number of hash functions (Linux 5.16), of an arena the
    /// address.
    pub extra: u64,
    /// Of a map of maps: a map like those that it holds.
    pub inner: Option<Box<MapSpec>>,
    /// What its elements refer to from the beginning: of a map of maps other maps, of a `prog_array` programs,
    /// by key and by their place among those that they are defined with.
    pub slots: Vec<(u32, u32)>,
}

impl MapSpec {
    /// `BPF_F_NO_PREALLOC`: a hash gets memory per element, when it is added.
    pub const NO_PREALLOC: u32 = 1;
    /// `BPF_F_MMAPABLE`: an array can be mapped into memory. Requires Linux 5.5.
    pub const MMAPABLE: u32 = 1 << 10;
    /// `BPF_F_RDONLY_PROG`: programs can only read it. Requires Linux 5.2.
    pub const READ_ONLY: u32 = 1 << 7;

    /// An array that takes the place of a map that cannot be made, so that those after it keep theirs.
    pub fn stand_in(name: &str) -> MapSpec {
        MapSpec::new(name, MapType::Array, 4, 4, 1)
    }

    /// A map without flags; the arguments are the fields of the same names.
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
            types: None,
            content: vec![],
            frozen: false,
            numa_node: 0,
            extra: 0,
            inner: None,
            slots: vec![],
        }
    }

    /// The offset of the lock without which the map makes no sense, if there is one.
    pub fn lock(&self) -> Option<u32> {
        self.types.as_ref()?.lock
    }

    /// Whether it makes no sense without its types.
    pub fn needs_types(&self) -> bool {
        self.types.as_ref().is_some_and(|types| types.lock.or(types.timer).is_some())
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
    /// The types in the kernel, of which programs of the same object must have the very same.
    btf: Option<Arc<LoadedBtf>>,
}

impl Map {
    /// Creates a map.
    pub fn create(spec: &MapSpec) -> Result<Map, SysError> {
        Map::create_from(spec, None, load_types(spec)?)
    }

    /// Creates a map whose types the kernel has already; of maps, one of maps like `inner`.
    pub fn create_typed(
        spec: &MapSpec,
        inner: Option<&Map>,
        btf: Option<Arc<LoadedBtf>>,
    ) -> Result<Map, SysError> {
        Map::create_from(spec, inner, btf)
    }

    /// Creates an array or a hash of maps like `inner`. Their `value_size` is 4, a descriptor's.
    pub fn create_of_maps(spec: &MapSpec, inner: &Map) -> Result<Map, SysError> {
        Map::create_from(spec, Some(inner), load_types(spec)?)
    }

    fn create_from(
        spec: &MapSpec,
        inner: Option<&Map>,
        btf: Option<Arc<LoadedBtf>>,
    ) -> Result<Map, SysError> {
        let value_len = spec.value_len()?;
        let mut attr = MapCreate {
            map_type: spec.map_type as u32,
            key_size: spec.key_size,
            value_size: spec.value_size,
            max_entries: spec.max_entries,
            map_flags: spec.flags,
            numa_node: spec.numa_node,
            map_extra: spec.extra,
            inner_map_fd: inner.map_or(0, Map::raw),
            map_name: object_name(&spec.name),
            ..MapCreate::default()
        };
        if let (Some(btf), Some(types)) = (&btf, &spec.types) {
            attr.btf_fd = btf.as_fd().as_raw_fd() as u32;
            (attr.btf_key_type_id, attr.btf_value_type_id) = (types.key, types.value);
        }
        let create = |mut attr: MapCreate| {
            // SAFETY: the attr holds no address, and the command returns a new descriptor.
            charged(|| unsafe { bpf_fd(BpfCommand::MapCreate, &mut attr) })
        };
        let fd = create(attr).or_else(|error| {
            if attr.btf_fd == 0 || spec.needs_types() {
                return Err(error);
            }
            (attr.btf_fd, attr.btf_key_type_id, attr.btf_value_type_id) = (0, 0, 0);
            create(attr).map_err(|_| error)
        })?;
        let map = Map { fd, spec: spec.clone(), value_len, btf };
        if !spec.content.is_empty() {
            map.update(&[0; 4], &spec.content, Update::Any)?;
        }
        if spec.frozen {
            map.freeze()?;
        }
        Ok(map)
    }

    /// Forbids user space to change the map from now on. Requires Linux 5.2.
    fn freeze(&self) -> Result<(), SysError> {
        // SAFETY: the attr holds no address.
        unsafe { bpf(BpfCommand::MapFreeze, &mut MapFreeze { map_fd: self.raw() }) }
    }

    /// The types in the kernel that the map was made with, if it was made with any.
    pub fn btf(&self) -> Option<&Arc<LoadedBtf>> {
        self.btf.as_ref()
    }

    /// Opens an existing map by its id. EOPNOTSUPP if its type is newer than this program.
    pub fn from_id(id: u32) -> Result<Map, SysError> {
        let fd = object::open(object::ObjectKind::Map, id)?;
        let info = object::map_info(fd.as_fd())?;
        // The size of an unknown kind's values is unknown as well.
        let unknown =
            SysError { call: BpfCommand::ObjGetInfoByFd.call(), errno: Errno::EOPNOTSUPP };
        let spec = MapSpec {
            flags: info.flags,
            ..MapSpec::new(
                &info.name,
                MapType::from_raw(info.map_type).ok_or(unknown)?,
                info.key_size,
                info.value_size,
                info.max_entries,
            )
        };
        Ok(Map { fd, value_len: spec.value_len()?, spec, btf: None })
    }

    /// The map's specification.
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

    /// One CPU's value in a per-CPU element's value. Other types have only CPU 0.
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
        found(unsafe { bpf(BpfCommand::MapLookupElem, &mut attr) })
    }

    /// Copies the value of `key` and removes the element at once; `false` when there is no such element.
    /// Requires Linux 5.14 for hashes (4.20 for queues and stacks).
    pub fn lookup_and_delete(&self, key: &[u8], value: &mut [u8]) -> Result<bool, SysError> {
        self.check(key, Some(value));
        let mut attr = self.elem(key, address_mut(value), 0);
        // SAFETY: key and value are as long as the map's (checked above).
        found(unsafe { bpf(BpfCommand::MapLookupAndDeleteElem, &mut attr) })
    }

    /// Sets the value of `key`. E2BIG when a map that does not replace its oldest is full.
    pub fn update(&self, key: &[u8], value: &[u8], how: Update) -> Result<(), SysError> {
        self.check(key, Some(value));
        let mut attr = self.elem(key, address(value), how as u64);
        // SAFETY: key and value are as long as the map's (checked above).
        unsafe { bpf(BpfCommand::MapUpdateElem, &mut attr) }
    }

    /// Puts a map, program or perf event at `key`, as the map's type demands. For a map in a map, this returns
    /// once no program uses the old one any more.
    pub fn update_fd(&self, key: &[u8], fd: BorrowedFd<'_>) -> Result<(), SysError> {
        self.update(key, &fd.as_raw_fd().to_ne_bytes(), Update::Any)
    }

    /// Removes the element; `false` when there is no such element.
    pub fn delete(&self, key: &[u8]) -> Result<bool, SysError> {
        self.check(key, None);
        let mut attr = self.elem(key, 0, 0);
        // SAFETY: the key is as long as the map's (checked above).
        found(unsafe { bpf(BpfCommand::MapDeleteElem, &mut attr) })
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
        found(unsafe { bpf(BpfCommand::MapGetNextKey, &mut attr) })
    }

    fn raw(&self) -> u32 {
        self.fd.as_raw_fd() as u32
    }

    /// Checks that makes each call on an element safe: the lengths of key and value must be those that the
    /// kernel uses for the map. They are known from when the map was made or opened, and the number of CPUs
    /// from sysfs.
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
    fn elem(&self, key: &[u8], value_or_next_key: u64, flags: u64) -> MapElem {
        MapElem {
            map_fd: self.raw(),
            key: address(key),
            value_or_next_key,
            flags,
            ..MapElem::default()
        }
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Hands the types of a map to the kernel.
fn load_types(spec: &MapSpec) -> Result<Option<Arc<LoadedBtf>>, SysError> {
    let loaded = spec.types.as_ref().map(|types| LoadedBtf::load(&types.btf).map(Arc::new));
    loaded.transpose().map_err(|error| SysError { call: error.call, errno: error.errno })
}

/// Turns ENOENT into `false`: whether the element was there.
fn found(result: Result<(), SysError>) -> Result<bool, SysError> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.errno == Errno::ENOENT => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::{Call, hook};
    use super::*;

    pub(super) fn hash() -> MapSpec {
        MapSpec::new("h", MapType::Hash, 2, 4, 100)
    }

    /// A map, and `kernel` answers what is asked of it.
    pub(super) fn map(
        spec: &MapSpec,
        mut kernel: impl FnMut(BpfCommand, &mut [u8]) -> Result<i64, Errno> + 'static,
    ) -> (hook::Installed, Map) {
        let installed = hook::install(move |call| match call {
            Call::Bpf { command: BpfCommand::MapCreate, .. } => Some(Ok(hook::fd())),
            Call::Bpf { command, attr } => Some(kernel(*command, attr)),
            other => panic!("{other:?}"),
        });
        (installed, Map::create(spec).unwrap())
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
