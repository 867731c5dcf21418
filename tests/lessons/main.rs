//! The files of the course, without a kernel: its texts and its recorded verdicts.

mod reasons;

use std::fs;
use std::path::Path;

use rawbpf::insn::{Source, parse::parse};
use rawbpf::lessons::{LESSONS, Lesson};
use rawbpf::run::verification;
use reasons::REASONS;

fn source(lesson: &Lesson, text: &str) -> Source {
    parse(lesson.name, text).unwrap_or_else(|mistakes| panic!("{}: {mistakes}", lesson.name))
}

#[test]
fn every_file_of_the_course_belongs_to_a_lesson_and_they_are_numbered() {
    assert_eq!(LESSONS.len(), REASONS.len());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/lessons");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut files: Vec<_> = files.map(|name| name.into_string().unwrap()).collect();
    files.sort();
    let ends = [".bpf", ".log", ".solution.bpf"];
    let named = |lesson: &Lesson| ends.map(|end| format!("{}{end}", lesson.name));
    assert_eq!(files, LESSONS.iter().flat_map(named).collect::<Vec<_>>());
    for (number, lesson) in (1..).zip(LESSONS) {
        assert!(lesson.name.starts_with(&format!("{number:02}-")), "{}", lesson.name);
    }
}

#[test]
fn each_lesson_has_a_title_a_concept_and_a_task_that_fit_a_narrow_terminal() {
    for lesson in LESSONS {
        let (title, paragraphs) = lesson.comment();
        assert!(!title.is_empty() && !title.contains('\n') && title.len() < 60, "{title:?}");
        let (task, concept) = paragraphs.split_last().expect(lesson.name);
        assert!(task.starts_with("Task: "), "{}: {task}", lesson.name);
        assert!(!concept.is_empty(), "{}", lesson.name);
        for line in lesson.broken().lines().chain(lesson.solution().lines()) {
            assert!(line.len() < 80, "{}: {line}", lesson.name);
        }
        // Something to check, and more than one thing where one number would do.
        let constant = lesson.runs.iter().all(|run| run.returns == lesson.runs[0].returns);
        let needed = !lesson.calls.is_empty() || lesson.name == "01-result";
        assert!(!lesson.runs.is_empty() && (!constant || needed), "{}", lesson.name);
    }
}

#[test]
fn a_solution_has_the_maps_of_the_program_it_puts_right() {
    for lesson in LESSONS {
        let (broken, solution) =
            (source(lesson, lesson.broken()), source(lesson, lesson.solution()));
        let lines =
            |source: &Source| source.maps.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(lines(&broken), lines(&solution), "{}", lesson.name);
        assert_eq!((broken.programs.len(), solution.programs.len()), (1, 1), "{}", lesson.name);
    }
}

#[test]
fn each_recorded_verdict_is_diagnosed_and_names_the_reason() {
    for (lesson, reasons) in LESSONS.iter().zip(REASONS) {
        let name = lesson.name;
        assert!(
            reasons.iter().any(|reason| lesson.log().contains(reason)),
            "{name}: {}",
            lesson.log()
        );
        assert!(!lesson.log().contains("0xffff"), "{name}: an address of some kernel's");
        let source = source(lesson, lesson.broken());
        let refused =
            verification(&source.programs[0].program, [].into_iter(), lesson.log().to_owned());
        let diagnosis = refused.diagnose().expect(name);
        assert!(diagnosis.at.is_some() && !diagnosis.remedy.is_empty(), "{name}: {diagnosis:?}");
    }
}
