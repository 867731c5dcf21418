# shellcheck shell=sh

# null_disk NAME SETTING...: a null_blk of a gigabyte with these settings, unless it is there.
null_disk() {
    [ ! -e "/sys/block/$1" ] || return 0
    disk=$1
    shift
    [ -d /sys/kernel/config/nullb ] || mount -t configfs config /sys/kernel/config
    mkdir "/sys/kernel/config/nullb/$disk"
    for setting in size=1024 "$@" power=1; do
        echo "${setting#*=}" >"/sys/kernel/config/nullb/$disk/${setting%=*}"
    done
    echo 2 >"/sys/block/$disk/queue/nomerges"
}

# timed_disk: a null_blk, nullb1, that takes twenty milliseconds for each request.
timed_disk() {
    null_disk nullb1 irqmode=2 completion_nsec=20000000
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

# biolatency_requeued: requests of a disk that takes 32 KiB each 20 ms, and gives back what is more to
# be issued again later; first as they are issued and then as they waited.
biolatency_requeued() {
    # They are numbered, whatever they are called.
    timed_disk
    null_disk nullb2 mbps=1
    for queued in "" -Q; do
        # shellcheck disable=SC2086 # an option or none
        start biolatency -d nullb2 --json $queued $once
        direct_read 53 16k nullb2
        stop
    done
}

# biolatency_requeued_tracepoint: the same as they are issued, by the tracepoints' records.
biolatency_requeued_tracepoint() {
    timed_disk
    null_disk nullb2 mbps=1
    start biolatency -d nullb2 --attach tracepoint --json $once
    direct_read 53 16k nullb2
    stop
}

# biolatency_without_types: on a kernel without BTF, requests of each disk, and 53 flushes of one.
biolatency_without_types() {
    mkdir -p /tmp/empty
    mount --bind /tmp/empty /sys/kernel/btf
    start biolatency -D --json $once
    mixed_io_on_each
    stop
    start biolatency -d vda --json $once
    for _ in $(seq 53); do
        dd if=/dev/zero of=/dev/vda bs=4k count=1 oflag=direct conv=notrunc,fsync status=none
    done
    stop
    umount /sys/kernel/btf
}

# biolatency_flags KIND DISK: reads and writes, told apart.
biolatency_flags() {
    start biolatency --attach "$1" -d "$2" -F -D --json -v $once
    mixed_io "$2"
    other_io "$2"
    stop
}

# biolatency_beyond: one histogram for two kinds of requests.
biolatency_beyond() {
    start biolatency -d nullb0 -F --max-keys 1 --json $once
    mixed_io nullb0
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

# biolatency_by_disk: as many requests on each disk, in a histogram each.
biolatency_by_disk() {
    start biolatency -D --json $once
    mixed_io_on_each
    stop
}

# biolatency_paths: a multipath disk and another one, by the kernel's names: all disks, the two, and one path.
biolatency_paths() {
    for disks in "" "-d nvme1n1,vda" "-d nvme1c1n1"; do
        # shellcheck disable=SC2086 # an option or none
        start biolatency -D --json $disks $once
        mixed_io nvme1n1
        mixed_io vda
        stop
    done
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
    while [ "$(intervals)" -lt 5 ]; do
        one_each nullb0
        rounds=$((rounds + 1))
    done
    stop
    echo "rounds $rounds"
}
