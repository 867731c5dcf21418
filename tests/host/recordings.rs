//! Recordings of runs on this host.

use std::fs;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{SIGKILL, SIGTERM};

use crate::disk::LoopDisk;
use crate::tool::{self, RAWBPF, Tool, run};

fn replay(args: &[&str]) -> String {
    let ended = run("replay", args);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{args:?}");
    ended.stdout
}

/// The counts of a recording's intervals, and the total at its end.
fn counted(file: &str) -> (u64, u64) {
    let lines = replay(&[file, "--json"]);
    let mut sums = (0, 0);
    for line in lines.lines().skip(1) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        for row in line["tables"][0]["rows"].as_array().unwrap() {
            sums.0 += row["count"].as_u64().unwrap();
            sums.1 = row["total"]["count"].as_u64().unwrap();
        }
    }
    sums
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_replay_prints_the_lines_of_json_that_the_run_printed() {
    let disk = LoopDisk::new();
    let tools: [&[&str]; 5] = [
        &["bitehist"],
        &["bitesize", "--by", "comm", "-F", "--top", "1"],
        &["biolatency", "-D", "--percentiles", "50,99.9"],
        &["biolatency", "-F"],
        &["bioheat"],
    ];
    for tool in tools {
        let file = tool::name();
        let args = [&["-o", &file], tool, &["-d", disk.name(), "--json", "10ms"]].concat();
        let running = Tool::start("record", &args);
        for size in [4, 64, 128] {
            disk.read(size, 50);
            disk.write(size, 20);
        }
        let live = running.stop();
        assert_eq!(live.code, Some(0), "{}", live.stderr);
        assert!(live.stdout.lines().count() > 2, "{}", live.stdout);
        assert_eq!(replay(&[&file, "--json"]), live.stdout, "{tool:?}");
    }
}

/// Both tools see the same requests at once, though their intervals end at times of their own.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_replay_prints_the_tables_of_a_run() {
    let disk = LoopDisk::new();
    let file = tool::name();
    let args = ["bitesize", "--by", "comm", "-d", disk.name(), "--summary"];
    let recorder = Tool::start("record", &[&["-o", &file], &args[..]].concat());
    let live = Tool::start(args[0], &args[1..]);
    disk.read(4, 100);
    disk.write(16, 70);
    let (recorded, live) = (recorder.stop(), live.stop());
    assert_eq!((recorded.code, &*recorded.stdout), (Some(0), ""), "{}", recorded.stderr);
    assert_eq!(replay(&[&file]), live.stdout);
    assert_eq!(counted(&file), (170, 170));
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_recording_that_was_killed_has_all_its_whole_rows() {
    let disk = LoopDisk::new();
    let file = tool::name();
    let recorder = Tool::start("record", &["-o", &file, "bitehist", "-d", disk.name(), "1ms"]);
    disk.read(4, 300);
    let lines = || run("replay", &[&file, "--json"]).stdout.lines().count();
    assert!(tool::eventually(Duration::from_secs(60), || lines() > 100));
    recorder.end_unread(SIGKILL);
    assert_eq!(counted(&file), (300, 300));
    let rows = replay(&[&file, "--json"]).lines().count();
    assert!(rows > 100, "{rows}");
    // A row that was not written to its end is reported, and the others are there.
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 12]).unwrap();
    let torn = run("replay", &[&file, "--json"]);
    assert_eq!((torn.code, torn.stdout.lines().count()), (Some(0), rows - 1));
    assert_eq!(torn.stderr.lines().count(), 1, "{}", torn.stderr);
    assert!(torn.stderr.contains("was not written to its end"), "{}", torn.stderr);
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_full_disk_ends_a_recording_and_what_is_there_can_be_replayed() {
    let folder = tool::name();
    fs::create_dir(&folder).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=64k tmpfs {folder} || exit 9
         $RAWBPF record -o {folder}/full.rec bitehist 1ms --duration 60s; code=$?
         cp {folder}/full.rec $OUT; $RAWBPF replay $OUT --json | wc -l; exit $code"
    );
    let ended = tool::shell(&format!("unshare -m sh -c '{script}'"));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("No space left on device"), "{}", ended.stderr);
    assert!(ended.stderr.contains("rawbpf replay"), "{}", ended.stderr);
    assert!(ended.stdout.trim().parse::<u64>().unwrap() > 500, "{}", ended.stdout);
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_ring_stays_within_its_size() {
    let file = tool::name();
    let args = ["-o", &file, "--keep", "256KB", "biolatency", "-F", "1ms"];
    let recorder = Tool::start("record", &args);
    let disk = LoopDisk::new();
    let full = tool::eventually(Duration::from_secs(120), || {
        disk.read(4, 500);
        disk.write(8, 500);
        fs::metadata(&file).unwrap().len() > 240_000
    });
    assert!(full, "{}", fs::metadata(&file).unwrap().len());
    disk.read(4, 2000);
    let ended = recorder.end(SIGTERM);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(fs::metadata(&file).unwrap().len() <= 256_000);
    assert!(replay(&[&file, "--json"]).lines().count() > 100);
}

