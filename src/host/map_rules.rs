//! What the kernel asks of a map, which it does not tell whoever breaks it: all is EINVAL or E2BIG.

use crate::sys::{MapSpec, MapType};

/// The largest that the kernel allocates in one piece, of which a hash's element must be.
const PIECE: u64 = 4 << 20;
/// The largest value that each CPU can have its own of.
const PER_CPU: u32 = 32 << 10;
/// The smallest page of any machine.
const PAGE: u32 = 4096;
/// Flags: `BPF_F_NO_PREALLOC`, `BPF_F_NO_COMMON_LRU`.
const NO_PREALLOC: u32 = 1;
const NO_COMMON_LRU: u32 = 1 << 1;

/// Which rule of the kernels from 5.10 on the map breaks, and what would keep it.
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
                "a ring buffer has neither keys nor values, and this has {key} and {value} bytes of them"
            ),
            "give it only entries: its size in bytes",
        ),
        Ringbuf if !entries.is_power_of_two() || !entries.is_multiple_of(PAGE) => rule(
            format!(
                "a ring buffer's size is a power of two of whole pages, and {entries} bytes are not"
            ),
            "try: entries 262144",
        ),
        _ if (array || hash || matches!(spec.map_type, LpmTrie | Queue | Stack | StackTrace))
            && entries == 0 =>
        {
            rule("it has no entries".into(), "give it 1 or more")
        }
        Queue | Stack | BloomFilter if key != 0 => rule(
            format!("a {} has no keys, and this has {key} bytes of them", spec.map_type),
            "give it key 0",
        ),
        _ if array && key != 4 => rule(
            format!("the key of this type is its index, of 4 bytes, and not of {key}"),
            "give it key 4",
        ),
        StackTrace if key != 4 || value < 8 || !value.is_multiple_of(8) => rule(
            format!(
                "a stack trace has a key of 4 bytes and 8 bytes for each frame, and this {key} and {value}"
            ),
            "try: key 4 value 1016",
        ),
        ProgArray | PerfEventArray | CgroupArray | ArrayOfMaps | HashOfMaps if value != 4 => rule(
            format!("the values of this type are descriptors, of 4 bytes, and not of {value}"),
            "give it value 4",
        ),
        _ if hash && key == 0 => {
            rule("a hash needs a key, and this has 0 bytes of it".into(), "give it key 1 or more")
        }
        _ if (hash || array) && value == 0 => {
            rule("its values have 0 bytes".into(), "give it value 1 or more")
        }
        LpmTrie if flags & NO_PREALLOC == 0 => rule(
            "a trie cannot be allocated in advance".into(),
            "give it flags 1 (BPF_F_NO_PREALLOC)",
        ),
        LpmTrie if !(5..=260).contains(&key) => rule(
            format!(
                "a trie's key is 4 bytes for the length of the prefix and 1 to 256 bytes, and this has {key}"
            ),
            "try: key 8, for an IPv4 address",
        ),
        _ if array && flags & NO_PREALLOC != 0 => rule(
            "an array is always allocated in advance".into(),
            "leave out flag 1 (BPF_F_NO_PREALLOC)",
        ),
        Hash | PercpuHash | HashOfMaps if flags & NO_COMMON_LRU != 0 => rule(
            "only a hash that forgets the oldest has lists for them".into(),
            "leave out flag 2 (BPF_F_NO_COMMON_LRU), or take an lru_hash",
        ),
        LruHash | LruPercpuHash if flags & NO_PREALLOC != 0 => rule(
            "a hash that forgets the oldest is always allocated in advance".into(),
            "leave out flag 1 (BPF_F_NO_PREALLOC)",
        ),
        PercpuArray | PercpuHash | LruPercpuHash if value > PER_CPU => rule(
            format!(
                "each CPU can have its own of up to {PER_CPU} bytes, and these values have {value}"
            ),
            "make the value smaller, or take the type without percpu",
        ),
        _ if hash && u64::from(key) + u64::from(value) >= PIECE - 512 => rule(
            format!(
                "key and value of a hash fit into {PIECE} bytes together, and these have {}",
                u64::from(key) + u64::from(value)
            ),
            "make them smaller, or take an array",
        ),
        _ if spec.types.as_ref().is_some_and(|types| {
            !types.lock.is_multiple_of(4) || u64::from(types.lock) + 4 > value.into()
        }) =>
        {
            rule(
                format!("a lock has 4 bytes at a multiple of 4, inside of the value of {value}"),
                "try: lock 0",
            )
        }
        PercpuArray | PercpuHash | LruPercpuHash if spec.types.is_some() => rule(
            "each CPU has values of its own, which nobody has to lock".into(),
            "leave out lock, and the calls of bpf_spin_lock and bpf_spin_unlock",
        ),
        ArrayOfMaps | HashOfMaps => rule(
            "what maps it holds it takes from one that there is, and none is named".into(),
            "a text cannot name one: Map::create_of_maps of the crate does",
        ),
        StructOps => rule(
            "its value is a struct of the kernel, and its id is not told".into(),
            "a text cannot tell it: libbpf and bpftool struct_ops do",
        ),
        _ => None,
    }
}
