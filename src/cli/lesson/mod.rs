//! `rawbpf lesson`: teaches the verifier's rules by programs that it refuses.

mod check;
mod copy;
mod editor;
mod program;

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::input;
use super::report::{colored, verifier_log};
use super::stop::Stop;
use super::streams::Stdout;
use crate::error::Error;
use crate::host::{KernelTypes, refusal};
use crate::lessons::{LESSONS, Lesson, RECORDED};
use crate::sys::uname;
use crate::verifier::verification::Verification;
use program::LessonProgram;

/// Learn how the verifier thinks: a course of programs that it refuses, for you to correct
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The lesson's number [default: list all lessons]
    #[arg(value_name = "N", value_parser = number)]
    number: Option<usize>,

    /// Edit a copy of the program with $VISUAL, $EDITOR or vi, then check it
    #[arg(long, requires = "number", conflicts_with_all = ["check", "solution"])]
    edit: bool,

    /// Check FILE (default: your edited copy): is it accepted, and does it do the task? - for stdin
    #[arg(long, value_name = "FILE", num_args = 0..=1, requires = "number")]
    check: Option<Option<PathBuf>>,

    /// Print a program that does the task
    #[arg(long, requires = "number", conflicts_with = "check")]
    solution: bool,

    /// Write the verifier's whole log to FILE, - for stdout
    #[arg(long, value_name = "FILE", requires = "number", conflicts_with = "solution")]
    pub verifier_log: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  rawbpf lesson                               list all lessons, and which are done
  rawbpf lesson 15                            explain the rule, show a program and its verdict
  rawbpf lesson 15 --edit                     correct the program, and have it checked
  rawbpf lesson 15 --solution | rawbpf lesson 15 --check -

The verdict comes from the running kernel; where you may not load programs, a recorded verdict is
shown. A program passes once the verifier accepts it and it does the lesson's task: the kernel runs
it on several inputs. Your copies and the list of finished lessons are kept in
$XDG_STATE_HOME/rawbpf or ~/.local/state/rawbpf.
Exit codes: 0 success or passed, 1 not passed, 2 wrong usage, 77 --check where you may not load
programs.";

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("it must be a lesson's number, from 1 to {}", LESSONS.len()))
}

pub fn run(options: &Options) -> Result<(), Stop> {
    let Some(number) = options.number else { return list() };
    let lesson = number.checked_sub(1).and_then(|index| LESSONS.get(index));
    let lesson = lesson.ok_or_else(|| {
        Error::usage(format!("there is no lesson {number} (lessons are 1 to {})", LESSONS.len()))
            .hint("list them with: rawbpf lesson")
    })?;
    if options.solution {
        let mut out = Stdout::plain();
        out.write_all(lesson.solution().as_bytes())?;
        return Ok(out.flush()?);
    }
    if options.edit {
        let file = copy::edit(lesson)?;
        return check(lesson, number, &file);
    }
    match &options.check {
        Some(Some(file)) => check(lesson, number, file),
        Some(None) => check(lesson, number, &copy::made(lesson, number)?),
        None => show(lesson, number, options.verifier_log.as_deref()),
    }
}

fn list() -> Result<(), Stop> {
    let done = copy::done();
    let is_done = |lesson: &Lesson| done.lines().any(|name| name == lesson.name);
    let mut out = Stdout::plain();
    for (index, lesson) in LESSONS.iter().enumerate() {
        let mark = if is_done(lesson) { "done" } else { "" };
        writeln!(out, "{mark:<4}  {:>2}  {}", index + 1, lesson.comment().0)?;
    }
    let count = LESSONS.iter().filter(|lesson| is_done(lesson)).count();
    let next = LESSONS.iter().position(|lesson| !is_done(lesson));
    let next = next.map_or(String::new(), |index| format!("; next: rawbpf lesson {}", index + 1));
    writeln!(out, "\n{count} of {} done{next}", LESSONS.len())?;
    Ok(out.flush()?)
}

/// Prints a lesson: its text, its program, and the verdict on that program.
fn show(lesson: &Lesson, number: usize, log: Option<&Path>) -> Result<(), Stop> {
    let mut out = Stdout::plain();
    let (title, paragraphs) = lesson.comment();
    writeln!(out, "Lesson {number}: {title}")?;
    for paragraph in paragraphs {
        writeln!(out, "\n{paragraph}")?;
    }
    writeln!(out)?;
    let program = (1..).zip(lesson.broken().lines());
    for (line, text) in program.skip_while(|(_, text)| text.is_empty() || text.starts_with(';')) {
        writeln!(out, "{line:>4} | {text}")?;
    }
    let verdict = verdict(lesson)?;
    writeln!(out, "\n{}", verdict.heading)?;
    writeln!(out, "{}", verdict.refused.render(colored(&io::stdout())).trim_end())?;
    writeln!(out, "\nYour turn: rawbpf lesson {number} --edit (if you give up: --solution)")?;
    out.flush()?;
    let refused = Error::failed("").refused(verdict.refused);
    verifier_log("lesson", &refused, log);
    Ok(())
}

struct LessonVerdict {
    /// A line that names the kernel whose verdict it is.
    heading: String,
    refused: Verification,
}

/// The verdict of this kernel's verifier on a lesson's program, or the recorded verdict where this
/// kernel's cannot be had.
fn verdict(lesson: &Lesson) -> Result<LessonVerdict, Stop> {
    let program = LessonProgram::of(&format!("{}.bpf", lesson.name), lesson.broken())?;
    let recorded = |why: Cow<str>| LessonVerdict {
        heading: format!("The verdict of Linux {RECORDED}, recorded ({why}):"),
        refused: program.verification(lesson.log().to_owned()),
    };
    if let Some(missing) = refusal::privilege() {
        return Ok(recorded(missing.what.into()));
    }
    let maps = match program.maps() {
        Ok(maps) => maps,
        Err(error) => return Ok(recorded(error.what.into())),
    };
    Ok(match program.load(lesson, &maps).map_err(|error| (error.refused, error.what)) {
        Ok(_) => recorded("this kernel's verifier accepts the program".into()),
        Err((None, what)) => recorded(what.into()),
        Err((Some(refused), _)) => LessonVerdict {
            heading: format!("The verdict of this kernel, Linux {}:", uname::kernel_release()),
            refused: *refused,
        },
    })
}

/// Checks a file: whether the verifier accepts its program, and whether it does the task.
fn check(lesson: &Lesson, number: usize, file: &Path) -> Result<(), Stop> {
    if let Some(missing) = refusal::privilege() {
        return Err(missing.into());
    }
    let program = LessonProgram::new(input::read(file, &KernelTypes::running())?)?;
    let passed = check::check(lesson, &program).inspect_err(|error| {
        if let Some(refused) = &error.refused {
            say!("{}", refused.render(colored(&io::stderr())).trim_end());
        }
    })?;
    let remembered = copy::remember(lesson);
    let mut out = Stdout::plain();
    writeln!(
        out,
        "Lesson {number} is passed: the verifier accepts the program, and it does the task ({passed})."
    )?;
    let next = number % LESSONS.len() + 1;
    match number == LESSONS.len() {
        true => writeln!(out, "That was the last lesson. List those left with: rawbpf lesson")?,
        false => writeln!(out, "Next: rawbpf lesson {next}")?,
    }
    out.flush()?;
    if let Err(Stop::Error(error)) = remembered {
        say!("lesson: the list of finished lessons could not be written: {}", error.what);
    }
    Ok(())
}
