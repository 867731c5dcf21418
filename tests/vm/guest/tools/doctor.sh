# shellcheck shell=sh

# doctor_table: what the host offers, and in the last line what the kernel held at boot and after.
doctor_table() {
    settle
    rawbpf doctor --json -v
    settle
    echo "$(cat /tmp/in_kernel_at_boot) $(in_kernel)"
}
