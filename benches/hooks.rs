//! What the hook of each attach kind costs, measured from outside the programs: the kernel's own statistics begin after
//! it. Twins that differ in the hook alone, an empty program or a tool, at one event.
//!
//! `cargo bench --bench hooks`, as root. On this host a system call is timed, in nanoseconds; on the kernels that the
//! tests boot, a request of a null_blk disk, in instructions: those machines are emulated (QEMU's -icount), with a clock
//! that goes on by a nanosecond with each instruction. `tests/run` fetches the kernels; what is missing is named and
//! left out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rawbpf::host::{Attach, KernelTypes};
use rawbpf::insn::*;
use rawbpf::run::{Plan, Session};

mod common;
use common::*;

/// Places of an empty program.
const HOOKS: [&str; 9] = [
    "tp_btf block_rq_issue",
    "raw_tp block_rq_issue",
    "tracepoint block/block_rq_issue",
    "fentry blk_mq_start_request",
    "fexit blk_mq_start_request",
    "kprobe.multi blk_mq_start_request",
    "kprobe blk_mq_start_request",
    "kretprobe blk_mq_start_request",
    "tp_btf block_rq_complete",
];

/// Whole tools, each by several kinds.
const TOOLS: [(&str, &[&str]); 5] = [
    ("bitehist", &["tp_btf", "fentry", "raw_tp", "tracepoint", "kprobe"]),
    ("bitesize", &["tp_btf", "fentry", "raw_tp", "kprobe"]),
    ("biolatency", &["tp_btf", "fentry", "raw_tp", "kprobe"]),
    ("funclatency blk_mq_start_request", &["fentry", "kprobe"]),
    ("argdist blk_mq_start_request arg0->__data_len", &["fentry", "kprobe"]),
];

/// Places of an empty program on this host, at the entry of each system call.
const HOST: [&str; 3] =
    ["tp_btf sys_enter", "raw_tp sys_enter", "tracepoint raw_syscalls/sys_enter"];

const REQUESTS: u64 = 1000;
const ROUNDS: usize = 15;
const CALLS: u32 = 200_000;

fn main() -> Result<()> {
    if std::env::args().any(|argument| argument == "--guest") {
        return requests();
    }
    println!(
        "ns a system call above one without the program, medians of {ROUNDS} rounds on this host"
    );
    for place in HOST {
        match calls(place) {
            Ok(cost) => println!("{place:<46} {cost:6.1}"),
            Err(why) => println!("{place:<46} skipped: {why}"),
        }
    }
    let (mut kernels, mut rows) = (vec![], BTreeMap::<String, Vec<String>>::new());
    let mut order: Vec<String> = vec![];
    for kernel in guest::kernels() {
        match guest::run(kernel, 1, &[], "--guest") {
            Ok(lines) => {
                for line in lines.lines() {
                    let Some((name, cost)) = line.rsplit_once(' ') else { continue };
                    if !rows.contains_key(name) {
                        order.push(name.to_owned());
                    }
                    let row = rows.entry(name.to_owned()).or_default();
                    row.resize(kernels.len(), "-".into());
                    row.push(cost.to_owned());
                }
                kernels.push(kernel);
            }
            Err(why) => println!("{kernel} skipped: {why}"),
        }
    }
    println!("instructions a request above one without the program, medians of {REQUESTS}");
    let row = |name: &str, cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>7}")).collect();
        println!("{name:<58}{cells}");
    };
    row("", &kernels.iter().map(|kernel| (*kernel).to_owned()).collect::<Vec<_>>());
    for name in order {
        row(&name, &rows[&name]);
    }
    Ok(())
}

/// An empty program at this place.
fn empty(place: &str) -> Result<Session> {
    let mut a = Asm::new();
    a.mov(w0, 0);
    a.exit();
    let program = a.finish().map_err(text)?;
    let (word, name) = place.split_once(' ').ok_or("no place")?;
    let attach = Attach::parse(word, name, &KernelTypes::running()).map_err(text)?;
    Session::attach(&[], vec![Plan::new("empty", attach, program)]).map_err(text)
}

/// In the guest: the median time of a request with nothing attached, then with each hook and each tool.
fn requests() -> Result<()> {
    // Of a process with several threads, each read costs more; while a tool runs, there is a second one.
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
    let disk = Reader::new("nullb0")?;
    let request = || -> Result<f64> {
        let mut times = vec![];
        for number in 0..REQUESTS {
            let begin = Instant::now();
            disk.read(number)?;
            times.push(begin.elapsed().as_nanos() as f64);
        }
        Ok(median(times))
    };
    request()?;
    let without = request()?;
    println!("(without a program, in all) {without}");
    for place in HOOKS {
        match empty(place) {
            Ok(_session) => println!("empty, {place} {}", request()? - without),
            Err(_) => println!("empty, {place} -"),
        }
    }
    for (tool, kinds) in TOOLS {
        for kind in kinds {
            let command: Vec<&str> = [guest::RUN].into_iter().chain(tool.split(' ')).collect();
            let tail = ["--attach", kind, "3600"];
            let name = tool.split(' ').next().unwrap_or_default();
            match Running::start(&[&command[..], &tail].concat()) {
                Ok(running) => {
                    println!("{name} by {kind} {}", request()? - without);
                    running.end()?;
                }
                Err(_) => println!("{name} by {kind} -"),
            }
            // The kernel lets go of it.
            std::thread::sleep(Duration::from_millis(500));
        }
    }
    Ok(())
}

/// What a hook adds to a system call. That there is a hook at all makes each call slower; so there is always one at the
/// return.
fn calls(place: &str) -> Result<f64> {
    let _always = empty("raw_tp sys_exit")?;
    let time = || {
        let begin = Instant::now();
        for _ in 0..CALLS {
            std::hint::black_box(std::os::unix::process::parent_id());
        }
        begin.elapsed().as_nanos() as f64 / f64::from(CALLS)
    };
    time();
    let rounds = (0..ROUNDS).map(|_| {
        let without = time();
        let _session = empty(place)?;
        Ok(time() - without)
    });
    Ok(median(rounds.collect::<Result<Vec<_>>>()?))
}
