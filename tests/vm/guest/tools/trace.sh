# shellcheck shell=sh

# script ARGUMENT...: run a script in the background until stop, and return once it is attached.
script() {
    live=$(grep -c '^Attached' "$CASE/stderr" || true)
    rawbpf trace "$@" &
    rawbpf=$!
    while [ "$(grep -c '^Attached' "$CASE/stderr")" -eq "$live" ]; do
        kill -0 "$rawbpf" 2>/dev/null || ended
        usleep 20000
    done
}

# trace_sizes DISK: the sizes of mixed I/O, as a histogram and as keys.
trace_sizes() {
    IFS=: read -r major minor <"/sys/block/$1/dev"
    script -e 'tracepoint:block:block_rq_issue /args.dev == $1/ {
        @h = hist(args.bytes); @sizes[args.bytes] = count(); @all = stats(args.bytes); }' \
        "$((major << 20 | minor))"
    mixed_io "$1"
    stop
}

# trace_intervals: what is printed and cleared each 10 ms adds up.
trace_intervals() {
    held dd if=/dev/zero of=/dev/null bs=1 count=20011 status=none
    script -e 'tracepoint:syscalls:sys_enter_read /pid == $1/ { @reads[comm] = count(); }
        interval:ms:10 { print(@reads); clear(@reads); }' "$held"
    release
    stop
}

# trace_latency: each call of a function has a start and an end.
trace_latency() {
    held dd if=/dev/zero of=/dev/null bs=4099 count=1009 status=none
    script -p "$held" -e 'kprobe:vfs_read { @start[tid] = nsecs; @asked[arg2] = count(); }
        kretprobe:vfs_read /@start[tid]/ {
            @ns = hist(nsecs - @start[tid]); @given[func, retval] = count(); delete(@start, tid); }'
    release
    stop
}

# trace_fentry: arguments, results and structs by their types.
trace_fentry() {
    held dd if=/dev/zero of=/dev/null bs=4099 count=1009 status=none
    script -p "$held" -e 'fentry:vfs_read {
            @asked[args.count] = count(); @of[str(args.file->f_path.dentry->d_name.name)] = count(); }
        fexit:vfs_read /args.count == 4099/ { @given[func, retval] = count(); }'
    release
    stop
}

# trace_structs: fields that addresses lead to.
trace_structs() {
    held dd if=/dev/zero of=/dev/null bs=4099 count=1009 status=none
    script -p "$held" -e 'kprobe:vfs_read {
            @mode[((struct file *)arg0)->f_inode->i_mode & 0170000] = count();
            @by[curtask->comm, curtask->tgid == pid(init)] = count(); }'
    release
    stop
}

# trace_stacks: where a function is called from.
trace_stacks() {
    held dd if=/dev/zero of=/dev/null bs=1 count=1009 status=none
    script -p "$held" -e 'kprobe:vfs_read { @[kstack(3)] = count(); }'
    release
    stop
}

# trace_wildcard: several functions by one probe, each with its name.
trace_wildcard() {
    held dd if=/dev/zero of=/dev/null bs=1 count=1009 status=none
    script -p "$held" -e 'kprobe:vfs_rea*, kprobe:vfs_writ* { @[probe] = count(); }'
    release
    stop
}

# trace_strings: names of files that a process opens, and its command. A program cannot read what is not in memory,
# and the name is empty then: up to three tries.
trace_strings() {
    for _ in 1 2 3; do
        rawbpf trace -c '/bin/busybox cat /etc/passwd /no/such/file' -e \
            'tracepoint:syscalls:sys_enter_openat /pid == cpid/ {
                printf("opened %s by %s\n", str(args.filename), comm); @[str(args.filename)] = count(); }' \
            >/tmp/opened || true
        if grep -q 'opened /etc/passwd by' /tmp/opened && grep -q 'opened /no/such/file by' /tmp/opened; then
            break
        fi
    done
    cat /tmp/opened
}

