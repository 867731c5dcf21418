//! Each request in a cell.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{SIGCONT, SIGHUP, SIGINT, SIGSTOP, SIGTERM};
use serde_json::Value;

use crate::disk::{LoopDisk, with_all_ends};
use crate::folder::Folder;
use crate::lines::{count, intervals, lost, row};
use crate::tool::{self, Tool};

/// 997 reads while rows come five times a second, by this attach kind.
#[track_caller]
fn counts_exactly(kind: &str) {
    with_all_ends(|disk| {
        let args = ["--attach", kind, "-d", disk.name(), "--json", "0.2"];
        let tool = Tool::start("bioheat", &args);
        disk.read(4, 997);
        let output = tool.stop();
        let intervals = intervals(&output.stdout);
        let counted: u64 = intervals.iter().map(|line| count(row(line))).sum();
        let reissued: u64 = intervals.iter().map(|line| lost(line, "reissued")).sum();
        assert!(counted + reissued <= 997, "{intervals:?}");
        997 - counted
    });
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn each_kind_counts_exactly() {
    tool::with_tracefs();
    for kind in ["tp_btf", "raw_tp", "tracepoint"] {
        counts_exactly(kind);
    }
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_run_becomes_a_picture_with_its_numbers_inside() {
    with_all_ends(|disk| {
        let folder = Folder::new("picture");
        let path = folder.file("heat.svg");
        let tool = Tool::start("bioheat", &["-d", disk.name(), "--svg", &path, "--json", "3600"]);
        assert_eq!(folder.files(), [""; 0], "before there is a picture");
        disk.read(16, 211);
        let output = tool.stop();
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        let picture = fs::read_to_string(&path).unwrap();
        assert!(picture.trim_end().ends_with("</svg>"), "{picture}");
        let (_, numbers) = picture.split_once("<metadata>").unwrap();
        let numbers: Value =
            serde_json::from_str(numbers.split_once("</metadata>").unwrap().0).unwrap();
        let cells = numbers["rows"][0]["counts"].as_array().unwrap();
        211 - cells.iter().map(|cell| cell[1].as_u64().unwrap()).sum::<u64>()
    });
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn each_signal_that_asks_for_the_end_leaves_a_picture() {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let folder = Folder::new(signal.as_str());
        let path = folder.file("heat.svg");
        let output = Tool::start("bioheat", &["--svg", &path, "3600"]).end(signal);
        assert_eq!(output.code, Some(0), "{signal}: {}", output.stderr);
        assert!(fs::read_to_string(&path).unwrap().ends_with("</svg>\n"), "{signal}");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_hangup_does_not_end_what_nohup_started() {
    let output = tool::shell(
        "trap '' HUP; $RAWBPF bioheat --json 0.1 10 2>$OUT & \
         until grep -q Tracing $OUT; do sleep 0.01; done; kill -HUP $!; wait $!; \
         code=$?; cat $OUT >&2; rm $OUT; exit $code",
    );
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(intervals(&output.stdout).len(), 10, "{}", output.stdout);
}

#[test]
fn a_picture_whose_name_is_a_number_is_taken_for_a_forgotten_name() {
    for number in ["0.3", "5", ".5", "1e3", "+2"] {
        let output = tool::run("bioheat", &["--svg", number, "1"]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{}", output.stderr);
        assert!(output.stderr.contains(&format!("--svg ./{number}")), "{}", output.stderr);
        assert!(!fs::exists(number).unwrap());
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_picture_may_be_called_a_number_where_a_path_is_given() {
    let folder = Folder::new("number");
    let script = format!("cd {} && $RAWBPF bioheat --svg ./0.3 0.1 1", folder.0.display());
    let output = tool::shell(&script);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(folder.files(), ["0.3"]);
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_picture_takes_the_place_of_a_longer_one() {
    let folder = Folder::new("longer");
    let path = folder.file("heat.svg");
    fs::write(&path, "x".repeat(1 << 20)).unwrap();
    let output = tool::run("bioheat", &["--svg", &path, "0.1", "1"]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let picture = fs::read_to_string(&path).unwrap();
    assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
}

#[test]
#[ignore = "needs root to become nobody: run tests/run"]
fn a_run_that_does_not_start_leaves_no_picture_behind() {
    let folder = Folder::new("refused");
    let path = folder.file("heat.svg");
    // There is no privilege to trace, but there is one to write here.
    let nobody = "setpriv --bounding-set=-all --inh-caps=-all --no-new-privs $RAWBPF bioheat";
    let output = tool::shell(&format!("{nobody} --svg {path} 1 1"));
    assert_eq!(output.code, Some(77), "{}", output.stderr);
    assert_eq!(folder.files(), [""; 0]);
    fs::write(&path, "a picture of yesterday").unwrap();
    let output = tool::shell(&format!("{nobody} --svg {path} 1 1"));
    assert_eq!(output.code, Some(77), "{}", output.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), "a picture of yesterday");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_picture_that_cannot_be_written_is_refused_before_anything_is_traced() {
    let folder = Folder::new("unwritable");
    let nowhere = folder.file("nowhere/heat.svg");
    for (path, why) in [
        (nowhere.as_str(), "No such file"),
        (folder.0.to_str().unwrap(), "Is a directory"),
        ("/proc/heat.svg", "/proc/heat.svg cannot be written"),
    ] {
        let output = tool::run("bioheat", &["--svg", path, "1", "1"]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{path}");
        assert!(output.stderr.contains(why), "{path}: {}", output.stderr);
        assert!(!output.stderr.contains("Tracing"), "{path}: {}", output.stderr);
    }
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn time_in_which_nobody_read_is_a_gap_in_text_json_and_picture() {
    let folder = Folder::new("gap");
    let path = folder.file("heat.svg");
    let run = |json: bool, disk: &LoopDisk| {
        let mut args = vec!["-t", "-d", disk.name(), "--svg", &path, "0.2"];
        args.extend(json.then_some("--json"));
        let tool = Tool::start("bioheat", &args);
        sleep(Duration::from_millis(300));
        tool.signal(SIGSTOP);
        disk.read(4, 211);
        sleep(Duration::from_millis(1100));
        tool.signal(SIGCONT);
        sleep(Duration::from_millis(500));
        let output = tool.stop();
        let missing = if json {
            let intervals = intervals(&output.stdout);
            let time = |line: &Value, name: &str| line[name].as_u64().unwrap();
            let long = |line: &&Value| {
                time(line, "end_monotonic_ns") - time(line, "start_monotonic_ns") >= 1_000_000_000
            };
            let gap = intervals.iter().find(long);
            211 - count(row(gap.unwrap_or_else(|| panic!("no gap: {}", output.stdout))))
        } else {
            let mut lines = output.stdout.lines();
            let gap = lines.find(|line| line.trim().starts_with("- - - "));
            let gap = gap.unwrap_or_else(|| panic!("no gap: {}", output.stdout));
            assert!(gap.contains(" intervals missed: the next row has their counts"), "{gap}");
            let (_, total) = lines.next().unwrap().rsplit_once("# ").unwrap();
            211 - total.parse::<u64>().unwrap()
        };
        let picture = fs::read_to_string(&path).unwrap();
        assert!(picture.contains("class=\"gap\""), "{picture}");
        missing
    };
    with_all_ends(|disk| run(false, disk));
    with_all_ends(|disk| run(true, disk));
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn what_ends_without_having_been_seen_to_begin_is_told_in_the_interval_it_ends_in() {
    let disk = LoopDisk::new();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !ended.load(Relaxed) {
                    disk.read(4, 5000);
                }
            });
        }
        // The end is attached first: a request between the two is seen to end only.
        let seen = tool::eventually(Duration::from_secs(60), || {
            let tool = Tool::start("bioheat", &["-d", disk.name(), "--json", "0.05"]);
            let output = tool.stop();
            let lost: u64 =
                intervals(&output.stdout).iter().map(|line| lost(line, "no_start")).sum();
            let said = format!("bioheat: {lost} completions without a recorded start ");
            let is_said = output.stderr.lines().any(|line| line.starts_with(&said));
            assert_eq!(is_said, lost > 0, "{}", output.stderr);
            is_said
        });
        ended.store(true, Relaxed);
        assert!(seen);
    });
}
