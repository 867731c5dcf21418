//! How soon a tool counts, how soon the prompt is back, and what memory that takes: whole processes,
//! each run of the one next to a run of the other, as ratios.
//!
//! `cargo bench --bench startup`, as root. The floor is a minimal static C program that makes the same
//! system calls; the peers are those that are installed. What this host lacks is named and left out.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

mod common;
use common::{RAWBPF, Result, median, peak_memory, text};

const PAIRS: usize = 21;
/// A tracepoint that was just left takes the kernel milliseconds to enter again.
const BETWEEN: Duration = Duration::from_millis(300);

/// A program, and what it prints when it counts.
struct Contestant {
    command: Vec<String>,
    live: &'static str,
    pairs: usize,
}

/// One run, in milliseconds and KiB.
struct Run {
    start: f64,
    end: f64,
    memory: f64,
}

fn main() {
    println!("medians, and the median of the ratios of neighbouring runs: ours / the other's");
    println!(
        "{:<34} {:>8} {:>8} {:>6}   {:>7} {:>8}   {:>7} {:>8}",
        "", "start ms", "other", "ratio", "end ms", "other", "RSS KiB", "other"
    );
    for kind in ["raw_tp", "tp_btf", "tracepoint", "kprobe"] {
        let ours = rawbpf(&["bitehist", "--attach", kind, "3600"]);
        let floor = floor(kind).map(|path| contestant(&[&path, kind], "Tracing"));
        compare(&format!("bitehist {kind}, C floor"), ours, floor);
    }
    let hist = "tracepoint:block:block_rq_issue { @ = hist(args->bytes / 1024); } \
        BEGIN { printf(\"Tracing\\n\"); }";
    let bpftrace = Contestant { pairs: 3, ..contestant(&["bpftrace", "-e", hist], "Tracing\r") };
    let ours = rawbpf(&["bitehist", "--attach", "tracepoint", "3600"]);
    compare("bitehist, bpftrace", ours, installed(bpftrace));
    for tool in ["bitesize", "biolatency"] {
        let ours = || rawbpf(&[tool, "3600"]);
        let libbpf = contestant(&[&format!("/usr/sbin/{tool}")], "Tracing");
        compare(&format!("{tool}, libbpf-tools"), ours(), installed(libbpf));
        let bcc = contestant(&[&format!("/usr/sbin/{tool}-bpfcc")], "Tracing");
        compare(&format!("{tool}, bcc"), ours(), installed(Contestant { pairs: 3, ..bcc }));
    }
}

fn contestant(command: &[&str], live: &'static str) -> Contestant {
    let command = command.iter().map(|word| word.to_string()).collect();
    Contestant { command, live, pairs: PAIRS }
}

fn rawbpf(arguments: &[&str]) -> Contestant {
    contestant(&[&[*RAWBPF], arguments].concat(), "Tracing")
}

fn installed(contestant: Contestant) -> Result<Contestant> {
    let name = &contestant.command[0];
    let path = std::env::var("PATH").unwrap_or_default();
    match std::env::split_paths(&path).any(|folder| folder.join(name).exists()) {
        true => Ok(contestant),
        false => Err(format!("{name} is not installed")),
    }
}

/// Builds the floor's program around the very instructions that the tool loads.
fn floor(kind: &str) -> Result<String> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (program, binary) =
        (folder.join(format!("{kind}.h")), folder.join(format!("floor_{kind}")));
    let insns = Command::new(*RAWBPF)
        .args(["bitehist", "--attach", kind, "--dump-insns=c"])
        .output()
        .map_err(text)?;
    if !insns.status.success() {
        return Err(String::from_utf8_lossy(&insns.stderr).trim().into());
    }
    fs::write(&program, insns.stdout).map_err(text)?;
    let built = Command::new("cc")
        .args(["-O2", "-static", &format!("-DPROGRAM=\"{}\"", program.display()), "-o"])
        .arg(&binary)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/floor/floor.c"))
        .status();
    match built.is_ok_and(|status| status.success()) {
        true => Ok(binary.display().to_string()),
        false => Err("no cc to build the floor with".into()),
    }
}

fn compare(what: &str, ours: Contestant, other: Result<Contestant>) {
    let pairs = other.and_then(|other| {
        // The first pair warms up.
        let mut pairs = vec![];
        for _ in 0..=other.pairs {
            pairs.push((run(&ours)?, run(&other)?));
        }
        pairs.remove(0);
        Ok(pairs)
    });
    match pairs {
        Err(why) => println!("{what:<34} skipped: {why}"),
        Ok(pairs) => {
            let median = |of: fn(&(Run, Run)) -> f64| median(pairs.iter().map(of));
            println!(
                "{what:<34} {:>8.2} {:>8.2} {:>6.2}   {:>7.2} {:>8.2}   {:>7} {:>8}",
                median(|(ours, _)| ours.start),
                median(|(_, other)| other.start),
                median(|(ours, other)| ours.start / other.start),
                median(|(ours, _)| ours.end),
                median(|(_, other)| other.end),
                median(|(ours, _)| ours.memory),
                median(|(_, other)| other.memory),
            );
        }
    }
}

/// Runs it until it counts, then interrupts it. On a terminal, where output is not held back.
fn run(contestant: &Contestant) -> Result<Run> {
    sleep(BETWEEN);
    let terminal = openpty(None, None).map_err(text)?;
    let side = || terminal.slave.try_clone().map_err(text);
    let mut command = Command::new(&contestant.command[0]);
    command.args(&contestant.command[1..]).stdin(side()?).stdout(side()?).stderr(side()?);
    let begin = Instant::now();
    let mut child = command.spawn().map_err(text)?;
    // Reading ends with the last holder of the terminal's other side.
    drop((command, terminal.slave));
    let said = read_until(terminal.master, contestant.live);
    let start = begin.elapsed().as_secs_f64() * 1e3;
    let memory = peak_memory(&child.id().to_string());
    if let Err(said) = said {
        let _ = child.wait();
        return Err(said);
    }
    let stop = Instant::now();
    end(&mut child)?;
    Ok(Run { start, end: stop.elapsed().as_secs_f64() * 1e3, memory })
}

fn end(child: &mut Child) -> Result<()> {
    let pid = Pid::from_raw(child.id() as i32);
    // A peer may not yet listen.
    for _ in 0..10 {
        kill(pid, Signal::SIGINT).map_err(text)?;
        for _ in 0..10_000 {
            if child.try_wait().map_err(text)?.is_some() {
                return Ok(());
            }
            sleep(Duration::from_micros(50));
        }
    }
    child.kill().map_err(text)?;
    Err("it does not end".into())
}

fn read_until(terminal: OwnedFd, live: &str) -> Result<File> {
    let mut terminal = File::from(terminal);
    let (mut said, mut buffer) = (String::new(), [0; 4096]);
    while let Ok(more @ 1..) = terminal.read(&mut buffer) {
        said.push_str(&String::from_utf8_lossy(&buffer[..more]));
        if said.contains(live) {
            return Ok(terminal);
        }
    }
    Err(said.lines().next().unwrap_or("it ended without a word").into())
}
