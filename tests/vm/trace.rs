//! What scripts must have printed in the guest. The numbers are those of `guest/tools/trace.sh` and
//! `guest/case.sh`.

use crate::bed::Outcome;

/// The lines that a script printed.
#[track_caller]
fn has(outcome: &Outcome, lines: &[&str]) {
    for line in lines {
        assert!(
            outcome.stdout.lines().any(|printed| printed == *line),
            "{line}: {}",
            outcome.stdout
        );
    }
    // What is said before a run, of casts or of a `while`, is no loss.
    for word in ["the map is full", "division by zero", "a loop was left", "Lost"] {
        assert!(!outcome.stderr.contains(word), "{}", outcome.stderr);
    }
}

/// The sizes of mixed I/O.
pub fn sizes(outcome: &Outcome) {
    has(
        outcome,
        &[
            "[4K, 8K)             499 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|",
            "[16K, 32K)           251 |@@@@@@@@@@@@@@@@@@@@@@@@@@                          |",
            "@sizes[65536]: 127",
            "@sizes[16384]: 251",
            "@sizes[4096]: 499",
            "@all: { .count = 877, .average = 16510, .total = 14479360 }",
        ],
    );
}

/// Counts between prints and clears add up.
pub fn intervals(outcome: &Outcome) {
    let counts = outcome.stdout.lines().filter_map(|line| line.strip_prefix("@reads[dd]: "));
    let sum: u64 = counts.map(|count| count.parse::<u64>().unwrap()).sum();
    // What the loader of programs reads comes before.
    assert!((20011..20020).contains(&sum), "{sum}: {}", outcome.stdout);
    assert!(outcome.stdout.matches("@reads[dd]").count() > 2, "{}", outcome.stdout);
}

/// Starts and ends of a function's calls meet, and arguments and results are those of the process.
pub fn latency(outcome: &Outcome) {
    has(outcome, &["@asked[4099]: 1009", "@given[vfs_read, 4099]: 1009"]);
    let lines = outcome.stdout.lines().skip_while(|line| *line != "@ns:").skip(1);
    let counts = lines.take_while(|line| line.starts_with('['));
    let count =
        |line: &str| -> u64 { line[16..].split_whitespace().next().unwrap().parse().unwrap() };
    let sum: u64 = counts.map(count).sum();
    assert!((1009..1020).contains(&sum), "{sum}: {}", outcome.stdout);
    assert!(!outcome.stdout.contains("@start["), "{}", outcome.stdout);
}

/// Arguments and results by name, and what they lead to.
pub fn fentry(outcome: &Outcome) {
    has(outcome, &["@asked[4099]: 1009", "@given[vfs_read, 4099]: 1009"]);
    assert!(outcome.stdout.contains("@of[zero]: 10"), "{}", outcome.stdout);
}

/// What an address leads to: /dev/zero is a device of characters.
pub fn structs(outcome: &Outcome) {
    assert!(outcome.stdout.contains("@mode[8192]: 10"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("@by[dd, true]: 10"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("false"), "{}", outcome.stdout);
}

/// A stack begins in the probed function.
pub fn stacks(outcome: &Outcome) {
    let (_, stack) = outcome.stdout.split_once("@[\n").expect(&outcome.stdout);
    assert!(stack.starts_with("        vfs_read+"), "{stack}");
    let counts = outcome.stdout.lines().filter_map(|line| line.strip_prefix("]: "));
    let sum: u64 = counts.map(|count| count.parse::<u64>().unwrap()).sum();
    assert!((1009..1020).contains(&sum), "{sum}: {}", outcome.stdout);
}

/// Each function by its own name.
pub fn wildcard(outcome: &Outcome) {
    has(outcome, &["@[kprobe:vfs_write]: 1009"]);
    assert!(outcome.stdout.contains("@[kprobe:vfs_read]: 10"), "{}", outcome.stdout);
}

/// Files that a process opened.
pub fn strings(outcome: &Outcome) {
    has(
        outcome,
        &[
            "opened /etc/passwd by busybox",
            "opened /no/such/file by busybox",
            "@[/no/such/file]: 1",
        ],
    );
}

/// What programs compute.
pub fn loops(outcome: &Outcome) {
    has(outcome, &["100 499500 0", "@half: 500", "@s: 499500", "@u: 7", "@m: 100", "@l: -100"]);
}

/// All cases that need no workload.
pub fn cases(outcome: &Outcome) {
    let wrong: Vec<_> = outcome.stdout.lines().filter(|line| line.starts_with("wrong ")).collect();
    assert!(wrong.is_empty(), "{wrong:?}\n{}", outcome.stderr);
    assert!(outcome.told("right ").parse::<u64>().unwrap() > 100, "{}", outcome.stdout);
}

/// The scripts at functions of the kernel: what they counted of what was done.
pub fn example_kprobes(outcome: &Outcome) {
    let part = |name: &str| {
        let (_, rest) = outcome.stdout.split_once(&format!("== {name}\n")).expect(&outcome.stdout);
        rest.split("\n== ").next().unwrap()
    };
    let rows = |text: &str| -> u64 {
        let rows = text.lines().filter(|line| line.starts_with(['[', '(']) && line.contains('|'));
        let counts = rows.map(|row| row.split('|').next().unwrap().split_whitespace().last());
        counts.map(|count| count.unwrap().parse::<u64>().unwrap()).sum()
    };
    let ends = |text: &str, begin: &str| -> u64 {
        let lines = text.lines().filter(|line| line.starts_with(begin));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    };
    // 877 requests of mixed I/O, and what the guest itself does.
    for name in ["block-latency-kprobe", "block-stacks"] {
        let counted = rows(part(name));
        assert!((877..900).contains(&counted), "{name}: {counted}: {}", part(name));
    }
    let lengths = part("read-lengths");
    let row = lengths.lines().find(|line| line.starts_with("[1000, 1200)")).expect(lengths);
    let counted: u64 = row.split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!((1009..1015).contains(&counted), "{lengths}");
    let (_, times) = part("read-times").split_once("@ns[dd]:").expect(&outcome.stdout);
    let counted = rows(times.split("@ns").next().unwrap());
    assert!((1009..1020).contains(&counted), "{counted}: {times}");
    for (name, begin) in [("vfs-calls", "@[vfs_write]:"), ("vfs-rates", "@[vfs_write]:")] {
        let counted = ends(part(name), begin);
        assert!((1009..1100).contains(&counted), "{name}: {counted}: {}", part(name));
    }
    // CAP_SYS_CHROOT is 18.
    let capabilities = part("capabilities");
    let asked = |line: &&str| line.contains(" chroot ") && line.ends_with(" 18");
    assert_eq!(capabilities.lines().filter(asked).count(), 7, "{capabilities}");
    // Half of 8192 pages have no room; of those read ahead, some are read again.
    let pages = ends(part("swap-ins"), "@pages[cat,");
    assert!((4096..3 * 8192).contains(&pages), "{pages}: {}", part("swap-ins"));
}

/// All example scripts.
pub fn examples(outcome: &Outcome) {
    assert!(!outcome.stdout.contains("failed "), "{}\n{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.stdout.matches("attached ").count(), 27, "{}", outcome.stdout);
}
