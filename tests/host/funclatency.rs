//! funclatency on functions of this test's own: known numbers of calls, of a known length.

use std::hint::black_box;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::lines::{count, counted, interval, intervals, lost, row, row_of, rows};
use crate::tool::{self, Ended, Tool};
use rawbpf::sample::LostKind;
use serde_json::Value;

/// This test's binary, which has the functions below.
fn here() -> String {
    std::env::current_exe().unwrap().to_str().unwrap().to_owned()
}

fn place(symbol: &str) -> String {
    format!("{}:{symbol}", here())
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn rawbpf_test_sleep(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}

/// A call with `depth` more inside it, each of which takes a millisecond longer than the next.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn rawbpf_test_recurse(depth: u64) -> u64 {
    thread::sleep(Duration::from_millis(1));
    match depth {
        0 => 0,
        _ => black_box(rawbpf_test_recurse(depth - 1)) + 1,
    }
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn rawbpf_test_quick(value: u64) -> u64 {
    black_box(value)
}

/// Tests run beside each other in one process: one at a time calls the functions.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A tool that traces a function of this process.
fn traced(symbol: &str, args: &[&str]) -> Tool {
    let place = place(symbol);
    let pid = std::process::id().to_string();
    let own = [&place, "--json", "-p", &pid];
    Tool::start("funclatency", &[&own, args, &["3600"]].concat())
}

/// The only interval.
fn line(output: &Ended) -> Value {
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    interval(&output.stdout)
}

/// Nothing was left out; calls may be open.
#[track_caller]
fn complete(line: &Value) {
    for what in LostKind::ALL.map(LostKind::name) {
        assert!(matches!(what, "open" | "missed_events") || lost(line, what) == 0, "{line}");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_function_called_so_often_for_so_long_is_shown_so() {
    let _alone = alone();
    let tool = traced("rawbpf_test_sleep", &[]);
    for _ in 0..97 {
        rawbpf_test_sleep(5);
    }
    let line = line(&tool.stop());
    complete(&line);
    let row = row(&line);
    assert_eq!(count(row), 97, "{line}");
    let counted = counted(row);
    // A busy host sleeps longer now and then.
    assert!(counted.iter().all(|(min, _)| *min >= 4096), "{line}");
    let close: u64 = counted.iter().filter(|(min, _)| *min <= 8192).map(|(_, n)| n).sum();
    assert!(close > 48, "{line}");
    let number = |name: &str| row[name].as_f64().unwrap();
    assert!(number("min") >= 5000.0 && number("min") < 16384.0, "{line}");
    assert!(number("average") > number("min") && number("average") < number("max"), "{line}");
    assert!(number("p50_below") <= 16384.0, "{line}");
}

/// Sleeps, and says for how many nanoseconds it did.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn rawbpf_test_timed_sleep(microseconds: u64) -> u64 {
    let start = Instant::now();
    thread::sleep(Duration::from_micros(microseconds));
    start.elapsed().as_nanos() as u64
}

/// What lies between the probes is longer than what the function times itself, and shorter than what its caller
/// does: so are the order statistics, of which no bound may be off by more than it says.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn percentiles_are_as_near_to_the_exact_ones_as_they_say() {
    const PERCENTS: [f64; 6] = [1.0, 50.0, 90.0, 99.0, 99.9, 99.99];
    let _alone = alone();
    let asked = PERCENTS.map(|percent| percent.to_string()).join(",");
    for (by, error) in [(&[][..], 1.0625), (&["--by", "pid"], 1.125)] {
        let options = [by, &["--percentiles", &asked]].concat();
        let tool = traced("rawbpf_test_timed_sleep", &options);
        let (mut inside, mut outside): (Vec<u64>, Vec<u64>) = (0..1000_u64)
            .map(|call| {
                let start = Instant::now();
                // Most are short, some long.
                let inside =
                    rawbpf_test_timed_sleep(20 + (call * call * call * 7919) % 97 * (call % 41));
                (inside, start.elapsed().as_nanos() as u64)
            })
            .unzip();
        inside.sort_unstable();
        outside.sort_unstable();
        let line = line(&tool.stop());
        complete(&line);
        let row = rows(&line)[0].clone();
        assert_eq!(count(&row), 1000, "{line}");
        for percent in PERCENTS {
            let rank = (percent * 10.0).ceil() as usize - 1;
            let below = row[format!("p{percent}_below")].as_f64().unwrap() * 1000.0;
            let (least, most) = (inside[rank] as f64, outside[rank] as f64 * error);
            assert!(least < below && below <= most, "p{percent}: {least} {below} {most}");
        }
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn each_call_of_a_function_that_calls_itself_is_timed_by_itself() {
    let _alone = alone();
    let bounds = (1..=31).map(|bound: u32| bound.to_string()).collect::<Vec<_>>().join(",");
    let tool = traced("rawbpf_test_recurse", &["--unit", "ms", "--custom", &bounds]);
    for _ in 0..3 {
        assert_eq!(rawbpf_test_recurse(30), 30);
    }
    let line = line(&tool.stop());
    complete(&line);
    assert_eq!(count(row(&line)), 93, "{line}");
    let counted = counted(row(&line));
    // The k-th call from the inside takes k milliseconds at least: no bucket below has its share.
    for bound in 1..=31 {
        let below: u64 = counted.iter().filter(|(min, _)| *min < bound).map(|(_, n)| n).sum();
        assert!(below <= 3 * (bound - 1), "{bound}: {line}");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn threads_beside_each_other_lose_no_call() {
    let _alone = alone();
    let tool = traced("rawbpf_test_quick", &["--unit", "ns"]);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5003).for_each(|value| assert_eq!(rawbpf_test_quick(value), value)));
        }
    });
    let line = line(&tool.stop());
    complete(&line);
    assert_eq!(count(row(&line)), 4 * 5003, "{line}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn calls_from_before_tracing_began_are_not_taken_for_missed_ones() {
    let _alone = alone();
    let stop = AtomicBool::new(false);
    let outputs: Vec<_> = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                rawbpf_test_recurse(3);
            }
        });
        let outputs = (0..5).map(|_| {
            let tool = traced("rawbpf_test_recurse", &[]);
            thread::sleep(Duration::from_millis(100));
            tool.stop()
        });
        let outputs = outputs.collect();
        stop.store(true, Ordering::Relaxed);
        outputs
    });
    let lines: Vec<_> = outputs.iter().map(line).collect();
    lines.iter().for_each(complete);
    assert!(lines.iter().any(|line| count(row(line)) != 0), "{lines:?}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_call_that_is_not_over_is_open() {
    let _alone = alone();
    let (begin, begun) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let tool = traced("rawbpf_test_sleep", &[]);
        scope.spawn(move || {
            drop(begin);
            rawbpf_test_sleep(1500);
        });
        assert!(begun.recv().is_err());
        thread::sleep(Duration::from_millis(300));
        let line = line(&tool.stop());
        complete(&line);
        assert_eq!((count(row(&line)), lost(&line, "open")), (0, 1), "{line}");
    });
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn no_call_is_lost_or_counted_twice_between_intervals() {
    let _alone = alone();
    let own = place("rawbpf_test_quick");
    let pid = std::process::id().to_string();
    let tool = Tool::start("funclatency", &[&own, "--json", "-p", &pid, "0.1"]);
    let start = std::time::Instant::now();
    let mut calls = 0;
    while start.elapsed() < Duration::from_millis(700) {
        calls += 1 + rawbpf_test_quick(0);
    }
    let output = tool.stop();
    let counts: Vec<u64> = intervals(&output.stdout).iter().map(|line| count(row(line))).collect();
    assert!(counts.len() > 3, "{counts:?}");
    assert_eq!(counts.iter().sum::<u64>(), calls);
}

