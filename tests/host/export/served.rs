//! Several tools and scripts in one process.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{scrape, value};
use crate::disk::LoopDisk;
use crate::tool::{self, RAWBPF, Tool};

/// A `rawbpf serve` whose runs have all begun or failed.
fn serve(lines: &str) -> (Tool, String) {
    let file = tool::file(lines);
    let tool = Tool::start("serve", &["--listen", "0", &file]);
    let address = super::address(tool.said());
    (tool, address)
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn three_tools_count_in_one_process_of_five_megabytes_and_one_that_fails_ends_no_other() {
    tool::with_tracefs();
    let disk = LoopDisk::new();
    let name = disk.name();
    let lines = format!(
        "# the disks\n\
         biolatency -D -d {name} 0.2\n\
         sizes: bitesize --by comm -d {name} 0.2   # by program\n\
         bitehist -d {name} 0.2\n\
         broken: funccount no_such_function_here\n\
         ids: trace -e 'tracepoint:syscalls:sys_enter_getpgid /comm == \"rawbpf-serve\"/ {{ @[args.pid] = count(); }}'\n"
    );
    let (tool, address) = serve(&lines);
    assert!(tool.said().contains("broken: line 5: "), "{}", tool.said());
    disk.read(4, 432);
    let work = std::thread::Builder::new().name("rawbpf-serve".into()).spawn(|| {
        for _ in 0..100 {
            let _ = nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(5)));
        }
    });
    work.unwrap().join().unwrap();
    for (series, expected) in [
        (
            format!(
                "rawbpf_block_io_latency_seconds_count{{device=\"{name}\",run=\"biolatency\"}}"
            ),
            432.0,
        ),
        ("rawbpf_block_io_size_bytes_count{comm=\"dd\",run=\"sizes\"}".into(), 432.0),
        ("rawbpf_block_io_size_bytes_count{run=\"bitehist\"}".into(), 432.0),
        ("rawbpf_script_map_total{pid=\"5\",run=\"ids\"}".into(), 100.0),
        ("rawbpf_run_up{tool=\"biolatency\",run=\"biolatency\"}".into(), 1.0),
        ("rawbpf_run_up{tool=\"trace\",run=\"ids\"}".into(), 1.0),
        ("rawbpf_run_up{tool=\"funccount\",run=\"broken\"}".into(), 0.0),
    ] {
        let is = || value(&scrape(&address), &series) == Some(expected);
        let is = tool::eventually(Duration::from_secs(10), is);
        assert!(is, "{series}: {}", scrape(&address));
    }
    let page = scrape(&address);
    assert_eq!(page.matches("# TYPE rawbpf_block_io_size_bytes histogram\n").count(), 1, "{page}");
    for task in fs::read_dir(format!("/proc/{}/task", tool.id())).unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        assert!(status.contains("CapEff:\t0000000000000000\n"), "{status}");
        assert!(status.contains("Seccomp:\t2\n"), "{status}");
    }
    let ended = tool.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
#[ignore = "needs root, bpf(2) and the release file: run tests/run"]
fn three_tools_take_at_most_five_megabytes() {
    let Ok(binary) = std::env::var("RAWBPF_TEST_BINARY") else { return };
    let file = tool::file("biolatency -D 1\nbitesize --by comm 1\nfunccount 'sched:sched_*' 1\n");
    let mut child = Command::new(binary)
        .args(["serve", "--listen", "0", &file])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(5));
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let resident: u32 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(resident <= 5 << 10, "{resident} KiB");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn systemd_is_told_once_all_have_begun() {
    let path = tool::name();
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let file = tool::file("bitehist 1\nbitesize 1\n");
    let mut child = Command::new(RAWBPF)
        .args(["serve", "--listen", "0", &file])
        .env("NOTIFY_SOCKET", &path)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut bytes = [0; 200];
    let read = socket.recv(&mut bytes).unwrap();
    let told = String::from_utf8_lossy(&bytes[..read]).into_owned();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(told, "READY=1\nSTATUS=2 of 2 commands run\n");
}

#[test]
fn a_file_that_is_wrong_is_refused_with_the_line() {
    for (lines, why) in [
        ("", "no line has a command"),
        ("bitehist 1\nbiolatencyy\n", ":2: biolatencyy is no tool of rawbpf"),
        ("bitehist --nothing", ":1: unexpected argument '--nothing'"),
        ("bitehist --listen 9435", "options of serve itself"),
        ("verify x.o", "only tools that trace"),
        ("trace -e 'BEGIN { }", "a quote is not closed"),
        ("trace -c /bin/true -e 'BEGIN { }'", "-c is not for a script"),
    ] {
        let file = tool::file(lines);
        let ended = tool::run("serve", &["--listen", "0", &file]);
        assert_eq!(ended.code, Some(2), "{lines}: {}", ended.stderr);
        assert!(ended.stderr.contains(why), "{lines}: {}", ended.stderr);
    }
    let ended = tool::run("serve", &[&tool::file("bitehist 1")]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("--listen 9435"), "{}", ended.stderr);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_service_of_which_nothing_runs_fails() {
    let file = tool::file("funccount no_such_function_here\n");
    let ended = tool::run("serve", &["--listen", "0", &file]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("nothing is left that runs"), "{}", ended.stderr);
}
