//! What a script costs: to start, to be read and translated, and at each event.
//!
//! `cargo bench --bench script`, as root. Peers are measured where they are installed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rawbpf::host::KernelTypes;
use rawbpf::script::lower::lower;
use rawbpf::script::{Host, check};
use rawbpf::sys::object;
use rawbpf::trace::TracedHost;

mod common;
use common::{LoopDisk, RAWBPF, Result, Running, info, median, text};

const ROUNDS: usize = 21;
/// Events in a part of a measurement.
const EVENTS: u32 = 2000;
const PARTS: usize = 5;
const TURNS: usize = 15;

/// A one-liner; its text shows when it is attached.
const ONE_LINER: &str =
    "tracepoint:block:block_rq_issue { @ = hist(args.bytes); } begin { printf(\"Tracing\\n\"); }";

fn main() -> Result<()> {
    starts()?;
    translates()?;
    events()
}

/// From exec to attached, and the peak of memory.
fn starts() -> Result<()> {
    for (name, command, rounds) in [
        ("rawbpf trace", &[*RAWBPF, "trace", "-e", ONE_LINER][..], ROUNDS),
        ("bpftrace", &["bpftrace", "-e", ONE_LINER][..], 5),
    ] {
        let runs = (0..rounds).map(|_| {
            std::thread::sleep(Duration::from_millis(300));
            let running = Running::start(command)?;
            Ok((running.start.as_secs_f64() * 1e3, running.memory()))
        });
        match runs.collect::<Result<Vec<_>>>() {
            Ok(runs) => println!(
                "{name:<24} exec to attached {:>8.2} ms, RSS {:>7} KiB",
                median(runs.iter().map(|run| run.0)),
                median(runs.iter().map(|run| run.1)),
            ),
            Err(why) => println!("{name:<24} skipped: {why}"),
        }
    }
    Ok(())
}

/// A script of 60 lines: read, types found, programs made.
fn translates() -> Result<()> {
    let probe = "tracepoint:block:block_rq_issue /pid > 0/ {\n  $kb = args.bytes / 1024;\n  if ($kb > 4) {\n    \
        @large[comm, args.dev] = count();\n  } else {\n    @small[comm] = sum(args.bytes);\n  }\n  \
        @at[args.dev, args.sector] = nsecs;\n  printf(\"%s %d\\n\", comm, $kb);\n}\n";
    let script = probe.repeat(6);
    let types = KernelTypes::running();
    let host = TracedHost::new(&types, None, 0).map_err(text)?;
    let times = (0..101).map(|_| {
        let begin = Instant::now();
        let checked = check(&script, &[], &host).map_err(|mistake| mistake.what)?;
        let checked_at = begin.elapsed();
        let lowered = lower(&checked, "script", &script, &host).map_err(|mistake| mistake.what)?;
        black_box(lowered);
        Ok((checked_at.as_secs_f64() * 1e3, begin.elapsed().as_secs_f64() * 1e3))
    });
    let times = times.collect::<Result<Vec<_>>>()?;
    println!(
        "{} lines on {} CPUs     checked {:.3} ms, translated {:.3} ms",
        script.lines().count(),
        host.cpus(),
        median(times.iter().map(|time| time.0)),
        median(times.iter().map(|time| time.1)),
    );
    Ok(())
}

/// Nanoseconds of an event above an empty program's. Each tool runs alone, since one that runs after another
/// finds its helpers in the cache; they take turns, so that they share what else the host does.
fn events() -> Result<()> {
    let _statistics = object::enable_stats().map_err(text)?;
    let disk = LoopDisk::new();
    let script = |text: &str| {
        let text = format!(
            "tracepoint:block:block_rq_issue {{ {text} }} begin {{ printf(\"Tracing\\n\"); }}"
        );
        ["trace", "-e", &text].map(str::to_owned).to_vec()
    };
    let bitehist = ["bitehist", "--attach", "tracepoint", "3600"].map(str::to_owned).to_vec();
    let tools = [
        ("empty program", *RAWBPF, script("")),
        ("@ = hist(args.bytes)", *RAWBPF, script("@ = hist(args.bytes);")),
        ("bitehist tracepoint", *RAWBPF, bitehist),
        ("@[comm] = count()", *RAWBPF, script("@[comm] = count();")),
        ("libbpf-tools' bitesize", "/usr/sbin/bitesize", vec![]),
    ];
    let mut costs = vec![vec![]; tools.len()];
    for _ in 0..TURNS {
        for ((name, program, args), costs) in tools.iter().zip(&mut costs) {
            let command: Vec<_> =
                [*program].into_iter().chain(args.iter().map(String::as_str)).collect();
            match Running::start(&command).and_then(|tool| cost(&tool, &disk)) {
                Ok(cost) => costs.push(cost),
                Err(why) => println!("{name:<24} skipped: {why}"),
            }
        }
    }
    let measured = tools.iter().zip(costs).filter(|(_, costs)| !costs.is_empty());
    let mut empty = None;
    for ((name, ..), costs) in measured {
        let cost = median(costs);
        let above = cost - *empty.get_or_insert(cost);
        println!("{name:<24} {cost:>6.1} ns an event, {above:>6.1} ns above the empty program");
    }
    Ok(())
}

/// Nanoseconds that an event of the disk costs the tool: in the part of the events in which the host did the least
/// else. Interrupts are in the kernel's time of a run, so the mean of all events says more of the host.
fn cost(tool: &Running, disk: &LoopDisk) -> Result<f64> {
    // The program that was loaded last is the one that runs at events.
    let program = *tool.programs.iter().max().ok_or("it has no program")?;
    disk.read(4, EVENTS);
    let mut least = f64::INFINITY;
    for _ in 0..PARTS {
        let before = info(program)?;
        disk.read(4, EVENTS);
        let after = info(program)?;
        let runs = (after.run_count - before.run_count) as f64;
        least = least.min((after.run_time_ns - before.run_time_ns) as f64 / runs);
    }
    Ok(least)
}
