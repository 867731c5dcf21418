//! Each request in a cell.

use serde_json::Value;

use crate::disk::LoopDisk;
use crate::tool::Tool;

/// 997 reads while rows come five times a second, by this attach kind.
#[track_caller]
fn counts_exactly(kind: &str) {
    let disk = LoopDisk::new();
    let args = ["--attach", kind, "-d", disk.name(), "--json", "0.2"];
    let tool = Tool::start("bioheat", &args);
    disk.read(4, 997);
    let output = tool.stop();
    let rows = output.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let total: u64 = rows.map(|row| row["total"].as_u64().unwrap()).sum();
    assert_eq!(total, 997, "{}", output.stderr);
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn tp_btf_counts_exactly() {
    counts_exactly("tp_btf");
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn raw_tp_counts_exactly() {
    counts_exactly("raw_tp");
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_run_becomes_a_picture_with_its_numbers_inside() {
    let disk = LoopDisk::new();
    let path = std::env::temp_dir().join(format!("rawbpf-test-{}.svg", std::process::id()));
    let args = ["-d", disk.name(), "--svg", path.to_str().unwrap(), "--json", "3600"];
    let tool = Tool::start("bioheat", &args);
    disk.read(16, 211);
    let output = tool.stop();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let picture = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(picture.contains("<svg") && picture.trim_end().ends_with("</svg>"), "{picture}");
    assert!(picture.contains("prefers-color-scheme:dark") && picture.contains("<title>"));
}
