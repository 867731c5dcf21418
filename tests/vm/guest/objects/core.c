#include "common.h"
struct task_struct { unsigned sched_contributes_to_load : 1; int pid; } CORE;
struct task_struct___gone { int nosuch; } CORE;
extern int LINUX_KERNEL_VERSION __kconfig;
SEC("tp_btf/sched_switch") int p(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[1];
    if (bpf_core_field_exists(((struct task_struct___gone *)task)->nosuch) || LINUX_KERNEL_VERSION < 0x50a00)
        return *(volatile int *)0x1234;
    return task->pid + BPF_CORE_READ_BITFIELD_PROBED(task, sched_contributes_to_load);
}
