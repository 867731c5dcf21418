# shellcheck shell=sh

# funclatency_sleeps KIND [OPTION...]: sleeps of 5 ms one after the other, each one call of
# do_nanosleep. The host knows how many.
funclatency_sleeps() {
    start funclatency --attach "$@" --json -v do_nanosleep $once
    for _ in $(seq 53); do usleep 5000; done
    stop
}

# funclatency_by_pid: two processes beside each other, each on a CPU of its own, in buckets of 5 ms.
# Prints at the end how each is called.
funclatency_by_pid() {
    start funclatency --json --by pid --linear 0,1000000,5000 do_nanosleep $once
    taskset 1 usleep 100000 &
    one=$!
    taskset 2 usleep 300000 &
    two=$!
    wait $one
    wait $two
    stop
    echo "pids $one $two"
}
