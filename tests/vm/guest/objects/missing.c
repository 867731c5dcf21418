#include "common.h"
struct task_struct___gone { int nosuch; } CORE;
SEC("raw_tp/sched_switch") int p(__u64 *ctx) { return BPF_CORE_READ((struct task_struct___gone *)ctx[1], nosuch); }
