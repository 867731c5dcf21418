//! What `verify` must print for programs in the guest.

use serde_json::Value;

use crate::bed::Outcome;

/// Each tool's programs by each way to attach, with the totals; each run prints as many instructions as
/// the kernel counted.
pub fn accepted(outcome: &Outcome) {
    assert!(outcome.stderr.is_empty(), "{}", outcome.stderr);
    let (mut processed, mut runs) = (0, 0);
    for line in outcome.stdout.lines() {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["accepted:", "processed", insns, "of", "1000000", ..] => {
                processed += insns.parse::<u32>().unwrap();
            }
            ["walked", _, _, walked] => {
                assert_eq!(
                    std::mem::take(&mut processed),
                    walked.parse::<u32>().unwrap(),
                    "{line}"
                );
                assert_ne!(walked, "0");
                runs += 1;
            }
            [".program", ..] => {}
            _ => panic!("{line}: {}", outcome.stdout),
        }
    }
    assert_eq!(runs, 8, "{}", outcome.stdout);
}

/// The state in each branch, whether or not this kernel logs where the branch begins.
pub fn branches(outcome: &Outcome) {
    assert!(outcome.stderr.is_empty(), "{}", outcome.stderr);
    let lines: Vec<Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (from, to, value) in [(2, 4, 5), (4, 6, 6)] {
        let is =
            |line: &&Value| line["type"] == "branch" && line["from"] == from && line["to"] == to;
        let branch = lines.iter().find(is);
        let branch = branch.unwrap_or_else(|| panic!("{from} {to}: {}", outcome.stdout));
        assert_eq!(branch["changes"]["r0"]["value"], value, "{branch}");
    }
    assert!(lines.iter().any(|line| line["type"] == "safe"), "{}", outcome.stdout);
    // One program has one beginning.
    assert_eq!(lines.iter().filter(|line| line["type"] == "begin").count(), 1);
    assert_eq!(lines.last().unwrap()["verdict"], "accepted");
}

/// Each object is accepted, refused, or needs what this kernel does not have. A helper that it does not have is
/// a refusal by the verifier.
pub fn objects(outcome: &Outcome) {
    assert!(outcome.stderr.is_empty(), "{}", outcome.stderr);
    let release = outcome.stdout.lines().next().unwrap();
    // Calls of kernel functions need a JIT.
    let interprets =
        release.ends_with("s390x") || release.starts_with("6.12.") && release.ends_with("riscv64");
    let since = |without: &[&str], status| match without.iter().any(|it| release.starts_with(it)) {
        true => status,
        false => "0",
    };
    for (object, status) in [
        ("constant", "0"),
        ("core", "0"),
        ("elsewhere", "1"),
        ("global", "1"),
        ("kfunc", if interprets { "1" } else { since(&["5.10.", "6.1."], "77") }),
        ("lock", "0"),
        ("maps", "0"),
        ("missing", "77"),
        ("static", "0"),
        ("timer", since(&["5.10."], "1")),
    ] {
        assert_eq!(outcome.told(&format!("{object} ")), status, "{object}: {}", outcome.stdout);
    }
}

/// Beside the log of a kernel that does not know that an array has a value at each constant index, as
/// those from 6.18 on do.
pub fn against(outcome: &Outcome) {
    let (release, rest) = outcome.stdout.split_once('\n').unwrap();
    let (text, itself) = rest.split_once("== itself\n").unwrap();
    let knows = ["6.18.", "7."].iter().any(|known| release.starts_with(known));
    let said = "/tmp/6.12.log: elided is refused there, accepted here\n";
    assert_eq!(outcome.stderr.contains(said), knows, "{}", outcome.stderr);
    let differs =
        "r0 is the address of a map value of 8 bytes here, NULL or the address of a map value";
    assert_eq!(text.contains(differs), knows, "{text}");
    assert_eq!(
        text.contains(": followed only here, 1 instruction: there the program was refused before"),
        knows,
        "{text}"
    );
    // That is all that differs, whichever way it is printed.
    assert_eq!(text.matches("/tmp/6.12.log: ").count(), if knows { 3 } else { 1 }, "{text}");
    assert!(text.ends_with("status 1\n"), "{text}");
    let alike =
        "/tmp/itself: no differences: the same paths, and the same is known about each value\n";
    assert_eq!(itself.matches(alike).count(), 2, "{itself}");
}
