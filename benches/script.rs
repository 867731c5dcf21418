//! What a script costs: to start, to be read and translated, and at each event.
//!
//! `cargo bench --bench script`, as root. Peers are measured where they are installed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rawbpf::script::lower::lower;
use rawbpf::script::{Host, check};
use rawbpf::sys::object;
use rawbpf::trace::TracedHost;

mod common;
use common::{LoopDisk, RAWBPF, Result, Running, info, median, text};

const ROUNDS: usize = 21;
const EVENTS: u32 = 5000;

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
    let host = TracedHost::new(None, 0).map_err(text)?;
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

/// Nanoseconds of an event above an empty program's, all on the same events.
fn events() -> Result<()> {
    let _statistics = object::enable_stats().map_err(text)?;
    let disk = LoopDisk::new();
    let script = |text: &str| {
        let text = format!(
            "tracepoint:block:block_rq_issue {{ {text} }} begin {{ printf(\"Tracing\\n\"); }}"
        );
        Running::start(&[*RAWBPF, "trace", "-e", &text])
    };
    let tools = [
        ("empty program", script("")),
        ("@ = hist(args.bytes)", script("@ = hist(args.bytes);")),
        (
            "bitehist tracepoint",
            Running::start(&[*RAWBPF, "bitehist", "--attach", "tracepoint", "3600"]),
        ),
        ("@[comm] = count()", script("@[comm] = count();")),
        ("libbpf-tools' bitesize", Running::start(&["/usr/sbin/bitesize"])),
    ];
    let mut measured = vec![];
    for (name, tool) in &tools {
        match tool {
            Ok(tool) => measured.push((*name, last(tool)?)),
            Err(why) => println!("{name:<24} skipped: {why}"),
        }
    }
    disk.read(4, EVENTS);
    let mut rounds = vec![vec![]; measured.len()];
    for _ in 0..ROUNDS {
        let infos = || measured.iter().map(|(_, id)| info(*id)).collect::<Result<Vec<_>>>();
        let before = infos()?;
        disk.read(4, EVENTS);
        for ((before, after), round) in before.iter().zip(&infos()?).zip(&mut rounds) {
            let runs = (after.run_count - before.run_count) as f64;
            round.push((after.run_time_ns - before.run_time_ns) as f64 / runs);
        }
    }
    let empty = rounds[0].clone();
    for ((name, _), round) in measured.iter().zip(&rounds) {
        let above = round.iter().zip(&empty).map(|(cost, empty)| cost - empty);
        println!("{name:<24} {:>6.1} ns an event above the empty program", median(above));
    }
    Ok(())
}

/// The program of a tool that runs at events: the one that was loaded last.
fn last(tool: &Running) -> Result<u32> {
    tool.programs.iter().max().copied().ok_or_else(|| "it has no program".into())
}
