# shellcheck shell=sh

# lesson_course: each lesson's verdict and the end of the log, then how the check of its program, left
# as it is, and that of its solution ended.
lesson_course() {
    export XDG_STATE_HOME=/tmp/course EDITOR=true
    count=$(rawbpf lesson | grep -c '^  ')
    for lesson in $(seq "$count"); do
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
