//! `rawbpf lesson`: the verifier, taught by programs that it refuses.

mod check;
mod copy;
mod program;

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::input;
use super::report::{colored, verifier_log};
use super::stop::Stop;
use crate::error::Error;
use crate::host::{KernelTypes, refusal};
use crate::lessons::{LESSONS, Lesson, RECORDED};
use crate::sys::file;
use crate::verifier::verification::Verification;
use program::Program;

/// Learn how the verifier thinks: programs that it refuses, to be put right
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Which lesson [default: the list of all]
    #[arg(value_name = "N")]
    number: Option<usize>,

    /// Edit a copy of the program with $VISUAL, $EDITOR or vi, then check it
    #[arg(long, requires = "number", conflicts_with_all = ["check", "solution"])]
    edit: bool,

    /// Whether FILE, else the copy, passes the verifier and does what was asked; - for stdin
    #[arg(long, value_name = "FILE", num_args = 0..=1, requires = "number")]
    check: Option<Option<PathBuf>>,

    /// Print a program that does what was asked
    #[arg(long, requires = "number", conflicts_with = "check")]
    solution: bool,

    /// Write all that the verifier said to this file, - for stdout
    #[arg(long, value_name = "FILE", requires = "number", conflicts_with = "solution")]
    pub verifier_log: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  rawbpf lesson                               all lessons, and which are done
  rawbpf lesson 15                            what it is about, a program, the verdict on it
  rawbpf lesson 15 --edit                     put it right, and have it checked
  rawbpf lesson 15 --solution | rawbpf lesson 15 --check -

The verdict is that of the running kernel; where programs may not be loaded, a recorded one. A
program passes once it is accepted and, run by the kernel on some inputs, does what the lesson
asks. Copies and what is done are kept in $XDG_STATE_HOME/rawbpf or ~/.local/state/rawbpf.
Exit codes: 0 done or passed, 1 not passed, 2 wrong usage, 77 --check where programs may not be
loaded.";

pub fn run(options: &Options) -> Result<(), Stop> {
    let Some(number) = options.number else { return list() };
    let lesson = number.checked_sub(1).and_then(|index| LESSONS.get(index));
    let lesson = lesson.ok_or_else(|| {
        Error::usage(format!("there is no lesson {number}: they are 1 to {}", LESSONS.len()))
            .next("which there are: rawbpf lesson")
    })?;
    if options.solution {
        let mut out = io::stdout().lock();
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
    let mut out = io::stdout().lock();
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

/// The lesson: what it is about, its program, and the verdict on that.
fn show(lesson: &Lesson, number: usize, log: Option<&Path>) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
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
    writeln!(out, "\n{}", verdict.said_by)?;
    writeln!(out, "{}", verdict.refused.render(colored(&out)).trim_end())?;
    writeln!(out, "\nNow you: rawbpf lesson {number} --edit; if you give up: --solution")?;
    out.flush()?;
    let refused = Error::failed("").refused(verdict.refused);
    verifier_log("lesson", &refused, log);
    Ok(())
}

struct Verdict {
    /// A line about whose it is.
    said_by: String,
    refused: Verification,
}

/// What this kernel's verifier says of a lesson's program; what another one said where this one
/// cannot be asked.
fn verdict(lesson: &Lesson) -> Result<Verdict, Stop> {
    let program = Program::of(&format!("{}.bpf", lesson.name), lesson.broken())?;
    let recorded = |why: Cow<str>| Verdict {
        said_by: format!("The verdict of Linux {RECORDED}, recorded ({why}):"),
        refused: program.refused(lesson.log().to_owned()),
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
        Err((Some(refused), _)) => {
            let release = file::read_text(Path::new("/proc/sys/kernel/osrelease"));
            let release = release.unwrap_or_default();
            Verdict {
                said_by: format!("The verdict of this kernel, Linux {}:", release.trim()),
                refused: *refused,
            }
        }
    })
}

/// Whether this file passes and does what was asked.
fn check(lesson: &Lesson, number: usize, file: &Path) -> Result<(), Stop> {
    if let Some(missing) = refusal::privilege() {
        return Err(missing.into());
    }
    let program = Program::new(input::read(file, &KernelTypes::running())?)?;
    let passed = check::check(lesson, &program).inspect_err(|error| {
        if let Some(refused) = &error.refused {
            say!("{}", refused.render(colored(&io::stderr())).trim_end());
        }
    })?;
    let remembered = copy::remember(lesson);
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "Lesson {number} is passed: the verifier takes the program, and it does what was asked ({passed})."
    )?;
    let next = number % LESSONS.len() + 1;
    match number == LESSONS.len() {
        true => writeln!(out, "That was the last one. Which are left: rawbpf lesson")?,
        false => writeln!(out, "Next: rawbpf lesson {next}")?,
    }
    out.flush()?;
    if let Err(error) = remembered {
        say!("lesson: that it is passed was not noted: {error}");
    }
    Ok(())
}
