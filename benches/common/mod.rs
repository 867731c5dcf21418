//! What the benchmarks share.

#![allow(dead_code, reason = "each benchmark needs some of it")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::Pid;
use rawbpf::sys::Prog;
use rawbpf::sys::object::{self, ObjectKind, ProgInfo};
use serde_json::Value;

#[path = "../../tests/host/disk.rs"]
mod disk;
pub mod guest;
#[path = "../../tests/vm/machine.rs"]
mod machine;
pub use disk::LoopDisk;

pub type Result<T> = std::result::Result<T, String>;

/// The file that people copy: the one for musl, built now, or where that cannot be built cargo's own.
pub static RAWBPF: LazyLock<&str> = LazyLock::new(|| {
    let own = env!("CARGO_BIN_EXE_rawbpf");
    let musl = own.replace("-linux-gnu/", "-linux-musl/");
    let built = Command::new("./cross")
        .args([
            std::env::consts::ARCH,
            "build",
            "--quiet",
            "--locked",
            "--release",
            "--bin",
            "rawbpf",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    if built.is_ok_and(|status| status.success()) {
        return musl.leak();
    }
    println!("musl: skipped: measuring {own}");
    own
});

/// clang, or the one that `tests/run` installs.
pub fn clang() -> Result<Command> {
    let has = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    let name = ["clang", "clang-19"].into_iter().find(has);
    name.map(Command::new).ok_or("neither clang nor clang-19 is installed".into())
}

pub fn text(error: impl ToString) -> String {
    error.to_string()
}

pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Which row the command line asks for, beside what cargo adds to it.
pub fn asked() -> Option<String> {
    std::env::args().skip(1).find(|argument| !argument.starts_with("--"))
}

pub fn info(id: u32) -> Result<ProgInfo> {
    object::prog_info(Prog::from_id(id).map_err(text)?.as_fd()).map_err(text)
}

/// The programs in the kernel.
pub fn programs() -> BTreeSet<u32> {
    object::ids(ObjectKind::Prog).filter_map(|id| id.ok()).collect()
}

/// Waits until the kernel has let go of all programs but these.
pub fn wait_for_end(before: &BTreeSet<u32>) {
    let begin = Instant::now();
    while !programs().is_subset(before) && begin.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(20));
    }
}

/// A tracing tool that runs on a terminal, where output is not held back.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    /// From exec to the line that says that it traces.
    pub start: Duration,
    /// The programs that came into the kernel meanwhile.
    pub programs: Vec<u32>,
}

impl Running {
    /// Starts it and waits until it traces.
    pub fn start(command: &[&str]) -> Result<Running> {
        let before = programs();
        let terminal = openpty(None, None).map_err(text)?;
        let mut raw = tcgetattr(&terminal.slave).map_err(text)?;
        cfmakeraw(&mut raw);
        tcsetattr(&terminal.slave, SetArg::TCSANOW, &raw).map_err(text)?;
        let side = || terminal.slave.try_clone().map_err(text);
        let mut tool = Command::new(command[0]);
        tool.args(&command[1..]).stdin(Stdio::null()).stdout(side()?).stderr(side()?);
        let begin = Instant::now();
        let child = tool.spawn().map_err(|error| format!("{}: {error}", command[0]))?;
        // Reading ends with the last holder of the terminal's other side.
        drop((tool, terminal.slave));
        let (send, lines) = channel();
        // A terminal whose last other side is gone is EIO.
        let output =
            BufReader::new(File::from(terminal.master)).lines().map_while(|line| line.ok());
        thread::spawn(move || {
            output.map(|line| send.send(line)).take_while(|sent| sent.is_ok()).count()
        });
        let mut running = Running { child, lines, start: Duration::ZERO, programs: vec![] };
        let mut first = None;
        loop {
            match running.lines.recv() {
                Ok(line) if line.contains("Tracing") => break,
                Ok(line) => _ = first.get_or_insert(line),
                Err(_) => {
                    _ = running.child.wait();
                    return Err(first.unwrap_or("it ended without a word".into()));
                }
            }
        }
        running.start = begin.elapsed();
        running.programs = programs().difference(&before).copied().collect();
        Ok(running)
    }

    /// The peak of its memory so far, in KiB.
    pub fn memory(&self) -> f64 {
        peak_memory(&self.child.id().to_string())
    }

    /// Ends it as Ctrl-C does: how long that took, and what it printed since it traced.
    pub fn end(mut self) -> Result<(Duration, Vec<String>)> {
        let begin = Instant::now();
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGINT).map_err(text)?;
        self.child.wait().map_err(text)?;
        Ok((begin.elapsed(), self.lines.iter().collect()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The peak of a process's memory, in KiB.
pub fn peak_memory(process: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN)
}

/// All that the lines of JSON count, in histograms and tables: ours, or bpftrace's.
pub fn counted(lines: &[String]) -> u64 {
    let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let count = |line: Value| match (line["type"].as_str(), &line["data"]) {
        (Some("interval"), _) => rows(&line),
        // What else bpftrace remembers at its end is not what was asked for.
        (_, Value::Object(maps)) if maps.keys().any(|name| name.starts_with("@start")) => 0,
        (Some("map"), data) => sum(data),
        (_, data) => buckets(data),
    };
    lines.map(count).sum()
}

/// All that an interval of ours counts.
fn rows(interval: &Value) -> u64 {
    let elements = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let rows = elements(&interval["tables"]).into_iter().flat_map(|table| elements(&table["rows"]));
    rows.filter_map(|row| row["count"].as_u64()).sum()
}

/// All that histograms in text count: `4 -> 7 : 863 |****|`.
pub fn counted_in_text(lines: &[String]) -> u64 {
    let count = |line: &String| {
        let (bucket, rest) = line.split_once(':')?;
        bucket.contains("->").then(|| rest.split_whitespace().next()?.parse::<u64>().ok())?
    };
    lines.iter().filter_map(count).sum()
}

fn sum(value: &Value) -> u64 {
    match value {
        Value::Object(fields) => fields.values().map(sum).sum(),
        value => value.as_u64().unwrap_or(0),
    }
}

fn buckets(value: &Value) -> u64 {
    match value {
        Value::Object(fields) => fields.values().map(buckets).sum(),
        Value::Array(elements) => {
            let element = |element: &Value| match element["min"].is_null() {
                true => buckets(element),
                false => element["count"].as_u64().unwrap_or(0),
            };
            elements.iter().map(element).sum()
        }
        _ => 0,
    }
}

/// Reads a disk past the page cache: a request each.
pub struct Reader(File, RefCell<Block>);

#[repr(C, align(4096))]
struct Block([u8; 4096]);

impl Reader {
    /// Of a disk such as loop0.
    pub fn new(disk: &str) -> Result<Reader> {
        let path = format!("/dev/{disk}");
        let file = File::options().read(true).custom_flags(libc::O_DIRECT).open(path);
        Ok(Reader(file.map_err(text)?, RefCell::new(Block([0; 4096]))))
    }

    /// Reads the block of this number, from the start again behind the last.
    pub fn read(&self, number: u64) -> Result<()> {
        let at = number * 4096 % LoopDisk::SIZE;
        self.0.read_exact_at(&mut self.1.borrow_mut().0, at).map_err(text)
    }
}
