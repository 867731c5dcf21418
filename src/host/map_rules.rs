//! The kernel's rules for maps. It reports none of them: a map that breaks one gets EINVAL or E2BIG.

use crate::sys::{MapSpec, MapType};

/// The largest single allocation of the kernel, in bytes: a hash element (key and value) is one
/// allocation.
const KMALLOC_MAX: u64 = 4 << 20;
/// The largest per-CPU value, in bytes.
const PER_CPU: u32 = 32 << 10;
/// The smallest page size of any machine, in bytes.
const PAGE: u32 = 4096;
/// Flags: `BPF_F_NO_PREALLOC`, `BPF_F_NO_COMMON_LRU`.
const NO_PREALLOC: u32 = 1;
const NO_COMMON_LRU: u32 = 1 << 1;

/// The rule of the kernels from 5.10 on that the map breaks, if any, and how to keep it.
pub(super) fn broken(spec: &MapSpec) -> Option<(String, String)> {
    use MapType::{
        Array, ArrayOfMaps, BloomFilter, CgroupArray, Hash, HashOfMaps, LpmTrie, LruHash,
        LruPercpuHash, PercpuArray, PercpuHash, PerfEventArray, ProgArray, Queue, Ringbuf, Stack,
        StackTrace, StructOps,
    };
    let MapSpec { key_size: key, value_size: value, max_entries: entries, flags, .. } = *spec;
    let array = matches!(
        spec.map_type,
        Array | PercpuArray | ProgArray | PerfEventArray | CgroupArray | ArrayOfMaps
    );
    let hash = matches!(spec.map_type, Hash | PercpuHash | LruHash | LruPercpuHash | HashOfMaps);
    let rule = |what: String, next: &str| Some((what, next.to_owned()));
    match spec.map_type {
        Ringbuf if key != 0 || value != 0 => rule(
            format!(
                "a ring buffer has neither keys nor values, but this one has key {key} and value {value}"
            ),
            "give it only entries: its size in bytes",
        ),
        Ringbuf if !entries.is_power_of_two() || !entries.is_multiple_of(PAGE) => rule(
            format!(
                "a ring buffer's size must be a power of two and whole pages, and {entries} bytes are not"
            ),
            "try: entries 262144",
        ),
        _ if (array || hash || matches!(spec.map_type, LpmTrie | Queue | Stack | StackTrace))
            && entries == 0 =>
        {
            rule(
                "it has no entries".into(),
                "give it 1 or more; where a loader sets them: --map-entries NAME=N",
            )
        }
        Queue | Stack | BloomFilter if key != 0 => rule(
            format!("a {} has no keys, but this one has key {key}", spec.map_type),
            "give it key 0",
        ),
        _ if array && key != 4 => rule(
            format!("the key of this type is its index and must have 4 bytes, not {key}"),
            "give it key 4",
        ),
        StackTrace if key != 4 || value < 8 || !value.is_multiple_of(8) => rule(
            format!(
                "a stack trace has a key of 4 bytes and 8 bytes for each frame, but this one has key \
                 {key} and value {value}"
            ),
            "try: key 4 value 1016",
        ),
        ProgArray | PerfEventArray | CgroupArray | ArrayOfMaps | HashOfMaps if value != 4 => rule(
            format!("the values of this type are descriptors and must have 4 bytes, not {value}"),
            "give it value 4",
        ),
        _ if hash && key == 0 => {
            rule("a hash needs a key, but this one has key 0".into(), "give it key 1 or more")
        }
        _ if (hash || array) && value == 0 => {
            rule("its values have 0 bytes".into(), "give it value 1 or more")
        }
        LpmTrie if flags & NO_PREALLOC == 0 => {
            rule("a trie cannot be preallocated".into(), "give it flags 1 (BPF_F_NO_PREALLOC)")
        }
        LpmTrie if !(5..=260).contains(&key) => rule(
            format!(
                "a trie's key has 4 bytes for the length of the prefix and then 1 to 256 bytes, but this \
                 one has {key} in all"
            ),
            "try: key 8, for an IPv4 address",
        ),
        _ if array && flags & NO_PREALLOC != 0 => {
            rule("an array is always preallocated".into(), "remove flag 1 (BPF_F_NO_PREALLOC)")
        }
        Hash | PercpuHash | HashOfMaps if flags & NO_COMMON_LRU != 0 => rule(
            "only an LRU hash has LRU lists".into(),
            "remove flag 2 (BPF_F_NO_COMMON_LRU), or use an lru_hash",
        ),
        LruHash | LruPercpuHash if flags & NO_PREALLOC != 0 => {
            rule("an LRU hash is always preallocated".into(), "remove flag 1 (BPF_F_NO_PREALLOC)")
        }
        PercpuArray | PercpuHash | LruPercpuHash if value > PER_CPU => rule(
            format!(
                "a per-CPU value can have up to {PER_CPU} bytes, but these values have {value}"
            ),
            "make the value smaller, or use the type without percpu",
        ),
        _ if hash && u64::from(key) + u64::from(value) >= KMALLOC_MAX - 512 => rule(
            format!(
                "key and value of a hash must fit into {KMALLOC_MAX} bytes together, but these have {}",
                u64::from(key) + u64::from(value)
            ),
            "make them smaller, or use an array",
        ),
        _ if spec
            .lock()
            .is_some_and(|lock| !lock.is_multiple_of(4) || u64::from(lock) + 4 > value.into()) =>
        {
            rule(
                format!("a lock has 4 bytes at a multiple of 4, inside the value of {value} bytes"),
                "try: lock 0",
            )
        }
        PercpuArray | PercpuHash | LruPercpuHash if spec.lock().is_some() => rule(
            "each CPU has its own values, which need no lock".into(),
            "remove lock, and the calls of bpf_spin_lock and bpf_spin_unlock",
        ),
        ArrayOfMaps | HashOfMaps => rule(
            "it needs an existing map as the template of the maps that it holds".into(),
            "name one that is above it in the text: inner MAP",
        ),
        StructOps => rule(
            "its value is a struct of the kernel, whose id is missing".into(),
            "a text cannot name the struct: use libbpf, or bpftool struct_ops",
        ),
        _ => None,
    }
}