#[test]
#[ignore = "needs root, bpf(2) and tracefs: run tests/run"]
fn totals_of_a_script_are_recorded_once_a_second() {
    tool::with_tracefs();
    let file = tool::name();
    let script = "tracepoint:raw_syscalls:sys_enter /pid == cpid/ { @calls = count(); } \
                  interval:s:3 { exit(); }";
    let args = ["-o", &file, "trace", "-q", "-c", "/bin/sleep 9", "-e", script];
    let ended = run("record", &args);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let printed = ended.stdout.split_once("@calls: ").expect(&ended.stdout).1.trim();
    let (sum, total) = counted(&file);
    assert_eq!((sum.to_string(), total), (printed.to_owned(), sum));
    let rows = replay(&[&file, "--json"]).lines().count() - 1;
    assert!((3..=5).contains(&rows), "{rows}");
    assert!(replay(&[&file]).contains(printed));
}

/// Neither the host nor a privilege is needed: there is no bpf(2), no tracefs and no sysfs in this sandbox.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_recording_is_replayed_without_privileges_in_every_form() {
    let disk = LoopDisk::new();
    let file = tool::name();
    let args = ["-o", &file, "biolatency", "-D", "-d", disk.name(), "0.1"];
    let recorder = Tool::start("record", &args);
    disk.read(4, 123);
    assert_eq!(recorder.stop().code, Some(0));
    let bare = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--clear-groups", "--bounding-set=-all", RAWBPF, "replay"]);
        let ended = command.arg(&file).args(args).output().unwrap();
        let ended = tool::Ended::from(ended);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{args:?}");
        ended.stdout
    };
    assert!(bare(&[]).contains(&format!("disk = {}", disk.name())));
    let page = bare(&["--prom-file", "-"]);
    let series = "rawbpf_block_io_latency_seconds_count{device=\"";
    assert!(page.contains(&format!("{series}{}\"}} 123\n", disk.name())), "{page}");
    let picture = bare(&["--svg", "-"]);
    assert!(picture.starts_with("<svg ") && picture.contains("; 123 requests"), "{picture}");
    assert!(bare(&["--from", "0", "--to", "1h", "-T"]).contains("disk = "));
}

#[test]
fn what_cannot_be_recorded_or_replayed_is_refused_with_a_sentence() {
    let file = tool::name();
    let refused = |name: &str, args: &[&str], said: &str| {
        let ended = run(name, args);
        assert!(ended.stderr.contains(said), "{args:?}: {}", ended.stderr);
        assert!(matches!(ended.code, Some(1 | 2)) && ended.stdout.is_empty(), "{args:?}");
    };
    refused("record", &["-o", &file, "list"], "only tools that trace");
    refused("record", &["-o", &file, "bitehist", "--dump-insns"], "nothing is counted");
    refused("record", &["-o", &file, "nosuch"], "nosuch");
    refused("record", &["-o", &file, "biolatency", "--nosuch"], "--nosuch");
    refused("record", &["--keep", "1KB", "bitehist"], "at least 256KB");
    refused("record", &["--keep", "soon", "bitehist"], "or a size");
    assert!(!fs::exists(&file).unwrap(), "a run that does not begin leaves no file");
    refused("replay", &[&file], "cannot be read");
    fs::write(&file, "{\"type\":\"run\"}\n").unwrap();
    refused("replay", &[&file], "is no recording");
    refused("record", &["-o", &file, "bitehist"], "is not overwritten");
    fs::write(&file, [&b"\xb7rawbpf\n\x09\x00"[..], &[0; 64]].concat()).unwrap();
    refused("replay", &[&file], "a newer rawbpf wrote it");
    refused("replay", &[&file, "--from", "soon"], "14:03");
}

/// Sizes in two mixtures: a tenth of the requests is large, or a half of them.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_comparison_finds_what_was_changed_and_nothing_between_equals() {
    let disk = LoopDisk::new();
    let recorded = |small: u32, large: u32, by: &[&str]| {
        let file = tool::name();
        let args = [&["-o", &file, "bitehist", "-d", disk.name()], by, &["20ms"]].concat();
        let recorder = Tool::start("record", &args);
        for _ in 0..30 {
            disk.read(4, small);
            disk.read(64, large);
        }
        assert_eq!(recorder.stop().code, Some(0));
        file
    };
    let compare = |args: &[&str]| {
        let ended = run("compare", args);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{args:?}");
        ended.stdout
    };
    let (before, after) = (recorded(90, 10, &[]), recorded(50, 50, &["--bytes"]));
    let equal = compare(&[&before, &before]);
    assert!(equal.contains("nothing differs beyond chance"), "{equal}");
    let after_alike = recorded(50, 50, &[]);
    let changed = compare(&[&before, &after_alike]);
    for range in ["4 -> 7", "64 -> 127"] {
        let line = changed.lines().find(|line| line.trim_start().starts_with(range));
        assert!(line.expect(&changed).ends_with(" *"), "{changed}");
    }
    assert!(
        changed.contains("  count                  3000                    3000\n"),
        "{changed}"
    );
    let options = compare(&[&before, &after]);
    assert!(options.contains("--bytes: no / yes\n"), "{options}");
    let halves = compare(&[&before]);
    assert!(halves.starts_with("A: ") && halves.contains(" rows, "), "{halves}");
    let picture = compare(&[&before, &after_alike, "--svg", "-"]);
    assert!(picture.starts_with("<svg ") && picture.contains("64 -&gt; 127 *"), "{picture}");
}
