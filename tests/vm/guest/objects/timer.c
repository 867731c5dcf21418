#include "common.h"
struct value { struct bpf_timer timer; };
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, int);
    __type(value, struct value);
} m SEC(".maps");
SEC("tc") int p(void *ctx)
{
    int key = 0;
    struct value *value = bpf_map_lookup_elem(&m, &key);
    return value ? bpf_timer_init(&value->timer, &m, 1) : 0;
}
