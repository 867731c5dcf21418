# shellcheck shell=sh

# answers ARGUMENT...: the exit status of a command of rawbpf, and all that it printed, in a line.
answers() {
    rawbpf "$@" >/tmp/answer 2>&1 && status=0 || status=$?
    echo "$status $(tr '\n' ' ' </tmp/answer)"
}

# host_without_types: what needs the kernel's types is refused.
host_without_types() {
    answers bitehist --attach tp_btf 0.01 1
    answers funclatency --attach fentry vfs_read 0.01 1
    answers argdist vfs_read count 0.01 1
}

# host_locked: what needs copies of kernel memory or tracefs is refused, and what does not is not.
host_locked() {
    mount -t securityfs security /sys/kernel/security
    answers bitehist --attach kprobe 0.01 1
    answers biolatency --attach raw_tp 0.01 1
    answers funccount 'block:*' 0.01 1
    answers argdist block:block_rq_issue bytes 0.01 1
    answers trace -e 'tracepoint:block:block_rq_issue { @ = sum(args.bytes); }'
    rawbpf doctor --json
}

# host_reports: what doctor finds.
host_reports() { rawbpf doctor --json; }

# with_ext4: a file system on a disk, whose driver is a module, as FOLDER.
with_ext4() {
    [ -d "$1" ] && return 0
    mkdir "$1"
    mke2fs /dev/vda >/dev/null
    mount -t ext4 /dev/vda "$1"
}

# host_ext4: 137 calls that write, 131 that read.
host_ext4() {
    with_ext4 /tmp/fs
    start funccount ext4:ext4_file_write_iter ext4:ext4_file_read_iter --json -v 3600
    dd if=/dev/zero of=/tmp/fs/counted bs=4k count=137 status=none
    dd if=/tmp/fs/counted of=/dev/null bs=4k count=131 status=none
    stop
}

# host_ext4_argument KIND FUNCTION: the lengths that 131 calls shall read.
host_ext4_argument() {
    with_ext4 /tmp/fs
    dd if=/dev/zero of=/tmp/fs/read bs=4k count=131 status=none
    start argdist "$2" 'to->count' --attach "$1" --json -v --linear 0,8192,4096 3600
    dd if=/tmp/fs/read of=/dev/null bs=4k count=131 status=none
    stop
}
