# shellcheck shell=sh

# funclatency_sleeps KIND [OPTION...]: processes that sleep for 5 ms, one after the other, each one call
# of do_nanosleep. Prints at the end how they were called: others in the guest sleep too.
funclatency_sleeps() {
    start funclatency --attach "$@" --by pid --json -v do_nanosleep $once
    pids=
    for _ in $(seq 53); do
        usleep 5000 &
        pids="$pids $!"
        wait $!
    done
    stop
    echo "pids$pids"
}

# funclatency_crowd KIND: processes that sleep all at the same time. Prints at the end how they were
# called.
funclatency_crowd() {
    start funclatency --attach "$1" --by pid --json -v do_nanosleep $once
    pids=
    for _ in $(seq 41); do
        usleep 1000000 &
        pids="$pids $!"
    done
    # shellcheck disable=SC2086 # a word each
    wait $pids
    stop
    echo "pids$pids"
}

# funclatency_user: the calls of a function of a program, by its name in the source.
funclatency_user() {
    start funclatency /bin/vm-tests:vm::user::nap --json -v $once
    /bin/vm-tests --exact user::naps >/dev/null
    stop
}

# funclatency_module KIND: the calls of a function of a module, for mixed I/O on its disk.
funclatency_module() {
    start funclatency --attach "$1" --json -v null_blk:null_queue_rq $once
    mixed_io nullb0
    stop
}
