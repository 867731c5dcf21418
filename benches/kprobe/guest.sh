# shellcheck shell=sh

# kprobe_cost: what a hit costs each program. The results are in instructions, see benches/kprobe.rs.
kprobe_cost() {
    mkdir -p /dev/pts
    mount -t devpts devpts /dev/pts
    kprobe-bench --guest
}
