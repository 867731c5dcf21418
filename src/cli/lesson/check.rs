//! Checks whether a learner's program does a lesson's task.

use super::program::LessonProgram;
use crate::cli::run::not_run;
use crate::error::Error;
use crate::insn::helper::Helper;
use crate::insn::{Callee, Insn};
use crate::lessons::{Input, Lesson, LessonRun, bytes};
use crate::sys::map::Update;
use crate::sys::prog::TestRun;
use crate::sys::{Map, MapSpec, Prog, ProgramType};

/// Loads the program and runs it on all of the lesson's inputs. Returns in words how it was run.
///
/// # Errors
/// The verifier refuses the program, or it does not do the task.
pub fn check(lesson: &Lesson, program: &LessonProgram) -> Result<String, Error> {
    let wanted = LessonProgram::of(lesson.name, lesson.solution());
    let wanted = wanted.map_err(|_| Error::failed("the lesson's own solution is wrong"))?;
    for map in &wanted.maps {
        let same = |other: &MapSpec| MapSpec { flags: map.flags, ..other.clone() } == *map;
        if !program.maps.iter().any(same) {
            return Err(Error::failed(format!(
                "the lesson's map {} is missing or was changed: keep its .map line",
                map.name
            )));
        }
    }
    let maps = program.maps()?;
    let loaded = program.load(lesson, &maps).map_err(|error| {
        let Some(refused) = error.refused else { return error };
        let what = match refused.diagnose() {
            Some(diagnosis) => {
                format!("not passed: the verifier refused the program: {}", diagnosis.sentence)
            }
            None => format!("not passed: {}", error.what),
        };
        Error::failed(what).hint("the whole log: --verifier-log FILE").refused(*refused)
    })?;
    if program.program_type != wanted.program_type {
        return Err(Error::failed(format!(
            "not passed: the verifier accepts the program, but its type is {}; the lesson asks for {}",
            program.program_type, wanted.program_type
        )));
    }
    for name in lesson.calls {
        let id = Helper::by_name(name).map(|helper| helper.id as i32);
        let called =
            |insn: &Insn| matches!(insn, Insn::Call(Callee::Helper(call)) if Some(*call) == id);
        if !program.spec.program.insns().iter().any(called) {
            return Err(Error::failed(format!(
                "not passed: the verifier accepts the program, but it does not call {name}, as the \
                 lesson asks"
            )));
        }
    }
    let map = wanted.maps.first();
    let map = map.and_then(|wanted| maps.iter().find(|map| map.spec().name == wanted.name));
    for (key, value) in lesson.map {
        let set = map.map(|map| map.update(&key.to_ne_bytes(), &bytes(value), Update::Any));
        set.transpose()
            .map_err(|error| Error::failed(format!("the map was not filled: {error}")))?;
    }
    for run in lesson.runs {
        let returned = run_on(&run.input, &loaded, program.program_type)?;
        if let Some(wrong) = run.wrong(returned, left(run, map)?.as_deref()) {
            return Err(Error::failed(format!(
                "not passed: the verifier accepts the program, but with {} {wrong}",
                run.input
            )));
        }
    }
    Ok(match lesson.runs.len() {
        1 => "run once".to_owned(),
        runs => format!("run {runs} times on different inputs"),
    })
}

/// Runs the program. Returns its result.
fn run_on(input: &Input, prog: &Prog, program_type: ProgramType) -> Result<u32, Error> {
    // The kernel reads it while the program runs.
    let memory;
    let mut arguments = [0; 8];
    let mut packet = vec![];
    match *input {
        Input::Arguments(numbers) => arguments[..numbers.len()].copy_from_slice(numbers),
        Input::Address(numbers) => {
            arguments[..numbers.len()].copy_from_slice(numbers);
            memory = numbers[0];
            arguments[0] = std::ptr::from_ref(&memory).expose_provenance() as u64;
        }
        Input::Packet(length, start) => {
            packet = start.to_vec();
            packet.resize(length, 0);
        }
    }
    let arguments = bytes(&arguments);
    let ctx_in = if packet.is_empty() { &arguments[..] } else { &[] };
    let result = prog.test_run(TestRun { data_in: &packet, ctx_in, ..TestRun::default() });
    Ok(result.map_err(|error| not_run(program_type, &error))?.retval)
}

/// The value of the element that a run must leave, if the map has it.
fn left(run: &LessonRun, map: Option<&Map>) -> Result<Option<Vec<u8>>, Error> {
    let (Some((key, _)), Some(map)) = (run.leaves, map) else { return Ok(None) };
    let mut value = vec![0; map.value_len()];
    let found = map.lookup(&key.to_ne_bytes(), &mut value);
    let found = found.map_err(|error| Error::failed(format!("the map cannot be read: {error}")))?;
    Ok(found.then_some(value))
}
