# shellcheck shell=sh

# argdist_sizes KIND DISK VALUE [OPTION...]: the sizes of mixed I/O, at the function that issues a
# request.
argdist_sizes() {
    kind=$1 disk=$2 value=$3
    shift 3
    start argdist blk_mq_start_request "$value" --attach "$kind" --json -v "$@" 3600
    mixed_io "$disk"
    stop
}

# argdist_at_tracepoint KIND VALUE: the same at a tracepoint.
argdist_at_tracepoint() {
    start argdist block:block_rq_issue "$2" --attach "$1" --json -v 3600
    mixed_io vda
    stop
}

# argdist_queue FUNCTION KIND: what is behind two pointers, of 61 requests. Prints at the end what the
# kernel says it is.
argdist_queue() {
    start argdist "$1" 'arg0->q->nr_requests' --attach "$2" --json -v --linear 0,4000,1 3600
    direct_write 61 4k vda
    stop
    echo "nr_requests $(cat /sys/block/vda/queue/nr_requests)"
}

# argdist_reads KIND VALUE [OPTION...]: what one process reads, 1009 times 4099 bytes.
argdist_reads() {
    kind=$1 value=$2
    shift 2
    held dd if=/dev/zero of=/dev/null bs=4099 count=1009 status=none
    start argdist vfs_read "$value" --attach "$kind" -p "$held" --json -v "$@" 3600
    release
    stop
}

# argdist_beside_fentry: the same by a kprobe, while programs come to the function's trampoline and go.
argdist_beside_fentry() {
    held dd if=/dev/zero of=/dev/null bs=4099 count=1009 status=none
    rawbpf argdist vfs_read count --attach fentry --json 3600 >/dev/null &
    beside=$!
    usleep 500000
    start argdist vfs_read arg2 --attach kprobe -p "$held" --json -v --custom 4099,4100 3600
    kill $beside
    wait $beside
    rawbpf argdist vfs_read count --attach fentry 0.01 1 >/dev/null
    release
    stop
}

# argdist_signed KIND: processes end whose score is above 0, 17, and below, 13.
argdist_signed() {
    start argdist sched:sched_process_exit 'arg0->signal->oom_score_adj' --attach "$1" \
        --custom 613,614 --json -v 3600
    for _ in $(seq 17); do sh -c 'echo 613 >/proc/self/oom_score_adj'; done
    for _ in $(seq 13); do sh -c 'echo -613 >/proc/self/oom_score_adj'; done
    stop
}

# argdist_misspelt: each is an error that says what there is.
argdist_misspelt() {
    for value in 'arg0->data_len' 'req->__data_len' arg1 retval; do
        rawbpf argdist blk_mq_start_request "$value" 1 1 && return 1
    done
    rawbpf argdist blk_mq_strat_request arg0 1 1 && return 1
    rawbpf argdist block:block_rq_issue byte 1 1 && return 1
    true
}

# argdist_user VALUE: what a function of a program is called with or returns.
argdist_user() {
    start argdist /bin/vm-tests:vm::user::nap "$1" --linear 0,100,1 --json -v 3600
    /bin/vm-tests --exact user::naps >/dev/null
    stop
}

# argdist_module KIND FUNCTION VALUE: the sizes of mixed I/O, at a function of a module.
argdist_module() {
    start argdist "$2" "$3" --attach "$1" --json -v 3600
    mixed_io nullb0
    stop
}

# argdist_module_untyped FUNCTION: how often a function of a module is called, by a kernel that may have no
# types of it.
argdist_module_untyped() {
    start argdist "$1" '(u8)arg1' --attach kprobe --json -v 3600
    mixed_io nullb0
    stop
}

# argdist_module_misspelt: each is an error that says what there is.
argdist_module_misspelt() {
    rawbpf argdist null_blk:null_queue_rqq arg0 1 1 && return 1
    rawbpf argdist null_queue_rqq arg0 --attach fentry 1 1 && return 1
    rawbpf argdist null_blk:vfs_read arg0 --attach kprobe 1 1 && return 1
    rawbpf argdist null_queue_rq 'arg1->rq->data_len' 1 1 && return 1
    true
}

# argdist_owners KIND: the number that a function gets, 29 times, which makes a struct of it. On s390x the kernel's
# types do not have such functions, whose first register has the address for the struct.
argdist_owners() {
    case $(uname -m) in s390x) value=arg2 ;; *) value=uid ;; esac
    start argdist make_kuid "$value" --each --attach "$1" --json -v 3600
    touch /tmp/owned
    for _ in $(seq 29); do chown 4242 /tmp/owned; done
    stop
}

# argdist_strings KIND: the names of the files that one process reads.
argdist_strings() {
    held dd if=/dev/zero of=/dev/null bs=4099 count=1009 status=none
    start argdist vfs_read 'str(file->f_path.dentry->d_name.name)' --attach "$1" -p "$held" --json -v 3600
    release
    stop
}

# argdist_user_strings KIND VALUE: the files that one process opens, as it names them.
argdist_user_strings() {
    held dd if=/dev/zero of=/dev/null bs=4099 count=1009 status=none
    start argdist do_sys_openat2 "$2" --attach "$1" -p "$held" --json -v 3600
    release
    stop
}

# argdist_user_strings_of_record: the same by the record of the system call.
argdist_user_strings_of_record() {
    held dd if=/dev/zero of=/dev/null bs=4099 count=1009 status=none
    start argdist syscalls:sys_enter_openat 'str(filename)' -p "$held" --json -v 3600
    release
    stop
}

# argdist_strings_of_anybody: nobody says whose address it is, with types and without.
argdist_strings_of_anybody() {
    for value in 'str(filename)' 'str(arg1)'; do
        rawbpf argdist do_sys_openat2 "$value" 0.01 1 && return 1
    done
    true
}

# argdist_comms FUNCTION VALUE KIND: the names of processes that start or end, 29 of them of one name, which
# is as long as a thread's can be.
argdist_comms() {
    cp /bin/busybox /tmp/busybox-strings
    start argdist "$1" "$2" --attach "$3" --json -v 3600
    for _ in $(seq 29); do /tmp/busybox-strings true; done
    stop
}
