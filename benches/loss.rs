//! Whether all events are counted at the highest rate that this machine makes, while they are read and
//! printed ten times a second: by our tools, and by others that do the same.
//!
//! `cargo bench --bench loss`, as root; `-- NAME` for one tool. Everything runs alone for two seconds. What this host lacks is
//! named and left out.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use nix::sys::prctl;
use nix::unistd::getpgid;

mod common;
use common::*;

/// How long events are made.
const LONG: Duration = Duration::from_secs(2);

fn main() -> Result<()> {
    println!(
        "{:<26} {:<14} {:>10} {:>10} {:>10} {:>9}  {:>10}",
        "", "", "made", "counted", "lost", "", "a second"
    );
    block_io()?;
    system_calls();
    user_calls();
    Ok(())
}

/// A tool under its name, with its arguments.
type Tool<'a> = (&'a str, Vec<&'a str>);

/// Runs the tools one after the other, each while these events are made.
fn compare(what: &str, tools: &[Tool], make: &dyn Fn() -> Result<u64>) {
    let asked = asked();
    let tools = tools.iter().filter(|_| asked.as_ref().is_none_or(|asked| what.contains(asked)));
    for (name, command) in tools {
        print!("{what:<26} {name:<14} ");
        match count(command, make) {
            Err(why) => println!("skipped: {why}"),
            Ok((made, counted, notes)) => {
                let lost = made as i64 - counted as i64;
                let share = lost as f64 / made as f64 * 100.0;
                let rate = made as f64 / LONG.as_secs_f64();
                println!("{made:>10} {counted:>10} {lost:>10} {share:>8.3}%  {rate:>10.0}");
                notes.iter().for_each(|note| println!("{:>42}{note}", ""));
            }
        }
    }
}

/// How many events were made and how many were counted, and what the tool said besides.
fn count(command: &[&str], make: &dyn Fn() -> Result<u64>) -> Result<(u64, u64, Vec<String>)> {
    let before = programs();
    let tool = Running::start(command)?;
    let made = make()?;
    let (_, lines) = tool.end()?;
    wait_for_end(&before);
    let notes = lines.iter().filter(|line| line.starts_with(command.get(1).unwrap_or(&"")));
    let notes = notes.filter(|_| command[0] == *RAWBPF).cloned().collect();
    Ok((made, counted(&lines) + counted_in_text(&lines), notes))
}

/// Requests of several threads to a disk.
fn block_io() -> Result<()> {
    let disk = LoopDisk::new();
    let name = disk.name();
    let make = || {
        by_all_cpus(4, |thread, of| {
            let reader = Reader::new(disk.name())?;
            // No thread's requests are next to another's, so that none are merged.
            let mut at = thread * (LoopDisk::SIZE / 4096) / of;
            Ok(move || {
                at += 1;
                reader.read(at)
            })
        })
    };
    let number = fs::read_to_string(format!("/sys/block/{name}/dev")).map_err(text)?;
    let (major, minor) = number.trim().split_once(':').ok_or("no number of the disk")?;
    let number = major.parse::<u32>().map_err(text)? << 20 | minor.parse::<u32>().map_err(text)?;
    let here = format!("/args->dev == {number}/");

    let sizes =
        format!("tracepoint:block:block_rq_issue {here} {{ @ = hist(args->bytes / 1024); }}");
    let tools = [ours(&["bitehist", "-d", name]), bpftrace(&sizes)];
    compare("bitehist", &borrow(&tools), &make);

    let sizes =
        format!("tracepoint:block:block_rq_issue {here} {{ @[comm] = hist(args->bytes); }}");
    let tools = [
        ours(&["bitesize", "-d", name]),
        bpftrace(&sizes),
        other("libbpf-tools 1s", &["/usr/sbin/bitesize", "-d", name, "1"]),
        other("bcc", &["/usr/sbin/bitesize-bpfcc"]),
    ];
    compare("bitesize", &borrow(&tools), &make);

    let latency = format!(
        "tracepoint:block:block_rq_issue {here} {{ @start[args->sector] = nsecs; }}
        tracepoint:block:block_rq_complete {here} {{
            if (@start[args->sector]) {{
                @ = hist((nsecs - @start[args->sector]) / 1000);
                delete(@start[args->sector]);
            }}
        }}"
    );
    let tools = [
        ours(&["biolatency", "-d", name]),
        bpftrace(&latency),
        other("libbpf-tools 1s", &["/usr/sbin/biolatency", "-d", name, "1"]),
        other("bcc 1s", &["/usr/sbin/biolatency-bpfcc", "-d", name, "1"]),
    ];
    compare("biolatency", &borrow(&tools), &make);
    compare("bioheat", &borrow(&[ours(&["bioheat", "-d", name])]), &make);
    Ok(())
}

