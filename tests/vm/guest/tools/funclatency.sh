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
