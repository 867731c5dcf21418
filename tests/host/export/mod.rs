//! Counts for monitoring systems.

mod receivers;
mod served;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

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

/// Where a tool serves its metrics, from what it said.
pub fn address(said: &str) -> String {
    let (_, rest) = said.split_once("metrics are at http://").expect(said);
    rest.split("/metrics").next().unwrap().to_owned()
}

/// What a server answers to these bytes.
fn answer(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The page that a tool serves.
pub fn scrape(address: &str) -> String {
    let answer = answer(address, b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    body.to_owned()
}

/// A tool that serves its metrics at a port that is free.
fn serving(name: &str, args: &[&str]) -> (Tool, String) {
    let tool = Tool::start(name, &[&["--listen", "0"], args].concat());
    let address = address(tool.said());
    (tool, address)
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn the_page_is_what_the_file_is_and_nothing_else_is_served() {
    let (disk, file) = (LoopDisk::new(), prom_file());
    let args = ["-d", disk.name(), "--prom-file", &file, "0.1"];
    let (tool, address) = serving("biolatency", &args);
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    disk.read(4, 321);
    let same = tool::eventually(Duration::from_secs(10), || {
        let page = scrape(&address);
        let count = value(&page, "rawbpf_block_io_latency_seconds_count");
        count == Some(321.0) && page == fs::read_to_string(&file).unwrap()
    });
    assert!(same, "{}", scrape(&address));
    for (request, status) in [
        ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200"),
        ("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "200"),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("GET /metrics/../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "405"),
        ("DELETE /metrics HTTP/1.1\r\n\r\n", "405"),
        ("GET /metrics HTTP/2.0\r\n\r\n", "400"),
        ("GET /metrics\r\n\r\n", "400"),
        ("\0\0\0\0\r\n\r\n", "400"),
        ("GET  /metrics HTTP/1.1\r\n\r\n", "400"),
    ] {
        let answer = answer(&address, request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(answer.contains("Connection: close\r\n"), "{answer}");
        if request.starts_with("HEAD") {
            assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        }
    }
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(9000));
    assert!(answer(&address, long.as_bytes()).starts_with("HTTP/1.1 431 "));
    let open =
        "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text; version=1.0.0\r\n\r\n";
    let open = answer(&address, open.as_bytes());
    assert!(open.contains("Content-Type: application/openmetrics-text; "), "{open}");
    assert!(open.ends_with("# EOF\n"), "{open}");
    assert_eq!(tool.stop().code, Some(0));
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn hostile_clients_cost_no_count_and_keep_nobody_from_the_page() {
    let disk = LoopDisk::new();
    let (tool, address) = serving("biolatency", &["-d", disk.name(), "--json", "0.5"]);
    let begin = Instant::now();
    // Each opens, says half of a request or nothing, and waits.
    let waiting: Vec<_> = (0..200)
        .map(|number| {
            let mut stream = TcpStream::connect(&address).unwrap();
            let _ = stream.write_all(&b"GET /metr"[..number % 10]);
            stream
        })
        .collect();
    disk.read(4, 500);
    assert!(scrape(&address).contains("rawbpf_build_info"));
    for number in 0..10_000 {
        let address = address.parse().unwrap();
        let stream = TcpStream::connect_timeout(&address, Duration::from_millis(500));
        let Ok(mut stream) = stream else { continue };
        match number % 4 {
            0 => _ = stream.write_all(b"GET /metrics HTTP/1.1\r\n"),
            1 => _ = stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n"),
            2 => _ = stream.shutdown(Shutdown::Write),
            _ => {}
        }
        if number % 1000 == 0 {
            disk.read(4, 50);
        }
    }
    assert!(scrape(&address).contains("rawbpf_build_info"));
    drop(waiting);
    let counted = tool::eventually(Duration::from_secs(10), || {
        value(&scrape(&address), "rawbpf_block_io_latency_seconds_count") == Some(1000.0)
    });
    assert!(counted, "{}", scrape(&address));
    let took = begin.elapsed();
    let ended = tool.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let (intervals, expected) = (ended.stdout.lines().count() as u128, took.as_millis() / 500);
    assert!(intervals >= expected * 9 / 10, "{intervals} of {expected} intervals");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn who_does_not_read_or_ask_is_let_go_and_costs_little() {
    tool::with_tracefs();
    let script = "tracepoint:syscalls:sys_enter_getpgid { @a[args.pid] = hist(args.pid); }";
    let (tool, address) = serving("trace", &["-e", script]);
    for pid in 1..2000 {
        let _ = nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(pid)));
    }
    let big = tool::eventually(Duration::from_secs(10), || scrape(&address).len() > 4 << 20);
    assert!(big, "{}", scrape(&address).len());
    // They ask for much and read nothing.
    let deaf: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
            stream
        })
        .collect();
    let mut silent = TcpStream::connect(&address).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert!(scrape(&address).ends_with('\n'));
    let closed = match silent.read(&mut [0; 9]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    };
    assert!(closed, "nobody waits for a client longer than ten seconds");
    let status = fs::read_to_string(format!("/proc/{}/status", tool.id())).unwrap();
    let descriptors = fs::read_dir(format!("/proc/{}/fd", tool.id())).unwrap().count();
    assert!(descriptors < 80, "{descriptors} descriptors: {status}");
    drop(deaf);
    assert_eq!(tool.stop().code, Some(0));
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn an_address_that_is_taken_or_no_address_is_refused_before_anything_is_attached() {
    let (tool, address) = serving("bitehist", &["60"]);
    let ended = tool::run("bitehist", &["--listen", &address, "1", "1"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("in use") && ended.stderr.contains("another port"),
        "{}",
        ended.stderr
    );
    assert_eq!(tool.stop().code, Some(0));
    for wrong in ["host:9435", "65536", ":9435", "192.0.2.1:9435"] {
        let ended = tool::run("bitehist", &["--listen", wrong, "1", "1"]);
        let expected = if wrong.starts_with("192") { 1 } else { 2 };
        assert_eq!(ended.code, Some(expected), "{wrong}: {}", ended.stderr);
        assert!(ended.stderr.contains("address"), "{wrong}: {}", ended.stderr);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_tool_that_serves_keeps_no_capability_and_cannot_connect() {
    let (tool, address) = serving("biolatency", &["60"]);
    let status = fs::read_to_string(format!("/proc/{}/status", tool.id())).unwrap();
    assert!(status.contains("CapEff:\t0000000000000000\n"), "{status}");
    assert!(status.contains("Seccomp:\t2\n"), "{status}");
    assert!(scrape(&address).contains("rawbpf_attached_programs"));
    assert_eq!(tool.stop().code, Some(0));
}

/// A receiver that gives each request to `answer`, which says what to answer, if anything. The bodies that came.
fn receiver(
    answer: impl Fn(usize) -> Option<&'static str> + Send + 'static,
) -> (String, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, bodies) = mpsc::channel();
    thread::spawn(move || {
        let mut silent = vec![];
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let Some(answer) = answer(number) else {
                silent.push(stream);
                continue;
            };
            let mut request = vec![];
            let mut bytes = [0; 4096];
            let body = loop {
                let read = stream.read(&mut bytes).unwrap();
                request.extend(&bytes[..read]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
                assert!(head.starts_with("POST /v1/metrics HTTP/1.1\r\n"), "{head}");
                assert!(head.contains("Content-Type: application/x-protobuf\r\n"), "{head}");
                let (_, length) = head.split_once("Content-Length: ").unwrap();
                let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
                let at = request.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
                if request.len() == at + length {
                    break request.split_off(at);
                }
            };
            let _ = stream.write_all(answer.as_bytes());
            if sender.send(body).is_err() {
                break;
            }
        }
    });
    (url, bodies)
}

const ACCEPTED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn an_otlp_receiver_gets_each_interval_and_the_last_one() {
    let disk = LoopDisk::new();
    let (url, bodies) = receiver(|_| Some(ACCEPTED));
    let tool = Tool::start("biolatency", &["-D", "-d", disk.name(), "--otlp", &url, "0.2"]);
    disk.read(4, 300);
    thread::sleep(Duration::from_millis(500));
    disk.read(4, 1);
    let ended = tool.stop();
    assert_eq!((ended.code, ended.stderr.contains("OTLP")), (Some(0), false), "{}", ended.stderr);
    let bodies: Vec<_> = bodies.try_iter().collect();
    assert!(bodies.len() >= 3, "{}", bodies.len());
    let has = |body: &[u8], part: &[u8]| body.windows(part.len()).any(|bytes| bytes == part);
    let last = bodies.last().unwrap();
    for part in ["rawbpf_block_io_latency_seconds", "service.name", "host.name", disk.name()] {
        assert!(has(last, part.as_bytes()), "{part}");
    }
    // The count of the histogram: field 4, 64 bits.
    let count = [&[0x21][..], &301_u64.to_le_bytes()].concat();
    assert!(has(last, &count), "301 requests");
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn a_receiver_that_is_gone_slow_or_mad_costs_no_count_and_no_interval() {
    let disk = LoopDisk::new();
    let gone = "http://127.0.0.1:9".to_owned();
    let (slow, _slow) = receiver(|_| None);
    let (mad, _mad) = receiver(|_| Some("\x01\x02 \r\n\r\nnonsense"));
    let (busy, busy_bodies) = receiver(|number| match number {
        0..2 => Some("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
        _ => Some(ACCEPTED),
    });
    for (url, why) in [
        (gone, "Connection refused"),
        (slow, "not taken the last counts"),
        (mad, "not HTTP"),
        (busy, "it answers 503"),
    ] {
        let file = prom_file();
        let args = ["-d", disk.name(), "--otlp", &url, "--prom-file", &file, "--json", "0.2", "20"];
        let begin = Instant::now();
        let tool = Tool::start("biolatency", &args);
        disk.read(4, 123);
        let ended = tool.wait();
        let took = begin.elapsed();
        assert_eq!(ended.code, Some(0), "{url}: {}", ended.stderr);
        assert_eq!(ended.stdout.lines().count(), 21, "{url}");
        assert!(took < Duration::from_millis(8500), "{url}: {took:?}");
        assert!(ended.stderr.contains(why), "{url}: {}", ended.stderr);
        assert!(ended.stderr.lines().count() < 6, "{url}: {}", ended.stderr);
        let page = fs::read_to_string(&file).unwrap();
        let count = value(&page, "rawbpf_block_io_latency_seconds_count");
        assert_eq!(count, Some(123.0), "{url}: {page}");
        let [accepted, dropped] = ["accepted", "dropped"].map(|result| {
            let labels = format!("{{result=\"{result}\",tool=\"biolatency\"}}");
            value(&page, &format!("rawbpf_otlp_pushes_total{labels}")).unwrap()
        });
        assert_eq!(accepted > 0.0, why.contains("503"), "{url}: {page}");
        assert!(dropped > 0.0 && accepted + dropped <= 21.0, "{url}: {page}");
    }
    assert!(busy_bodies.try_iter().count() > 2);
}

#[test]
fn a_receiver_that_cannot_be_one_is_refused() {
    for (url, why) in [
        ("https://127.0.0.1:4318", "no TLS"),
        ("127.0.0.1:4318", "http://"),
        ("http://collector:4318", "numeric address"),
        ("http://127.0.0.1:4318/a b", "characters"),
    ] {
        let ended = tool::run("bitehist", &["--otlp", url, "1", "1"]);
        assert_eq!(ended.code, Some(2), "{url}: {}", ended.stderr);
        assert!(ended.stderr.contains(why), "{url}: {}", ended.stderr);
    }
}
