# shellcheck shell=sh

# lacks_nvme: the disks that there are.
lacks_nvme() {
    for disk in /sys/block/nvme* /sys/block/nullb0 /sys/block/vda; do
        [ ! -e "$disk" ] || echo "${disk##*/}"
    done
}

# told ARGUMENT...: the exit status of a command, and all that it said on a line.
told() {
    rawbpf "$@" >/tmp/out 2>&1 && status=0 || status=$?
    echo "$status $(tr '\n' ' ' </tmp/out)"
}

# lacks_fentry: each tool is asked for a program at a trampoline.
lacks_fentry() {
    told bitehist --attach fentry 0.01 1
    told funclatency --attach fentry vfs_read 0.01 1
    told argdist --attach fentry vfs_read arg2 0.01 1
}

# lacks_kprobe_multi: a program for many functions is refused; they are counted by one each.
lacks_kprobe_multi() {
    printf '.program counts kprobe.multi vfs_read,vfs_write\n r0 = 0\n exit\n' >/tmp/multi.bpf
    told run /tmp/multi.bpf 0.01 1
    told funccount -v vfs_read vfs_write 0.01 1
}

# lacks_kretprobe: what needs one is refused, and by itself takes another kind.
lacks_kretprobe() {
    told funclatency --attach kprobe vfs_read 0.01 1
    told trace -e 'kretprobe:vfs_read { exit(); }' 1
    told funclatency -v vfs_read 0.01 1
}

# lacks_jit: the machine code of a program that is loaded.
lacks_jit() {
    start bitehist 3600 >/dev/null
    told dump --name bitehist --jit
    stop
}
