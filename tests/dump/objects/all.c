/* What an object made by clang can hold. all.o and all-big.o are made of it by
 *   for target in bpfel:all.o bpfeb:all-big.o; do
 *       clang-19 -O2 -g -mcpu=v3 --target=${target%:*} -fdebug-prefix-map=$PWD=. -c all.c -o ${target#*:}
 *       llvm-strip-19 -g ${target#*:}
 *   done
 */
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, value) typeof(value) *name
#define noinline __attribute__((noinline))

struct {
	__uint(type, 1);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u64);
} hist SEC(".maps");

struct {
	__uint(type, 27);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct queue {
	u32 depth;
	u32 names[4];
} __attribute__((preserve_access_index));

struct request {
	u64 flags;
	struct queue *q;
	union {
		u32 __data_len;
		u32 other;
	};
	u32 small : 3;
} __attribute__((preserve_access_index));

enum op {
	READ,
	WRITE = 7,
};

static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*for_each)(u32 n, void *call, void *ctx, u64 flags) = (void *)181;
static u64 (*now)(void) = (void *)5;

const volatile u32 limit = 100;
u64 seen = 3;
static u64 missed;
extern int bpf_prog_active __attribute__((section(".ksyms")));
extern void bpf_rcu_read_lock(void) __attribute__((section(".ksyms")));

static noinline int own(int x)
{
	asm volatile("" ::: "memory");
	return x * 3 + seen;
}

noinline int shared(int x)
{
	return own(x) + own(x + 1);
}

static long each(u32 index, void *ctx)
{
	missed += index;
	return 0;
}

SEC("kprobe/blk_mq_start_request")
int on_issue(struct request **ctx)
{
	struct request *rq = *ctx;
	u32 key = rq->__data_len;
	u64 *count;

	if (rq->q->names[2] > limit)
		return shared(key);
	if (__builtin_preserve_field_info(rq->small, 2))
		key += __builtin_preserve_field_info(rq->small, 1);
	if (__builtin_preserve_type_info(*(struct queue *)0, 0))
		key += __builtin_preserve_type_info(*(struct request *)0, 1);
	key += __builtin_preserve_enum_value(*(enum op *)WRITE, 1);
	key += __builtin_btf_type_id(*(struct request *)0, 1);
	count = lookup(&hist, &key);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		missed++;
	return 0;
}

SEC("xdp")
int drop(void *ctx)
{
	bpf_rcu_read_lock();
	for_each(4, each, 0, 0);
	if (*(volatile int *)&bpf_prog_active)
		seen += now();
	lookup(&events, &seen);
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