/// A system call, by this process alone.
fn system_calls() {
    let pid = std::process::id().to_string();
    let make = || by_all_cpus(1, |_, _| Ok(|| getpgid(None).map(|_| ()).map_err(text)));
    let enter = format!("tracepoint:syscalls:sys_enter_getpgid /pid == {pid}/");

    let tools = [
        ours(&["funccount", "syscalls:sys_enter_getpgid", "-p", &pid]),
        bpftrace(&format!("{enter} {{ @ = count(); }}")),
        other("bcc 1s", &["/usr/sbin/funccount-bpfcc", "-i", "1", "t:syscalls:sys_enter_getpgid"]),
    ];
    compare("funccount", &borrow(&tools), &make);

    let names: Vec<_> = (0..1000).map(|number| format!("name{number}\0")).collect();
    let names: Vec<_> = names
        .iter()
        .filter_map(|name| std::ffi::CStr::from_bytes_with_nul(name.as_bytes()).ok())
        .collect();
    let named = || {
        by_all_cpus(1, |thread, _| {
            let mut at = 500 * thread as usize;
            let names = &names;
            Ok(move || {
                at += 1;
                prctl::set_name(names[at % names.len()]).map_err(text)?;
                getpgid(None).map(|_| ()).map_err(text)
            })
        })
    };
    let by = ["--by", "comm"];
    let tools = [
        ours(&[&["funccount", "syscalls:sys_enter_getpgid", "-p", &pid], &by[..]].concat()),
        bpftrace(&format!("{enter} {{ @[comm] = count(); }}")),
    ];
    compare("funccount by 1000 names", &borrow(&tools), &named);

    let tools = [
        ours(&["argdist", "syscalls:sys_exit_getpgid", "ret", "-p", &pid]),
        bpftrace(&format!(
            "tracepoint:syscalls:sys_exit_getpgid /pid == {pid}/ {{ @ = hist(args->ret); }}"
        )),
        other(
            "bcc 1s",
            &[
                "/usr/sbin/argdist-bpfcc",
                "-i",
                "1",
                "-H",
                "t:syscalls:sys_exit_getpgid():int:args->ret",
            ],
        ),
    ];
    compare("argdist", &borrow(&tools), &make);
}

/// A function of a process, called by a thread on each CPU.
fn user_calls() {
    let binary = match calls() {
        Ok(binary) => binary,
        Err(why) => return println!("{:<26} skipped: {why}", "funclatency"),
    };
    let make = || {
        let threads = cpus().to_string();
        let output = Command::new(&binary).arg(threads).output().map_err(text)?;
        String::from_utf8_lossy(&output.stdout).trim().parse().map_err(text)
    };
    let place = format!("{binary}:called");
    let latency = format!(
        "uprobe:{place} {{ @start[tid] = nsecs; }}
        uretprobe:{place} /@start[tid]/ {{ @ = hist(nsecs - @start[tid]); delete(@start[tid]); }}"
    );
    let tools = [
        ours(&["funclatency", &place, "--unit", "ns"]),
        bpftrace(&latency),
        // Its tables are of all calls so far: the last one at the end.
        other("libbpf-tools", &["/usr/sbin/funclatency", &place]),
        other("bcc 1s", &["/usr/sbin/funclatency-bpfcc", "-i", "1", &place]),
    ];
    compare("funclatency", &borrow(&tools), &make);

    let tools = [
        ours(&["argdist", &place, "arg0"]),
        bpftrace(&format!("uprobe:{place} {{ @ = hist(arg0); }}")),
    ];
    compare("argdist of a user function", &borrow(&tools), &make);
}

/// Builds the program with the function.
fn calls() -> Result<String> {
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("calls");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/calls/calls.c");
    let built =
        Command::new("cc").args(["-O2", "-pthread", "-o"]).arg(&binary).arg(source).status();
    match built.is_ok_and(|status| status.success()) {
        true => Ok(binary.display().to_string()),
        false => Err("no cc to build the function with".into()),
    }
}

fn ours(arguments: &[&str]) -> (&'static str, Vec<String>) {
    other("rawbpf", &[&[*RAWBPF], arguments, &["--json", "0.1"]].concat())
}

/// As its users write it.
fn bpftrace(probes: &str) -> (&'static str, Vec<String>) {
    let program = format!(
        "BEGIN {{ printf(\"Tracing\\n\"); }} {probes} interval:ms:100 {{ print(@); clear(@); }}"
    );
    other("bpftrace", &["bpftrace", "-f", "json", "-e", &program])
}

fn other(name: &'static str, command: &[&str]) -> (&'static str, Vec<String>) {
    (name, command.iter().map(|word| (*word).to_owned()).collect())
}

fn borrow<'a>(tools: &'a [(&'static str, Vec<String>)]) -> Vec<Tool<'a>> {
    tools
        .iter()
        .map(|(name, command)| (*name, command.iter().map(String::as_str).collect()))
        .collect()
}

fn cpus() -> u64 {
    available_parallelism().map_or(1, |cpus| cpus.get() as u64)
}

/// Makes events on all CPUs, by so many threads on each. `maker` is told the number of a thread of how
/// many, and gives what makes an event. How many were made.
fn by_all_cpus<Make: FnMut() -> Result<()>>(
    on_each: u64,
    maker: impl Fn(u64, u64) -> Result<Make> + Sync,
) -> Result<u64> {
    let threads = cpus() * on_each;
    thread::scope(|scope| {
        let maker = &maker;
        let run = |thread| {
            move || {
                let mut make = maker(thread, threads)?;
                let (begin, mut made) = (Instant::now(), 0);
                while begin.elapsed() < LONG {
                    make()?;
                    made += 1;
                }
                Ok(made)
            }
        };
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(run(thread))).collect();
        running.into_iter().map(|thread| thread.join().map_err(|_| "a thread failed")?).sum()
    })
}
