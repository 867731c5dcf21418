//! The verdicts that each kernel's verifier must give on the course.

use crate::bed::Outcome;

#[path = "../lessons/reasons.rs"]
mod reasons;
use reasons::REASONS;

/// Each program is refused for its lesson's reason, by this kernel and with a remedy; each solution
/// passes.
pub fn course(outcome: &Outcome) {
    assert_eq!(outcome.stderr, "");
    let (_, course) = outcome.stdout.split_once("== lesson ").expect("a lesson");
    let lessons: Vec<&str> = course.split("\n== lesson ").collect();
    assert_eq!(lessons.len(), REASONS.len() - 1);
    for (lesson, reasons) in lessons.iter().zip(REASONS) {
        refused_and_solved(lesson, reasons);
        let (_, unedited) = lesson.split_once("\n== unedited 1\n").expect("not passed");
        let refused = "lesson: not passed: the verifier refused the program: ";
        assert!(unedited.contains(refused), "{lesson}");
    }
    assert!(course.ends_with("\n29 of 30 done; next: rawbpf lesson 30\n"), "{course}");
}

fn refused_and_solved(lesson: &str, reasons: &[&str]) {
    assert!(lesson.contains("\n== solution 0"), "{lesson}");
    assert!(lesson.contains("\nThe verdict of this kernel, Linux "), "{lesson}");
    assert!(reasons.iter().any(|reason| lesson.contains(reason)), "{reasons:?}: {lesson}");
    assert!(lesson.contains(" = change: "), "{lesson}");
}

/// The last lesson's program is refused for its reason, and its solution passes.
pub fn last(outcome: &Outcome) {
    assert_eq!(outcome.stderr, "");
    refused_and_solved(&outcome.stdout, REASONS[REASONS.len() - 1]);
}

/// The lesson on branches states how many instructions this kernel, as every other, processes.
pub fn explosion(outcome: &Outcome) {
    assert_eq!(outcome.stderr, "");
    let walked: Vec<_> =
        outcome.stdout.lines().map(|line| line.split(' ').nth(2).unwrap_or(line)).collect();
    assert_eq!(walked, ["104", "1544", "24584", "393224", "121"], "{}", outcome.stdout);
}
