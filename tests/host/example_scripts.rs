//! The scripts of examples/scripts whose probes this kernel has, each while something happens whose true answer is
//! known. What others on this host do counts too, where a script does not tell them apart: then there is at least that
//! much. Those at functions of the kernel run in the machines of tests/vm.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::kill;
use nix::unistd::{Pid, fdatasync, getpgid};

use crate::disk::LoopDisk;
use crate::folder::Folder;
use crate::scripts;
use crate::tool::{self, Ended, Tool};

/// How often each thing is done.
const TIMES: usize = 53;

/// A script that is attached, and these arguments of its.
fn start(name: &str, args: &[&str]) -> Tool {
    tool::with_tracefs();
    let script = format!("{}/examples/scripts/{name}.bt", env!("CARGO_MANIFEST_DIR"));
    Tool::start("trace", &[&["--no-warnings", &*script], args].concat())
}

fn stop(tool: Tool) -> Ended {
    let ended = tool.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended
}

/// So many lines of what the script printed have these words, but for those that it says were lost: a busy host opens
/// more files than can be printed.
#[track_caller]
fn printed(ended: &Ended, words: &[&str], times: usize) {
    let lost = scripts::lost(&ended.stderr) as usize;
    let counted = lines(&ended.stdout, words);
    let Ended { stdout, stderr, .. } = ended;
    assert!(counted <= times && counted + lost >= times, "{counted}: {stdout}{stderr}");
}

/// Does this so often in a thread of that name.
fn by_thread(name: &str, work: impl Fn() + Send + 'static) {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(move || (0..TIMES).for_each(|_| work())).unwrap().join().unwrap();
}

/// How many lines have all these words.
fn lines(printed: &str, words: &[&str]) -> usize {
    let has = |line: &&str| words.iter().all(|word| line.split_whitespace().any(|it| it == *word));
    printed.lines().filter(has).count()
}

/// The counts in the rows of all histograms below the line that begins so, up to the next empty line.
fn rows(printed: &str, begin: &str) -> u64 {
    let from = printed.lines().skip_while(|line| !line.starts_with(begin)).skip(1);
    let rows = from.take_while(|line| line.starts_with('[') || line.starts_with('('));
    rows.map(|row| row.split('|').next().unwrap().split_whitespace().last().unwrap())
        .map(|count| count.parse::<u64>().unwrap())
        .sum()
}

/// The sum of the numbers at the ends of the lines that begin so.
fn numbers(printed: &str, begin: &str) -> u64 {
    scripts::numbers(printed, begin).into_iter().sum()
}

/// A process that becomes the command once it is let go.
fn held(command: &str) -> Child {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("read go; exec {command}")]).stdin(Stdio::piped());
    shell.stderr(Stdio::null()).spawn().unwrap()
}

