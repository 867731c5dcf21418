//! What all tracing tools do: attach, wait, read, print.

use std::io::{self, Write};
use std::ops::ControlFlow::{Break, Continue};

use serde_json::{Map, Value};

use super::Stop;
use super::dump::{Dumped, dump};
use super::options::TraceOptions;
use super::report::{self, Bar};
use super::verify;
use crate::error::Error;
use crate::host::{KernelTypes, refusal};
use crate::insn::Endian;
use crate::run::{Event, Events, Group, Progress, Session, unwatched};
use crate::sys::MapSpec;
use crate::sys::signal::StopSignal;

/// A tool that counts in the kernel and prints at the end of each interval.
pub trait Tool {
    /// Its name on the command line.
    const NAME: &'static str;
    /// What it traces, for the first line.
    const WHAT: &'static str;

    /// When and what to print.
    fn options(&self) -> &TraceOptions;

    /// The maps, in the order in which the programs refer to them.
    fn maps(&self) -> Vec<MapSpec>;

    /// The programs, in the order in which to attach them.
    fn groups(&self) -> Vec<Group<'_>>;

    /// The programs are attached: counting begins.
    ///
    /// # Errors
    /// What has to be done by then could not be.
    fn started(&mut self, _session: &Session) -> Result<(), Error> {
        Ok(())
    }

    /// Takes what was counted since the last call, or since the start.
    fn read(&mut self, session: &Session) -> Result<(), Error>;

    /// Prints what was taken, for people, and the time of day if it was asked for.
    ///
    /// # Errors
    /// The output could not be written.
    fn show(&mut self, time: Option<&str>, out: &mut dyn Write) -> io::Result<()>;

    /// After the last interval, or when the output was closed.
    ///
    /// # Errors
    /// What is left to do could not be done.
    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// What it traces in this run, for the first line.
    fn what(&self) -> String {
        Self::WHAT.into()
    }

    /// What was taken, for programs: the fields of an object. `type` is its first.
    fn to_json(&self) -> Map<String, Value>;
}

/// Runs a tool from its options to its last interval.
///
/// # Errors
/// It could not be attached, read or printed.
pub fn run<T: Tool>(tool: &mut T) -> Result<(), Stop> {
    let types = KernelTypes::new(tool.options().btf.as_deref())?;
    let mut out = io::stdout().lock();
    if let Some(format) = tool.options().dump_insns {
        let plans =
            tool.groups().iter().map(|group| group.first(&types)).collect::<Result<Vec<_>, _>>()?;
        let programs: Vec<_> = plans.iter().flatten().map(Dumped::from).collect();
        return dump(&mut out, format, Endian::HOST, &programs, &tool.maps());
    }
    if let Some(show) = &tool.options().verify {
        return verify::tool(tool, &types, show);
    }
    let signal = StopSignal::new().map_err(|error| refusal::descriptors(&error))?;
    let mut bar = Bar::new(T::NAME);
    // Ctrl-C ends the wait for more programs.
    let mut progress = |Progress { done, of }| {
        bar.draw(done, of);
        if done > 0 && signal.came() { Break(()) } else { Continue(()) }
    };
    let session = Session::start(&tool.maps(), &tool.groups(), &types, &mut progress)?;
    // Before anybody is told that it counts.
    tool.started(&session)?;
    report::attached(T::NAME, tool.options(), &session);
    report::tracing(&tool.what(), tool.options(), &mut out)?;
    let printed = print_all(tool, &session, &signal, &mut out);
    tool.finish()?;
    printed?;
    report::missed(T::NAME, &session);
    session.leave();
    Ok(())
}

fn print_all(
    tool: &mut impl Tool,
    session: &Session,
    signal: &StopSignal,
    out: &mut dyn Write,
) -> Result<(), Stop> {
    let options = tool.options();
    let stdout = io::stdout();
    let events = Events::every(options.interval, options.count);
    let mut events = events.until(signal).while_read(&stdout);
    loop {
        let event = events.wait().map_err(|error| Error::failed(error.to_string()))?;
        if event == Event::Unread {
            return Ok(());
        }
        tool.read(session)?;
        print(tool, out)?;
        if event == Event::Last {
            return Ok(());
        }
    }
}

/// Attaches a tool.
///
/// # Errors
/// It cannot be attached on this host.
pub fn attach(tool: &impl Tool, types: &KernelTypes) -> Result<Session, Error> {
    Session::start(&tool.maps(), &tool.groups(), types, &mut unwatched)
}

fn print(tool: &mut impl Tool, out: &mut dyn Write) -> io::Result<()> {
    let time = tool.options().timestamp.then(report::time_of_day);
    if tool.options().json {
        let mut line = tool.to_json();
        if let Some(time) = time {
            line.shift_insert(1, "time".into(), time.into());
        }
        writeln!(out, "{}", Value::from(line))?;
    } else {
        tool.show(time.as_deref(), out)?;
    }
    out.flush()
}
