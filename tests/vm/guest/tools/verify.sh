# shellcheck shell=sh

# Each tool that has a program of its own for these ways to attach.
verify_tools() {
    for tool in bitehist bitesize biolatency bioheat; do
        for kind in kprobe raw_tp; do
            rawbpf verify $tool -- --attach $kind | grep -e '^\.program' -e '^accepted'
            rawbpf verify --json $tool -- --attach $kind > /tmp/walk || echo "status $?"
            walked=$(grep -c -e '"type":"insn"' -e '"type":"safe"' /tmp/walk)
            echo "walked $tool $kind $walked"
        done
    done
}

# Eight ways to one end.
verify_branches() {
    cat > /tmp/branches.bpf <<EOF
.program branches socket_filter
  call bpf_get_prandom_u32#7
  r6 = 1
  if r0 == 5 goto a
  r6 += 1
a:
  if r0 == 6 goto b
  r6 += 1
b:
  if r0 == 7 goto end
  r6 += 1
end:
  r0 = 0
  exit
EOF
    rawbpf verify /tmp/branches.bpf --json || echo "status $?"
}
