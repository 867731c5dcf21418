# shellcheck shell=sh

# conformance: for each text, by its name, what its maps are once all its programs have run on a packet of 64 bytes;
# or why the kernel refused one.
conformance() {
    echo "release $(uname -r)"
    echo "jit $(cat /proc/sys/net/core/bpf_jit_enable 2>/dev/null || echo 0)"
    packet=$(i=0; while [ $i -lt 64 ]; do printf %02x $i; i=$((i + 1)); done)
    for file in /guest/rfc9669/*.bpf; do
        name=${file##*/}
        if rawbpf run "$file" --json --ctx "$packet" >/tmp/out 2>/tmp/said; then
            echo "text ${name%.bpf} $(tail -n 1 /tmp/out)"
        else
            echo "refused ${name%.bpf} $(tr '\n' ' ' </tmp/said)"
        fi
    done
}
