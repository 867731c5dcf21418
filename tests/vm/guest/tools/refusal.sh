# shellcheck shell=sh

# refusal CHECK FIX: a program that reads the byte of a map value that a random number names. CHECK
# stands where the pointer has to be checked, FIX where the number has to be.
refusal() {
    cat > /tmp/refused.bpf <<EOF
.program refused socket_filter
.map counts hash key 4 value 8 entries 4
  *(u32 *)(r10 -4) = 0
  r2 = r10
  r2 += -4
  r1 = map[counts]
  call bpf_map_lookup_elem#1
  $1
  r6 = r0
  call bpf_get_prandom_u32#7
  if r0 > 8 goto out
  $2
  r6 += r0
  r1 = *(u8 *)(r6 +0)
out:
  r0 = 0
  exit
EOF
    rawbpf run -v /tmp/refused.bpf --verifier-log - || echo "status $?"
}

refusal_unchecked() { refusal "" "r0 &= 7"; }
refusal_too_far() { refusal "if r0 == 0x0 goto out" ""; }
refusal_none() { refusal "if r0 == 0x0 goto out" "r0 &= 7"; }
