//! The course's solutions do their tasks without a kernel too, and other programs do not.

use rawbpf::insn::parse;
use rawbpf::lessons::{LESSONS, Lesson};

/// What is wrong with a lesson's program of this text in its first wrong run.
fn wrong(lesson: &Lesson, text: &str) -> Option<String> {
    let source = parse(lesson.name, text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    lesson.runs.iter().find_map(|run| {
        let mut machine = lesson.machine(run, &source).unwrap();
        match machine.run(1_000_000) {
            Err(fault) => Some(fault.to_string()),
            Ok(None) => Some("it does not end".to_owned()),
            Ok(Some(returned)) => lesson.wrong(run, returned, &machine.world),
        }
    })
}

#[test]
fn every_solution_does_its_lessons_task() {
    for lesson in LESSONS {
        assert_eq!(wrong(lesson, lesson.solution()), None, "{}", lesson.name);
    }
}

/// In place of a solution: a program that only ends.
#[test]
fn a_program_that_does_not_do_the_task_is_told_from_one_that_does() {
    for lesson in LESSONS {
        let lines = lesson.solution().lines();
        let directives = lines.filter(|line| line.starts_with('.'));
        let text = directives.fold(String::new(), |all, line| all + line + "\n");
        let said = wrong(lesson, &(text + "r0 = 77777\nexit\n")).expect(lesson.name);
        assert!(said.starts_with("it returned 77777, not "), "{}: {said}", lesson.name);
    }
    // The result is right, and the map is not.
    let lesson = LESSONS.iter().find(|lesson| lesson.name == "13-helper-arguments").unwrap();
    let map = lesson.solution().lines().filter(|line| line.starts_with('.'));
    let text = map.fold(String::new(), |all, line| all + line + "\n");
    assert_eq!(
        wrong(lesson, &(text + "r0 = 0\nexit\n")).unwrap(),
        "the map has no key 7 afterwards"
    );
}
