# shellcheck shell=sh

# run_once: a program from text, run by itself: it counts its runs and calls a function of its own.
run_once() {
    rawbpf run - --repeat 1009 --json <<'END'
.map runs array key 4 value 8 entries 1
        r6 = *(u32 *)(r1 + 0)
        *(u32 *)(fp - 4) = 0
        r1 = map[runs]
        r2 = fp
        r2 += -4
        call bpf_map_lookup_elem
        if r0 == 0 goto out
        r1 = 1
        lock *(u64 *)(r0 + 0) += r1
out:    r1 = r6
        call twice
        exit
twice:  r0 = r1
        r0 += r1
        exit
END
}

# run_attached KIND: bitehist's program, listed and run as text, counts what bitehist would.
run_attached() {
    rawbpf bitehist --attach "$1" -d vda --dump-insns >"$CASE/text"
    start run "$CASE/text" --json 3600
    direct_read 499 4k vda
    stop
}
