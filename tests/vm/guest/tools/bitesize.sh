# shellcheck shell=sh

# worker ARGUMENT...: dd under a name and a user of its own. busybox is itself by any name that begins
# with its own. Prints its process' number.
worker() {
    if [ ! -e /tmp/busybox503 ]; then
        cp /bin/busybox /tmp/busybox503
        mkdir -p /etc
        echo 'worker:x:4321:0::/tmp:/bin/sh' >/etc/passwd
    fi
    start-stop-daemon -S -q -c 4321:0 -x /tmp/busybox503 -- dd status=none "$@" &
    echo "$!"
    wait $!
}

# bitesize_direct KIND DISK: 503 reads and 251 writes by processes of a known name and user, while
# another disk is busy too. Prints at the end who they were.
bitesize_direct() {
    chmod 666 "/dev/$2"
    start bitesize --attach "$1" -d "$2" --json -v 3600
    reader=$(worker if="/dev/$2" of=/dev/null bs=16k count=503 iflag=direct)
    writer=$(worker if=/dev/zero of="/dev/$2" bs=4k count=251 oflag=direct conv=notrunc)
    other_io "$2"
    stop
    echo "$reader $writer"
}

# bitesize_fsync KIND DISK: a megabyte through the page cache, written by fsync. What was cached before
# is written and forgotten first.
bitesize_fsync() {
    chmod 666 "/dev/$2"
    sync
    echo 3 >/proc/sys/vm/drop_caches
    start bitesize --attach "$1" -d "$2" --json -v 3600
    writer=$(worker if=/dev/zero of="/dev/$2" bs=16k count=64 conv=notrunc,fsync)
    stop
    echo "$writer"
}

# bitesize_text: the picture.
bitesize_text() {
    chmod 666 /dev/nullb0
    start bitesize -d nullb0 3600 1
    reader=$(worker if=/dev/nullb0 of=/dev/null bs=16k count=503 iflag=direct)
    stop
    echo "$reader"
}

# bitesize_flags KIND DISK: reads and writes, told apart.
bitesize_flags() {
    start bitesize --attach "$1" -d "$2" --by uid -F --json -v 3600
    mixed_io "$2"
    other_io "$2"
    stop
}

# readers DISK: the same name for tasks that had others before, as children of a shell and of a program
# with a longer name: 101 reads by one user, 53 by another, and some by a task of another name. Without
# a scheduler each issues its own.
readers() {
    echo none >"/sys/block/$1/queue/scheduler"
    chmod 666 "/dev/$1"
    worker if="/dev/$1" of=/dev/null bs=16k count=101 iflag=direct >/dev/null
    /tmp/busybox503 dd if="/dev/$1" of=/dev/null bs=16k count=53 iflag=direct status=none
    dd if="/dev/$1" of=/dev/null bs=16k count=23 iflag=direct status=none
}

# bitesize_comm KIND DISK: tasks by their names.
bitesize_comm() {
    start bitesize --attach "$1" -d "$2" --by comm --json -v 3600
    readers "$2"
    stop
}

# bitesize_filter KIND DISK: only tasks of a name, told apart by their users.
bitesize_filter() {
    start bitesize --attach "$1" -d "$2" -c busybox503 --by uid --json -v 3600
    readers "$2"
    stop
}

# bitesize_cgroup KIND DISK: a reader and a writer in cgroups of their own.
bitesize_cgroup() {
    [ -e /sys/fs/cgroup/cgroup.procs ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir -p /sys/fs/cgroup/tests/reader /sys/fs/cgroup/tests/writer
    start bitesize --attach "$1" -d "$2" --by cgroup --json -v 3600
    in_cgroup reader if="/dev/$2" of=/dev/null bs=16k count=101 iflag=direct
    in_cgroup writer if=/dev/zero of="/dev/$2" bs=4k count=53 oflag=direct conv=notrunc
    stop
}

# in_cgroup CGROUP ARGUMENT...: dd in that cgroup.
in_cgroup() {
    # shellcheck disable=SC2016 # another shell's number
    sh -c 'echo $$ >"/sys/fs/cgroup/tests/$0/cgroup.procs"; exec dd status=none "$@"' "$@"
}
