//! What a log costs that somebody made to be costly, or that is just long: the memory is at most ten times
//! the log, and the work grows only with its length.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use rawbpf::verifier::compare::compare;
use rawbpf::verifier::diagnose::diagnose;
use rawbpf::verifier::explain::explain;
use rawbpf::verifier::path::Code;
use rawbpf::verifier::recording::{Verdict, recordings};
use rawbpf::verifier::walk::{Entry, walk};

/// Counts what this thread allocates.
struct Counting;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static ALL: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn add(bytes: isize) {
    // The thread may be ending.
    let _ = NOW.try_with(|now| {
        now.set(now.get() + bytes);
        PEAK.with(|peak| peak.set(peak.get().max(now.get())));
        ALL.with(|all| all.set(all.get() + bytes.max(0) as usize));
    });
}

// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size as isize - layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(place, layout, size) }
    }
}

/// The most memory that was in use at a time while this ran, and all that was ever asked for, in bytes.
fn used(run: impl FnOnce()) -> (usize, usize) {
    let (before, all) = (NOW.get(), ALL.get());
    PEAK.set(before);
    run();
    ((PEAK.get() - before) as usize, ALL.get() - all)
}

const PROGRAM: &str = "
    r6 = r1
    r0 = *(u32 *)(r6 +0)
    if r0 == 0x0 goto pc+2
    call pc+2
    exit
    r0 = 0
    exit
";

fn code() -> Code {
    let source = rawbpf::insn::parse("costs", PROGRAM).unwrap();
    Code::of(source.programs[0].program.insns())
}

const END: &str = "processed 7 insns (limit 1000000) max_states_per_insn 0 total_states 0 \
                   peak_states 0 mark_read 0\n";

const START: &str = "func#0 @0\n0: R1=ctx() R10=fp0\n0: (bf) r6 = r1 ; R1=ctx() R6_w=ctx()\n";

/// Logs of about this length, by what is in them.
fn logs(length: usize) -> Vec<(&'static str, String)> {
    let lines = |line: &dyn Fn(usize) -> String| {
        let mut log = START.to_owned();
        let mut number = 0;
        while log.len() < length {
            log += &line(number);
            number += 1;
        }
        log + END
    };
    let places = |from: &str, place: &dyn Fn(usize) -> String| {
        let mut log = format!("{START}1: (61) r0 = *(u32 *)(r6 +0) ;{from}");
        let mut number = 0;
        while log.len() < length {
            log += &place(number);
            number += 1;
        }
        log + "\n" + END
    };
    let walked = |n: usize| {
        let lines = [
            "1: (61) r0 = *(u32 *)(r6 +0) ; R0_w=scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff)) R6=ctx()\n",
            "2: (15) if r0 == 0x0 goto pc+2 ; R0_w=scalar(smin=umin=1,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff))\n",
            "3: (85) call pc+2\ncaller:\n R6=ctx() R10=fp0\ncallee:\n frame1: R1=ctx() R10=fp0\n",
            "6: (95) exit\nreturning from callee:\n frame1: R0=0 R10=fp0\nto caller at 4:\n R0=0 R6=ctx() R10=fp0\n",
        ];
        lines[n % 4].to_owned()
    };
    let full: String = (1..65).map(|n| format!(" fp-{}=mmmmmmmm", n * 8)).collect();
    vec![
        ("a walk", lines(&walked)),
        (
            "messages",
            lines(&|n| format!("R{n} is not what anybody expected of it, in any of {n} ways\n")),
        ),
        ("short messages", lines(&|_| "x\n".into())),
        (
            "known messages",
            lines(&|n| format!("invalid access to map value, value_size={n} off=1 size=8\n")),
        ),
        ("remarks", lines(&|_| "marking pointer arg\n".into())),
        ("instructions", lines(&|n| format!("{}: (95) \n", n % 7))),
        ("conditions", lines(&|n| format!("{}: (15) if r0 == 0x0 goto pc+2\n", 2 - n % 2))),
        ("conditions and states", lines(&|n| format!("2: (15) ; fp-8={n}\n"))),
        ("conditions and frames", {
            let full = format!("frame1:{full} R0=1 R1=1 R2=1 R3=1 R4=1 R5=1 R6=1\n");
            format!("{START} {full}") + &lines(&|n| format!("2: (15) ; frame1: R7={}\n", n % 10))
        }),
        ("states", lines(&|n| format!(" R0=scalar(id={n}) fp-8=m\n"))),
        ("places", places("", &|n| format!(" R{}={n}", n % 10))),
        ("many places", places("", &|n| format!(" fp-{}={n}", n * 8))),
        ("places after", places(" frame1:", &|n| format!(" fp{n}=1"))),
        ("branches", lines(&|_| "2: (15) if r0 == 0x0 goto pc+2\nfrom 2 to 5: R0=1\n".into())),
        ("safe", lines(&|_| "2: (15) if r0\nfrom 2 to 5: safe\n".into())),
        ("reports", lines(&|_| "Verification failed: a\n".into())),
        ("short recordings", lines(&|_| ".log a\n".into())),
        ("recordings", lines(&|n| format!(".log p{n} kprobe f\n.verdict accepted by Linux 6\n"))),
        ("attributes", places("", &|n| format!(" R1=scalar(a={n},b={n},c={n}=d={n}=e)"))),
        ("one attribute", places(" R1=scalar(a", &|_| "=1".into()) + ")"),
        ("colons", places("", &|_| ": R".into())),
        ("lines of source", lines(&|n| format!("; {n} @ a.c:{n}\n{n}: (95) exit\n"))),
        ("downwards", lines(&|n| format!("{}: (95) exit\n", 16_000 - n % 16_000))),
        ("far away", lines(&|n| format!("{}: (95) exit\n", n * 7919 % 1_000_000))),
        ("kernel functions", lines(&|n| format!("{n}: (85) call f#84967\n"))),
        ("maps", lines(&|n| format!("{n}: (18) r1 = {n:#x} ; R1=map_ptr(map={n})\n"))),
        ("prefixes", lines(&|n| format!("[{n}.5] host: {}: (95) exit\n[{n}.6] host: x\n", n % 7))),
        ("other prefixes", lines(&|n| format!("{n:x}g 1: (95) exit\nx\n"))),
        ("in quotes", format!("{START}\"{}\"\n", "\\n1: (95) exit".repeat(length / 14))),
        ("in quotes in quotes", format!("\"{}\"\n", "\\\\n1: (95) exit".repeat(length / 15))),
        ("quotes", "\",".repeat(length / 2)),
        ("escapes", "\\".repeat(length)),
        ("starts", "regs= from processed 1: (".repeat(length / 25)),
        ("introductions", lines(&|_| "Verifier output: x\n".into())),
        ("many logs", lines(&|n| format!("func#0 @0\n0: (95) exit\nR{n} !read_ok\n{END}"))),
        ("a line without end", "0: (95) exit".to_owned() + &"; R0=1".repeat(length / 6)),
    ]
}

