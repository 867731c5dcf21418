//! What a hit of a kprobe costs in instructions: our program, the same written in C and compiled by
//! clang, and one that does nothing, all at the same function of each kernel that the tests boot.
//!
//! `cargo bench --bench kprobe`. The machines are emulated (QEMU's -icount) with a clock that goes on by
//! a nanosecond with each instruction, so that the times the kernel measures are numbers of
//! instructions. `tests/run` fetches the kernels; what is missing is named and left out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rawbpf::sys::object;

mod common;
#[path = "../tests/vm/machine.rs"]
mod machine;
use common::*;
use machine::Machine;

const REQUESTS: u64 = 1000;
const PROGRAMS: [&str; 3] = ["empty", "ours", "clang"];

fn main() -> Result<()> {
    if std::env::args().any(|argument| argument == "--guest") {
        return guest();
    }
    println!("instructions a hit of blk_mq_start_request, minimum and median of {REQUESTS} hits");
    println!(
        "{:<8} {:>14} {:>14} {:>14}   above the empty one",
        "", PROGRAMS[0], PROGRAMS[1], PROGRAMS[2]
    );
    for kernel in include_str!("../tests/vm/kernels").lines() {
        if let Some(name) = kernel.split_whitespace().next().filter(|name| !name.starts_with('#')) {
            match boot(name) {
                Ok(line) => println!("{name:<8} {line}"),
                Err(why) => println!("{name:<8} skipped: {why}"),
            }
        }
    }
    Ok(())
}

fn boot(kernel: &str) -> Result<String> {
    let cached = machine::cache().map_err(text)?.join("kernels").join(kernel);
    if !cached.join("vmlinuz").exists() {
        return Err(format!("no kernel in {}: run tests/run", cached.display()));
    }
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kprobe").join(kernel);
    let _ = fs::remove_dir_all(&work);
    let files = work.join("files");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["bin", "guest/tools"] {
        fs::create_dir_all(files.join(folder)).map_err(text)?;
    }
    let copy = |from: &Path, to: &str| fs::copy(from, files.join(to)).map_err(text);
    copy(Path::new(RAWBPF), "bin/rawbpf")?;
    copy(&std::env::current_exe().map_err(text)?, "bin/kprobe-bench")?;
    copy(&here.join("tests/vm/guest/init.sh"), "init")?;
    fs::set_permissions(files.join("init"), PermissionsExt::from_mode(0o755)).map_err(text)?;
    copy(&here.join("tests/vm/guest/case.sh"), "guest/case.sh")?;
    copy(&here.join("benches/kprobe/guest.sh"), "guest/tools/kprobe.sh")?;
    copy(&here.join("benches/kprobe/empty.bpf"), "empty.bpf")?;
    fs::write(files.join("guest/cases"), "cost kprobe_cost\n").map_err(text)?;
    let built = Command::new("clang")
        .args(["-O2", "-target", "bpf", "-mcpu=v3", "-g", "-DOBJECT", "-c", "-o"])
        .args([files.join("clang.o"), here.join("benches/clang/bitehist.bpf.c")])
        .status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("clang is not installed".into());
    }
    machine::write_initramfs(&cached.join("base.cpio.gz"), &files, &work.join("initramfs"))
        .map_err(text)?;
    let machine = Machine {
        processors: &[
            "-cpu",
            "max,la57=off,cx16=off,rdrand=off,rdseed=off",
            "-smp",
            "1",
            "-icount",
            "shift=0,sleep=off",
            "-rtc",
            "base=2026-01-01,clock=vm",
            "-seed",
            "42",
        ],
        append: "no_timer_check nokaslr tsc=reliable",
    };
    let ending = machine::run(&cached.join("vmlinuz"), &work, &machine).map_err(text)?;
    machine::unpack_results(&work).map_err(text)?;
    let said = |file: &str| fs::read_to_string(work.join("cost").join(file)).unwrap_or_default();
    let line = said("stdout");
    match line.is_empty() {
        true => Err(format!("{ending} {}", said("stderr"))),
        false => Ok(line.trim_end().into()),
    }
}

/// In the guest: runs the three at once and makes one request after the other.
fn guest() -> Result<()> {
    let _statistics = object::enable_stats().map_err(text)?;
    let commands: [&[&str]; 3] = [
        &[RUN, "run", "/empty.bpf", "3600"],
        &[RUN, "bitehist", "--attach", "kprobe", "3600"],
        &[RUN, "run", "/clang.o", "3600"],
    ];
    let (mut tools, mut ids) = (vec![], vec![]);
    for command in commands {
        let before = programs();
        tools.push(Running::start(command)?);
        let mut new = programs().difference(&before).copied().collect::<Vec<_>>();
        ids.push(new.pop().ok_or_else(|| format!("{command:?} has no program"))?);
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

/// Where it is in the guest.
const RUN: &str = "/bin/rawbpf";
