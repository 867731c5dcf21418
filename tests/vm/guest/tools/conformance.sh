# shellcheck shell=sh

# conformance: what each text's maps are once all its programs have run on a packet of 64 bytes, by number.
conformance() {
    packet=$(i=0; while [ $i -lt 64 ]; do printf %02x $i; i=$((i + 1)); done)
    for file in /guest/rfc9669/*.bpf; do
        number=${file##*/}
        echo "text ${number%.bpf} $(rawbpf run "$file" --json --ctx "$packet" | tail -n 1)"
    done
}
