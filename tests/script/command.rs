//! The command `rawbpf trace`, also under the name bpftrace.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const RAWBPF: &str = env!("CARGO_BIN_EXE_rawbpf");

fn trace(args: &[&str]) -> Output {
    Command::new(RAWBPF).arg("trace").args(args).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder of this test, empty.
fn folder(name: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("rawbpf-script-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    folder
}

/// A file with a script.
fn script(folder: &str, text: &str) -> String {
    let file = self::folder(folder).join("script.bt");
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// The program under the name bpftrace.
fn bpftrace(folder: &str) -> Command {
    let link = self::folder(folder).join("bpftrace");
    symlink(RAWBPF, &link).unwrap();
    Command::new(link)
}

/// A script that runs until it is stopped; it is attached.
fn started(args: &[&str]) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = Command::new(RAWBPF)
        .arg("trace")
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.starts_with("Attached "), "{line}");
    (child, stderr)
}

#[test]
#[ignore = "needs root"]
fn a_script_ends_with_its_own_exit_code() {
    for (text, code) in [("exit();", 0), ("exit(3);", 3), ("exit(256 + 7);", 7)] {
        let output = trace(&["-e", &format!("begin {{ printf(\"hello\\n\"); {text} }}")]);
        assert_eq!(output.status.code(), Some(code), "{}", err(&output));
        assert_eq!(out(&output), "hello\n\n\n");
        assert_eq!(err(&output), "Attached 1 probe\n");
    }
    let output = trace(&["-e", "end { exit(3); } begin { exit(2); }"]);
    assert_eq!(output.status.code(), Some(3), "{}", err(&output));
    let output = trace(&["-q", "-e", "begin { @a = 1; exit(); } end { @b = 2; }"]);
    assert_eq!((out(&output).as_str(), err(&output).as_str()), ("\n\n@a: 1\n@b: 2\n", ""));
}

#[test]
#[ignore = "needs root"]
fn a_signal_ends_a_script_as_if_it_had_ended_itself() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (mut child, _stderr) =
            started(&["-e", "begin { @x = 5; } interval:s:60 { } end { @y = 6; }"]);
        kill(Pid::from_raw(child.id() as i32), signal).unwrap();
        let mut printed = String::new();
        child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        assert_eq!(printed, "\n\n@x: 5\n@y: 6\n", "{signal}");
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

/// Events that come faster than they are read do not keep the reader from seeing that the script has ended.
#[test]
#[ignore = "needs root"]
fn a_script_ends_under_a_flood_of_events() {
    let output = Command::new("timeout")
        .args(["--signal=KILL", "60", RAWBPF, "trace", "-e", "profile:us:1 { exit(); }"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
}

#[test]
#[ignore = "needs root"]
fn who_asks_for_the_end_again_and_again_loses_nothing() {
    let output = trace(&["-e", "interval:us:1 { exit(); }"]);
    assert_eq!(err(&output), "Attached 1 probe\n");
}

#[test]
#[ignore = "needs root"]
fn loops_that_may_warn_in_each_turn_are_verified() {
    let text = "begin { $i = 0; while ($i < 5) { @sq[$i] = $i * $i; $i++; } }";
    let output = trace(&["-q", "--no-warnings", "-e", text]);
    assert!(out(&output).ends_with("@sq[3]: 9\n@sq[4]: 16\n"), "{}", err(&output));
    let text = "begin { $n = 7; for $i : 0..1000 { @[$i] = 700 / $n; @x[$i % $n] = $i; } }";
    let output = trace(&["-q", "--no-warnings", "-e", text]);
    assert!(out(&output).contains("@x[5]: 999\n"), "{} {}", out(&output), err(&output));
}

#[test]
#[ignore = "needs root"]
fn a_script_with_hundreds_of_probes_ends_at_once() {
    let text = "tracepoint:syscalls:sys_enter_* { @ = count(); } interval:ms:50 { exit(); }";
    let start = Instant::now();
    let output = trace(&["-e", text]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("@: "), "{}", err(&output));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
#[ignore = "needs root"]
fn raw_tracepoints_have_wildcards() {
    let script = "rawtracepoint:sched_swi*, rt:sched_waki* { @[probe] = min(1); } \
        interval:ms:50 { exit(); }";
    let output = trace(&["-e", script]);
    assert!(out(&output).contains("@[rawtracepoint:sched_switch]: 1\n"), "{}", err(&output));
    assert_eq!(err(&output), "Attached 3 probes\n");
}

#[test]
#[ignore = "needs root"]
fn a_script_ends_when_nobody_reads_it() {
    let (mut child, _stderr) = started(&["-e", "interval:ms:10 { printf(\"x\\n\"); }"]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    drop(stdout);
    let start = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
#[ignore = "needs root"]
fn a_script_ends_with_the_process_of_its_command_or_that_it_follows() {
    let text =
        "tracepoint:syscalls:sys_enter_execve /pid == cpid/ { @[str(args.filename)] = count(); }";
    let output = trace(&["-c", "true", "-e", text]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("true]: 1\n"), "{}", out(&output));
    // The code of the process is not that of the run.
    let output = trace(&["-c", "false", "-e", "begin { }"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let no_program = trace(&["-c", "/no/such", "-e", "begin { }"]);
    assert_eq!(no_program.status.code(), Some(2));
    assert!(err(&no_program).contains("/no/such is not an executable program"));
    let mut sleeps = Command::new("sleep").arg("0.3").spawn().unwrap();
    let pid = sleeps.id().to_string();
    let output = trace(&["-p", &pid, "-e", "begin { } end { printf(\"%d\\n\", pid); }"]);
    sleeps.wait().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let both = trace(&["-c", "true", "-p", "1", "-e", "begin { }"]);
    assert_eq!(both.status.code(), Some(2));
}

#[test]
#[ignore = "needs root"]
fn output_goes_to_a_file_and_a_script_comes_from_one_or_from_stdin() {
    let file =
        script("output", "#!/usr/bin/env bpftrace\nbegin { print(($1, $#, str($2))); exit(); }\n");
    let to = format!("{file}.out");
    let output = trace(&["-o", &to, &file, "7", "word"]);
    assert_eq!(
        (out(&output).as_str(), fs::read_to_string(&to).unwrap().as_str()),
        ("", "(7, 2, word)\n\n\n")
    );
    let mut child = Command::new(RAWBPF)
        .args(["trace", "-", "-8", "b"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(out(&child.wait_with_output().unwrap()), "(-8, 2, b)\n\n\n");
}

#[test]
#[ignore = "needs root"]
fn all_forms_of_output_have_the_same_content() {
    let text = "begin { printf(\"a\\n\"); @ = stats(5); @h[1] = hist(9); exit(); }";
    let theirs = trace(&["-f", "json", "-e", text]);
    assert_eq!(
        out(&theirs),
        "{\"type\": \"attached_probes\", \"count\": 1, \"data\": {\"probes\": 1}}\n\
         {\"type\": \"printf\", \"data\": \"a\\n\"}\n\
         {\"type\": \"stats\", \"data\": {\"@\": {\"count\": 1, \"average\": 5, \"total\": 5}}}\n\
         {\"type\": \"hist\", \"data\": {\"@h\": {\"1\": [{\"min\": 8, \"max\": 15, \"count\": 1}]}}}\n"
    );
    let ours = out(&trace(&["--json", "-e", text]));
    let lines: Vec<_> = ours.lines().collect();
    assert!(lines[0].starts_with("{\"type\":\"run\",\"tool\":\"trace\","), "{ours}");
    assert_eq!(
        lines[1..],
        [
            r#"{"type":"text","by":"printf","text":"a\n"}"#,
            r#"{"type":"map","name":"@","rows":[{"key":[],"count":1,"average":5,"sum":5}]}"#,
            r#"{"type":"map","name":"@h","rows":[{"key":[1],"buckets":[{"min":8,"max":15,"count":1}]}]}"#,
        ]
    );
    let format = trace(&["-f", "yaml", "-e", text]);
    assert_eq!(format.status.code(), Some(2));
}

#[test]
#[ignore = "needs root"]
fn a_runtime_error_has_its_place_in_each_form() {
    let text = "begin { $d = nsecs % 1; @ = 5 / $d; exit(); }";
    assert!(
        err(&trace(&["-e", text])).contains("-e:1:29-35: WARNING: a division by zero gave 1"),
        "{}",
        err(&trace(&["-e", text]))
    );
    assert_eq!(err(&trace(&["-q", "--no-warnings", "-e", text])), "");
    let json = out(&trace(&["-f", "json", "-e", text]));
    // The message is bpftrace's, which programs may look for.
    let error = json.lines().find(|line| line.contains("runtime_error")).expect(&json);
    assert!(error.contains("by 0 detected."), "{error}");
    assert!(error.ends_with(r#""filename": "-e", "line": 1, "col": 29}"#), "{error}");
    let lines = out(&trace(&["--json", "-e", text]));
    assert!(lines.contains(r#"{"type":"warning","sentence":"a division by zero gave 1","file":"-e","line":1,"column":29,"end":35}"#), "{lines}");
}

#[test]
#[ignore = "needs root"]
fn the_memory_of_maps_is_stated_and_follows_max_map_keys() {
    let memory = |keys: u64| {
        let text =
            format!("config = {{ max_map_keys = {keys}; }} begin {{ @[comm] = count(); exit(); }}");
        let stderr = err(&trace(&["-v", "-e", &text]));
        let (_, memory) = stderr.split_once("kernel memory of the maps: at most ").expect(&stderr);
        let (number, unit) = memory.trim().split_once(' ').unwrap();
        let number: u64 = number.parse().unwrap();
        let (unit, _) = unit.split_once('\n').unwrap_or((unit, ""));
        number * if unit == "MiB" { 1024 } else { 1 }
    };
    assert!(memory(1 << 20) > 100 * memory(1024) / 2, "{} {}", memory(1 << 20), memory(1024));
}

#[test]
#[ignore = "needs root"]
fn probes_are_listed_as_bpftrace_lists_them() {
    let output = trace(&["-l", "tracepoint:block:block_rq_i*"]);
    assert_eq!(out(&output), "tracepoint:block:block_rq_insert\ntracepoint:block:block_rq_issue\n");
    let output = trace(&["-lv", "t:block:block_rq_issue"]);
    assert!(
        out(&output)
            .starts_with("tracepoint:block:block_rq_issue\n    dev_t dev\n    sector_t sector\n")
    );
    assert_eq!(
        out(&trace(&["-l", "rawtracepoint:*block_rq_issue*"])),
        "rawtracepoint:block_rq_issue\n"
    );
    let none = trace(&["-l", "tracepoint:nothing:*"]);
    assert_eq!(
        (none.status.code(), err(&none).as_str()),
        (Some(1), "trace: no probe matches tracepoint:nothing:*\n")
    );
    let file = script("list", "tracepoint:block:block_rq_i* { } begin { }");
    assert_eq!(
        out(&trace(&["-l", &file])),
        "tracepoint:block:block_rq_insert\ntracepoint:block:block_rq_issue\nbegin\n"
    );
    let refused = trace(&["-l", "usdt:*"]);
    assert!(err(&refused).contains("usdt probes are not supported"), "{}", err(&refused));
}

#[test]
#[ignore = "needs root"]
fn under_the_name_bpftrace_it_takes_its_command_line() {
    let run = |name: &str, args: &[&str]| bpftrace(name).args(args).output().unwrap();
    let hello = run("link-1", &["-e", "BEGIN { printf(\"hello\\n\"); exit(); }"]);
    assert_eq!((out(&hello).as_str(), hello.status.code()), ("hello\n\n\n", Some(0)));
    let file = script("link-file", "begin { print($1); exit(4); }");
    let quiet = run("link-2", &["-qBnone", "--unsafe", "--no-feature=kprobe_multi", &file, "9"]);
    assert_eq!((out(&quiet).as_str(), err(&quiet).as_str()), ("9\n\n\n", ""));
    assert_eq!(quiet.status.code(), Some(4));
    let refused = run("link-3", &["--emit-llvm", "x", "-e", "begin { }"]);
    assert_eq!(
        err(&refused),
        "bpftrace: --emit-llvm is not supported: there is no compiler here\n"
    );
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(run("link-4", &["--nonsense"]).status.code(), Some(1));
    assert_eq!(run("link-5", &["-e", "begin { nothing(); }"]).status.code(), Some(1));
    let nothing = run("link-6", &["--dry-run", "-e", "begin { } interval:s:1 { }"]);
    assert_eq!((out(&nothing).as_str(), err(&nothing).as_str()), ("", "Attached 2 probes\n"));
}

#[test]
#[ignore = "needs root"]
fn the_verifiers_walk_and_the_bytecode_have_the_lines_of_the_script() {
    let file = script(
        "verify",
        "tracepoint:sched:sched_switch\n{\n    @switches[comm] =\n        count();\n}\n",
    );
    let walk = Command::new(RAWBPF).args(["verify", &file]).output().unwrap();
    assert_eq!(walk.status.code(), Some(0), "{}", err(&walk));
    assert!(out(&walk).contains("@switches[comm] ="), "{}", out(&walk));
    let listing = trace(&["--dump-insns", &file]);
    let listing = out(&listing);
    assert!(listing.contains("@switches[comm] = @ "), "{listing}");
    let licensed = "config = { license = \"GPL v2\" } begin { exit(); }";
    let licensed = out(&trace(&["--dump-insns", "-e", licensed]));
    assert!(licensed.contains(".license \"GPL v2\""), "{licensed}");
    let dump =
        Command::new(RAWBPF).args(["dump", "-f", "linum", "trace", "--", &file]).output().unwrap();
    assert_eq!(out(&dump), listing);
    let walk = Command::new(RAWBPF)
        .args(["verify", "trace", "--", "-e", "begin { @a = 1; }"])
        .output()
        .unwrap();
    assert_eq!(walk.status.code(), Some(0), "{}", err(&walk));
}

#[test]
fn mistakes_are_underlined_and_the_tree_is_shown_without_a_privilege() {
    let output = trace(&["-d", "ast", "-e", "begin { @a = 1 + $1; }", "5"]);
    assert_eq!(out(&output), "begin\n  =\n    @a\n    +\n      1\n      $1\n");
    let output = trace(&["-d", "types", "-e", "begin { $x = 300; @a[comm] = $x; }"]);
    assert_eq!(
        out(&output),
        "@a[string[16]]: int16\nbegin\n  =\n    $x\n    300 :: int16\n  =\n    @a\n      comm :: string[16]\n    $x :: int16\n"
    );
    let output = trace(&["-e", "begin { @a = sum(1, 2); }"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains(" --> -e:1:14\n"), "{}", err(&output));
    let output = trace(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("a script is missing"));
}

/// The schema of docs/json.md for what scripts print.
fn schema() -> serde_json::Value {
    let (_, page) =
        include_str!("../../docs/json.md").split_once("### Schema of scripts\n```json\n").unwrap();
    serde_json::from_str(page.split_once("\n```").unwrap().0).unwrap()
}

#[test]
#[ignore = "needs root"]
fn lines_of_json_are_as_their_page_says() {
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("urn:rawbpf:trace", schema()).unwrap();
    let schema = compiler.compile("urn:rawbpf:trace", &mut schemas).unwrap();
    let text = "config = { max_map_keys = 1; } begin {
        printf(\"%s\\n\", comm); time(\"%H\\n\"); print((1, \"a\", true)); print(kstack(3));
        @c = count(); @a = avg(-3); @s[1, comm] = stats(7); @h = hist(-3); @l[comm] = lhist(5, 0, 10, 2);
        @k[kstack(2)] = count(); @one[1] = 1; @one[2] = 2; print(@c); exit(); }";
    let lines = out(&trace(&["--json", "-e", text]));
    let mut kinds = std::collections::BTreeSet::new();
    for line in lines.lines().skip(1) {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Err(why) = schemas.validate(&value, schema) {
            panic!("{line}: {why:#}");
        }
        kinds.insert(value["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["map", "text", "value", "warning"],
        "{lines}"
    );
}

/// What a script prints before its maps.
fn printed(text: &str) -> String {
    let output = trace(&["-q", "-e", text]);
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""), "{text}");
    out(&output).split("\n\n\n").next().unwrap().to_owned()
}

#[test]
#[ignore = "needs root"]
fn what_is_counted_can_be_read_in_a_probe() {
    let text = "begin { @a = min(-5); @a = min(3); @b[1] = max((uint64)7); @b[1] = max((uint64)9);
        @c = count(); @s = sum(-4); @v = avg(6); @v = avg(-3); if (@b[1] > 8 && @a < 0) {
        printf(\"%d %d %d %d %d %d\\n\", (int64)@a, (int64)@b[1], (int64)@c, (int64)@s, (int64)@v, (int64)@b[2]); }
        exit(); }";
    assert_eq!(printed(text), "-5 9 1 -4 1 0");
}

#[test]
#[ignore = "needs root"]
fn a_map_that_is_cleared_again_and_again_never_fills_up() {
    let text = "config = { max_map_keys = 16; } begin { @n = 0; } interval:ms:20 {
        @n++; @c[@n] = count(); print(@c); clear(@c); if (@n == 40) { exit(); } }";
    let all: Vec<_> = (1..=40).map(|n| format!("@c[{n}]: 1")).collect();
    assert_eq!(printed(text), all.join("\n"));
}

#[test]
#[ignore = "needs root"]
fn an_element_that_is_deleted_begins_at_zero_again() {
    let text = "begin { @n = 0; } interval:ms:200 { @n++; @c[1] = count(); @c[1] = count();
        if (@n > 1) { _ = delete(@c, 1); } @c[1] = count(); print(@c); clear(@c); if (@n == 3) { exit(); } }";
    assert_eq!(printed(text), "@c[1]: 3\n@c[1]: 1\n@c[1]: 1");
}

#[test]
#[ignore = "needs root"]
fn processes_have_the_numbers_of_the_namespace() {
    let text = "begin { printf(\"%d %d %d\\n\", pid, tid, pid(init) > 1); exit(); }";
    let output = Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc", RAWBPF, "trace", "-q", "-p", "1", "-e", text])
        .output()
        .unwrap();
    assert_eq!(out(&output), "1 1 1\n\n\n", "{}", err(&output));
    let nobody = trace(&["-p", "4194000", "-e", "begin { }"]);
    assert_eq!(nobody.status.code(), Some(2), "{}", err(&nobody));
}

#[test]
#[ignore = "needs root"]
fn too_many_probes_are_refused_and_missing_ones_may_be() {
    let text = "config = { max_probes = 2; } tracepoint:block:block_rq_i*, begin { }";
    assert!(err(&trace(&["-e", text])).contains("this script has more than 2 probes"));
    let missing = |how: &str| {
        trace(&[
            "-q",
            "-e",
            &format!(
                "config = {{ missing_probes = {how}; }} tracepoint:no:no, begin {{ exit(); }}"
            ),
        ])
    };
    assert_eq!(missing("error").status.code(), Some(1));
    let warning = "-e:1:37-53: WARNING: ";
    assert!(err(&missing("warn")).starts_with(warning), "{}", err(&missing("warn")));
    assert_eq!((err(&missing("ignore")).as_str(), missing("ignore").status.code()), ("", Some(0)));
}

#[test]
#[ignore = "needs root and a kernel without kprobes"]
fn without_kprobes_a_script_is_refused_with_what_there_is() {
    if fs::exists("/sys/bus/event_source/devices/kprobe").unwrap() {
        return;
    }
    let output = trace(&["-e", "kprobe:vfs_read { @ = count(); }"]);
    assert_eq!(output.status.code(), Some(77));
    assert!(err(&output).contains("tracepoint and rawtracepoint probes"), "{}", err(&output));
}

#[test]
#[ignore = "needs root"]
fn settings_of_the_environment_win() {
    let run = |name: &str, value: &str| {
        let text = "config = { print_maps_on_exit = true; } begin { @a = 1; exit(); }";
        let mut command = Command::new(RAWBPF);
        command.env(name, value).args(["trace", "-q", "-e", text]).output().unwrap()
    };
    assert_eq!(out(&run("BPFTRACE_COLOR", "never")), "\n\n@a: 1\n");
    assert_eq!(out(&run("BPFTRACE_PRINT_MAPS_ON_EXIT", "false")), "\n\n");
    let wrong = run("BPFTRACE_MAX_STRLEN", "many");
    assert!(
        err(&wrong).contains("BPFTRACE_MAX_STRLEN=many: the value of max_strlen must be"),
        "{}",
        err(&wrong)
    );
}

#[test]
#[ignore = "needs root"]
fn warnings_have_their_places_and_can_be_left_out() {
    let text = "begin {\n  @x[1] = 1;\n  delete(@x, 1);\n  exit();\n}";
    let file = script("warned", text);
    let printed = err(&trace(&[&file]));
    assert!(
        printed.starts_with(&format!("{file}:3:3-16: WARNING: nobody uses this value")),
        "{printed}"
    );
    assert_eq!(err(&trace(&["--no-warnings", &file])), "Attached 1 probe\n");
}

#[test]
#[ignore = "needs root"]
fn a_loop_that_is_too_long_for_the_verifier_is_named_with_the_bound() {
    let text = "begin {\n  @x = 1;\n  for $i : 0..1000000 { @s = sum($i); }\n}";
    let file = script("long", text);
    let output = trace(&[&file]);
    let printed = err(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.starts_with(&format!("trace: {file}:3: ")), "{printed}");
    assert!(printed.contains("1000000 instructions at most: give this loop fewer"), "{printed}");
}

#[test]
#[ignore = "needs root"]
fn a_refusal_by_the_verifier_has_the_line_of_the_script() {
    let text = "begin {\n  $n = 0;\n  for $i : 0..100000 {\n    for $j : 0..100000 { $n += $i; }\n  }\n  exit();\n}\n";
    let file = script("refused", text);
    let output = trace(&[&file]);
    assert_eq!(output.status.code(), Some(1));
    let begin = format!("trace: {file}:3: the verifier refused the raw_tracepoint program: ");
    let begin_inner = format!("trace: {file}:4: the verifier refused the raw_tracepoint program: ");
    assert!(
        err(&output).starts_with(&begin) || err(&output).starts_with(&begin_inner),
        "{}",
        err(&output)
    );
}
