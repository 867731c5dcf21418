//! What real receivers make of the counts: Prometheus, node_exporter, promtool and an OTLP receiver.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{answer, prom_file, scrape, serving, value};
use crate::disk::LoopDisk;
use crate::tool::{self, Tool};

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody has.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a server and waits until it answers at this port.
#[track_caller]
fn start(command: &mut Command, port: u16) -> Running {
    let said = File::create(tool::name()).unwrap();
    let command = command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
    let running = Running(command.spawn().expect("it is not installed: run tests/run"));
    let answers = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(tool::eventually(Duration::from_secs(60), answers), "{command:?}");
    running
}

/// A Prometheus that scrapes this address four times a second.
struct Prometheus {
    address: String,
    _running: Running,
}

impl Prometheus {
    fn start(target: &str) -> Prometheus {
        let (folder, port) = (tool::name(), free_port());
        fs::create_dir(&folder).unwrap();
        let config = format!(
            "global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}\n\
             scrape_configs: [{{job_name: rawbpf, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        fs::write(format!("{folder}/prometheus.yml"), config).unwrap();
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={folder}/prometheus.yml"));
        command.arg(format!("--storage.tsdb.path={folder}/data"));
        command.arg(format!("--web.listen-address={address}"));
        Prometheus { address, _running: start(&mut command, port) }
    }

    /// The one value that a query has; None if it has none.
    fn query(&self, query: &str) -> Option<f64> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let request = format!(
            "GET /api/v1/query?query={encoded} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        );
        let answer = answer(&self.address, request.as_bytes());
        let json = &answer[answer.find('{')?..=answer.rfind('}')?];
        let json: Value = serde_json::from_str(json).expect(json);
        let result = json["data"]["result"].as_array()?.clone();
        assert!(result.len() < 2, "{query}: {json}");
        result.first()?["value"][1].as_str()?.parse().ok()
    }

    #[track_caller]
    fn becomes(&self, query: &str, expected: f64) {
        let mut last = None;
        let is = tool::eventually(Duration::from_secs(20), || {
            last = self.query(query);
            last == Some(expected)
        });
        assert!(is, "{query}: {last:?} and not {expected}");
    }
}

#[test]
#[ignore = "needs root, bpf(2), a loop device and Prometheus: run tests/run"]
fn prometheus_answers_with_the_known_values() {
    let disk = LoopDisk::new();
    let (tool, address) = serving("bitehist", &["-d", disk.name(), "0.2"]);
    let prometheus = Prometheus::start(&address);
    let name = "rawbpf_block_io_size_bytes";
    prometheus.becomes(&format!("{name}_count"), 0.0);
    disk.read(4, 900);
    disk.read(64, 100);
    prometheus.becomes(&format!("{name}_count"), 1000.0);
    prometheus.becomes(&format!("{name}_bucket{{le=\"4095\"}}"), 0.0);
    prometheus.becomes(&format!("{name}_bucket{{le=\"8191\"}}"), 900.0);
    prometheus.becomes(&format!("{name}_bucket{{le=\"65535\"}}"), 900.0);
    prometheus.becomes(&format!("{name}_bucket{{le=\"131071\"}}"), 1000.0);
    // The 500th of 900 requests in the bucket from 4095 to 8191, as Prometheus interpolates.
    let median = 4095.0 + 4096.0 * 500.0 / 900.0;
    let asked = format!("histogram_quantile(0.5, {name}_bucket)");
    let found = prometheus.query(&asked).unwrap();
    assert!((found - median).abs() < 0.001, "{found} and not {median}");
    let tail = prometheus.query(&format!("histogram_quantile(0.95, {name}_bucket)")).unwrap();
    assert!((tail - (65535.0 + 65536.0 / 2.0)).abs() < 0.001, "{tail}");
    // What it has stored grew by 1000; increase and rate stretch that to the whole time asked for.
    let grown = format!("max_over_time({name}_count[60s]) - min_over_time({name}_count[60s])");
    prometheus.becomes(&grown, 1000.0);
    let increase = prometheus.query(&format!("increase({name}_count[60s])")).unwrap();
    assert!((1000.0..1300.0).contains(&increase), "{increase}");
    let rate = prometheus.query(&format!("rate({name}_count[60s])")).unwrap();
    assert!((rate * 60.0 - increase).abs() < increase / 10.0, "{rate} {increase}");
    let quantile = format!("histogram_quantile(0.5, rate({name}_bucket[60s]))");
    let found = prometheus.query(&quantile).unwrap();
    assert!((found - median).abs() < 0.001, "{found} and not {median}");
    prometheus.becomes("sum(rawbpf_lost_events_total)", 0.0);
    prometheus.becomes("up", 1.0);
    assert_eq!(tool.stop().code, Some(0));
}

#[test]
#[ignore = "needs root, bpf(2), a loop device and node_exporter: run tests/run"]
fn node_exporter_takes_the_file() {
    let (disk, file) = (LoopDisk::new(), prom_file());
    let folder = PathBuf::from(&file).parent().unwrap().display().to_string();
    let port = free_port();
    let mut command = Command::new("prometheus-node-exporter");
    command.args(["--collector.disable-defaults", "--collector.textfile"]);
    command.arg(format!("--collector.textfile.directory={folder}"));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let _exporter = start(&mut command, port);
    let args = ["-D", "-d", disk.name(), "--prom-file", &file, "0.1"];
    let tool = Tool::start("biolatency", &args);
    disk.read(4, 250);
    let count = format!("rawbpf_block_io_latency_seconds_count{{device=\"{}\"}}", disk.name());
    let request = b"GET /metrics HTTP/1.0\r\n\r\n";
    let mut page = String::new();
    let taken = tool::eventually(Duration::from_secs(20), || {
        page = answer(&format!("127.0.0.1:{port}"), request);
        value(&page, &count) == Some(250.0)
    });
    assert!(taken, "{page}");
    assert_eq!(value(&page, "node_textfile_scrape_error"), Some(0.0), "{page}");
    assert!(page.contains("# TYPE rawbpf_block_io_latency_seconds histogram\n"), "{page}");
    assert!(page.contains("# TYPE rawbpf_lost_events_total counter\n"), "{page}");
    assert_eq!(tool.stop().code, Some(0));
}

#[test]
#[ignore = "needs root, bpf(2), a loop device and promtool: run tests/run"]
fn promtool_finds_nothing() {
    tool::with_tracefs();
    let disk = LoopDisk::new();
    let (bitesize, sizes) = serving("bitesize", &["-d", disk.name(), "0.1"]);
    let (biolatency, latencies) = serving("biolatency", &["-F", "-d", disk.name(), "0.1"]);
    let (funccount, calls) = serving("funccount", &["sched:sched_*", "0.1"]);
    let script =
        "tracepoint:sched:sched_switch { @switches[comm] = count(); @times = hist(nsecs); }";
    let (trace, script) = serving("trace", &["-e", script]);
    disk.read(4, 100);
    thread::sleep(Duration::from_secs(2));
    for address in [sizes, latencies, calls, script] {
        let page = scrape(&address);
        assert!(page.lines().count() > 20, "{page}");
        let promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut promtool = promtool.expect("it is not installed: run tests/run");
        promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
        let output = promtool.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success() && said.is_empty(), "{said}\n{page}");
    }
    for tool in [bitesize, biolatency, funccount, trace] {
        assert_eq!(tool.stop().code, Some(0));
    }
}

