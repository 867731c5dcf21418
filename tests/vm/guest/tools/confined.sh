# shellcheck shell=sh

# confined: what privileges a tool of each kind of program has while it runs, and what it counts all the
# same of 101 reads. Before Linux 5.19, maps then take CAP_BPF to be read.
confined() {
    echo 2 >/proc/sys/kernel/unprivileged_bpf_disabled 2>/dev/null || true
    for tool in "bitehist --attach kprobe" "bitehist --attach fentry" "bitehist --attach tracepoint" bitesize biolatency; do
        # shellcheck disable=SC2086 # the tool and its options
        start $tool -d vda --json 3600
        held=$(grep -E '^(CapEff|CapPrm|Seccomp):' "/proc/$rawbpf/status" | cut -f2 | tr '\n' ' ')
        echo "$tool holds $held"
        direct_read 101 4k vda
        stop INT
    done
}

# duplicate: a function of which there are several of that name, by name and by an address.
duplicate() {
    name=$(cut -d' ' -f1 /sys/kernel/tracing/available_filter_functions | grep -x '[a-z_]*' | sort | uniq -d | head -n 1)
    echo "of several $(grep -c " [tT] $name\$" /proc/kallsyms)"
    rawbpf funclatency --attach kprobe "$name" 0.1 1 >/dev/null && echo "by name 0" || echo "by name $?"
    address=$(grep " [tT] $name\$" /proc/kallsyms | head -n 1 | cut -d' ' -f1)
    rawbpf funclatency "0x$address" 0.1 1 >/dev/null && echo "by address 0" || echo "by address $?"
}
