/* The histogram of block I/O sizes as it was written in C in 2015: a cascade of comparisons for the
 * logarithm, a lookup for the counter. Compiled once per way to attach, which decides where the size
 * comes from: FIELD is its offset.
 *
 *   clang -O2 -target bpf -mcpu=v3 -DKIND_raw_tp -DFIELD=44 -c bitehist.bpf.c
 */
typedef unsigned int u32;
typedef unsigned long long u64;

static void *(*map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;

/* Whoever loads this makes the map and puts its descriptor in place of the name. */
extern char hist[];

static inline __attribute__((always_inline)) u32 log2(u32 v) {
	u32 r, shift;
	r = (v > 0xFFFF) << 4; v >>= r;
	shift = (v > 0xFF) << 3; v >>= shift; r |= shift;
	shift = (v > 0xF) << 2; v >>= shift; r |= shift;
	shift = (v > 0x3) << 1; v >>= shift; r |= shift;
	return r | (v >> 1);
}

static inline __attribute__((always_inline)) u32 log2l(u64 v) {
	u32 high = v >> 32;
	return high ? log2(high) + 32 : log2(v);
}

__attribute__((section("prog"))) int program(u64 *context) {
	u32 length = 0;
#if defined KIND_tracepoint
	length = *(u32 *)((char *)context + FIELD);
#elif defined KIND_raw_tp
	probe_read_kernel(&length, sizeof length, (void *)context[0] + FIELD);
#elif defined KIND_kprobe
	probe_read_kernel(&length, sizeof length, (void *)context[14] + FIELD);
#else
	length = *(u32 *)((char *)context[0] + FIELD);
#endif
	u64 kbytes = length / 1024;
	u32 index = log2l(kbytes);
	u64 *value = map_lookup_elem(hist, &index);
	if (value)
		__sync_fetch_and_add(value, 1);
	return 0;
}
