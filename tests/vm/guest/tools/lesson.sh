# shellcheck shell=sh

# lesson_course: for each lesson, the verdict and the end of the log, then the outcomes of two checks: of
# its unedited program and of its solution. The last lesson takes too long here, and has its own case.
lesson_course() {
    export XDG_STATE_HOME=/tmp/course EDITOR=true
    count=$(rawbpf lesson | grep -c '^  ')
    for lesson in $(seq $((count - 1))); do
        echo "== lesson $lesson"
        rawbpf lesson "$lesson" --verifier-log /tmp/log
        tail -n 40 /tmp/log
        rawbpf lesson "$lesson" --edit 2>/tmp/said && passed=0 || passed=$?
        echo "== unedited $passed"
        cat /tmp/said
        rawbpf lesson "$lesson" --solution >/tmp/solution.bpf
        rawbpf lesson "$lesson" --check /tmp/solution.bpf && passed=0 || passed=$?
        echo "== solution $passed"
    done
    rawbpf lesson | tail -n 1
    rm -r "$XDG_STATE_HOME" /tmp/log
}

# lesson_last: the verdict on the last lesson's program, and the outcome of its solution's check.
lesson_last() {
    export XDG_STATE_HOME=/tmp/last
    count=$(rawbpf lesson | grep -c '^  ')
    rawbpf lesson "$count" --verifier-log /tmp/log
    cat /tmp/log
    rawbpf lesson "$count" --solution >/tmp/solution.bpf
    rawbpf lesson "$count" --check /tmp/solution.bpf && passed=0 || passed=$?
    echo "== solution $passed"
    rm -r "$XDG_STATE_HOME" /tmp/log
}

# lesson_explosion: how many instructions the verifier processes with 4, 8, 12 and 16 of the lesson's
# branches, and with 16 whose number is not used.
lesson_explosion() {
    export XDG_STATE_HOME=/tmp/course EDITOR=true
    number=$(rawbpf lesson | grep -n 'Every branch may double' | cut -d : -f 1)
    rawbpf lesson "$number" --edit 2>/dev/null || true
    for branches in 4 8 12 16 unused; do
        case $branches in
            unused) last=16 unused='-e /r6.&=/s/r6.*/r1=0/ -e /r0.+=.r6/d' ;;
            *) last=$branches unused= ;;
        esac
        # shellcheck disable=SC2086 # several expressions or none
        sed -e "/^s$last:/,/r6 += 0x80000/d" -e "s/^s20:/s$last:/" $unused \
            /tmp/course/rawbpf/*explosion.bpf >/tmp/branches.bpf
        rawbpf verify /tmp/branches.bpf | tail -n 1
    done
    rm -r "$XDG_STATE_HOME" /tmp/branches.bpf
}
