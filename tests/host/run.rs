//! run: programs from text, on this host's kernel.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::lines::{intervals, returned, row};
use super::tool::{self, Ended, RAWBPF};

fn run(text: &str, args: &[&str]) -> Ended {
    let mut command = Command::new(RAWBPF);
    command.args(["run", "-"]).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

const COUNT: &str = "
    .program count socket_filter
    .map runs percpu_array key 4 value 8 entries 3
    .map lengths hash key 4 value 8 entries 16
        r6 = *(u32 *)(r1 + 0)           ; the packet's length
        *(u32 *)(fp - 4) = 1
        r1 = map[runs]
        r2 = fp
        r2 += -4
        call bpf_map_lookup_elem
        if r0 == 0 goto out
        r1 = *(u64 *)(r0 + 0)
        r1 += 1
        *(u64 *)(r0 + 0) = r1
        *(u32 *)(fp - 4) = r6
        *(u64 *)(fp - 16) = 7
        r1 = map[lengths]
        r2 = fp
        r2 += -4
        r3 = fp
        r3 += -16
        r4 = 0
        call bpf_map_update_elem
    out:
        r0 = r6
        exit";

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_program_is_run_as_often_as_asked_on_the_bytes_given() {
    let ended = run(COUNT, &["--repeat", "1009"]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let (first, maps) = ended.stdout.split_once('\n').unwrap();
    // The header of the link layer is not the filter's.
    assert!(first.starts_with("count returned 50 in "), "{first}");
    assert!(first.ends_with(" ns each of 1009 times"), "{first}");
    assert_eq!(maps, "runs (percpu_array)\n  1: 1009\nlengths (hash)\n  50: 7\n");

    let packet = "00".repeat(114);
    let ended = run(COUNT, &["--ctx", &packet, "--json"]);
    let line = returned(&ended.stdout);
    assert_eq!(line["program"], "count");
    assert_eq!([&line["returned"], &line["runs"]], [100, 1]);
    let tables = [&line["tables"][0], &line["tables"][1]];
    assert_eq!(tables.map(|table| &table["name"]), ["runs", "lengths"]);
    let element = |key: u64, value: u64| json!([{"labels": {"key": key}, "value": value}]);
    assert_eq!(tables.map(|table| &table["rows"]), [&element(1, 1), &element(100, 7)]);
}

/// Without its time and without that of the interpreter.
fn untimed(output: &str) -> Vec<&str> {
    output.lines().map(|line| line.split(" in ").next().unwrap()).collect()
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn the_interpreter_prints_what_the_kernel_does() {
    let packet = "00".repeat(114);
    for args in [&[][..], &["--ctx", &packet]] {
        let there = run(COUNT, args);
        let here = run(COUNT, &[args, &["--interpret"]].concat());
        assert_eq!((there.code, here.code), (Some(0), Some(0)), "{}", here.stderr);
        assert_eq!(untimed(&here.stdout), untimed(&there.stdout));
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn types_that_can_be_run_are() {
    for (kind, body, args, said) in [
        ("xdp", "r0 = 1", &[][..], "t returned 1 (XDP_DROP) in "),
        ("sched_cls", "r0 = 2", &[], "t returned 2 in "),
        (
            "raw_tracepoint",
            "r0 = *(u64 *)(r1 + 8)",
            &["--ctx", "0000000000000000 2a00000000000000"],
            "t returned 42\n",
        ),
        (
            "raw_tp sys_enter",
            "r0 = *(u64 *)(r1 + 0)",
            &["--ctx", "0700000000000000"],
            "t returned 7\n",
        ),
        ("syscall", "r0 = *(u32 *)(r1 + 0)", &["--ctx", "09000000"], "t returned 9\n"),
    ] {
        let ended = run(&format!(".program t {kind}\n{body}\nexit"), args);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{kind}");
        assert!(ended.stdout.starts_with(said), "{kind}: {}", ended.stdout);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn what_cannot_be_run_says_why() {
    for (text, args, code, why) in [
        (".program t xdp\nr0 = r7\nexit", &[][..], 1, "r7 is read at 0, but nothing"),
        (".program t xdp\nr0 = 0\nexit", &["--ctx", "00"], 2, "at least 14 bytes"),
        (
            ".program t tracepoint sched/sched_switch\nr0 = 0\nexit",
            &["--repeat", "2"],
            2,
            "do not apply to it",
        ),
        (".program t syscall\nr0 = 0\nexit", &["--repeat", "2"], 2, "once"),
        (".program t cgroup_device\nr0 = 0\nexit", &[], 77, "cannot run cgroup_device"),
        (".program t raw_tp nosuch\nr0 = 0\nexit", &["1", "1"], 77, "no tracepoint nosuch"),
        (".program t tp_btf nosuch\nr0 = 0\nexit", &["1", "1"], 77, "no tracepoint nosuch"),
        (".program t uprobe /nosuch:f\nr0 = 0\nexit", &["1", "1"], 2, "/nosuch"),
        (".program t uprobe main\nr0 = 0\nexit", &["1", "1"], 2, "PATH:SYMBOL"),
        (".program t tracepoint sched\nr0 = 0\nexit", &["1", "1"], 2, "CATEGORY/NAME"),
        (
            ".program a xdp\nr0 = 0\nexit\n.program b raw_tp sys_enter\nr0 = 0\nexit",
            &[],
            2,
            "can only be run once",
        ),
    ] {
        let ended = run(text, args);
        assert_eq!(ended.code, Some(code), "{text}: {}", ended.stderr);
        assert!(ended.stderr.contains(why), "{text}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{text}");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn an_attached_program_counts_and_its_maps_are_shown_each_interval() {
    // Calls of nanosleep by this process only.
    let pid = std::process::id();
    let text = format!(
        ".program sleeps tracepoint syscalls/sys_enter_clock_nanosleep
        .map sleeps array key 4 value 8 entries 1
            call bpf_get_current_pid_tgid
            r0 >>= 32
            if r0 != {pid} goto out
            r1 = map[sleeps][0]+0
            r2 = 1
            lock *(u64 *)(r1 + 0) += r2
        out:
            r0 = 0
            exit"
    );
    let running = std::thread::spawn(move || run(&text, &["0.7", "2", "--json"]));
    for _ in 0..200 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let ended = running.join().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("Tracing tracepoint syscalls/sys_enter_clock_nanosleep"));
    let lines = intervals(&ended.stdout);
    let counts: Vec<u64> = lines.iter().map(|line| row(line)["value"].as_u64().unwrap()).collect();
    assert_eq!(counts.len(), 2);
    // Nothing is cleared: the second is that of both intervals.
    assert!(counts[0] > 10 && counts[1] > counts[0] + 10, "{counts:?}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn what_a_tool_dumps_can_be_run() {
    let dump = tool::run("biolatency", &["--attach", "raw_tp", "--dump-insns"]);
    let ended = run(&dump.stdout, &["0.2", "1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("latencies (percpu_array)"), "{}", ended.stdout);
}
