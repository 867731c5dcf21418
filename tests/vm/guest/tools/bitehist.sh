# shellcheck shell=sh

# One interval that is longer than the case: it ends, and is printed, when the tool is stopped.
once=3600

# bitehist_mixed KIND DISK: mixed I/O on the disk, counted by that kind of probe.
bitehist_mixed() {
    start bitehist --attach "$1" -d "$2" --json -v $once
    mixed_io "$2"
    stop
}

# bitehist_intervals: many intervals while two processes, one on each CPU, write.
bitehist_intervals() {
    start bitehist -d nullb0 --json 0.1
    taskset 1 sh /guest/case.sh direct_write 4001 4k nullb0 &
    one=$!
    taskset 2 sh /guest/case.sh direct_write 3989 4k nullb0 &
    two=$!
    wait $one
    wait $two
    stop
}

# bitehist_killed KIND: what a tool that had no chance to clean up leaves in the kernel. Prints what
# the kernel held before, while it ran, and after.
bitehist_killed() {
    before=$(in_kernel)
    start bitehist --attach "$1" --json $once
    while_it_ran=$(in_kernel)
    kill -KILL "$rawbpf"
    wait "$rawbpf" || true
    # A program is freed some time after its last user.
    for _ in $(seq 50); do
        [ "$(in_kernel)" -ne "$before" ] || break
        usleep 100000
    done
    echo "$before $while_it_ran $(in_kernel)"
}
