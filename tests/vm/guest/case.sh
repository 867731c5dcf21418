#!/bin/busybox sh
# case.sh FUNCTION ARGUMENT...: run one case: a function of one of the tools' files beside this.
#
# A case passes if it exits with 0 and the host finds in its output what it expects there. $CASE is
# the case's folder, with its output so far.
set -eu

# start ARGUMENT...: run rawbpf in the background until stop, and return once its probes are live.
start() {
    live=$(grep -c '^Tracing' "$CASE/stderr" || true)
    rawbpf "$@" &
    rawbpf=$!
    while [ "$(grep -c '^Tracing' "$CASE/stderr")" -eq "$live" ]; do
        kill -0 "$rawbpf" 2>/dev/null || ended
        usleep 20000
    done
}

ended() {
    wait "$rawbpf" && status=0 || status=$?
    echo "rawbpf ended with status $status before its probes were live" >&2
    exit 1
}

# stop [SIGNAL]: end what start began, with TERM as a service manager does or with INT as Ctrl-C does.
# It must say that all was well.
stop() {
    kill "-${1:-TERM}" "$rawbpf"
    wait "$rawbpf"
}

# intervals: how many of them the tool has printed as JSON.
intervals() { grep -c '^{"type":"interval"' "$CASE/stdout" || true; }

# murder: end it without a chance to clean up.
murder() {
    kill -KILL "$rawbpf"
    wait "$rawbpf" || true
}

# direct_read|direct_write COUNT SIZE DISK: that many requests of that size, past the page cache.
direct_read() { dd if="/dev/$3" of=/dev/null bs="$2" count="$1" iflag=direct status=none; }
direct_write() { dd if=/dev/zero of="/dev/$3" bs="$2" count="$1" oflag=direct conv=notrunc status=none; }

# mixed_io DISK: reads and writes of three sizes, each a prime number of times in all (the host knows
# the same numbers). No size exceeds what each of the disks takes in one request.
mixed_io() {
    direct_write 300 4k "$1"
    direct_read 199 4k "$1"
    direct_write 101 16k "$1"
    direct_read 150 16k "$1"
    direct_write 60 64k "$1"
    direct_read 67 64k "$1"
}

# mixed_io_on_each: the same on each disk. Tells which these are.
mixed_io_on_each() {
    disks="nullb0 vda"
    [ ! -e /dev/nvme0n1 ] || disks="nullb0 nvme0n1 vda"
    for disk in $disks; do mixed_io "$disk"; done
    echo "disks $disks"
}

# other_io DISK: requests of yet another size on a disk that is not this one.
other_io() {
    case $1 in vda) direct_write 31 32k nullb0 ;; *) direct_write 31 32k vda ;; esac
}

# in_kernel: how many probes and programs the kernel holds. There is no file that lists programs, but
# each has memory of its own, which is listed under the function that took it.
in_kernel() {
    { cat /sys/kernel/debug/kprobes/list && grep bpf_prog_alloc /proc/vmallocinfo; } | wc -l
}

# settle: wait, but not for ever, until the kernel holds what it held at boot. It frees a program some
# time after the last user went, be it one of the case before.
settle() {
    for _ in $(seq 100); do
        [ "$(in_kernel)" -ne "$(cat /tmp/in_kernel_at_boot)" ] || break
        usleep 100000
    done
}

# shellcheck disable=SC1090 # the tools' files are looked at by themselves
for tool in /guest/tools/*.sh; do . "$tool"; done
"$@"