/// A way to read a log.
type Reading = fn(&Code, &str);

/// All that is done with a log of another kernel, and with one of this kernel.
const READINGS: [(&str, Reading); 5] = [
    ("recordings", |_, log| drop(recordings(log))),
    ("explain", |_, log| {
        for one in explain(log) {
            drop(one.program.diagnose());
        }
    }),
    ("diagnose", |code, log| drop(diagnose(code, log))),
    ("compare", |code, log| {
        let here = format!("{START}{END}");
        drop(compare(code, &here, log));
        Verdict::of(log);
    }),
    // Two logs.
    ("compare with itself", |code, log| drop(compare(code, log, log))),
];

#[test]
fn memory_is_at_most_ten_times_the_log_and_work_grows_with_its_length() {
    let code = code();
    // What is made once, such as the table of messages.
    READINGS.iter().for_each(|(_, read)| read(&code, &logs(1000)[1].1));
    for ((what, once), (_, twice)) in logs(100_000).into_iter().zip(logs(200_000)) {
        for (how, read) in READINGS {
            let ((_, all), (peak, all_twice)) =
                (used(|| read(&code, &once)), used(|| read(&code, &twice)));
            let logs = if how == "compare with itself" { 2 } else { 1 };
            let times = peak as f64 / (logs * twice.len()) as f64;
            assert!(times <= 10.0, "{what}: {how} takes {times:.1} times the memory of the log");
            let growth = all_twice as f64 / (all + 50_000) as f64;
            assert!(
                growth < 2.5,
                "{what}: {how} asks for {growth:.1} times as much for twice the log"
            );
        }
    }
}

/// However many places a line has, a function has only 16 registers and 64 slots.
#[test]
fn a_state_has_no_more_places_than_a_function_has() {
    let code = code();
    for (what, log) in logs(100_000) {
        let walked = walk::<()>(&code, &log, &mut |entry| {
            if let Entry::Step(step) = &entry {
                assert!(step.known.len() <= 80, "{what}: {} values", step.known.len());
                assert!(step.changes.len() <= 96, "{what}: {} changes", step.changes.len());
            }
            Ok(())
        });
        assert_eq!(walked, Ok(()));
    }
}
