//! What a hit of a kprobe costs in instructions: our program, the same written in C and compiled by
//! clang, and one that does nothing, all at the same function of each kernel that the tests boot.
//!
//! `cargo bench --bench kprobe`. The machines are emulated (QEMU's -icount) with a clock that goes on by
//! a nanosecond with each instruction, so that the times the kernel measures are numbers of
//! instructions. `tests/run` fetches the kernels; what is missing is named and left out.

use std::path::{Path, PathBuf};

use rawbpf::sys::object;

mod common;
use common::*;

const REQUESTS: u64 = 1000;

fn main() -> Result<()> {
    if std::env::args().any(|argument| argument == "--guest") {
        return hits();
    }
    println!("instructions a hit of blk_mq_start_request, minimum and median of {REQUESTS} hits");
    println!("{:<8} {:>14} {:>14} {:>14}   above the empty one", "", "empty", "ours", "clang");
    let files = [here("benches/kprobe/empty.bpf"), clang()?];
    for kernel in guest::kernels() {
        match guest::run(kernel, 1, &files, "--guest") {
            Ok(line) => println!("{kernel:<8} {line}"),
            Err(why) => println!("{kernel:<8} skipped: {why}"),
        }
    }
    Ok(())
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The program in C, compiled to an object for all kernels.
fn clang() -> Result<PathBuf> {
    let object = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clang.o");
    let built = common::clang()?
        .args(["-O2", "-target", "bpf", "-mcpu=v3", "-g", "-DOBJECT", "-c", "-o"])
        .args([&object, &here("benches/clang/bitehist.bpf.c")])
        .status();
    match built.is_ok_and(|status| status.success()) {
        true => Ok(object),
        false => Err("clang does not compile benches/clang".into()),
    }
}

/// In the guest: runs the three at once and makes one request after the other.
fn hits() -> Result<()> {
    let _statistics = object::enable_stats().map_err(text)?;
    let commands: [&[&str]; 3] = [
        &[guest::RUN, "run", "/empty.bpf", "3600"],
        &[guest::RUN, "bitehist", "--attach", "kprobe", "3600"],
        &[guest::RUN, "run", "/clang.o", "3600"],
    ];
    let (mut tools, mut ids) = (vec![], vec![]);
    for command in commands {
        let tool = Running::start(command)?;
        ids.push(*tool.programs.first().ok_or_else(|| format!("{command:?} has no program"))?);
        tools.push(tool);
    }
    let disk = Reader::new("nullb0")?;
    let mut costs = vec![vec![]; ids.len()];
    for number in 0..REQUESTS {
        let infos = || ids.iter().map(|id| info(*id)).collect::<Result<Vec<_>>>();
        let before = infos()?;
        disk.read(number)?;
        for ((costs, before), after) in costs.iter_mut().zip(before).zip(infos()?) {
            if after.run_count == before.run_count + 1 {
                costs.push((after.run_time_ns - before.run_time_ns) as f64);
            }
        }
    }
    let least = |costs: &Vec<f64>| costs.iter().copied().fold(f64::INFINITY, f64::min);
    let both = |costs: &Vec<f64>| (least(costs), median(costs.iter().copied()));
    let [empty, ours, clang] = [0, 1, 2].map(|program| both(&costs[program]));
    let pair = |(least, median)| format!("{least:>6} {median:>7}");
    let (above, clangs) = (ours.1 - empty.1, clang.1 - empty.1);
    println!(
        "{} {} {}   ours {above}, clang's {clangs}, ratio {:.2}",
        pair(empty),
        pair(ours),
        pair(clang),
        above / clangs
    );
    Ok(())
}
