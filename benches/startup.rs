//! Where the time goes from exec to live probes, and from Ctrl-C to the prompt: medians of whole
//! processes, for each attach kind of this host. `cargo bench --bench startup`, as root.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{SIGINT, kill};
use nix::unistd::Pid;

const RUNS: usize = 11;
/// A tracepoint that was just left takes the kernel milliseconds to enter again.
const BETWEEN: Duration = Duration::from_millis(300);

/// Milliseconds by step.
type Split = BTreeMap<String, f64>;

fn main() {
    println!("medians of {RUNS} runs, in ms");
    for kind in ["kprobe", "tp_btf", "fentry", "raw_tp", "tracepoint"] {
        match (0..=RUNS).map(|_| run(kind)).collect::<Result<Vec<_>, _>>() {
            // The first run warms up.
            Ok(runs) => println!("{kind:>10}: {}", show(&runs[1..])),
            Err(why) => println!("{kind:>10}: skipped: {why}"),
        }
    }
}

fn run(kind: &str) -> Result<Split, String> {
    sleep(BETWEEN);
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_rawbpf"))
        .args(["bitehist", "-v", "--attach", kind, "3600"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut split = Split::new();
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().ok_or("no stderr")?).lines() {
        let line = line.map_err(|error| error.to_string())?;
        if line.starts_with("Tracing") {
            let live = start.elapsed().as_secs_f64() * 1e3;
            let steps: f64 = split.values().sum();
            split.insert("exec and rest".into(), live - steps);
            split.insert("all".into(), live);
            let stop = Instant::now();
            kill(Pid::from_raw(child.id() as i32), SIGINT).map_err(|error| error.to_string())?;
            child.wait().map_err(|error| error.to_string())?;
            split.insert("end".into(), stop.elapsed().as_secs_f64() * 1e3);
            return Ok(split);
        }
        // `bitehist: maps 0.01 ms, load 0.32 ms`
        if let Some((_, steps)) = line.split_once(": ").filter(|_| line.ends_with(" ms")) {
            let steps = steps.split(", ").filter_map(|step| step.strip_suffix(" ms"));
            let steps = steps.filter_map(|step| step.rsplit_once(' '));
            split = steps.filter_map(|(step, ms)| Some((step.into(), ms.parse().ok()?))).collect();
        }
        if line.starts_with("bitehist: ") {
            said = line;
        }
    }
    let _ = child.wait();
    Err(said)
}

fn show(runs: &[Split]) -> String {
    let median = |step: &String| {
        let mut times: Vec<f64> = runs.iter().filter_map(|run| run.get(step).copied()).collect();
        times.sort_by(f64::total_cmp);
        format!("{step} {:.2}", times[times.len() / 2])
    };
    runs[0].keys().map(median).collect::<Vec<_>>().join(", ")
}
