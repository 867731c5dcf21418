//! argdist on values that the test itself makes: known numbers of them, of a known size.

use std::hint::black_box;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::disk::LoopDisk;
use crate::lines::{self, lost, row};
use crate::tool::{self, Ended, Tool};
use serde_json::Value;

/// The only interval.
fn line(output: &Ended) -> Value {
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    lines::interval(&output.stdout)
}

/// The lowest value and the count of each bucket that counted anything.
fn counted(line: &Value) -> Vec<(u64, u64)> {
    lines::counted(row(line))
}

/// How often the value was exactly this.
fn count_of(line: &Value, value: u64) -> u64 {
    counted(line).into_iter().find(|(min, _)| *min == value).map_or(0, |(_, count)| count)
}

/// Bounds that give a value a bucket of its own.
fn only(value: u64) -> String {
    format!("{value},{}", value + 1)
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn rawbpf_test_six(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> u64 {
    black_box(a + b + c + d + e + f)
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn each_argument_of_a_function_and_its_result_is_told_exactly() {
    let own = format!("{}:rawbpf_test_six", std::env::current_exe().unwrap().display());
    let pid = std::process::id().to_string();
    let run = |asked: &str| {
        let args = [&own, asked, "--json", "-p", &pid, "--linear", "0,4000,1", "3600"];
        Tool::start("argdist", &args)
    };
    let asked = ["arg0", "arg1", "arg2", "arg3", "arg4", "arg5", "retval"];
    let tools = asked.map(run);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..499 {
                    assert_eq!(rawbpf_test_six(1, 20, 300, 7, 11, 3_000), 3_339);
                }
            });
        }
    });
    for (tool, value) in tools.into_iter().zip([1, 20, 300, 7, 11, 3_000, 3_339]) {
        let line = line(&tool.stop());
        assert_eq!(counted(&line), [(value, 998)], "{line}");
        let row = row(&line);
        assert_eq!([&row["min"], &row["max"], &row["sum"]], [value, value, 998 * value]);
        assert_eq!(row["average"].as_f64(), Some(value as f64), "{line}");
    }
}

