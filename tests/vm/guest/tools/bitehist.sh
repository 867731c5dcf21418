# shellcheck shell=sh

# One interval that is longer than the case: it ends, and is printed, when the tool is stopped.
once=3600

# bitehist_mixed KIND DISK [SIGNAL]: mixed I/O on the disk, counted by that kind of probe, while
# another disk is busy too.
bitehist_mixed() {
    start bitehist --attach "$1" -d "$2" --json -v $once
    mixed_io "$2"
    other_io "$2"
    stop "${3:-TERM}"
}

# bitehist_all_disks: mixed I/O on every disk.
bitehist_all_disks() {
    start bitehist --json $once
    mixed_io_on_each
    stop
}

# bitehist_three_tables: it ends by itself.
bitehist_three_tables() {
    rawbpf bitehist --json 0.1 3
}

# bitehist_intervals: two processes, one on each CPU, write until there were five intervals. Prints at
# the end how often; the host knows how many requests that makes.
bitehist_intervals() {
    start bitehist -d nullb0 --json 0.1
    rounds=0
    while [ "$(intervals)" -lt 5 ]; do
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
# the kernel held at boot, while it ran, and after.
bitehist_killed() {
    settle
    start bitehist --attach "$1" --json $once
    while_it_ran=$(in_kernel)
    murder
    settle
    echo "$(cat /tmp/in_kernel_at_boot) $while_it_ran $(in_kernel)"
}