/// The OTLP receiver rotel, which tests/run puts into the cache.
fn rotel() -> PathBuf {
    let cache = std::env::var("RAWBPF_TEST_CACHE")
        .unwrap_or_else(|_| format!("{}/.cache/rawbpf-tests", std::env::var("HOME").unwrap()));
    let found = Command::new("find").args([&cache, "-name", "rotel-agent", "-type", "f"]).output();
    let found = String::from_utf8(found.unwrap().stdout).unwrap();
    found.lines().next().expect("there is no rotel: run tests/run").into()
}

#[test]
#[ignore = "needs root, bpf(2), a loop device and rotel: run tests/run"]
fn an_otlp_receiver_prints_the_very_data_points() {
    let (disk, port) = (LoopDisk::new(), free_port());
    let mut command = Command::new(rotel());
    command.args(["start", "--exporter", "blackhole", "--debug-log", "metrics"]);
    command.args(["--debug-log-verbosity", "detailed"]);
    command.arg("--otlp-http-endpoint").arg(format!("127.0.0.1:{port}"));
    command.arg("--otlp-grpc-endpoint").arg(format!("127.0.0.1:{}", free_port()));
    let log = tool::name();
    let said = File::create(&log).unwrap();
    command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
    let rotel = Running(command.spawn().unwrap());
    let answers = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(tool::eventually(Duration::from_secs(60), answers));
    let url = format!("http://127.0.0.1:{port}");
    let tool = Tool::start("bitehist", &["-d", disk.name(), "--otlp", &url, "0.5"]);
    disk.read(4, 640);
    disk.read(64, 32);
    let ended = tool.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut printed = String::new();
    let point = "     -> Name: rawbpf_block_io_size_bytes\n";
    let whole = tool::eventually(Duration::from_secs(10), || {
        printed.clear();
        File::open(&log).unwrap().read_to_string(&mut printed).unwrap();
        printed.rsplit_once(point).is_some_and(|(_, last)| last.contains("Count: 672\n"))
    });
    assert!(whole, "{printed}");
    drop(rotel);
    let (_, last) = printed.rsplit_once(point).unwrap();
    let numbers = |name: &str| {
        let lines = last.lines().filter_map(|line| line.strip_prefix(name)?.split_once(": "));
        lines.map(|(_, number)| number.parse::<f64>().unwrap()).collect::<Vec<_>>()
    };
    for part in ["Unit: By", "DataType: Histogram", "AGGREGATION_TEMPORALITY_CUMULATIVE"] {
        assert!(last.contains(part), "{part}: {last}");
    }
    let bounds: Vec<_> = last
        .lines()
        .filter_map(|line| line.strip_prefix("ExplicitBounds #")?.split_once(": "))
        .map(|(_, bound)| bound.parse::<f64>().unwrap())
        .collect();
    let counts = match numbers("Buckets #") {
        counts if counts.is_empty() => numbers("BucketCounts #"),
        counts => counts,
    };
    let counts = &counts[..bounds.len() + 1];
    for (end, count) in [(8191.0, 640.0), (131_071.0, 32.0)] {
        let index = bounds.iter().position(|bound| *bound == end).expect("the bound");
        assert_eq!(counts[index], count, "{last}");
    }
    assert_eq!(counts.iter().sum::<f64>(), 672.0, "{last}");
}

