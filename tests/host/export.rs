//! Counts for monitoring systems.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::disk::LoopDisk;
use crate::tool::{self, Tool};

/// The value of a line of a page that begins with these words: `name{labels}`.
pub fn value(page: &str, series: &str) -> Option<f64> {
    let mut lines = page.lines();
    lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// A file in a folder of its own.
fn prom_file() -> String {
    let folder = tool::name();
    fs::create_dir(&folder).unwrap();
    format!("{folder}/rawbpf.prom")
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_file_has_the_counts_since_the_start_and_is_never_half_written() {
    let (disk, file) = (LoopDisk::new(), prom_file());
    let args = ["-D", "-d", disk.name(), "--prom-file", &file, "0.05"];
    let tool = Tool::start("biolatency", &args);
    let device = disk.name();
    let count = format!("rawbpf_block_io_latency_seconds_count{{device=\"{device}\"}}");
    let end = format!("rawbpf_block_io_latency_seconds_bucket{{device=\"{device}\",le=\"+Inf\"}}");
    for round in 1..=5 {
        disk.read(4, 100);
        let all = f64::from(100 * round);
        let counted = tool::eventually(Duration::from_secs(10), || {
            let page = fs::read_to_string(&file).unwrap();
            assert!(page.starts_with("# HELP rawbpf_build_info "), "{page}");
            assert!(page.ends_with('\n'), "{page}");
            assert_eq!(value(&page, &count), value(&page, &end), "{page}");
            value(&page, &count) == Some(all)
        });
        assert!(counted, "{}", fs::read_to_string(&file).unwrap());
    }
    let ended = tool.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(value(&fs::read_to_string(&file).unwrap(), &count), Some(500.0));
    let folder = Path::new(&file).parent().unwrap();
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "nothing else is left there");
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn every_block_tool_has_a_metric_of_its_own_without_a_line_of_its_own() {
    let disk = LoopDisk::new();
    let tools: [(&str, &[&str], &str); 4] = [
        ("bitehist", &[], "rawbpf_block_io_size_bytes_count"),
        ("bitesize", &["--by", "comm"], "rawbpf_block_io_size_bytes_count{comm=\"dd\"}"),
        ("biolatency", &["-m"], "rawbpf_block_io_latency_seconds_count"),
        ("bioheat", &[], "rawbpf_block_io_latency_seconds_count"),
    ];
    for (name, args, series) in tools {
        let file = prom_file();
        let args = [args, &["-d", disk.name(), "--prom-file", &file, "60"]].concat();
        let tool = Tool::start(name, &args);
        disk.read(4, 77);
        let ended = tool.stop();
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
        let page = fs::read_to_string(&file).unwrap();
        assert_eq!(value(&page, series), Some(77.0), "{name}: {page}");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_script_exports_its_maps_by_the_names_of_their_keys_and_a_clear_takes_nothing_away() {
    tool::with_tracefs();
    let file = prom_file();
    let script = "tracepoint:syscalls:sys_enter_getpgid /comm == \"rawbpf-export\"/ {
            @calls[comm, args.pid] = count(); @sizes = hist(args.pid); @last = comm; @n = 7 }
        interval:ms:20 { clear(@calls); clear(@sizes) }";
    let tool = Tool::start("trace", &["--prom-file", &file, "-e", script]);
    let work = std::thread::Builder::new().name("rawbpf-export".into()).spawn(|| {
        for _ in 0..50 {
            for _ in 0..20 {
                let _ = nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(5)));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    work.unwrap().join().unwrap();
    let ended = tool.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let told = ended.stderr.contains("@last is not exported: its values are no numbers");
    assert!(told, "{}", ended.stderr);
    let page = fs::read_to_string(&file).unwrap();
    let calls = "rawbpf_script_calls_total{comm=\"rawbpf-export\",pid=\"5\"}";
    assert_eq!(value(&page, calls), Some(1000.0), "{page}");
    // 5 is in [4, 7].
    assert_eq!(value(&page, "rawbpf_script_sizes_bucket{le=\"3\"}"), Some(0.0), "{page}");
    assert_eq!(value(&page, "rawbpf_script_sizes_bucket{le=\"7\"}"), Some(1000.0), "{page}");
    assert_eq!(value(&page, "rawbpf_script_n"), Some(7.0), "{page}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_file_that_cannot_be_written_any_more_ends_no_run() {
    tool::with_tracefs();
    let file = prom_file();
    let folder = Path::new(&file).parent().unwrap().to_owned();
    let args = ["sched:sched_switch", "--json", "--prom-file", &file, "0.1", "10"];
    let tool = Tool::start("funccount", &args);
    fs::remove_dir_all(folder).unwrap();
    let ended = tool.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 11, "{}", ended.stdout);
    assert_eq!(ended.stderr.matches("cannot be written").count(), 1, "{}", ended.stderr);
}

#[test]
fn a_file_that_cannot_be_written_is_refused_before_anything_is_attached() {
    for (file, why) in [("/nowhere/x.prom", "No such file"), ("-", "stdout has the tables")] {
        let ended = tool::run("bitehist", &["--prom-file", file, "1", "1"]);
        assert!(ended.code != Some(0) && ended.stderr.contains(why), "{}", ended.stderr);
    }
}
