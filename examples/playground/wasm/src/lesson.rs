//! The course.

use rawbpf::insn::Callee::Helper as Called;
use rawbpf::insn::helper::Helper;
use rawbpf::insn::{Insn, parse};
use rawbpf::lessons::{LESSONS, Lesson, RECORDED};
use rawbpf::verifier::verification::Verification;
use rawbpf::verifier::verified::Verified;
use serde_json::{Value as Json, json};

use crate::explained::page;
use crate::program::source;
use crate::running::STEPS;

/// The lesson of this number, from 1.
///
/// # Errors
/// There is none.
pub fn by_number(number: usize) -> Result<&'static Lesson, String> {
    let lesson = number.checked_sub(1).and_then(|index| LESSONS.get(index));
    lesson.ok_or_else(|| format!("there is no lesson {number}"))
}

/// All lessons, without their verdicts.
pub fn all() -> Json {
    let lessons = LESSONS.iter().map(|lesson| {
        let (title, paragraphs) = lesson.comment();
        let runs: Vec<_> = lesson.runs.iter().map(|run| run.input.to_string()).collect();
        json!({
            "title": title,
            "paragraphs": paragraphs,
            "broken": lesson.broken(),
            "solution": lesson.solution(),
            "runs": runs,
        })
    });
    lessons.collect()
}

/// Why the recorded kernel refused a lesson's program, and the page of its walk.
///
/// # Errors
/// There is no such lesson.
pub fn verdict(number: usize) -> Result<Json, String> {
    let lesson = by_number(number)?;
    let file = format!("{}.bpf", lesson.name);
    let source = parse(&file, lesson.broken()).map_err(|mistakes| mistakes.to_string())?;
    let named = &source.programs[0];
    let maps = source.maps.iter().map(|map| map.name.text.clone()).collect();
    let program = Verification {
        kind: named.line.kind.text.clone(),
        ..Verification::of_program(&named.program, maps, lesson.log().to_owned())
    };
    let text = program.render(false);
    let refused = Verified {
        name: named.line.name.text.clone(),
        kind: named.line.kind.text.clone(),
        place: String::new(),
        program,
        totals_only: false,
        refused: true,
    };
    Ok(json!({"kernel": RECORDED, "text": text, "page": page(&[refused])}))
}

/// Whether a text does a lesson's task, as far as that shows without a kernel.
///
/// # Errors
/// There is no such lesson, or the text has mistakes.
pub fn checked(number: usize, text: &str) -> Result<Json, String> {
    let lesson = by_number(number)?;
    let source = source(text)?;
    let insns = source.programs[0].program.insns();
    // Some do the task: it is the verifier that they do not satisfy.
    let broken = parse(lesson.name, lesson.broken()).map_err(|mistakes| mistakes.to_string())?;
    let (own, broken) = (&source.programs[0], &broken.programs[0]);
    if own.line.kind.text == broken.line.kind.text && insns == broken.program.insns() {
        let why = "this is the program that the verifier refuses";
        return Ok(json!({"passed": false, "why": why}));
    }
    for name in lesson.calls {
        let id = Helper::by_name(name).map(|helper| helper.id as i32);
        if !insns.iter().any(|insn| matches!(insn, Insn::Call(Called(call)) if Some(*call) == id)) {
            return Ok(json!({"passed": false, "why": format!("it does not call {name}")}));
        }
    }
    for run in lesson.runs {
        let mut machine = lesson.machine(run, &source)?;
        let wrong = match machine.run(STEPS) {
            Err(fault) => Some(format!("it stops: {fault}")),
            Ok(None) => Some(format!("it does not end within {STEPS} instructions")),
            Ok(Some(returned)) => lesson.wrong(run, returned, &machine.world),
        };
        if let Some(wrong) = wrong {
            let why = format!("with {} {wrong}", run.input);
            return Ok(json!({"passed": false, "why": why}));
        }
    }
    Ok(json!({"passed": true, "why": ""}))
}
