//! Block I/O sizes as a histogram.

use super::whose::{self, Whose};
use super::{Choice, Tool, distribution};
use crate::aggregate::Counters;
use crate::error::Error;
use crate::host::{AttachKind, Disks, Request};
use crate::programs::bitehist::{self as program, BUCKETS, HIST, SUBMITTED};
use crate::programs::request;
use crate::programs::submitter::Submitters;
use crate::run::{Group, Plan, Session};
use crate::sample::{Histogram, Lost, LostKind, Row, Setting, Table, Unit, Value};
use crate::sys::MapSpec;

/// What is counted, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only these disks.
    pub disks: Disks,
    /// Whose.
    pub whose: Whose,
    /// How to attach.
    pub attach: Choice,
    /// Bytes, from half a kilobyte on, instead of kilobytes.
    pub bytes: bool,
}

/// Counts block I/O by size.
pub struct Bitehist {
    options: Options,
    counters: Counters,
}

impl Bitehist {
    /// The tool, not attached yet.
    pub fn new(options: Options) -> Bitehist {
        Bitehist { options, counters: Counters::default() }
    }

    fn submitters(&self) -> Option<Submitters> {
        self.options.whose.asked(None).map(|submitters| submitters.at(SUBMITTED))
    }
}

impl Tool for Bitehist {
    fn name(&self) -> &'static str {
        "bitehist"
    }

    fn what(&self) -> String {
        "block device I/O".into()
    }

    fn settings(&self) -> Vec<(&'static str, Setting)> {
        let Options { disks, whose, attach, bytes } = &self.options;
        let mut settings = vec![("disk", disks.names().into()), ("attach", attach.name().into())];
        settings.extend(whose.settings());
        settings.push(("bytes", (*bytes).into()));
        settings
    }

    fn maps(&self) -> Vec<MapSpec> {
        self.options.whose.fill(program::maps(self.submitters().as_ref()))
    }

    fn groups(&self) -> Vec<Group<'_>> {
        vec![Group::new(self.options.attach.kinds(&AttachKind::AUTO), |kind, types| {
            let disks = match kind {
                AttachKind::Tracepoint => self.options.disks.in_records()?,
                _ => self.options.disks.numbers(),
            };
            let (attach, request) = Request::find(request::issue(kind), types, !disks.is_empty())?;
            // Bucket 0 reaches to twice the unit: two kilobytes, or half of one.
            let shift = if self.options.bytes { 8 } else { 10 };
            let submitters = self.submitters();
            let options = program::Options { shift, disks, submitters };
            // A record does not lead to its request's submission.
            let of_struct = submitters.filter(|_| kind != AttachKind::Tracepoint);
            let (submission, remember) = whose::plan(of_struct, types)?;
            let program = program::program(&request, submission.as_ref(), options)?;
            Ok(remember.into_iter().chain([Plan::new(self.name(), attach, program)]).collect())
        })]
    }

    fn read(&mut self, session: &Session) -> Result<(Vec<Table>, Vec<Lost>), Error> {
        let counted = self.counters.read(session.map(HIST)?)?;
        let (first, unit) = match self.options.bytes {
            true => (512, Unit::Bytes),
            false => (2, Unit::Kibibytes),
        };
        let buckets = distribution::powers_of_two(first, BUCKETS);
        let histogram = |counts: &[u64]| {
            let counts = counts[..BUCKETS as usize].to_vec();
            Value::Histogram(Histogram::new(buckets.clone(), counts))
        };
        let row = Row {
            labels: vec![],
            value: histogram(&counted.interval),
            total: histogram(&counted.total),
        };
        let table = Table {
            name: "size".into(),
            subject: "block_io".into(),
            help: "Sizes of block I/O requests, when they are issued to the driver".into(),
            unit,
            labels: vec![],
            rows: vec![row],
            rest: vec![],
        };
        let unreadable = counted.interval[program::UNREADABLE as usize];
        let lost = Lost::some(
            LostKind::Unreadable,
            unreadable,
            "more requests, whose size could not be read",
        );
        Ok((vec![table], lost.into_iter().collect()))
    }
}
