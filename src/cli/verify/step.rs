//! The walk stepped through on the terminal.

use std::io::{self, IsTerminal};

use crate::cli::report;
use crate::cli::stop::Stop;
use crate::cli::terminal::{Pressed, RawTerminal};
use crate::error::Error;
use crate::verifier::draw::stepper::{SteppedProgram, Stepper};
use crate::verifier::verified::{SHOWN_MAX, Verified};

/// Whether there is a terminal to step on. stdin may be the program.
///
/// # Errors
/// There is none.
pub fn check(from_stdin: bool) -> Result<(), Error> {
    let lacking = match (io::stdin().is_terminal() || from_stdin, io::stdout().is_terminal()) {
        (_, false) => "stdout is none",
        (false, true) => "stdin is none",
        (true, true) if std::env::var("TERM").is_ok_and(|term| term == "dumb") => {
            "this one, by $TERM, cannot move its cursor"
        }
        (true, true) => return Ok(()),
    };
    let next = "without --step the same is printed from its beginning to its end";
    Err(Error::usage(format!("--step needs a terminal, and {lacking}")).hint(next))
}

/// Steps through these programs until somebody has seen enough.
///
/// # Errors
/// The terminal cannot be used.
pub fn run(programs: &[Verified]) -> Result<(), Stop> {
    let walked = programs.iter().map(|verified| {
        SteppedProgram::new(verified.title(), verified.refused, &verified.program, SHOWN_MAX)
    });
    let walked: Vec<_> = walked.collect();
    if walked.is_empty() {
        return Ok(());
    }
    let unusable = |error| Error::failed(format!("the terminal cannot be used: {error}"));
    let mut stepper = Stepper::new(walked);
    let terminal = RawTerminal::take(report::colored(&io::stdout())).map_err(unusable)?;
    loop {
        let (width, height) = terminal.size();
        terminal.draw(&stepper.screen(width, height)).map_err(unusable)?;
        match terminal.wait(None).map_err(unusable)? {
            Pressed::End => return Ok(()),
            Pressed::Keys(keys) => {
                for key in keys {
                    if !stepper.press(key) {
                        return Ok(());
                    }
                }
            }
        }
    }
}
