# shellcheck shell=sh

# One interval that is longer than the case: it ends, and is printed, when the tool is stopped.
once=3600

# bitehist_mixed KIND DISK: mixed I/O on the disk, counted by that kind of probe.
bitehist_mixed() {
    start bitehist --attach "$1" -d "$2" --json -v $once
    mixed_io "$2"
    stop
}

# bitehist_intervals: two processes, one on each CPU, write until there were five intervals. Prints at
# the end how often; the host knows how many requests that makes.
bitehist_intervals() {
    start bitehist -d nullb0 --json 0.1
    rounds=0
    while [ "$(wc -l <"$CASE/stdout")" -lt 5 ]; do
        taskset 1 sh /guest/case.sh direct_write 1009 4k nullb0 &
        one=$!
        taskset 2 sh /guest/case.sh direct_write 997 4k nullb0 &
        two=$!
        wait $one
        wait $two
        rounds=$((rounds + 1))
    done
    stop
    echo "rounds $rounds"
}

# bitehist_killed KIND: what a tool that had no chance to clean up leaves in the kernel. Prints what
# the kernel held before, while it ran, and after.
bitehist_killed() {
    before=$(in_kernel)
    start bitehist --attach "$1" --json $once
    while_it_ran=$(in_kernel)
    murder
    # A program is freed some time after its last user.
    for _ in $(seq 100); do
        [ "$(in_kernel)" -ne "$before" ] || break
        usleep 100000
    done
    echo "$before $while_it_ran $(in_kernel)"
}
