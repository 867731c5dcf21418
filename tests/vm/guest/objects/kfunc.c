#include "common.h"
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
SEC("tp_btf/sched_switch") int p(__u64 *ctx)
{
    bpf_rcu_read_lock();
    bpf_rcu_read_unlock();
    return 0;
}
