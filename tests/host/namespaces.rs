//! Processes as the caller's PID namespace numbers them, and processes that are not there.

use std::process::Command;

use serde_json::{Value, json};

use crate::disk::LoopDisk;
use crate::lines::{count, interval, row, row_of, rows};
use crate::tool;

/// Runs a script as process 1 of a PID namespace of its own, with a /proc of that namespace or the old one.
fn inside(proc: &str, script: &str) -> String {
    tool::with_tracefs();
    let output = tool::shell(&format!("unshare -p -f {proc} sh -c '{script}'"));
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    output.stdout
}

/// A shell's number in the namespace, before it becomes a `dd` that makes exactly 997 calls of read for its
/// data and some when it starts; then the tool.
fn counted(proc: &str, start: &str, tool: &str) -> (String, Value) {
    let script = format!(
        "mkfifo $OUT; {start} sh -c \"read go <$OUT; exec dd if=/dev/zero of=/dev/null bs=1 count=997 status=none\" & \
         dd=$!; sleep 0.2; {tool} 3600 2>$OUT.said & tool=$!; \
         until grep -q Tracing $OUT.said; do sleep 0.05; done; \
         echo go >$OUT; wait $dd; kill $tool; wait $tool; rm $OUT $OUT.said; echo $dd"
    );
    let printed = inside(proc, &script);
    let (json, pid) = printed.trim_end().rsplit_once('\n').unwrap();
    (pid.to_owned(), interval(json))
}

#[test]
#[ignore = "needs root, bpf(2) and tracefs: run tests/run"]
fn a_process_has_the_number_that_the_caller_sees() {
    for proc in ["-m --mount-proc", ""] {
        let tool = "$RAWBPF funccount syscalls:sys_enter_read --json -p $dd";
        let (pid, line) = counted(proc, "", tool);
        assert!(pid.parse::<u32>().unwrap() < 10, "{pid}");
        let calls = count(row(&line));
        assert!((997..1100).contains(&calls), "{line}");
        let tool = "$RAWBPF funccount syscalls:sys_enter_read --json --by pid";
        let (pid, line) = counted(proc, "", tool);
        let calls = count(row_of(&line, "pid", pid.parse::<u32>().unwrap()));
        assert!((997..1100).contains(&calls), "{line}");
        // The others of the host have none.
        let inside = |row: &Value| row["labels"]["pid"].as_u64().unwrap() < 20;
        assert!(rows(&line).iter().all(inside), "{line}");
        let tool = "$RAWBPF argdist syscalls:sys_enter_read count --json -p $dd --linear 0,2,1";
        let (_, line) = counted(proc, "", tool);
        let ones = row(&line)["buckets"].as_array().unwrap();
        // The shell reads three more characters.
        assert!(ones.contains(&json!({"min": 1, "max": 1, "count": 1000})), "{line}");
    }
}

