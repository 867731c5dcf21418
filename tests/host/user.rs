//! Functions of programs and libraries: known numbers of calls, exact counts.

use std::path::Path;
use std::process::Command;

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
            Tool::start(
                "funclatency",
                &[&place("work_*"), "--attach", "uprobe", "--json", "-p", &pid, "3600"],
            ),
        ];
        worker.work();
        let [one, leaf, value, left, both] = tools.map(|tool| interval(&tool.stop()));
        assert_eq!(count(row(&one)), 1009, "{args:?} {one}");
        assert_eq!(count(row(&leaf)), 2 * (1009 + 503), "{args:?} {leaf}");
        assert_eq!(counted(row(&value)), [(8, 1009)], "{args:?} {value}");
        assert_eq!(row(&value)["sum"], 13 * 1009, "{args:?} {value}");
        assert_eq!(count(row(&left)), 1, "{args:?} {left}");
        assert_eq!(count(row(&both)), 1009 + 503, "{args:?} {both}");
        for line in [one, leaf, both] {
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

/// The counts by function.
#[track_caller]
fn counts(output: &Ended) -> Vec<(String, u64)> {
    let line = interval(output);
    let label = |row: &Value| row["labels"]["function"].as_str().unwrap().to_owned();
    let mut counts: Vec<_> =
        lines::rows(&line).iter().map(|row| (label(row), count(row))).collect();
    counts.sort();
    counts
}

/// What funccount counts in a worker that works once.
#[track_caller]
fn counted_of(worker: &mut Worker, args: &[&str]) -> Vec<(String, u64)> {
    let tool = Tool::start("funccount", &[args, &["--json", "3600"]].concat());
    worker.work();
    counts(&tool.stop())
}

fn of(prefix: &str, counts: &[(&str, u64)]) -> Vec<(String, u64)> {
    counts.iter().map(|(name, count)| (format!("{prefix}:{name}"), *count)).collect()
}

#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn a_pattern_counts_each_function_exactly() {
    let folder = Folder::new();
    for args in MADE {
        let program = folder.compile("work.c", "work", args);
        let (mut worker, mut other) = (Worker::new(&program), Worker::new(&program));
        let pid = worker.pid();
        let pattern = format!("{program}:work_*");
        let exact = of(&program, &[("work_one", 1009), ("work_two", 503)]);
        assert_eq!(counted_of(&mut worker, &[&pattern]), exact, "{args:?}");
        let tool = Tool::start("funccount", &[&pattern, "-p", &pid, "--json", "3600"]);
        other.work();
        worker.work();
        assert_eq!(counts(&tool.stop()), exact, "{args:?}");
        let named = format!("{program}:leave_off");
        let all =
            counted_of(&mut worker, &[&pattern, &named, &pattern, "sched:sched_process_fork"]);
        let own: Vec<_> = all.into_iter().filter(|(name, _)| name.starts_with('/')).collect();
        assert_eq!(own, [of(&program, &[("leave_off", 1)]), exact].concat(), "{args:?}");
    }
}

#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn a_function_of_a_library_is_counted_by_its_short_name() {
    let folder = Folder::new();
    let library = folder.compile("work.c", "librawbpf_test.so.1", &["-shared", "-fPIC"]);
    folder.run("ln -s librawbpf_test.so.1 librawbpf_test.so");
    // Its main is that of the library.
    let user = folder.path("user");
    folder.run(&format!("echo | clang-19 -x c - -o {user} -L. -lrawbpf_test -Wl,-rpath,$PWD"));
    let mut worker = Worker::new(&user);
    let pid = worker.pid();
    for name in ["rawbpf_test", "librawbpf_test", "librawbpf_test.so.1", &library] {
        let place = format!("{name}:work_two");
        let counted = counted_of(&mut worker, &[&place, "-p", &pid]);
        assert_eq!(counted, of(name, &[("work_two", 503)]));
    }
    let output = tool::run("funccount", &["rawbpf_tset:work_two", "-p", &pid, "1", "1"]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    // The linker's cache has the C library.
    let writes = counted_of(&mut worker, &["c:write", "-p", &pid]);
    assert_eq!(writes.iter().map(|(_, count)| count).sum::<u64>(), 1, "{writes:?}");
    let tool = Tool::start("argdist", &["c:write", "arg2", "--json", "-p", &pid, "3600"]);
    worker.work();
    let line = interval(&tool.stop());
    assert_eq!((count(row(&line)), &row(&line)["sum"]), (1, &1.into()), "{line}");
}

