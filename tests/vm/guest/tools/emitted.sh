# shellcheck shell=sh

# emitted: the host's objects beside those that are made here, and what comes of running them.
emitted() {
    cd /guest/emitted
    for order in little big; do
        rawbpf asm emitted.bpf --emit elf --endian $order -o /tmp/$order.o
        cmp /tmp/$order.o $order.o && status=0 || status=$?
        echo "same $order $status"
        rawbpf run $order.o --json --ctx 000102030405060708090a0b0c0d0e0f >/tmp/out 2>/tmp/said && status=0 || status=$?
        echo "$order $status $(tail -n 1 /tmp/out)$(tr '\n' ' ' </tmp/said)"
    done
}
