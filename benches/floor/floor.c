/* The least a process has to do to trace: the same maps, the same program, the same attachment as
 * rawbpf bitehist, by the same system calls, without looking at options or errors' reasons.
 *
 *   cc -O2 -static -DPROGRAM=... floor.c        PROGRAM: a file of `rawbpf bitehist --dump-insns=c`
 *   floor raw_tp|tp_btf|tracepoint|kprobe       prints a line when the probe is live, ends by a signal
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include PROGRAM

static int bpf(int command, union bpf_attr *attr) {
	int result = syscall(SYS_bpf, command, attr, sizeof *attr);
	if (result < 0) { perror("bpf"); exit(1); }
	return result;
}

static long number(const char *path) {
	char text[32] = "";
	int fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) { perror(path); exit(1); }
	close(fd);
	return atol(text);
}

/* The id of a typedef: one walk through all types. */
static unsigned find_typedef(const char *name) {
	/* How much follows the twelve bytes of a type of each kind, a piece of it for each member. */
	static const unsigned char fixed[] = {[1] = 4, [3] = 12, [14] = 4, [17] = 4};
	static const unsigned char each[] = {[4] = 12, [5] = 12, [6] = 8, [13] = 8, [15] = 12, [19] = 12};
	struct stat stat;
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY);
	if (fd < 0 || fstat(fd, &stat)) { perror("BTF"); exit(1); }
	const unsigned char *blob = mmap(0, stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (blob == MAP_FAILED) {
		unsigned char *copy = malloc(stat.st_size);
		for (ssize_t have = 0, more; (more = read(fd, copy + have, stat.st_size - have)) > 0; have += more);
		blob = copy;
	}
	const unsigned *header = (const unsigned *)blob;
	const unsigned char *type = blob + header[1] + header[2], *end = type + header[3];
	const char *strings = (const char *)blob + header[1] + header[4];
	for (unsigned id = 1; type < end; id++) {
		const unsigned *word = (const unsigned *)type;
		unsigned kind = word[1] >> 24 & 31, count = word[1] & 0xffff;
		if (kind == 8 && !strcmp(strings + word[0], name)) return id;
		type += 12;
		if (kind < sizeof fixed) type += fixed[kind];
		if (kind < sizeof each) type += each[kind] * count;
	}
	fprintf(stderr, "no typedef %s\n", name);
	exit(1);
}

/* Types of the program's own, for its source lines: int, a prototype with the context, the function. */
static const struct {
	unsigned short magic;
	unsigned char version, flags;
	unsigned header, types, types_length, strings, strings_length;
	unsigned type[4 + 5 + 3];
	char string[76];
} types = {
	0xeb9f, 1, 0, 24, 0, 48, 48, 76,
	{1, 1 << 24, 4, 1 << 24 | 32, 0, 13 << 24 | 1, 1, 5, 1, 9, 12 << 24, 2},
	"\0int\0ctx\0bitehist\0bitehist.c\0load(r3, u64_at(r1 + request.argument));",
};
enum { FILE_NAME = 18, LINE = 29, LINES = 9 };

int main(int count, char **arguments) {
	const char *kind = count > 1 ? arguments[1] : "raw_tp";
	int tp_btf = !strcmp(kind, "tp_btf"), raw_tp = !strcmp(kind, "raw_tp"), kprobe = !strcmp(kind, "kprobe");

	union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8 * 33, .max_entries = 1};
	int hist = bpf(BPF_MAP_CREATE, &map);

	static struct bpf_insn insns[sizeof bitehist / sizeof(struct bpf_insn)];
	memcpy(insns, bitehist, sizeof insns);
	for (unsigned i = 0; i < sizeof insns / sizeof *insns; i++)
		if (insns[i].code == 0x18 && insns[i].src_reg == BPF_PSEUDO_MAP_IDX_VALUE) {
			insns[i].src_reg = BPF_PSEUDO_MAP_VALUE;
			insns[i].imm = hist;
		}
	union bpf_attr load = {
		.prog_type = tp_btf ? BPF_PROG_TYPE_TRACING : raw_tp ? BPF_PROG_TYPE_RAW_TRACEPOINT
			: kprobe ? BPF_PROG_TYPE_KPROBE : BPF_PROG_TYPE_TRACEPOINT,
		.insns = (unsigned long)insns,
		.insn_cnt = sizeof insns / sizeof *insns,
		.license = (unsigned long)"GPL",
	};
	/* The offsets in the instructions are from the same types. */
	unsigned id = tp_btf || raw_tp || kprobe ? find_typedef("btf_trace_block_rq_issue") : 0;
	if (tp_btf) {
		load.expected_attach_type = BPF_TRACE_RAW_TP;
		load.attach_btf_id = id;
	}
	union bpf_attr btf = {.btf = (unsigned long)&types, .btf_size = sizeof types};
	struct bpf_func_info function = {.type_id = 3};
	struct bpf_line_info lines[LINES];
	for (unsigned i = 0; i < LINES; i++)
		lines[i] = (struct bpf_line_info){i, FILE_NAME, LINE, (i + 1) << 10};
	load.prog_btf_fd = bpf(BPF_BTF_LOAD, &btf);
	load.func_info = (unsigned long)&function;
	load.func_info_cnt = 1;
	load.func_info_rec_size = sizeof function;
	load.line_info = (unsigned long)lines;
	load.line_info_cnt = LINES;
	load.line_info_rec_size = sizeof *lines;
	int prog = bpf(BPF_PROG_LOAD, &load);
	close(load.prog_btf_fd);

	if (tp_btf || raw_tp) {
		union bpf_attr open = {.raw_tracepoint = {.prog_fd = prog, .name = raw_tp ? (unsigned long)"block_rq_issue" : 0}};
		bpf(BPF_RAW_TRACEPOINT_OPEN, &open);
	} else {
		struct perf_event_attr attr = {.size = sizeof attr, .sample_period = 1, .wakeup_events = 1};
		if (kprobe) {
			attr.type = number("/sys/bus/event_source/devices/kprobe/type");
			attr.config1 = (unsigned long)"blk_mq_start_request";
		} else {
			attr.type = PERF_TYPE_TRACEPOINT;
			attr.config = number("/sys/kernel/tracing/events/block/block_rq_issue/id");
		}
		int event = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
		if (event < 0 || ioctl(event, PERF_EVENT_IOC_SET_BPF, prog) || ioctl(event, PERF_EVENT_IOC_ENABLE, 0)) {
			perror(kind);
			return 1;
		}
	}
	puts("Tracing");
	fflush(stdout);
	pause();
	return 0;
}
