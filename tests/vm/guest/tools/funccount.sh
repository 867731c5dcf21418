# shellcheck shell=sh

# held COMMAND...: a process that becomes the command when it is told to continue.
held() {
    # shellcheck disable=SC2016 # the inner shell expands
    sh -c 'kill -STOP $$; exec "$@"' sh "$@" &
    held=$!
    until grep -q '^State:.*stopped' "/proc/$held/status"; do usleep 10000; done
}

# release: let it run, to its end.
release() {
    kill -CONT "$held"
    wait "$held"
}

# copy: with count=N behind it, so many calls of vfs_read and as many of vfs_write.
copy="dd if=/dev/zero of=/dev/null bs=1 status=none"

# funccount_by_function PATTERN...: the calls that one process makes of what the patterns find.
funccount_by_function() {
    held $copy count=1009
    start funccount "$@" -p "$held" --json -v 3600
    release
    stop
}

# funccount_by KEY: the calls of one function, for each key.
funccount_by() {
    held $copy count=1009
    start funccount vfs_read --by "$1" --json -v 3600
    release
    stop
    echo "pid $held"
}

# funccount_intervals: two processes, one on each CPU, call while intervals end.
funccount_intervals() {
    start funccount vfs_write --by comm --json 0.1
    taskset 1 $copy count=50021 &
    one=$!
    taskset 2 $copy count=50023 &
    two=$!
    wait $one
    wait $two
    stop
}

# funccount_left: what a tool leaves in the kernel, one that was stopped and one that was killed.
funccount_left() {
    settle
    start funccount 'vfs_[rw]*' --json 3600
    while_it_ran=$(in_kernel)
    stop
    settle
    echo "$(cat /tmp/in_kernel_at_boot) $while_it_ran $(in_kernel)"
    start funccount 'vfs_[rw]*' --json 3600
    murder
    settle
    echo "$(cat /tmp/in_kernel_at_boot) $while_it_ran $(in_kernel)"
}

# funccount_misspelt: an error that helps.
funccount_misspelt() {
    rawbpf funccount vfs_raed 1 1 || echo "exit $?"
}

# funccount_forbidden: a function that the kernel lets nobody probe.
funccount_forbidden() {
    for name in exc_int3 $(awk 'NR == FNR { traced[$1]; next } !($2 in traced) && $2 ~ /^[a-z_0-9]+$/ { print $2 }' \
        /sys/kernel/tracing/available_filter_functions /sys/kernel/debug/kprobes/blacklist); do
        if grep -q " $name\$" /proc/kallsyms; then break; fi
    done
    echo "function $name"
    rawbpf funccount "$name" 1 1 || echo "exit $?"
}

# funccount_module PATTERN: the requests of a disk, at the functions of its module.
funccount_module() {
    start funccount "$1" --json -v 3600
    for size in 4k 16k; do dd if=/dev/nullb0 of=/dev/null bs=$size count=250 iflag=direct status=none; done
    stop
}

# funccount_untraceable PATTERN: what comes of functions none of which can be traced.
funccount_untraceable() {
    rawbpf funccount "$1" -v 0.01 1 && status=0 || status=$?
    echo "exit $status"
}