#[test]
#[ignore = "needs root and bpf(2), for half a minute: run tests/run"]
fn ten_million_events_are_ten_million_in_the_page_and_in_the_file() {
    const EVENTS: u32 = 10_000_000;
    tool::with_tracefs();
    let file = prom_file();
    let args = ["syscalls:sys_enter_getpgid", "--by", "comm", "--prom-file", &file, "0.05"];
    let (tool, address) = serving("funccount", &args);
    let work = thread::Builder::new().name("rawbpf-many".into()).spawn(|| {
        for _ in 0..EVENTS {
            let _ = nix::unistd::getpgid(Some(nix::unistd::Pid::this()));
        }
    });
    let work = work.unwrap();
    let series = "rawbpf_function_calls_total{comm=\"rawbpf-many\"}";
    let mut last = 0.0;
    while !work.is_finished() {
        let now = value(&scrape(&address), series).unwrap_or_default();
        assert!(now >= last, "{now} after {last}");
        last = now;
        thread::sleep(Duration::from_millis(20));
    }
    work.join().unwrap();
    let all = f64::from(EVENTS);
    let counted =
        tool::eventually(Duration::from_secs(5), || value(&scrape(&address), series) == Some(all));
    assert!(counted, "{:?}", value(&scrape(&address), series));
    assert_eq!(tool.stop().code, Some(0));
    assert_eq!(value(&fs::read_to_string(&file).unwrap(), series), Some(all));
}