/// Kernels run another instruction than the one under a probe, if it is of AVX and its opcode looks like a jump.
#[test]
#[ignore = "needs root, bpf(2), clang and AVX: run tests/run"]
fn what_the_kernel_misreads_is_not_probed() {
    let folder = Folder::new();
    let program = folder.compile("avx.c", "avx", &["-mno-red-zone"]);
    let mut worker = Worker::new(&program);
    let counted = counted_of(&mut worker, &[&format!("{program}:*s")]);
    assert_eq!(counted, of(&program, &[("asks", 97)]));
    let joins = format!("{program}:joins");
    for (tool, place) in [
        ("funccount", vec![&*joins]),
        ("funclatency", vec![&*joins]),
        ("argdist", vec![&*joins, "arg0"]),
        ("argdist", vec![&*joins, "retval"]),
    ] {
        let output = tool::run(tool, &[&place[..], &["1", "1"]].concat());
        assert_eq!(output.code, Some(1), "{tool}: {}", output.stderr);
        assert!(output.stderr.contains("instruction of AVX"), "{tool}: {}", output.stderr);
    }
    worker.work();
}

/// A stripped program has the names of its functions in another file.
#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn a_stripped_program_is_known_by_its_debug_file() {
    let folder = Folder::new();
    let program = folder.compile("work.c", "work", &["-Wl,--build-id=0xabcdef0123"]);
    let objcopy = "llvm-objcopy-19";
    folder.run(&format!("{objcopy} --only-keep-debug work work.debug"));
    folder.run(&format!("{objcopy} --strip-all --add-gnu-debuglink=work.debug work"));
    let mut worker = Worker::new(&program);
    let place = format!("{program}:work_one");
    let exact = of(&program, &[("work_one", 1009)]);
    assert_eq!(counted_of(&mut worker, &[&place]), exact);
    folder.run("mkdir .debug; mv work.debug .debug");
    assert_eq!(counted_of(&mut worker, &[&place]), exact);

    // By its build id, in a folder that only this shell sees.
    folder.run("mkdir -p id/.build-id/ab; mv .debug/work.debug id/.build-id/ab/cdef0123.debug");
    let run = format!(
        "unshare -m sh -c 'mkdir -p /usr/lib/debug; mount --bind {} /usr/lib/debug; \
         $RAWBPF funccount {place} --json 1.5 1'",
        folder.path("id")
    );
    let output = std::thread::scope(|scope| {
        let output = scope.spawn(|| tool::shell(&run));
        std::thread::sleep(std::time::Duration::from_millis(750));
        worker.work();
        output.join().unwrap()
    });
    assert_eq!(counts(&output), exact, "{}", output.stderr);

    // One with another checksum is not its own.
    folder.run("cp id/.build-id/ab/cdef0123.debug work.debug; echo >>work.debug");
    let output = tool::run("funccount", &[&place, "1", "1"]);
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains(".build-id/ab/cdef0123.debug"), "{}", output.stderr);
}

#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn functions_of_cpp_are_counted_as_their_source_calls_them() {
    let folder = Folder::new();
    let program = folder.compile("shop.cc", "shop", &["-fno-exceptions"]);
    let mut worker = Worker::new(&program);
    let (number, text) = (("shop::Cart::add(int)", 503), ("shop::Cart::add(char const*)", 307));
    let (made, sum) = (("shop::Cart::Cart(long)", 1), ("shop::Cart::sum() const", 1));
    let twice = ("shop::twice<int>(int)", 101);
    for (pattern, exact) in [
        ("shop::Cart::*", &[made, text, number, sum][..]),
        ("*::add", &[text, number]),
        ("shop::Cart::add", &[text, number]),
        ("shop::Cart::add(int)", &[number]),
        ("shop::Cart::add(char const*)", &[text]),
        ("*(char*)", &[text]),
        ("shop::Cart::sum", &[sum]),
        ("int shop::twice<int>(int)", &[twice]),
        ("shop::twice*", &[twice]),
        ("plain", &[("plain(long)", 101)]),
        ("_Z5plainl", &[("plain(long)", 101)]),
    ] {
        let counted = counted_of(&mut worker, &[&format!("{program}:{pattern}")]);
        assert_eq!(counted, of(&program, exact), "{pattern}");
    }
    let place = format!("{program}:shop::Cart::add(int)");
    let tool = Tool::start("funclatency", &[&place, "--json", "3600"]);
    worker.work();
    assert_eq!(count(row(&interval(&tool.stop()))), 503);
    let output = tool::run("funclatency", &[&format!("{program}:shop::Cart::add"), "1", "1"]);
    assert_eq!(output.code, Some(2));
    let hint = "try: 'shop::Cart::add(int)' or 'shop::Cart::add(char const*)'";
    assert!(output.stderr.contains(hint), "{}", output.stderr);
}