/// A Python that sleeps so often for five milliseconds once it gets a line, and then waits for another.
struct Sleeper(Child);

impl Sleeper {
    const LIBC: &str = "/lib/x86_64-linux-gnu/libc.so.6:clock_nanosleep";

    fn new(times: u32) -> Sleeper {
        let sleep = format!("for _ in range({times}): time.sleep(0.005)");
        let script = format!("import time\ninput()\n{sleep}\nprint(flush=True)\ninput()");
        let child = Command::new("python3")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Sleeper(child.unwrap())
    }

    fn sleep(&mut self) {
        use std::io::{Read, Write};
        self.0.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        let mut end = [0];
        self.0.stdout.as_mut().unwrap().read_exact(&mut end).unwrap();
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_librarys_function_is_told_by_process() {
    let mut sleepers = [Sleeper::new(29), Sleeper::new(41)];
    let args = [Sleeper::LIBC, "--json", "--by", "pid", "--linear", "0,100000,4000", "3600"];
    let tool = Tool::start("funclatency", &args);
    for sleeper in &mut sleepers {
        sleeper.sleep();
    }
    let line = line(&tool.stop());
    for (sleeper, times) in sleepers.iter().zip([29, 41]) {
        let row = row_of(&line, "pid", sleeper.0.id());
        assert_eq!(counted(row)[0].0, 4000, "{line}");
        assert_eq!(count(row), times, "{line}");
    }
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn another_process_does_not_count() {
    let (mut one, mut other) = (Sleeper::new(11), Sleeper::new(13));
    let pid = one.0.id().to_string();
    let tool = Tool::start("funclatency", &[Sleeper::LIBC, "--json", "-p", &pid, "3600"]);
    one.sleep();
    other.sleep();
    let line = line(&tool.stop());
    complete(&line);
    assert_eq!(count(row(&line)), 11, "{line}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn more_processes_than_there_is_room_for_are_counted() {
    let mut sleepers = [Sleeper::new(7), Sleeper::new(7), Sleeper::new(7)];
    let by = ["--by", "pid", "--max-keys", "1"];
    let tool =
        Tool::start("funclatency", &[&[Sleeper::LIBC, "--json"], &by[..], &["3600"]].concat());
    for sleeper in &mut sleepers {
        sleeper.sleep();
    }
    let line = line(&tool.stop());
    let counted: u64 = rows(&line).iter().map(count).sum();
    let more = lost(&line, "beyond_max_keys");
    // Other processes sleep too, but these three have 21 calls.
    assert!(more >= 14 && counted + more >= 21, "{line}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_table_has_its_summary_below() {
    let _alone = alone();
    let own = place("rawbpf_test_sleep");
    let pid = std::process::id().to_string();
    let args = [&own, "-p", &pid, "--unit", "ms", "--linear", "2,1000,998", "3600"];
    let tool = Tool::start("funclatency", &args);
    for _ in 0..3 {
        rawbpf_test_sleep(3);
    }
    let output = tool.stop();
    let lines: Vec<_> = output.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert_eq!(lines[1], "     msecs           : count     distribution");
    let row = "       2 -> 999      : 3        |************************************* |";
    assert_eq!(lines[2], row);
    assert!(lines[3].starts_with("     count 3, average "), "{lines:?}");
    assert_eq!(lines[4], "     by bucket: p50 < 1000, p90 < 1000, p99 < 1000");
}

/// A function that is called so in the source, and otherwise among the symbols.
#[inline(never)]
fn nap(value: u64) -> u64 {
    black_box(value)
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_function_is_found_by_its_name_in_the_source_and_named_so() {
    let _alone = alone();
    let function = place("host::funclatency::nap");
    let pid = std::process::id().to_string();
    let tool = Tool::start("funclatency", &[&function, "--json", "-p", &pid, "3600"]);
    (0..31).for_each(|value| assert_eq!(nap(value), value));
    let output = tool.stop();
    let line = line(&output);
    complete(&line);
    assert_eq!(count(row(&line)), 31, "{line}");
    let first = format!("Tracing the latency of {function}... Interval 3600 secs.");
    assert!(output.stderr.starts_with(&first), "{}", output.stderr);
}

#[test]
fn what_cannot_be_traced_is_said() {
    let own = here();
    for (function, what, next) in [
        (
            &place("rawbpf_test_slep"),
            "no function rawbpf_test_slep",
            "did you mean rawbpf_test_sleep?",
        ),
        (
            &place("host::funclatency::knap"),
            "no function host::funclatency::knap",
            "did you mean host::funclatency::nap?",
        ),
        (&format!("{own}:no_such_thing_at_all"), "no function no_such_thing_at_all", ""),
        (&"/lib/x86_64-linux-gnu/libc.so.6:strlen".into(), "IFUNC", ""),
        (&"/nosuchfile:main".into(), "/nosuchfile", ""),
        (&"/proc/self/status:main".into(), "not an ELF object", ""),
    ] {
        let output = tool::run("funclatency", &[function, "1", "1"]);
        assert_eq!(output.code, Some(2), "{function}: {}", output.stderr);
        assert!(output.stderr.contains(what) && output.stderr.contains(next), "{}", output.stderr);
    }
}
