/* The histogram of block I/O sizes as it was written in C in 2015: a cascade of comparisons for the
 * logarithm, a lookup for the counter. Compiled once per way to attach, which decides where the size
 * comes from: FIELD is its offset.
 *
 *   clang -O2 -target bpf -mcpu=v3 -DKIND_raw_tp -DFIELD=44 -c bitehist.bpf.c
 *   clang -O2 -target bpf -mcpu=v3 -g -DOBJECT -c bitehist.bpf.c      for rawbpf run and libbpf
 */
typedef unsigned int u32;
typedef unsigned long long u64;

static void *(*map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;

#if defined OBJECT
struct {
	int (*type)[2];
	u32 *key;
	u64 *value;
	int (*max_entries)[64];
} hist __attribute__((section(".maps")));

struct request {
	u32 __data_len;
} __attribute__((preserve_access_index));

char terms[] __attribute__((section("license"))) = "GPL";
#define PROGRAM "kprobe/blk_mq_start_request"
#else
/* Whoever loads this makes the map and puts its descriptor in place of the name. */
extern char hist[];
#define PROGRAM "prog"
#endif

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

__attribute__((section(PROGRAM))) int program(u64 *context) {
	u32 length = 0;
#if defined OBJECT
	struct request *request = (void *)context[14];
	probe_read_kernel(&length, sizeof length, &request->__data_len);
#elif defined KIND_tracepoint
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
	u64 *value = map_lookup_elem(&hist, &index);
	if (value)
		__sync_fetch_and_add(value, 1);
	return 0;
}
