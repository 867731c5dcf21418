//! `rawbpf list --live`: what programs cost, interval after interval.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::meter::{Meter, table};
use super::objects::counting;
use super::options::Options;
use super::screen::Screen;
use crate::cli::report;
use crate::cli::schedule::Schedule;
use crate::cli::stop::Stop;
use crate::cli::streams::Stdout;
use crate::cli::terminal::RawTerminal;
use crate::error::Error;
use crate::host::refusal;
use crate::plain;
use crate::run::Event;
use crate::sys::Errno;
use crate::sys::signal::StopSignal;

/// Shows the costs of programs until somebody has seen enough, on the terminal's screen if there is one.
///
/// # Errors
/// A privilege is missing, or the output could not be written.
pub fn run(options: &Options, interval: Option<Duration>, count: Option<u64>) -> Result<(), Stop> {
    let interval = Some(interval.unwrap_or(Duration::from_secs(1)));
    let schedule = Schedule { interval, count, duration: None, summary: false };
    // The kernel counts as long as this is open.
    let _counting = counting()?;
    let mut meter = Meter::new(options)?;
    let moves = std::env::var("TERM").is_ok_and(|term| !term.is_empty() && term != "dumb");
    if io::stdout().is_terminal() && moves && !options.json {
        let color = report::colored(&io::stdout());
        // Without a terminal for keys there is still one for tables.
        if let Ok(terminal) = RawTerminal::take(color) {
            return Screen::new(meter, options.top()).run(&terminal, &schedule);
        }
    }
    let (stdout, mut out) = (io::stdout(), Stdout::plain());
    let signal =
        StopSignal::new().map_err(|error| refusal::descriptors(Errno::from(&error), &error))?;
    say!("Counting the runs of programs... {}", schedule.sentence());
    let mut events = schedule.begin().until(&signal).while_read(&stdout);
    loop {
        let event = events.wait().map_err(|error| Error::failed(error.to_string()))?;
        if event == Event::Unread {
            return Ok(());
        }
        let costs = meter.read()?;
        if options.json {
            writeln!(out, "{}", plain::json(costs.json(options.top()).to_string()))?;
        } else {
            let table = table(&costs, options.top(), options.width());
            write!(out, "\n{}\n{table}", costs.sentence())?;
        }
        out.flush()?;
        if event == Event::Last {
            return Ok(());
        }
    }
}
