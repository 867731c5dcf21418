#include "common.h"
SEC("xdp") int t(struct xdp_md *ctx) { return 2; }
struct inner {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, int);
    __type(value, int);
} first SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, 2);
    __type(key, int);
    __array(values, struct inner);
} outer SEC(".maps") = { .values = { [0] = &first } };
struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 2);
    __uint(key_size, 4);
    __array(values, int(void *));
} jumps SEC(".maps") = { .values = { [0] = (void *)&t } };
SEC("xdp") int p(struct xdp_md *ctx)
{
    int key = 0, *value;
    void *inner = bpf_map_lookup_elem(&outer, &key);
    if (!inner)
        return 1;
    value = bpf_map_lookup_elem(inner, &key);
    if (value)
        bpf_tail_call(ctx, &jumps, 0);
    return 1;
}
