//! Every request's latency, once.

use serde_json::Value;

use crate::disk::LoopDisk;
use crate::tool::{self, Tool};

fn lines(json: &str) -> Vec<Value> {
    json.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn in_buckets(data: &Value) -> u64 {
    data["hist"].as_array().unwrap().iter().map(|bucket| bucket["count"].as_u64().unwrap()).sum()
}

/// The extremes are in the first and the last bucket, the average is between them.
#[track_caller]
fn plausible(data: &Value) {
    let number = |name: &str| data[name].as_f64().unwrap_or_else(|| panic!("no {name} in {data}"));
    let buckets = data["hist"].as_array().unwrap();
    let bound = |bucket: Option<&Value>, name: &str| bucket.unwrap()[name].as_f64().unwrap();
    assert!(number("min") >= bound(buckets.first(), "min"), "{data}");
    assert!(number("min") < bound(buckets.first(), "max") + 1.0, "{data}");
    assert!(number("max") >= bound(buckets.last(), "min"), "{data}");
    assert!(number("max") < bound(buckets.last(), "max") + 1.0, "{data}");
    assert!((number("min")..=number("max")).contains(&number("average")), "{data}");
    assert!(number("max") < 60e6, "{data}");
}

#[track_caller]
fn nothing_missed(line: &Value) {
    for what in ["unmatched", "reissued", "too_many", "too_many_disks", "not_timed"] {
        assert_eq!(line[what], Value::Null, "{line}");
    }
}

/// 997 reads, each with its latency.
#[track_caller]
fn counts_exactly(options: &[&str]) {
    let disk = LoopDisk::new();
    let args = [&["-d", disk.name(), "--json"], options, &["3600"]].concat();
    let tool = Tool::start("biolatency", &args);
    disk.read(4, 997);
    let output = tool.stop();
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let [line] = &lines(&output.stdout)[..] else { panic!("{}", output.stdout) };
    let by_disk = options.contains(&"-D");
    let data = if by_disk { &line["data"][disk.name()] } else { &line["data"] };
    assert_eq!((&data["count"], in_buckets(data)), (&Value::from(997), 997), "{line}");
    plausible(data);
    nothing_missed(line);
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn each_kind_counts_exactly() {
    for kind in ["auto", "tp_btf", "raw_tp"] {
        counts_exactly(&["--attach", kind]);
        counts_exactly(&["--attach", kind, "-Q"]);
    }
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_disk_is_called_by_its_name() {
    counts_exactly(&["-D"]);
    counts_exactly(&["-D", "-m", "--attach", "raw_tp"]);
}

/// Two processes read while histograms come ten times a second. Of some ten thousand requests the
/// kernel does not tell programs the end of one: its start is found when the request is used again.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn no_latency_is_lost_or_counted_twice_between_intervals() {
    let (one, two) = (LoopDisk::new(), LoopDisk::new());
    let tools =
        [&one, &two].map(|disk| Tool::start("biolatency", &["-d", disk.name(), "--json", "0.1"]));
    std::thread::scope(|scope| {
        scope.spawn(|| one.read(4, 20_011));
        scope.spawn(|| two.read(4, 20_011));
    });
    for tool in tools {
        let lines = lines(&tool.stop().stdout);
        assert!(lines.len() > 3, "{lines:?}");
        let counted = lines.iter().map(|line| &line["data"]).filter(|data| in_buckets(data) > 0);
        let counted: u64 = counted.inspect(|data| plausible(data)).map(in_buckets).sum();
        let without_end: u64 = lines.iter().filter_map(|line| line["reissued"].as_u64()).sum();
        assert_eq!(counted + without_end, 20_011);
        assert!(without_end < 20, "{without_end}");
    }
}

/// A flush ends once for the disk and once for who asked for it.
#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn flushes_have_sensible_latencies_and_their_second_ends_are_told() {
    let disk = LoopDisk::new();
    let tool = Tool::start("biolatency", &["-d", disk.name(), "--json", "3600"]);
    let write = "dd if=/dev/zero bs=4k count=53 oflag=direct,dsync conv=notrunc status=none";
    let written = tool::shell(&format!("{write} of=/dev/{}", disk.name()));
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    let output = tool.stop();
    let [line] = &lines(&output.stdout)[..] else { panic!("{}", output.stdout) };
    plausible(&line["data"]);
    assert!(in_buckets(&line["data"]) >= 2 * 53, "{line}");
    assert!(line["unmatched"].as_u64().is_some_and(|unmatched| unmatched >= 53), "{line}");
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn people_read_the_numbers_under_the_histogram() {
    let disk = LoopDisk::new();
    let tool = Tool::start("biolatency", &["-d", disk.name(), "3600"]);
    disk.read(16, 101);
    let text = tool.stop().stdout;
    assert!(text.starts_with("\n     usecs           : count     distribution\n"), "{text}");
    let [percentiles, numbers] = text.lines().rev().take(2).collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    assert!(numbers.starts_with("     count 101, average "), "{text}");
    assert!(numbers.contains(", min ") && percentiles.contains(", p99 <= "), "{text}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_tracepoint_is_refused_with_what_works() {
    let output = tool::run("biolatency", &["--attach", "tracepoint", "1", "1"]);
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("--attach raw_tp"), "{}", output.stderr);
}

#[test]
#[ignore = "needs root to hide BTF: run tests/run"]
fn without_btf_it_says_what_is_missing_and_dumps_all_the_same() {
    let hide = "mount -t tmpfs none /sys/kernel/btf; ";
    let run = "$RAWBPF biolatency --attach raw_tp 1 1; echo $?; $RAWBPF biolatency --dump-insns";
    let output = tool::shell(&format!("unshare -m sh -c '{hide} {run}'"));
    assert!(output.stderr.contains("no BTF") && output.stderr.contains("--btf FILE"));
    assert!(output.stdout.starts_with("77\n"), "{}", output.stdout);
    assert!(output.stdout.contains("offsetof(struct request, __data_len)"), "{}", output.stdout);
}