/// The caller sees a process of a namespace in its own, which the kernel's helper does not.
#[test]
#[ignore = "needs root, bpf(2) and tracefs: run tests/run"]
fn a_process_of_a_nested_namespace_has_the_callers_number_too() {
    // What `unshare` forks is the process that becomes dd.
    let tool =
        "$RAWBPF funccount syscalls:sys_enter_read --json -p $(cat /proc/$dd/task/$dd/children)";
    let (_, line) = counted("-m --mount-proc", "unshare -p -f -m --mount-proc", tool);
    let calls = count(row(&line));
    assert!((997..1100).contains(&calls), "{line}");
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn block_io_is_of_the_process_that_the_caller_sees() {
    let disk = LoopDisk::new();
    for (tool, kind) in
        [("bitesize", "tp_btf"), ("bitesize", "raw_tp"), ("biolatency --by tid", "tp_btf")]
    {
        let read = |options: &str| {
            let script = format!(
                "mkfifo $OUT; sh -c \"read go <$OUT; exec dd if=/dev/{0} of=/dev/null iflag=direct bs=4k count=97 \
                 status=none\" & dd=$!; \
                 $RAWBPF {tool} -d {0} --attach {kind} --json {options} 3600 2>$OUT.said & tool=$!; \
                 until grep -q Tracing $OUT.said; do sleep 0.05; done; \
                 echo go >$OUT; wait $dd; nsenter -t 1 -p true; \
                 kill $tool; wait $tool; rm $OUT $OUT.said; echo $dd",
                disk.name()
            );
            let printed = inside("-m --mount-proc", &script);
            let (json, pid) = printed.trim_end().rsplit_once('\n').unwrap();
            let line = interval(json);
            let row = row_of(&line, "comm", "dd");
            assert_eq!(row["labels"]["pid"].to_string(), pid, "{line}");
            // Ends that the kernel hides are rare.
            assert!((77..=97).contains(&count(row)), "{line}");
        };
        read("");
        read("-p $dd");
    }
}

/// Those outside of the namespace are a word in a table and 0 for programs, and no `-p` finds them.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_process_outside_is_a_word() {
    let disk = LoopDisk::new();
    let from_outside = |options: &str| {
        let out =
            format!("{}/rawbpf-outside-{}", std::env::temp_dir().display(), std::process::id());
        let mut tool = Command::new("unshare")
            .args(["-p", "-f", "-m", "--mount-proc", "--kill-child=TERM", "sh", "-c"])
            .arg(format!(
                "$RAWBPF bitesize -d {} {options} 3600 1 >{out} 2>{out}.said & tool=$!; \
                 until [ -e {out}.end ]; do sleep 0.05; done; kill $tool; wait $tool",
                disk.name()
            ))
            .env("RAWBPF", tool::RAWBPF)
            .spawn()
            .unwrap();
        let said = format!("{out}.said");
        let began = || std::fs::read_to_string(&said).is_ok_and(|said| said.contains("Tracing"));
        assert!(tool::eventually(std::time::Duration::from_secs(20), began));
        disk.read(4, 53);
        std::fs::write(format!("{out}.end"), "").unwrap();
        tool.wait().unwrap();
        let printed = std::fs::read_to_string(&out).unwrap();
        for file in ["", ".said", ".end"] {
            std::fs::remove_file(format!("{out}{file}")).unwrap();
        }
        printed
    };
    let text = from_outside("");
    assert!(text.contains("PID: outside UID: 0 CMD: dd"), "{text}");
    let json = from_outside("--json");
    assert_eq!(row(&interval(&json))["labels"], json!({"pid": 0, "uid": 0, "comm": "dd"}));
    assert!(!from_outside("-p 1").contains("dd"), "{text}");
}

/// A number that nobody has, or that of a thread, in every tool that has -p.
#[test]
#[ignore = "needs root, bpf(2) and tracefs: run tests/run"]
fn a_process_that_is_not_there_is_a_word() {
    tool::with_tracefs();
    for args in [
        "funccount sched:sched_switch",
        "funclatency do_nanosleep",
        "funclatency c:nanosleep",
        "argdist sched:sched_switch prev_pid",
        "bitehist",
        "bitesize",
        "biolatency",
        "bioheat",
    ] {
        let output = tool::shell(&format!("$RAWBPF {args} -p 4194303 0.1 1"));
        assert_eq!(output.code, Some(2), "{args}: {}", output.stderr);
        assert!(output.stderr.contains("no process 4194303"), "{args}: {}", output.stderr);
    }
}

/// A process that runs what was replaced, or has nothing of the file at all.
#[test]
#[ignore = "needs root, bpf(2) and uprobes: run tests/run"]
fn a_process_that_does_not_run_the_file_is_a_word() {
    let output = tool::shell(
        "mkdir $OUT; cp /bin/sleep $OUT/app; $OUT/app 60 & app=$!; sleep 0.1; \
         entry=0x$(readelf -h $OUT/app | sed -n \"s/.*Entry point address: *0x//p\"); \
         $RAWBPF funccount $OUT/app:$entry -p $app 0.1 1 >/dev/null 2>&1; echo $?; \
         cp /bin/sleep $OUT/new; mv $OUT/new $OUT/app; \
         $RAWBPF funccount $OUT/app:$entry -p $app 0.1 1; echo $?; \
         $RAWBPF funccount /proc/$app/exe:$entry -p $app 0.1 1 >/dev/null 2>&1; echo $?; \
         cp /bin/cat $OUT/other; entry=0x$(readelf -h $OUT/other | sed -n \"s/.*Entry point address: *0x//p\"); \
         $RAWBPF argdist $OUT/other:$entry arg0 -p $app 0.1 1; echo $?; \
         kill $app; rm -r $OUT",
    );
    assert_eq!(output.stdout, "0\n2\n0\n2\n", "{}", output.stderr);
    assert!(
        output.stderr.contains("which has been replaced since it started"),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("/exe:SYMBOL"), "{}", output.stderr);
    assert!(output.stderr.contains("has not loaded"), "{}", output.stderr);
}
