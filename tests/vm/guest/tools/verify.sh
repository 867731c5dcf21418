# shellcheck shell=sh

# Each tool that has a program of its own for these ways to attach.
verify_tools() {
    for tool in bitehist bitesize biolatency bioheat; do
        for kind in kprobe raw_tp; do
            rawbpf verify $tool -- --attach $kind | grep -e '^\.program' -e '^accepted'
            rawbpf verify --json $tool -- --attach $kind > /tmp/walk || echo "status $?"
            walked=$(grep -c -e '"type":"insn"' -e '"type":"safe"' /tmp/walk)
            echo "walked $tool $kind $walked"
        done
    done
}

# Eight ways to one end.
verify_branches() {
    rawbpf verify /guest/branches.bpf --json || echo "status $?"
}

# cost NAME ARGUMENT...: the verdict on each program of a command or file, under this name.
cost() {
    echo "== $1"
    shift
    rawbpf verify --json "$@" 2>/dev/null | grep '"type":"verdict"'
}

# verify_costs_of_tools: every tool by each way to attach, and with the options that make other programs.
verify_costs_of_tools() {
    uname -r
    for kind in kprobe fentry tp_btf raw_tp; do
        for tool in bitehist bitesize biolatency bioheat; do echo "$tool --attach $kind"; done
    done >/tmp/commands
    cat >>/tmp/commands <<EOF
bitehist --attach tracepoint
bitehist --attach kprobe -d vda
bitehist --attach tp_btf -d vda
bitesize --attach tracepoint
bitesize --attach kprobe -F
bitesize --attach kprobe --by cgroup
bitesize --attach tp_btf -F --by uid
biolatency --attach kprobe -Q
biolatency --attach tracepoint
biolatency --attach tracepoint -D -d vda,nullb0
bioheat --attach tracepoint
biolatency --attach kprobe -F -D
biolatency --attach tp_btf -F -D
funccount vfs_read
funccount vfs_read --by comm
funccount sched:sched_process_exit --by pid
funclatency --attach kprobe vfs_read
funclatency --attach kprobe vfs_read --by pid
funclatency --attach fentry vfs_read
funclatency --attach fentry vfs_read --custom 4096,8192,16384
funclatency --attach fentry vfs_read --linear 0,65536,4096
funclatency /bin/vm-tests:vm::user::nap
argdist --attach kprobe vfs_read arg2
argdist --attach fentry vfs_read retval
argdist --attach fentry vfs_read retval --custom 4099,4100
argdist --attach kprobe blk_mq_start_request arg0->q->nr_requests
argdist --attach fentry blk_mq_start_request arg0->q->nr_requests
argdist --attach tracepoint block:block_rq_issue bytes
EOF
    while read -r tool arguments; do
        # shellcheck disable=SC2086 # the arguments are several words
        cost "$tool $arguments" "$tool" -- $arguments </dev/null
    done </tmp/commands
}

# verify_costs_of_lessons: the refused program of each, and its solution.
verify_costs_of_lessons() {
    uname -r
    for file in /guest/lessons/*.bpf; do
        name=${file##*/}
        cost "${name%.bpf}" "$file"
    done
}

# verify_objects: the exit status of each object that clang made, and what was reported.
verify_objects() {
    uname -r
    for file in /guest/objects/*.o; do
        name=${file##*/}
        rawbpf verify "$file" >/tmp/walk 2>/tmp/said && status=0 || status=$?
        echo "${name%.o} $status"
        tail -n 4 /tmp/walk /tmp/said
    done
}

# verify_against: a program that needs no check since Linux 6.18, beside what 6.12 says of it.
verify_against() {
    uname -r
    cat >/tmp/elided.bpf <<EOF
.program elided xdp
.map counts array key 4 value 8 entries 1
  *(u32 *)(r10 -4) = 0
  r2 = r10
  r2 += -4
  r1 = map[counts]
  call bpf_map_lookup_elem#1
  r0 = *(u64 *)(r0 +0)
  exit
EOF
    cat >/tmp/6.12.log <<EOF
func#0 @0
0: R1=ctx() R10=fp0
0: (62) *(u32 *)(r10 -4) = 0          ; R10=fp0 fp-8=0000????
1: (bf) r2 = r10                      ; R2_w=fp0 R10=fp0
2: (07) r2 += -4                      ; R2_w=fp-4
3: (18) r1 = 0xff3140dfc2360400       ; R1_w=map_ptr(ks=4,vs=8)
5: (85) call bpf_map_lookup_elem#1    ; R0_w=map_value_or_null(id=1,ks=4,vs=8)
6: (79) r0 = *(u64 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
processed 6 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
EOF
    rawbpf verify /tmp/elided.bpf --against /tmp/6.12.log || echo "status $?"
    echo "== itself"
    rawbpf verify biolatency --verifier-log /tmp/itself >/dev/null
    rawbpf verify biolatency --against /tmp/itself
}
