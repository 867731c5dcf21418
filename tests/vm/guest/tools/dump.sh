# shellcheck shell=sh

# dump_loaded KIND: a tool's program as it lists it, and as the kernel holds it.
dump_loaded() {
    # Another case may leave its program behind for a moment.
    for _ in $(seq 100); do
        rawbpf dump --name bitehist >/dev/null 2>&1 || break
        sleep 0.1
    done
    echo "machine $(uname -m)"
    start bitehist --attach "$1" --json 3600
    echo "== listed"
    rawbpf dump bitehist --format linum -- --attach "$1"
    echo "== loaded"
    rawbpf dump --name bitehist
    echo "== machine"
    rawbpf dump --name bitehist --jit
    echo "== json"
    rawbpf dump --id "$(rawbpf dump --name bitehist | sed -n 's/^; id \([0-9]*\),.*/\1/p')" -f json
    stop
}
