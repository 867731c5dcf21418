//! Functions of programs and libraries: known numbers of calls, exact counts.

use std::path::Path;

use crate::lines::{self, count, counted, row};
use crate::program::{Folder, Worker};
use crate::tool::{self, Ended, RAWBPF, Tool};
use rawbpf::host::UserFunction;
use serde_json::Value;

/// The only interval.
#[track_caller]
fn interval(output: &Ended) -> Value {
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    lines::interval(&output.stdout)
}

/// Every way in which a program with functions of its own may be made.
const MADE: [&[&str]; 4] = [
    &["-pie", "-fPIE", "-fcf-protection=none"],
    &["-pie", "-fPIE", "-fcf-protection=branch"],
    &["-no-pie", "-fcf-protection=branch"],
    &["-static", "-fcf-protection=branch"],
];

#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn calls_times_and_values_are_exact_whatever_a_function_begins_with() {
    let folder = Folder::new();
    for args in MADE {
        let program = folder.compile("work.c", "work", args);
        let mut worker = Worker::new(&program);
        let (pid, place) = (worker.pid(), |name: &str| format!("{program}:{name}"));
        let tools = [
            Tool::start("funclatency", &[&place("work_one"), "--json", "-p", &pid, "3600"]),
            Tool::start("funclatency", &[&place("leaf"), "--json", "--by", "pid", "3600"]),
            Tool::start("argdist", &[&place("work_one"), "arg1", "--json", "3600"]),
            Tool::start("argdist", &[&place("leave_off"), "arg0", "--json", "-p", &pid, "3600"]),
        ];
        worker.work();
        let [one, leaf, value, left] = tools.map(|tool| interval(&tool.stop()));
        assert_eq!(count(row(&one)), 1009, "{args:?} {one}");
        assert_eq!(count(row(&leaf)), 2 * (1009 + 503), "{args:?} {leaf}");
        assert_eq!(counted(row(&value)), [(8, 1009)], "{args:?} {value}");
        assert_eq!(row(&value)["sum"], 13 * 1009, "{args:?} {value}");
        assert_eq!(count(row(&left)), 1, "{args:?} {left}");
        for line in [one, leaf] {
            assert!(!line["lost"].to_string().contains("no_"), "{args:?} {line}");
        }
    }
}

/// The kernel does what a push does by itself, but has the processor run an endbr64, which costs 14 times
/// as much.
#[test]
#[ignore = "needs clang: run tests/run"]
fn a_function_is_probed_at_the_push_after_its_endbr64() {
    let folder = Folder::new();
    let program = folder.compile("work.c", "work", &["-fcf-protection=branch"]);
    let bytes = std::fs::read(&program).unwrap();
    let at = |name: &str| {
        let offset = UserFunction::find(Path::new(&program), name, None).unwrap().offset as usize;
        [&bytes[offset - 4..offset], &bytes[offset..offset + 4]]
    };
    const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
    let [before, after] = at("work_one");
    assert_eq!(before, ENDBR64);
    assert!(matches!(after, [0x50..=0x57, ..] | [0x41, 0x50..=0x57, ..]), "{after:x?}");
    // A loop may lead back to what is no push.
    assert_eq!(at("leaf")[1], ENDBR64);
}

/// Kernels since 2025 want CAP_SYS_ADMIN for a uprobe as a perf event.
#[test]
#[ignore = "needs root to drop capabilities: run tests/run"]
fn a_function_is_measured_with_two_capabilities() {
    let folder = Folder::new();
    let program = folder.compile("work.c", "work", &[]);
    let own = folder.path("rawbpf");
    folder.run(&format!("cp {RAWBPF} {own}; chmod 755 {own} ."));
    let mut worker = Worker::new(&program);
    let caps = "+bpf,+perfmon";
    let nobody = format!(
        "setpriv --reuid 65534 --clear-groups --inh-caps={caps} --ambient-caps={caps} {own}"
    );
    let run = format!("{nobody} funclatency {program}:work_one -v --json 1 1 2>&1 >$OUT; cat $OUT");
    let output = std::thread::scope(|scope| {
        let output = scope.spawn(|| tool::shell(&run));
        std::thread::sleep(std::time::Duration::from_millis(600));
        worker.work();
        output.join().unwrap()
    });
    assert!(output.stdout.contains("attached by uretprobe.multi"), "{}", output.stdout);
    let json = output.stdout.lines().filter(|line| line.starts_with('{'));
    let line = lines::interval(&json.collect::<Vec<_>>().join("\n"));
    assert_eq!(count(row(&line)), 1009, "{line}");
}
