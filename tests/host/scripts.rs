//! Scripts under load: what is counted, printed and lost adds up to all that happened.

use nix::sys::signal::Signal::SIGINT;
use nix::unistd::{Pid, getpgid};

use crate::tool::{self, Tool};

/// The probe at what one test asks: process numbers from `first` on, which no process has.
fn probe(first: i32) -> String {
    let end = first + 10;
    format!("tracepoint:syscalls:sys_enter_getpgid /args.pid >= {first} && args.pid < {end}/")
}

/// Asks for the groups of ten processes, one after the other, from four threads.
fn ask(first: i32, times: i32) {
    let work = (0..4).map(|_| {
        std::thread::spawn(move || {
            for time in 0..times / 4 {
                let _ = getpgid(Some(Pid::from_raw(first + time % 10)));
            }
        })
    });
    work.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
}

/// The numbers at the ends of the lines that begin like this.
pub fn numbers(printed: &str, begin: &str) -> Vec<u64> {
    let lines = printed.lines().filter(|line| line.starts_with(begin));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
}

/// How many events were told as lost.
pub fn lost(told: &str) -> u64 {
    let line = told.lines().find_map(|line| line.strip_prefix("Lost ")?.strip_suffix(" events"));
    line.map_or(0, |number| number.parse().unwrap())
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_million_events_are_counted_by_two_runs_at_once_through_clears_until_ctrl_c() {
    tool::with_tracefs();
    let probe = probe(4_190_000);
    let script = format!(
        "{probe} {{ @n++; @c = count(); @k[args.pid] = count(); @s = sum(2); @t[tid] = count();
            @h = hist(args.pid - 4189999); @most = max(args.pid); }}
        interval:ms:10 {{ print(@k); clear(@k); }}"
    );
    let run = Tool::start("trace", &["--no-warnings", "-e", &script]);
    let other = Tool::start("trace", &["-e", &format!("{probe} {{ @two[args.pid] = count(); }}")]);
    ask(4_190_000, 1_000_000);
    let (ended, other) = (run.end(SIGINT), other.end(SIGINT));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), "Attached 2 probes\n"));
    for line in ["@n: 1000000", "@c: 1000000", "@s: 2000000", "@most: 4190009"] {
        assert!(ended.stdout.lines().any(|printed| printed == line), "{line}: {}", ended.stdout);
    }
    assert_eq!(numbers(&ended.stdout, "@k[").iter().sum::<u64>(), 1_000_000);
    assert_eq!(numbers(&ended.stdout, "@t["), [250_000; 4]);
    let rows = ["[1]  ", "[2, 4)  ", "[4, 8)  ", "[8, 16)  "].map(|row| {
        let line = ended.stdout.lines().find(|line| line.starts_with(row)).unwrap();
        line[16..24].trim().parse::<u64>().unwrap()
    });
    assert_eq!(rows, [100_000, 200_000, 400_000, 300_000]);
    assert_eq!(numbers(&other.stdout, "@two["), [100_000; 10]);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn what_is_printed_and_what_is_lost_is_all() {
    tool::with_tracefs();
    let probe = probe(4_191_000);
    let script = format!("{probe} {{ printf(\"asked %d\\n\", args.pid); @n++; }}");
    let run = Tool::start("trace", &["-e", &script]);
    ask(4_191_000, 200_000);
    let ended = run.end(SIGINT);
    assert_eq!(numbers(&ended.stdout, "@n:"), [200_000]);
    let printed = numbers(&ended.stdout, "asked ").len() as u64;
    assert_eq!(printed + lost(&ended.stderr), 200_000, "{printed} printed; {}", ended.stderr);
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_full_map_is_told_once_and_each_event_that_it_has_no_room_for_is_counted() {
    tool::with_tracefs();
    let probe = probe(4_192_000);
    let script = format!("config = {{ max_map_keys = 5; }} {probe} {{ @k[args.pid] = count(); }}");
    let run = Tool::start("trace", &["-e", &script]);
    // One after the other, so that five keys take all the room.
    ask(4_192_000, 40_000);
    let ended = run.end(SIGINT);
    let counted: u64 = numbers(&ended.stdout, "@k[").iter().sum();
    assert_eq!(numbers(&ended.stdout, "@k[").len(), 5, "{}", ended.stdout);
    let told = ended.stderr.lines().filter(|line| line.contains("the map is full")).count();
    assert_eq!(told, 1, "{}", ended.stderr);
    let end = format!("WARNING: @k was full: {} elements were not stored", 40_000 - counted);
    assert!(ended.stderr.contains(&end) && counted > 0, "{}{}", ended.stdout, ended.stderr);
}
