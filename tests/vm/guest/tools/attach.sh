# shellcheck shell=sh

# attach_auto: what each tool takes by itself, and what it could take instead.
attach_auto() {
    for tool in bitehist bitesize biolatency bioheat 'funclatency vfs_read' 'argdist vfs_read arg2'; do
        # shellcheck disable=SC2086 # a word each
        rawbpf $tool -v 0.01 1 2>&1 >/dev/null | grep -e ': attached by' -e ': other attach kinds'
    done
}

# attach_silent FILE: bitehist while nothing runs at the entries of functions, or no kprobe. Those kinds are refused,
# and by itself it takes another.
attach_silent() {
    # Linux 7 cannot switch ftrace off any more.
    echo 0 2>/dev/null >"$1" || { echo "stays on in Linux $(uname -r)"; return 0; }
    for kind in kprobe fentry; do
        rawbpf bitehist --attach $kind 0.01 1 >/tmp/out 2>&1 && status=0 || status=$?
        echo "$kind status $status $(tr '\n' ' ' </tmp/out)"
    done
    bitehist_mixed auto vda || status=$?
    echo 1 >"$1"
}

# attach_many: many programs at perf events, if the kernel has nothing else. While it detaches them after the end,
# they can be seen, but count no more.
attach_many() {
    start funccount 'vfs_*' --json $once
    dd if=/dev/zero of=/dev/null bs=1 count=1009 status=none
    stop
    sleep 1
    rawbpf list programs --json | grep '"name":"funccount"' >/tmp/left || true
    echo "left $(wc -l </tmp/left)"
    echo "detaching $(grep -c rawbpf-detach /tmp/left || true)"
}

# attach_calls: the same calls by number and by their own tracepoints, whose names the kernel has.
attach_calls() {
    start funccount syscalls:sys_enter_write syscalls:sys_exit_write -v --json $once
    dd if=/dev/zero of=/dev/null bs=1 count=1009 status=none
    stop
    ls /sys/kernel/tracing/events/syscalls | sed -n 's/^sys_enter_//p' | tr '\n' ' ' | sed 's/^/calls /'
    echo
}

# attach_crowd: processes that sleep at the same time, whose calls a kretprobe cannot all follow.
attach_crowd() {
    start funclatency "$@" --json -v do_nanosleep $once
    pids=
    for _ in $(seq 80); do
        usleep 300000 &
        pids="$pids $!"
    done
    # shellcheck disable=SC2086 # a word each
    wait $pids
    stop
}
