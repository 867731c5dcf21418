# shellcheck shell=sh

# confined: what privileges a tool of each kind of program has while it runs, and what it counts all the
# same of 101 reads. Before Linux 5.19, maps then take CAP_BPF to be read.
confined() {
    echo 2 >/proc/sys/kernel/unprivileged_bpf_disabled 2>/dev/null || true
    for tool in "bitehist --attach kprobe" "bitehist --attach fentry" "bitehist --attach tracepoint" bitesize biolatency; do
        # No trampolines there.
        case "$(uname -m) $tool" in s390x*fentry) continue ;; esac
        # shellcheck disable=SC2086 # the tool and its options
        start $tool -d vda --json 3600
        held=$(grep -E '^(CapEff|CapPrm|Seccomp):' "/proc/$rawbpf/status" | cut -f2 | tr '\n' ' ')
        echo "$tool holds $held"
        direct_read 101 4k vda
        stop INT
    done
}

# duplicate: a function of which there are several of that name, by name and by one of their addresses.
duplicate() {
    sed -n 's/^[0-9a-f]* [tT] \([a-z_]*\)$/\1/p' /proc/kallsyms | sort | uniq -d >/tmp/several
    names=$(awk 'NR == FNR { several[$1]; next } $1 in several && count++ < 10 { print $1 }' \
        /tmp/several /sys/kernel/tracing/available_filter_functions)
    # Of some of them the kernel may forbid a probe.
    for name in $names; do
        for address in $(sed -n "s/ [tT] $name\$//p" /proc/kallsyms); do
            rawbpf funclatency "0x$address" 0.1 1 >/dev/null 2>&1 || continue
            rawbpf funclatency --attach kprobe "$name" 0.1 1 >/dev/null && echo "by name 0" || echo "by name $?"
            echo "by address 0"
            break 2
        done
    done
}
