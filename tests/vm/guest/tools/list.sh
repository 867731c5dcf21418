# shellcheck shell=sh

# list_counted KIND: what the kernel holds while a tool runs, which has counted a known number of
# requests, and the tool's process.
list_counted() {
    echo 1 >/proc/sys/kernel/bpf_stats_enabled
    start bitehist --attach "$1" -d vda --json $once
    direct_read 499 4k vda
    rawbpf list --json
    echo "{\"type\": \"process\", \"pid\": $rawbpf}"
    stop
    echo 0 >/proc/sys/kernel/bpf_stats_enabled
}