/// A function that goes on in another as its last step has the same place on the stack.
#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn calls_of_several_functions_are_measured_together() {
    let folder = Folder::new();
    let program = folder.compile("odd.c", "odd", &[]);
    let mut worker = Worker::new(&program);
    let pattern = format!("{program}:[jl]*[ms]");
    let tools = [
        Tool::start("funclatency", &[&pattern, "--json", "3600"]),
        Tool::start("argdist", &[&pattern, "arg0", "--json", "3600"]),
        Tool::start("argdist", &[&pattern, "retval", "--json", "3600"]),
    ];
    worker.work();
    for tool in tools {
        let line = interval(&tool.stop());
        assert_eq!(count(row(&line)), 2 * 211, "{line}");
        assert!(!line["lost"].to_string().contains("no_"), "{line}");
    }
}

#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn places_are_counted_by_address_and_by_offset() {
    let folder = Folder::new();
    let program = folder.compile("work.c", "work", &["-fcf-protection=branch"]);
    let mut worker = Worker::new(&program);
    let symbols = tool::shell(&format!("llvm-nm-19 {program}")).stdout;
    let line = symbols.lines().find(|line| line.ends_with(" work_two")).unwrap();
    let address = u64::from_str_radix(line.split(' ').next().unwrap(), 16).unwrap();
    for (place, works) in [
        (format!("{address:#x}"), true),
        // After the endbr64.
        (format!("{:#x}", address + 4), true),
        ("work_two+4".into(), true),
        ("work_two+0x4".into(), true),
        ("work_two+0".into(), true),
        ("work_two+3".into(), false),
        ("work_two+100000".into(), false),
        (format!("{:#x}", address + 1), false),
        ("0x10".into(), false),
        ("0xx".into(), false),
        ("0xffffffffffffffff".into(), false),
    ] {
        let word = format!("{program}:{place}");
        if works {
            let counted: Vec<_> = counted_of(&mut worker, &[&word]);
            assert_eq!(counted.iter().map(|it| it.1).collect::<Vec<_>>(), [503], "{place}");
        } else {
            let output = tool::run("funccount", &[&word, "1", "1"]);
            assert_eq!(output.code, Some(2), "{place}: {}", output.stderr);
        }
    }
    // A beginning that is known can be followed to its return, another place not.
    let tool = Tool::start("funclatency", &[&format!("{program}:{address:#x}"), "--json", "3600"]);
    worker.work();
    assert_eq!(count(row(&interval(&tool.stop()))), 503);
    for args in [["funclatency", "work_two+4", "1"], ["argdist", "work_two+4", "arg0"]] {
        let output = tool::run(args[0], &[&format!("{program}:{}", args[1]), args[2], "1"]);
        assert_eq!(output.code, Some(2), "{}", output.stderr);
        assert!(output.stderr.contains("beginning of a function"), "{}", output.stderr);
    }
    // It is known by the table for exceptions too.
    folder.run("llvm-objcopy-19 --strip-all work stripped");
    let stripped = folder.path("stripped");
    let mut worker = Worker::new(&stripped);
    let tool = Tool::start("funclatency", &[&format!("{stripped}:{address:#x}"), "--json", "3600"]);
    worker.work();
    assert_eq!(count(row(&interval(&tool.stop()))), 503);
    let output = tool::run("funccount", &[&format!("{stripped}:{:#x}", address + 1), "1", "1"]);
    assert_eq!(output.code, Some(2), "{}", output.stderr);
}