fn let_go(mut held: Child) {
    held.stdin.take().unwrap().write_all(b"\n").unwrap();
    held.wait().unwrap();
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn hello() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/scripts/hello.bt");
    let ended = tool::run("trace", &["-q", script]);
    let cpu = ended.stdout.trim_end().strip_prefix("Hello from CPU ");
    let cpu = cpu.and_then(|cpu| cpu.strip_suffix('.'));
    assert!(cpu.is_some_and(|cpu| cpu.parse::<u32>().is_ok()), "{}", ended.stdout);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn block_requests_and_sizes_by_who_issued_them() {
    let disk = LoopDisk::new();
    let sizes = start("block-sizes", &[]);
    let requests = start("block-requests", &[]);
    let (all, latency) = (start("block-io", &[]), start("block-latency", &[]));
    thread::scope(|scope| {
        let name = thread::Builder::new().name("issues-53".to_owned());
        name.spawn_scoped(scope, || disk.read_one_place(TIMES as u64)).unwrap();
    });
    let sizes = stop(sizes).stdout;
    assert_eq!(rows(&sizes, "@bytes[issues-53]:"), TIMES as u64, "{sizes}");
    let requests = stop(requests).stdout;
    let device = fs::read_to_string(format!("/sys/block/{}/dev", disk.name())).unwrap();
    let device: Vec<_> = device.trim().split(':').collect();
    let device = format!("{:>3}:{:<3}", device[0], device[1]);
    let ours = |line: &&str| line.contains(&device) && line.contains("issues-53");
    let ours: Vec<_> = requests.lines().filter(ours).collect();
    // On some kernels a program misses the end of a request now and then, whose line is then missing.
    assert!(ours.len() <= TIMES && ours.len() + 2 >= TIMES, "{requests}");
    assert!(ours.iter().all(|line| line.contains(" 4096 ")), "{requests}");
    assert!(rows(&stop(all).stdout, "@bytes:") >= TIMES as u64);
    assert!(rows(&stop(latency).stdout, "@usecs:") + 2 >= TIMES as u64);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn files_that_are_opened_asked_about_and_synced() {
    let folder = Folder::new("example-scripts");
    let path = folder.file("no-such-file");
    let (opened, stats, syncs) =
        (start("opened-files", &[]), start("stat-calls", &[]), start("sync-calls", &[]));
    let missing = CString::new(path.clone()).unwrap();
    let name = PathBuf::from(&path);
    by_thread("opens-53", move || assert!(File::open(&name).is_err()));
    let name = missing.clone();
    by_thread("asks-53", move || {
        assert!(nix::sys::stat::stat(name.as_c_str()).is_err());
    });
    let file = File::create(folder.file("file")).unwrap();
    by_thread("syncs-53", move || fdatasync(&file).unwrap());
    printed(&stop(opened), &["opens-53", &path], TIMES);
    printed(&stop(stats), &["asks-53", "2", &path], TIMES);
    let probe = "tracepoint:syscalls:sys_enter_fdatasync";
    printed(&stop(syncs), &["syncs-53", probe], TIMES);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn what_read_returns_to_a_process() {
    let reads = held("dd if=/dev/zero of=/dev/null bs=4099 count=1009");
    let errors = held("dd if=/ of=/dev/null bs=4099 count=1");
    let [of_reads, of_errors] =
        [&reads, &errors].map(|process| start("read-results", &[&process.id().to_string()]));
    let_go(reads);
    let_go(errors);
    let printed = stop(of_reads).stdout;
    let row = printed.lines().find(|line| line.starts_with("[4K, 8K)")).unwrap();
    assert_eq!(row.split_whitespace().nth(2), Some("1009"), "{printed}");
    // A folder is not read.
    let printed = stop(of_errors).stdout;
    assert_eq!(numbers(&printed, "@errors[21]:"), 1, "{printed}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn signals_and_changes_of_users() {
    let (signals, users) = (start("signals", &[]), start("set-ids", &[]));
    let own = Pid::this();
    by_thread("signals-53", move || kill(own, None).unwrap());
    let mut child = Command::new("setpriv").args(["--ruid", "65534", "true"]).spawn().unwrap();
    let changed = child.id().to_string();
    child.wait().unwrap();
    printed(&stop(signals), &["signals-53", "0", &own.to_string()], TIMES);
    printed(&stop(users), &[&changed, "setresuid", "65534", "0"], 1);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn system_calls_by_who_makes_them() {
    let calls = start("system-calls", &[]);
    let thread = thread::Builder::new().name("calls-200000".to_owned());
    let asks = || (0..200_000).for_each(|_| _ = getpgid(None));
    thread.spawn(asks).unwrap().join().unwrap();
    // Until it is printed with the five busiest of its second.
    thread::sleep(Duration::from_millis(1100));
    let printed = stop(calls).stdout;
    let counted = numbers(&printed, "@calls[calls-200000]:");
    // A thread's beginning and end have some.
    assert!((200_000..200_050).contains(&counted), "{counted}: {printed}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn processes_switches_and_waits() {
    let new = start("new-processes", &[]);
    let events = start("scheduler-events", &[]);
    let (waits, stacks) = (start("run-queue", &[]), start("switch-stacks", &[]));
    for _ in 0..TIMES {
        assert!(Command::new("true").status().unwrap().success());
    }
    thread::sleep(Duration::from_millis(1100));
    let printed = stop(new).stdout;
    let counted: u64 =
        printed.lines().filter_map(|line| line.split(' ').nth(1)?.parse::<u64>().ok()).sum();
    assert!(counted >= TIMES as u64, "{printed}");
    let printed = stop(waits).stdout;
    assert!(rows(&printed, "@usecs:") >= TIMES as u64, "{printed}");
    let printed = stop(stacks).stdout;
    assert!(printed.contains("schedule") && numbers(&printed, "]:") >= TIMES as u64, "{printed}");
    // It ends by itself, after five seconds.
    let ended = events.wait();
    for probe in ["fork", "exec", "exit"] {
        let counted =
            numbers(&ended.stdout, &format!("@hits[tracepoint:sched:sched_process_{probe}]:"));
        assert!(counted >= TIMES as u64, "{probe}: {}", ended.stdout);
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn samples_come_99_times_a_second() {
    let begin = Instant::now();
    let (cpus, stacks) = (start("busy-cpus", &[]), start("busy-stacks", &[]));
    let attached = Instant::now();
    let all = thread::available_parallelism().unwrap().get();
    let busy = Duration::from_millis(1500);
    thread::scope(|scope| {
        for _ in 0..all {
            scope.spawn(|| while attached.elapsed() < busy {});
        }
    });
    let least = attached.elapsed().as_secs_f64();
    let (cpus, stacks) = (stop(cpus).stdout, stop(stacks).stdout);
    let most = begin.elapsed().as_secs_f64() * 99.0 * all as f64;
    // A host of others' may take time from this one.
    let range = least * 99.0 * all as f64 * 0.7..=most + all as f64;
    let [counted, sampled] = [rows(&cpus, "@cpu:"), numbers(&stacks, "]:")];
    assert!(range.contains(&(counted as f64)), "{counted} not in {range:?}: {cpus}");
    assert!(range.contains(&(sampled as f64)), "{sampled} not in {range:?}: {stacks}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn pages_that_are_written_back() {
    let disk = LoopDisk::new();
    let device = format!("/dev/{}", disk.name());
    let folder = Folder::new("writeback");
    let mounted = PathBuf::from(folder.file("mounted"));
    fs::create_dir(&mounted).unwrap();
    let done = |command: &mut Command| assert!(command.output().unwrap().status.success());
    done(Command::new("mkfs.ext4").arg("-q").arg(&device));
    done(Command::new("mount").arg(&device).arg(&mounted));
    let written = start("writeback", &[]);
    write_and_sync(&mounted.join("file"));
    done(Command::new("umount").arg(&mounted));
    let printed = stop(written).stdout;
    let number = fs::read_to_string(format!("/sys/block/{}/dev", disk.name())).unwrap();
    let of_disk = |line: &&str| line.split_whitespace().nth(1) == Some(number.trim());
    let pages = printed.lines().filter(of_disk).map(|line| line.split_whitespace().nth(2).unwrap());
    let pages: u64 = pages.map(|pages| pages.parse::<u64>().unwrap()).sum();
    assert!(pages >= PAGES, "{pages}: {printed}");
}

/// In a file, of 4 KiB.
const PAGES: u64 = 1009;

fn write_and_sync(path: &Path) {
    let mut file = File::create(path).unwrap();
    file.write_all(&vec![7; PAGES as usize * 4096]).unwrap();
    drop(file);
    assert!(Command::new("sync").arg("-f").arg(path).status().unwrap().success());
}
