# shellcheck shell=sh

# timed_disk: a null_blk, nullb1, that takes twenty milliseconds for each request.
timed_disk() {
    [ ! -e /sys/block/nullb1 ] || return 0
    mountpoint -q /sys/kernel/config || mount -t configfs config /sys/kernel/config
    mkdir /sys/kernel/config/nullb/nullb1
    for setting in size=1024 irqmode=2 completion_nsec=20000000 power=1; do
        echo "${setting#*=}" >"/sys/kernel/config/nullb/nullb1/${setting%=*}"
    done
    echo 2 >/sys/block/nullb1/queue/nomerges
}

# biolatency_timed KIND [OPTION...]: 53 requests, one after the other, that take a known time, while
# a faster disk is busy too.
biolatency_timed() {
    kind=$1
    shift
    timed_disk
    start biolatency --attach "$kind" -d nullb1 --json -v "$@" $once
    direct_read 31 4k nullb1
    direct_write 22 16k nullb1
    other_io nullb1
    stop
}

# biolatency_parallel KIND DISK: four processes keep the disk's queue filled.
biolatency_parallel() {
    start biolatency --attach "$1" -d "$2" --json -v $once
    one_each "$2"
    other_io "$2"
    stop
}

# one_each DISK: 1009 + 503 + 251 + 127 requests by four processes at once.
one_each() {
    direct_read 1009 4k "$1" &
    pids=$!
    direct_write 503 4k "$1" &
    pids="$pids $!"
    direct_read 251 16k "$1" &
    pids="$pids $!"
    direct_write 127 64k "$1" &
    # shellcheck disable=SC2086 # several numbers
    wait $pids $!
}

# biolatency_by_disk: as many requests on each of three disks, in a histogram each.
biolatency_by_disk() {
    start biolatency -D --json $once
    for disk in vda nullb0 nvme0n1; do mixed_io $disk; done
    stop
}

# biolatency_flush: 53 writes each of which waits until the disk has written it.
biolatency_flush() {
    start biolatency -d vda --json $once
    for _ in $(seq 53); do
        dd if=/dev/zero of=/dev/vda bs=4k count=1 oflag=direct conv=notrunc,fsync status=none
    done
    stop
}

# biolatency_intervals: two processes until there were five intervals, and at the end how many rounds.
biolatency_intervals() {
    start biolatency -d nullb0 --json 0.1
    rounds=0
    while [ "$(wc -l <"$CASE/stdout")" -lt 5 ]; do
        one_each nullb0
        rounds=$((rounds + 1))
    done
    stop
    echo "rounds $rounds"
}
