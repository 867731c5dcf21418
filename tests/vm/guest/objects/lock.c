#include "common.h"
/* Kinds of types that 5.10 does not know stand beside the lock, without which the map cannot be made. */
enum wide { WIDE = 1ull << 40 };
struct value { struct bpf_spin_lock lock; enum wide wide; float real; int x __attribute__((btf_decl_tag("x"))); };
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, int);
    __type(value, struct value);
} m SEC(".maps");
__noinline int global(int x) { barrier_var(x); return x; }
SEC("tc") int p(void *ctx)
{
    int key = 0;
    struct value *value = bpf_map_lookup_elem(&m, &key);
    if (!value)
        return 0;
    bpf_spin_lock(&value->lock);
    value->wide = WIDE;
    bpf_spin_unlock(&value->lock);
    return global(value->x);
}