/// A disk's number is met by each request that it is issued, and by no other disk's.
#[track_caller]
fn requests_of_a_disk(asked: &[&str]) {
    tool::with_tracefs();
    let disk = LoopDisk::new();
    let number = std::fs::metadata(format!("/dev/{}", disk.name())).unwrap().rdev();
    // As the kernel has it.
    let dev = u64::from(nix::libc::major(number)) << 20 | u64::from(nix::libc::minor(number));
    let own = ["block:block_rq_issue", "--json", "--custom", &only(dev)];
    let tool = Tool::start("argdist", &[&own, asked, &["3600"]].concat());
    disk.read(4, 499);
    disk.read(64, 251);
    let line = line(&tool.stop());
    assert_eq!(count_of(&line, dev), 750, "{line}");
    lines::nothing_lost(&line);
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_tracepoints_field_is_told_exactly() {
    requests_of_a_disk(&["dev"]);
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_field_behind_two_pointers_is_told_exactly_by_tp_btf() {
    requests_of_a_disk(&["arg0->part->bd_dev", "--attach", "tp_btf"]);
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_field_behind_two_pointers_is_told_exactly_by_raw_tp() {
    requests_of_a_disk(&["arg0->part->bd_dev", "--attach", "raw_tp"]);
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn sizes_of_requests_are_told_exactly() {
    let disk = LoopDisk::new();
    let size = 236 << 10;
    let args = ["block:block_rq_issue", "arg0->__data_len", "--json", "--custom", &only(size)];
    let tool = Tool::start("argdist", &[&args[..], &["3600"]].concat());
    disk.read(236, 251);
    let line = line(&tool.stop());
    assert_eq!(count_of(&line, size), 251, "{line}");
}

/// A shell that runs a script once it gets a line.
struct Shell(Child);

impl Shell {
    fn new(script: &str) -> Shell {
        let child = Command::new("sh")
            .args(["-c", &format!("read line; {script}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        Shell(child.unwrap())
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    fn run(mut self) {
        self.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        self.0.stdout.take().unwrap().read_to_end(&mut vec![]).unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn what_a_system_call_returned_is_told_of_one_process() {
    tool::with_tracefs();
    let dd = "exec dd if=/dev/zero of=/dev/null bs=4099 count=503";
    let (shell, other) = (Shell::new(dd), Shell::new(dd));
    let args =
        ["syscalls:sys_exit_read", "ret", "--json", "-p", &shell.pid(), "--custom", "4099,4100"];
    let tool = Tool::start("argdist", &[&args[..], &["3600"]].concat());
    shell.run();
    other.run();
    let line = line(&tool.stop());
    assert_eq!(count_of(&line, 4099), 503, "{line}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn numbers_below_0_are_counted_beside_the_table() {
    tool::with_tracefs();
    let shell = Shell::new("for i in $(seq 31); do read line </; done");
    let args = ["syscalls:sys_exit_read", "ret", "--json", "-p", &shell.pid(), "3600"];
    let tool = Tool::start("argdist", &args);
    // A directory cannot be read.
    shell.run();
    let line = line(&tool.stop());
    assert_eq!(lost(&line, "negative"), 31, "{line}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_short_behind_two_pointers_is_told_exactly() {
    let args = ["sched:sched_process_exit", "arg0->signal->oom_score_adj", "--json"];
    let tool = Tool::start("argdist", &[&args[..], &["--custom", &only(613), "3600"]].concat());
    let script = "for i in $(seq 17); do sh -c 'echo 613 >/proc/self/oom_score_adj'; done";
    assert_eq!(tool::shell(script).code, Some(0));
    let line = line(&tool.stop());
    assert_eq!(count_of(&line, 613), 17, "{line}");
}

/// A process ends with SIGCHLD, which is 17, each of its other threads with -1.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn an_int_is_read_with_its_sign() {
    let threads = "[threading.Thread(target=int).start() for _ in range(13)]";
    let shell = Shell::new(&format!("exec python3 -c 'import threading; {threads}'"));
    let args = ["sched:sched_process_exit", "arg0->exit_signal", "--json", "-p", &shell.pid()];
    let tool = Tool::start("argdist", &[&args[..], &["--custom", &only(17), "3600"]].concat());
    shell.run();
    let line = line(&tool.stop());
    assert_eq!(lost(&line, "negative"), 13, "{line}");
    assert_eq!(counted(&line), [(17, 1)], "{line}");
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn rawbpf_test_negated(value: i32) -> i32 {
    -black_box(value)
}

/// The rows of the only interval: each value with its count.
fn values(line: &Value) -> Vec<(Value, u64)> {
    let rows = lines::rows(line).iter();
    rows.map(|row| (row["labels"]["value"].clone(), row["count"].as_u64().unwrap())).collect()
}

/// argdist on a function of this process.
fn on_own(function: &str, asked: &str, options: &[&str]) -> Tool {
    let own = format!("{}:{function}", std::env::current_exe().unwrap().display());
    let pid = std::process::id().to_string();
    let args = [&own, asked, "--json", "-p", &pid];
    Tool::start("argdist", &[&args[..], options, &["3600"]].concat())
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_cast_says_what_a_register_holds() {
    let each = &["--each"][..];
    let only_one = ["--custom", "28,29"];
    let runs = [
        ("retval", each, (1_i64 << 32) - 28),
        ("(int)retval", each, -28),
        ("(u32)retval", each, (1 << 32) - 28),
        ("(int8)retval", each, -28),
        ("(unsigned char)retval", each, 256 - 28),
        ("( s16 ) retval", each, -28),
        ("(uint16_t)retval", each, (1 << 16) - 28),
        ("(int64)arg0", each, 28),
        ("(short)arg0", &only_one, 28),
        ("(int)retval", &only_one, -28),
    ];
    let tools = runs.map(|(asked, options, _)| on_own("rawbpf_test_negated", asked, options));
    (0..337).for_each(|_| assert_eq!(rawbpf_test_negated(28), -28));
    for (tool, (asked, options, value)) in tools.into_iter().zip(runs) {
        let line = line(&tool.stop());
        match (options == each, value) {
            (true, _) => assert_eq!(values(&line), [(value.into(), 337)], "{asked}: {line}"),
            (false, 0..) => assert_eq!(count_of(&line, 28), 337, "{asked}: {line}"),
            (false, _) => assert_eq!(lost(&line, "negative"), 337, "{asked}: {line}"),
        }
    }
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn rawbpf_test_string(text: *const u8) -> *const u8 {
    black_box(text)
}

/// Strings around the length of a key, one that a longer one was before, and pointers to nothing.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn strings_of_a_function_are_counted_by_their_text() {
    let asked = ["str(arg0)", "str(retval)"];
    let tools = asked.map(|asked| on_own("rawbpf_test_string", asked, &[]));
    let few = on_own("rawbpf_test_string", "str(arg0)", &["--max-keys", "2"]);
    let top = on_own("rawbpf_test_string", "str(arg0)", &["--top", "2"]);
    let (whole, long) = ("w".repeat(127), "l".repeat(128));
    let counts =
        [(&*long, 11), ("alpha", 3), (&whole, 5), ("", 2), ("\u{1b}[2J\u{e4}", 7), ("al", 4)];
    for (text, count) in counts {
        let text = format!("{text}\0");
        (0..count).for_each(|_| _ = rawbpf_test_string(text.as_ptr()));
    }
    let far = "far".repeat(1000) + "\0";
    (0..6).for_each(|_| _ = rawbpf_test_string(far.as_ptr()));
    (0..13).for_each(|_| _ = rawbpf_test_string(std::ptr::null()));
    (0..2).for_each(|_| _ = rawbpf_test_string(std::ptr::without_provenance(4096)));
    let expected = [
        ("", 2),
        ("alpha", 3),
        ("al", 4),
        (&whole, 5),
        (&far[..127], 6),
        ("?[2J\u{e4}", 7),
        (&long[..127], 11),
    ];
    for tool in tools {
        let line = line(&tool.stop());
        let expected = expected.map(|(text, count)| (Value::from(text), count));
        assert_eq!(values(&line), expected, "{line}");
        assert_eq!([lost(&line, "cut"), lost(&line, "unreadable")], [17, 15], "{line}");
    }
    let few = line(&few.stop());
    assert_eq!(values(&few).iter().map(|(_, count)| count).sum::<u64>(), 14, "{few}");
    assert_eq!(lost(&few, "beyond_max_keys"), 38 - 14, "{few}");
    let top = line(&top.stop());
    assert_eq!(values(&top).len(), 2, "{top}");
    assert_eq!(top["tables"][0]["rest"]["count"], 38 - 18, "{top}");
}

/// Programs of a name of their own are run 17 times.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn strings_of_records_and_of_structs_are_counted_by_their_text() {
    tool::with_tracefs();
    let folder = std::env::temp_dir().join(format!("rawbpf-strings-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    // A name of all 15 bytes that a thread's can have.
    let program = folder.join("fifteen-letters");
    std::fs::copy("/bin/true", &program).unwrap();
    let path = program.to_str().unwrap();
    let runs = [
        (["sched:sched_process_exec", "filename"], "auto", path),
        (["sched:sched_process_exec", "str(filename)"], "auto", path),
        (["sched:sched_process_exec", "str(arg2->filename)"], "raw_tp", path),
        (["syscalls:sys_enter_execve", "str(filename)"], "auto", path),
        (["sched:sched_process_exit", "comm"], "auto", "fifteen-letters"),
        (["sched:sched_process_exit", "arg0->comm"], "tp_btf", "fifteen-letters"),
        (["sched:sched_process_exit", "arg0->comm"], "raw_tp", "fifteen-letters"),
    ];
    let tools = runs.map(|(asked, kind, _)| {
        let options = ["--json", "--attach", kind, "3600"];
        Tool::start("argdist", &[&asked[..], &options].concat())
    });
    for _ in 0..17 {
        assert!(Command::new(&program).status().unwrap().success());
    }
    std::fs::remove_dir_all(&folder).unwrap();
    for (tool, (asked, kind, text)) in tools.into_iter().zip(runs) {
        let line = line(&tool.stop());
        let found = values(&line).into_iter().filter(|(value, _)| value == text);
        assert_eq!(
            found.map(|(_, count)| count).collect::<Vec<_>>(),
            [17],
            "{asked:?} {kind}: {line}"
        );
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_string_has_no_buckets() {
    let args = ["sched:sched_process_exit", "arg0->comm", "--linear", "0,10,1", "1", "1"];
    let output = tool::run("argdist", &args);
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("arg0->comm is a string, which has no buckets"));
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn values_of_an_enumeration_have_its_names() {
    let disk = LoopDisk::new();
    let run = |options: &[&str]| {
        let args = ["block:block_rq_issue", "arg0->state", "--json", "3600"];
        Tool::start("argdist", &[&args, options].concat())
    };
    let (named, in_buckets, numbers) = (run(&[]), run(&["--custom", "1"]), run(&["--each"]));
    disk.read(4, 499);
    let count =
        |tool: Tool| values(&line(&tool.stop())).into_iter().find(|(name, _)| name == "MQ_RQ_IDLE");
    assert!(count(named).unwrap().1 >= 499);
    assert!(count(numbers).unwrap().1 >= 499);
    assert!(count_of(&line(&in_buckets.stop()), 0) >= 499);
}

/// A policy that children do not inherit is a bit of the task, with others in the same byte.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_bitfield_is_told_exactly() {
    let args = ["sched:sched_process_exit", "arg0->sched_reset_on_fork", "--json", "3600"];
    let (each, custom) = (["--each"], ["--custom", "1,2"]);
    let tools =
        [&each[..], &custom].map(|options| Tool::start("argdist", &[&args, options].concat()));
    let script =
        "for i in $(seq 19); do chrt -R -o 0 true; done; for i in $(seq 23); do sh -c :; done";
    assert_eq!(tool::shell(script).code, Some(0));
    let [each, custom] = tools.map(|tool| line(&tool.stop()));
    assert!(values(&each).contains(&(1.into(), 19)), "{each}");
    assert!(
        values(&each).iter().all(|(value, count)| *value == 1 || *value == 0 && *count >= 23),
        "{each}"
    );
    assert_eq!(count_of(&custom, 1), 19, "{custom}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn what_is_misspelt_is_told_with_what_there_is() {
    tool::with_tracefs();
    for (function, value, what, next) in [
        (
            "block:block_rq_issue",
            "arg0->data_len",
            "struct request has no field data_len",
            "did you mean __data_len?",
        ),
        ("block:block_rq_issue", "arg0->bio->bi_iter", "a struct bvec_iter", "bi_sector, bi_size"),
        (
            "block:block_rq_issue",
            "arg0->q.nr_requests",
            "arg0->q is a pointer",
            "arg0->q->nr_requests",
        ),
        (
            "block:block_rq_issue",
            "arg0->__data_len->x",
            "does not point to a struct",
            "it has no x",
        ),
        ("block:block_rq_issue", "arg1", "no argument arg1", "available: arg0"),
        (
            "block:block_rq_issue",
            "byte",
            "block:block_rq_issue has no field byte",
            "did you mean bytes?",
        ),
        ("block:block_rq_issue", "(int)comm", "comm is a string", "try: comm"),
        ("block:block_rq_issue", "str(dev)", "dev is not a string", "dev_t dev"),
        ("block:block_rq_issue", "(int)arg0->q->disk->disk_name", "is a string", "disk->disk_name"),
        (
            "block:block_rq_issue",
            "str(arg0->q)",
            "arg0->q is not a string and does not point to one",
            "",
        ),
        (
            "block:block_rq_isue",
            "bytes",
            "no tracepoint block:block_rq_isue",
            "did you mean block:block_rq_issue?",
        ),
        (
            "block:block_rq_isue",
            "arg0",
            "no tracepoint block:block_rq_isue",
            "did you mean block:block_rq_issue?",
        ),
    ] {
        let output = tool::run("argdist", &[function, value, "1", "1"]);
        assert_eq!(output.code, Some(1), "{function} {value}: {}", output.stderr);
        assert!(output.stderr.contains(what) && output.stderr.contains(next), "{}", output.stderr);
    }
    for (function, value, what, next) in [
        ("vfs_read", "fil->f_mode", "vfs_read has no argument fil", "did you mean file?"),
        ("vfs_raed", "arg0->f_mode", "no function vfs_raed", "did you mean vfs_read?"),
        ("blk_mq_start_request", "retval", "blk_mq_start_request returns nothing", ""),
    ] {
        // Known without being attached.
        let output = tool::run("argdist", &[function, value, "--dump-insns"]);
        assert_eq!(output.code, Some(1), "{function} {value}: {}", output.stderr);
        assert!(output.stderr.contains(what) && output.stderr.contains(next), "{}", output.stderr);
    }
}
