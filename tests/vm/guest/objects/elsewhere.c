#include "common.h"
/* It asks for a field that is missing, and is refused for something else. */
struct task_struct___gone { int nosuch; } CORE;
SEC("raw_tp/sched_switch") int p(__u64 *ctx)
{
    struct task_struct___gone *task = (void *)ctx[1];
    if (bpf_core_field_exists(task->nosuch))
        return BPF_CORE_READ(task, nosuch);
    return *(volatile int *)0x1234;
}
