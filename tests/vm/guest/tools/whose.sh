# shellcheck shell=sh

# whose TOOL KIND: the 53 reads of one task among others', by its name, its number and its cgroup.
whose() {
    [ -e /sys/fs/cgroup/cgroup.procs ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir -p /sys/fs/cgroup/tests/reader
    cp -n /bin/busybox /tmp/busybox503
    whose_run "$@" -c busybox503
    whose_run "$@" --cgroup /sys/fs/cgroup/tests/reader
    # The number is known before it reads.
    rm -f /tmp/go
    sh -c 'while [ ! -e /tmp/go ]; do usleep 20000; done; exec /tmp/busybox503 dd if=/dev/vda \
        of=/dev/null bs=4k count=53 iflag=direct status=none' &
    reader=$!
    start "$1" --attach "$2" -d vda --json -p $reader 3600
    direct_read 101 4k vda
    touch /tmp/go
    wait $reader
    stop
}

# whose_run TOOL KIND OPTION...
whose_run() {
    tool=$1
    kind=$2
    shift 2
    start "$tool" --attach "$kind" -d vda --json "$@" 3600
    direct_read 101 4k vda
    # shellcheck disable=SC2016 # another shell's number
    sh -c 'echo $$ >/sys/fs/cgroup/tests/reader/cgroup.procs; exec /tmp/busybox503 dd if=/dev/vda of=/dev/null bs=4k \
        count=53 iflag=direct status=none'
    stop
}