/// A uprobe at a return replaces the return address, which Go's runtime finds and gives up.
#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn a_function_of_go_is_followed_as_far_as_that_is_safe() {
    let folder = Folder::new();
    let program = folder.compile("go.c", "go", &["-DGO_VERSION=\"go1.22.3\""]);
    let mut worker = Worker::new(&program);
    let place = format!("{program}:leaf");
    // One call is one, even if its stack has to grow and it begins again.
    assert_eq!(counted_of(&mut worker, &[&place]), of(&program, &[("leaf", 97)]));
    let values = [1, 20, 300, 7, 11, 3000];
    let asked = ["arg0", "arg1", "arg2", "arg3", "arg4", "arg5"];
    let tools = asked.map(|asked| {
        let args = [&place, asked, "--json", "--linear", "0,4000,1", "3600"];
        Tool::start("argdist", &args)
    });
    worker.work();
    for (tool, value) in tools.into_iter().zip(values) {
        assert_eq!(counted(row(&interval(&tool.stop()))), [(value, 97)]);
    }
    let old = folder.compile("go.c", "old", &["-DGO_VERSION=\"go1.16.1\""]);
    folder.run("llvm-objcopy-19 --strip-all --keep-symbol=leaf go stripped");
    let stripped = folder.path("stripped");
    for (program, args, said) in [
        (&program, &["funclatency"][..], "unexpected return pc"),
        (&stripped, &["funclatency"], "unexpected return pc"),
        (&program, &["argdist", "retval"], "unexpected return pc"),
        (&old, &["argdist", "arg0"], "before Go 1.18"),
    ] {
        let place = format!("{program}:leaf");
        let output = tool::run(args[0], &[&[&*place], &args[1..], &["1", "1"]].concat());
        assert_eq!(output.code, Some(2), "{}", output.stderr);
        assert!(output.stderr.contains(said), "{}", output.stderr);
    }
    let text = format!(".program t uretprobe {place}\nr0 = 0\nexit\n");
    let output = tool::run("run", &[&tool::file(&text), "1", "1"]);
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("unexpected return pc"), "{}", output.stderr);
}

/// A process in a container sees another file by the same path.
#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn the_file_is_the_one_that_the_process_sees() {
    let folder = Folder::new();
    let program = folder.compile("shop.cc", "program", &["-fno-exceptions"]);
    folder.run("mkdir hidden");
    folder.compile("work.c", "hidden/program", &[]);
    let script =
        format!("mount --bind {} {program}; exec {program}", folder.path("hidden/program"));
    let mut worker = Worker::from(Command::new("unshare").args(["-m", "sh", "-c", &script]));
    let pid = worker.pid();
    worker.work();
    let place = format!("{program}:work_one");
    let counted = counted_of(&mut worker, &[&place, "-p", &pid]);
    assert_eq!(counted, of(&program, &[("work_one", 1009)]));
    let output = tool::run("funccount", &[&place, "1", "1"]);
    assert_eq!(output.code, Some(2), "{}", output.stderr);
}

#[test]
#[ignore = "needs clang: run tests/run"]
fn a_mistake_in_a_function_is_told_with_what_to_try() {
    let folder = Folder::new();
    let odd = folder.compile("odd.c", "odd", &[]);
    let shop = folder.compile("shop.cc", "shop", &["-fno-exceptions"]);
    let stripped = folder.path("stripped");
    folder.run("llvm-objcopy-19 --strip-all odd stripped");
    for (tool, file, text, what, next) in [
        ("funclatency", &odd, "jmups", "no function jmups", "did you mean jumps?"),
        ("funccount", &shop, "shop::Cart::ad", "no function", "did you mean shop::Cart::add?"),
        ("funccount", &odd, "data", "is data", ""),
        ("funccount", &odd, "unmarked", "not marked as a function", "its address: 0x"),
        ("funccount", &odd, "made", "the compiler made made.constprop.0", "try: made.constprop.0"),
        ("funccount", &odd, "picked", "IFUNC", "debug symbols"),
        ("funccount", &odd, "write", "is in another file", "try: libc.so.6:write"),
        ("funccount", &odd, "nothing_like_this", "no function", "inlined"),
        ("funccount", &odd, "nothing_*", "no function matches nothing_*", ""),
        ("funccount", &stripped, "jumps", "stripped", ""),
        ("funclatency", &odd, "_start", "never returns", ""),
        ("funclatency", &odd, "rare.cold", "beginning of a function", ""),
    ] {
        let output = tool::run(tool, &[&format!("{file}:{text}"), "1", "1"]);
        assert_eq!(output.code, Some(2), "{text}: {}", output.stderr);
        let said = &output.stderr;
        assert!(said.contains(what) && said.contains(next), "{text}: {said}");
    }
    let output = tool::run("funccount", &["no_such_library:malloc", "1", "1"]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("c:malloc"), "{}", output.stderr);
    // Of what cannot be probed, a pattern takes nothing.
    assert!(UserFunction::find_all(Path::new(&odd), "*", None).unwrap().len() > 5);
    assert_eq!(UserFunction::find_all(Path::new(&odd), "endless", None).unwrap().len(), 1);
}