# trace_loops: all that a program computes by itself.
trace_loops() {
    rawbpf trace -e 'begin { for $i : 0..1000 { @s = sum($i); if ($i == 500) { @half = $i; } }
        $n = 0; while ($n < 100) { $n++; @m = max($n); @l = min(-$n); } unroll(7) { @u++; }
        printf("%d %d %d\n", $n, (int64)@s, (int64)@m + (int64)@l); exit(); }'
}

# trace_cases: the scripts of the tests on the host print the same here.
trace_cases() {
    mkdir -p /tmp/scripts
    awk '
        function finish() {
            if (name != "" && compare == "exact" && !left_out) print name > "/tmp/scripts/names"
        }
        /^=== / { finish(); name = $2; section = ""; left_out = 0; compare = ""; next }
        /^--- / { if (file) close(file); section = $2; file = "/tmp/scripts/" name "." section; printf "" > file; next }
        section == "" && /^compare: / { compare = $2; next }
        # The types of a kernel are its own, and so is the order of the bytes of a number.
        section == "" && /^(options|arguments|needs|order): ./ { left_out = 1; next }
        section == "" && /^supported: no/ { left_out = 1; next }
        section == "script" || section == "text" { print > file }
        END { finish() }' /guest/run.cases
    right=0
    while read -r name; do
        grep -q 'exit(' "/tmp/scripts/$name.script" || continue
        ! grep -q "^$name:" /guest/deviations.txt || continue
        rawbpf trace -q "/tmp/scripts/$name.script" >"/tmp/scripts/$name.printed" 2>"/tmp/scripts/$name.err" || true
        # len() of a map takes a helper of Linux 5.13, and a JIT.
        ! grep -q -e 'a helper that this kernel does not have' -e 'something that only the JIT supports' \
            "/tmp/scripts/$name.err" || continue
        if cmp -s "/tmp/scripts/$name.printed" "/tmp/scripts/$name.text"; then
            right=$((right + 1))
        else
            echo "wrong $name"
            head -20 "/tmp/scripts/$name.printed" "/tmp/scripts/$name.err" >&2
        fi
    done </tmp/scripts/names
    echo "right $right"
}

# trace_example_kprobes: the scripts of the examples at functions of the kernel, while something happens whose true
# answer is known.
trace_example_kprobes() {
    for name in block-latency-kprobe block-stacks; do
        echo "== $name"
        script "/guest/scripts/$name.bt"
        mixed_io nullb0
        stop
    done
    for name in read-lengths read-times vfs-calls vfs-rates capabilities; do
        echo "== $name"
        script "/guest/scripts/$name.bt"
        dd if=/dev/zero of=/dev/null bs=1000 count=1009 status=none
        for _ in 1 2 3 4 5 6 7; do chroot / true; done
        # Until it is printed.
        sleep 2
        stop
    done
    # What does not fit the group's memory goes to the disk, and comes back when it is read.
    echo "== swap-ins"
    swap_pages
}

# swap_pages: reads a file of 32 MB in memory, of which 16 MB have room.
swap_pages() {
    if ! grep -q memory /tmp/groups/cgroup.controllers 2>/dev/null; then
        mkdir -p /tmp/groups
        mount -t cgroup2 groups /tmp/groups
    fi
    echo +memory >/tmp/groups/cgroup.subtree_control
    mkdir -p /tmp/groups/small
    mkswap /dev/vda >/dev/null
    swapon /dev/vda
    script /guest/scripts/swap-ins.bt
    (
        echo 16M >/tmp/groups/small/memory.max
        sh -c 'echo $$ >/tmp/groups/small/cgroup.procs; dd if=/dev/zero of=/tmp/swapped bs=1M count=32 status=none
            exec cat /tmp/swapped >/dev/null'
    )
    stop
    rm /tmp/swapped
    swapoff /dev/vda
}

# trace_examples: each script of the examples is attached.
trace_examples() {
    for file in /guest/scripts/*.bt; do
        if rawbpf trace -q --dry-run "$file" 1; then
            echo "attached $(basename "$file")"
        else
            echo "failed $(basename "$file")"
        fi
    done
}
