//! What all tracing tools do: attach, wait, read, print.

use std::io::{self, Write};
use std::ops::ControlFlow;

use serde_json::{Map, Value};

use super::Stop;
use super::dump::{Dumped, dump};
use super::options::TraceOptions;
use super::report::{self, Bar};
use super::verify;
use crate::error::Error;
use crate::host::{AttachKind, KernelTypes, refusal};
use crate::insn::Endian;
use crate::interval::{Ended, Intervals};
use crate::session::{self, Many, Plan, Session};
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

    /// The attach kinds to try, best first.
    fn kinds(&self) -> Vec<AttachKind>;

    /// The maps, in the order in which the programs refer to them.
    fn maps(&self) -> Vec<MapSpec>;

    /// The programs for an attach kind, in the order in which to attach them.
    fn plans(&self, kind: AttachKind, types: &KernelTypes) -> Result<Vec<Plan>, Error>;

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

    /// Whether it can do without a program that cannot be attached, as one of many.
    fn can_do_without(&self, _: &Plan) -> bool {
        false
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
        let kind = *tool.kinds().first().unwrap_or(&AttachKind::Kprobe);
        let plans = tool.plans(kind, &types)?;
        let programs: Vec<_> = plans.iter().map(Dumped::from).collect();
        return dump(&mut out, format, Endian::HOST, &programs, &tool.maps());
    }
    if let Some(show) = &tool.options().verify {
        let plans = |kind| tool.plans(kind, &types);
        return verify::programs(&tool.maps(), &tool.kinds(), &plans, show);
    }
    let signal = StopSignal::new().map_err(|error| refusal::descriptors(&error))?;
    let mut attaching = Attaching { tool, signal: &signal, bar: Bar::new(T::NAME) };
    let plans = |kind| tool.plans(kind, &types);
    let session = session::start(&tool.maps(), &tool.kinds(), &plans, &mut attaching)?;
    // Before anybody is told that it counts.
    tool.started(&session)?;
    report::attached(T::NAME, tool.options(), &session);
    report::tracing(&tool.what(), tool.options(), &mut out)?;
    let printed = print_all(tool, &session, signal, &mut out);
    tool.finish()?;
    printed?;
    report::missed(T::NAME, &session);
    session.leave();
    Ok(())
}

fn print_all(
    tool: &mut impl Tool,
    session: &Session,
    signal: StopSignal,
    out: &mut dyn Write,
) -> Result<(), Stop> {
    let options = tool.options();
    let mut intervals = Intervals::start(signal, options.interval, options.count);
    loop {
        let ended = intervals.wait().map_err(|error| Error::failed(error.to_string()))?;
        if ended == Ended::Unread {
            return Ok(());
        }
        tool.read(session)?;
        print(tool, out)?;
        if ended == Ended::Last {
            return Ok(());
        }
    }
}

/// Attaches a tool by the first kind that works.
///
/// # Errors
/// None does.
pub fn attach(tool: &impl Tool, types: &KernelTypes) -> Result<Session, Error> {
    let plans = |kind| tool.plans(kind, types);
    session::start(&tool.maps(), &tool.kinds(), &plans, &mut session::All)
}

/// What happens while programs are attached: a bar is drawn, and Ctrl-C ends the wait for more.
struct Attaching<'a, T> {
    tool: &'a T,
    signal: &'a StopSignal,
    bar: Bar,
}

impl<T: Tool> Many for Attaching<'_, T> {
    fn can_do_without(&self, plan: &Plan) -> bool {
        self.tool.can_do_without(plan)
    }

    fn progress(&mut self, done: usize, of: usize) -> ControlFlow<()> {
        self.bar.draw(done, of);
        match self.signal.came() {
            true if done > 0 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
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
