# shellcheck shell=sh

# emitted: the host's objects beside those that are made here, and what comes of loading them.
emitted() {
    cd /guest/emitted
    for order in little big; do
        rawbpf asm emitted.bpf --emit elf --endian $order -o /tmp/$order.o
        cmp /tmp/$order.o $order.o && status=0 || status=$?
        echo "same $order $status"
        rawbpf verify $order.o >/tmp/out 2>&1 && status=0 || status=$?
        echo "$order $status $(tail -n 3 /tmp/out | tr '\n' ' ')"
    done
}