/// A uretprobe replaces the return address, which an exception does not find its way by.
#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn where_exceptions_pass_a_return_is_probed_at_its_instructions() {
    let folder = Folder::new();
    // So that the compiler makes no loop of the recursion.
    let program = folder.compile("throws.c", "throws", &["-fno-optimize-sibling-calls"]);
    let mut worker = Worker::new(&program);
    let (early, climb) = (format!("{program}:early"), format!("{program}:climb"));
    let climbs: u64 = (0..89).map(|number| number % 4 + 1).sum();
    for kind in ["uprobe.multi", "uprobe", "auto"] {
        let tools = [
            Tool::start("funclatency", &[&early, "--attach", kind, "--json", "3600"]),
            Tool::start("funclatency", &[&climb, "--attach", kind, "--json", "3600"]),
            Tool::start("funclatency", &[&format!("{program}:[ec]*[yb]"), "--json", "3600"]),
            Tool::start("argdist", &[&early, "retval", "--attach", kind, "--json", "3600"]),
        ];
        worker.work();
        let [calls, recursive, both, results] = tools.map(|tool| interval(&tool.stop()));
        for (line, exact) in [(&calls, 89), (&recursive, climbs), (&both, 89 + climbs)] {
            assert_eq!(count(row(line)), exact, "{kind}: {line}");
            assert!(!line["lost"].to_string().contains("no_"), "{line}");
        }
        // Odd ones return 7, others how often it climbed.
        let sum: u64 = (0..89).map(|number| if number % 2 == 1 { 7 } else { number % 4 }).sum();
        assert_eq!((count(row(&results)), &row(&results)["sum"]), (89, &sum.into()), "{results}");
    }
    let output = tool::run("funclatency", &[&format!("{program}:left_by_a_jump"), "1", "1"]);
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("exception"), "{}", output.stderr);
    let text = format!(".program t uretprobe {early}\nr0 = 0\nexit\n");
    let output = tool::run("run", &[&tool::file(&text), "1", "1"]);
    assert_eq!(output.code, Some(2), "{}", output.stderr);
}

/// A function that returns twice finds a replaced address the second time.
#[test]
fn what_returns_again_later_is_not_followed() {
    for function in ["_setjmp", "setjmp", "getcontext"] {
        let output = tool::run("funclatency", &[&format!("c:{function}"), "1", "1"]);
        assert_eq!(output.code, Some(2), "{}", output.stderr);
        assert!(output.stderr.contains("returns again later"), "{}", output.stderr);
    }
}

/// Whatever bytes a file has, the answer is a value or an error.
#[test]
#[ignore = "needs clang: run tests/run"]
fn a_damaged_file_is_an_error() {
    let folder = Folder::new();
    let whole = std::fs::read(folder.compile("shop.cc", "whole", &["-fno-exceptions"])).unwrap();
    let path = folder.path("damaged");
    let texts = ["plain", "shop::Cart::add", "*", "0x1170", "plain+1", "nothing", "write"];
    let mut seed = 7u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % below
    };
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..1 + next(20) {
            // The tables are at the end, the header and the segments at the beginning.
            let at = if next(2) == 0 { next(0x400) } else { bytes.len() - 1 - next(0x1800) };
            bytes[at] = [0, 0xff, 0x7f, 1, next(256) as u8][next(5)];
        }
        bytes.truncate(if next(4) == 0 { next(bytes.len()) } else { bytes.len() });
        std::fs::write(&path, &bytes).unwrap();
        for text in texts {
            let _ = UserFunction::find_all(Path::new(&path), text, None);
        }
    }
}
