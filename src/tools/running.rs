//! A tool while it is attached.

use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_gettime};

use super::Tool;
use crate::error::Error;
use crate::host::KernelTypes;
use crate::run::{self, Progress, Session, unwatched};
use crate::sample::{Attached, LeftOut, Lost, LostKind, Run, Sample, Setting, Skipped, Span, Time};
use crate::sys::confine::{self, Needs};
use crate::sys::uname;

/// A tool that is attached and counts. Dropping it detaches.
#[must_use = "dropping it detaches"]
pub struct Running {
    tool: Box<dyn Tool>,
    session: Session,
    start: Time,
    /// When the last sample ended.
    last: Time,
    missed: u64,
}

impl Running {
    /// Attaches a tool by what the running kernel offers.
    ///
    /// # Errors
    /// It cannot be attached on this host, and why.
    pub fn start(tool: impl Tool + 'static) -> Result<Running, Error> {
        Running::start_with(Box::new(tool), &KernelTypes::running(), &mut unwatched)
    }

    /// Attaches a tool by these types, and reports how far that is.
    ///
    /// # Errors
    /// It cannot be attached on this host, and why.
    pub fn start_with(
        mut tool: Box<dyn Tool>,
        types: &KernelTypes,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Running, Error> {
        tool.prepare(types)?;
        let session = Session::start(&tool.maps(), &tool.groups(), types, progress);
        let session = session.map_err(|error| tool.explain(error))?;
        tool.begin(&session)?;
        let start = now()?;
        Ok(Running { tool, session, start, last: start, missed: 0 })
    }

    /// What this run is.
    pub fn run(&self) -> Run {
        let attached = self.session.attached.iter().map(|attached| Attached {
            program: attached.name.clone(),
            kind: attached.word.to_owned(),
            place: attached.place.clone(),
        });
        let skipped =
            self.session.skipped.iter().map(|run::SkippedKind { kind, error, .. }| Skipped {
                kind: kind.to_string(),
                reason: error.what.clone(),
            });
        let left_out =
            self.session.left_out.iter().map(|run::LeftOutProgram { attach, error, .. }| LeftOut {
                place: attach.to_string(),
                reason: error.what.clone(),
            });
        Run {
            attached: attached.collect(),
            skipped: skipped.collect(),
            left_out: left_out.collect(),
            ..describe(self.tool.name(), self.start, self.tool.settings())
        }
    }

    /// What was counted since the last sample, or since the start.
    ///
    /// # Errors
    /// A map or a clock could not be read.
    pub fn sample(&mut self) -> Result<Sample, Error> {
        let (tables, mut lost) = self.tool.read(&self.session)?;
        let end = now()?;
        let span = Span { start: std::mem::replace(&mut self.last, end), end };
        let missed = self.session.missed().max(self.missed);
        let since = missed - std::mem::replace(&mut self.missed, missed);
        lost.extend(Lost::some(
            LostKind::MissedEvents,
            since,
            "events came while another probe's program was running, and were not counted",
        ));
        Ok(Sample::new(span, tables, lost))
    }

    /// The tool.
    pub fn tool(&self) -> &dyn Tool {
        &*self.tool
    }

    /// What it holds in the kernel.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Gives up, for the calling thread and for good, the capabilities and the system calls that neither
    /// the samples to come nor the end of the run need, nor what `needs` says. Without a privilege to
    /// lose, the calls are forbidden all the same. See [`confine`].
    ///
    /// # Errors
    /// The kernel refuses it. What was given up by then stays so.
    pub fn drop_privileges(&self, needs: Needs) -> Result<(), Error> {
        let needs = needs | self.tool.needs() | self.session.needs();
        let dropped = confine::capabilities(needs).and_then(|()| confine::system_calls(needs));
        dropped.map_err(|error| Error::failed(format!("privileges cannot be dropped: {error}")))
    }

    /// Detaches once this process has ended: see [`Session::leave`].
    pub fn leave(mut self) {
        self.tool.end(&self.session);
        self.session.leave();
    }
}

/// A run on this host in which nothing is attached.
pub fn describe(tool: &'static str, start: Time, options: Vec<(&'static str, Setting)>) -> Run {
    Run {
        start,
        tool: tool.into(),
        host: uname::host_name(),
        kernel: uname::kernel_release(),
        options: options.into_iter().map(|(name, value)| (name.into(), value)).collect(),
        attached: vec![],
        skipped: vec![],
        left_out: vec![],
    }
}

/// This moment by both clocks.
///
/// # Errors
/// The clock cannot be read.
pub fn now() -> Result<Time, Error> {
    let monotonic = clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map_err(|error| Error::failed(format!("the time could not be read: {error}")))?;
    Ok(Time { wall: SystemTime::now(), monotonic: Duration::from(monotonic) })
}
