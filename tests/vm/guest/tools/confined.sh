# shellcheck shell=sh

# confined: what privileges a tool of each kind of program has while it runs, and what it counts all the
# same of 101 reads. Before Linux 5.19, maps then take CAP_BPF to be read.
confined() {
    uname -r
    echo 2 >/proc/sys/kernel/unprivileged_bpf_disabled 2>/dev/null || true
    while read -r tool; do
        # shellcheck disable=SC2086 # the tool and its options
        start $tool --json 3600
        echo "$tool"
        grep -E '^(CapEff|CapPrm|Seccomp):' "/proc/$rawbpf/status"
        direct_read 101 4k vda
        stop INT
    done <<TOOLS
bitehist --attach kprobe -d vda
bitehist --attach fentry -d vda
bitehist --attach tracepoint -d vda
bitesize -d vda
biolatency -D -d vda
bioheat -d vda
argdist blk_mq_start_request arg0->__data_len
TOOLS
}

# duplicate: a function of which there are several of that name, by name and by an address.
duplicate() {
    name=$(cut -d' ' -f1 /sys/kernel/tracing/available_filter_functions | sort | uniq -d | head -n 1)
    rawbpf funclatency --attach kprobe "$name" 0.1 1 >/dev/null || echo "status $?"
    address=$(grep " [tT] $name\$" /proc/kallsyms | head -n 1 | cut -d' ' -f1)
    rawbpf funclatency "0x$address" 0.1 1 >/dev/null
    echo "by address"
}
