//! Block I/O latency in the columns of a heat map.

use std::cell::Cell;
use std::sync::Arc;

use super::whose::{self, Whose};
use super::{Choice, Tool, records};
use crate::aggregate::Counters;
use crate::aggregate::heat;
use crate::error::Error;
use crate::host::{AttachKind, Disks, KernelTypes, StructRequest};
use crate::programs::bioheat::{
    self as program, FULL, HEAT, OVER, REISSUED, STARTS, SUBMITTED, UNMATCHED,
};
use crate::programs::request;
use crate::run::{Group, Plan, Session};
use crate::sample::{Bucket, Histogram, Lost, LostKind, Row, Setting, Table, Unit, Value};
use crate::sys::MapSpec;

/// What is measured.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only these disks.
    pub disks: Disks,
    /// Whose.
    pub whose: Whose,
    /// How to attach.
    pub attach: Choice,
}

/// Measures how long block I/O takes, four columns to a power of two.
pub struct Bioheat {
    options: Options,
    counters: Counters,
    /// The columns, between what took no time and what is slower than the last.
    buckets: Arc<[Bucket]>,
    /// Whether the programs meet requests in tracepoints' records.
    by_record: Cell<bool>,
}

impl Bioheat {
    /// The tool, not attached yet.
    pub fn new(options: Options) -> Bioheat {
        // What ended before it began, by the clocks of two CPUs, took no time.
        let under = Bucket { low: 0, high: Some(0) };
        let columns = heat::BOUNDS.windows(2);
        let columns = columns.map(|ends| Bucket { low: ends[0], high: Some(ends[1] - 1) });
        let over = Bucket { low: heat::BOUNDS[heat::COLUMNS as usize], high: None };
        let buckets = [under].into_iter().chain(columns).chain([over]).collect();
        Bioheat { options, counters: Counters::default(), buckets, by_record: Cell::new(false) }
    }

    fn program(&self) -> program::Options<'_> {
        let submitters = self.options.whose.asked(None);
        program::Options {
            disks: self.options.disks.numbers(),
            submitters: submitters.map(|it| it.at(SUBMITTED)),
        }
    }
}

impl Tool for Bioheat {
    fn name(&self) -> &'static str {
        "bioheat"
    }

    fn what(&self) -> String {
        "block device I/O latency".into()
    }

    fn settings(&self) -> Vec<(&'static str, Setting)> {
        let Options { disks, whose, attach } = &self.options;
        let mut settings = vec![("disk", disks.names().into()), ("attach", attach.name().into())];
        settings.extend(whose.settings());
        settings
    }

    fn prepare(&self, types: &KernelTypes) -> Result<(), Error> {
        let Options { disks, whose, attach } = &self.options;
        // Without types, a raw tracepoint still recognises a request by its address, but not its disk.
        let all = *attach == Choice::Auto && disks.numbers().is_empty();
        self.by_record.set(!all && attach.is_by_record(types)?);
        match self.by_record.get() && whose.is_some() {
            true => Err(records::no_submitter(*attach)),
            false => Ok(()),
        }
    }

    fn maps(&self) -> Vec<MapSpec> {
        match self.by_record.get() {
            true => program::record_maps(),
            false => self.options.whose.fill(program::maps(&self.program())),
        }
    }

    fn groups(&self) -> Vec<Group<'_>> {
        let kinds = match self.by_record.get() {
            true => vec![AttachKind::Tracepoint],
            false => self.options.attach.kinds(&AttachKind::CHEAPEST),
        };
        vec![Group::new(kinds, |kind, types| {
            let end = match kind {
                AttachKind::Kprobe | AttachKind::RawTp => AttachKind::RawTp,
                AttachKind::Fentry | AttachKind::TpBtf => AttachKind::TpBtf,
                _ => {
                    let disks = self.options.disks.in_records()?;
                    let [(issue, issued), (requeue, given_back), (complete, completed)] =
                        records::find(types)?;
                    let end = program::complete_by_record(&completed, disks)?;
                    let given_back = program::give_back_by_record(&given_back, disks)?;
                    let start = program::issue_by_record(&issued, disks)?;
                    // The end first, as below.
                    return Ok(vec![
                        Plan::new("complete", complete, end),
                        Plan::new("requeue", requeue, given_back),
                        Plan::new("issue", issue, start),
                    ]);
                }
            };
            let options = self.program();
            let places = [request::end(end), request::issue(kind)];
            let ([(complete, completed), (issue, issued)], by_slot) =
                StructRequest::find_with_cmpxchg(places, types, !options.disks.is_empty())?;
            // The end is attached first: a request that was issued before is no harm, but one whose end
            // nobody saw would stay in the map.
            let end = program::complete(&completed, options, by_slot)?;
            let mut plans = vec![Plan::new("complete", complete, end)];
            let (submission, remember) = whose::plan(options.submitters, types)?;
            plans.extend(remember);
            let start = program::issue(&issued, submission.as_ref(), options, by_slot)?;
            plans.push(Plan::new("issue", issue, start));
            Ok(plans)
        })]
    }

    fn read(&mut self, session: &Session) -> Result<(Vec<Table>, Vec<Lost>), Error> {
        let counted = self.counters.read(session.map(HEAT)?)?;
        let histogram = |counts: &[u64]| {
            Value::Histogram(Histogram::new(
                self.buckets.clone(),
                counts[..=OVER as usize].to_vec(),
            ))
        };
        let row = Row {
            labels: vec![],
            value: histogram(&counted.interval),
            total: histogram(&counted.total),
        };
        let table = Table {
            name: "latency".into(),
            subject: "block_io".into(),
            help: "Time from a request's issue to the driver to its completion".into(),
            unit: Unit::Nanoseconds,
            labels: vec![],
            rows: vec![row],
            rest: vec![],
        };
        let some = |kind, word: u32, sentence: &str| {
            Lost::some(kind, counted.interval[word as usize], sentence)
        };
        let lost = [
            some(
                LostKind::NoStart,
                UNMATCHED,
                "completions without a recorded start (issued before tracing began, or while the CPU \
                 ran another program)",
            ),
            if self.by_record.get() {
                some(LostKind::Ambiguous, REISSUED, records::AMBIGUOUS)
            } else {
                some(
                    LostKind::Reissued,
                    REISSUED,
                    "requests were issued again before their end was seen: the driver gave them back, or the CPU \
                 ran another program when they ended",
                )
            },
            match self.by_record.get() {
                true => {
                    let open = records::open(session.map(STARTS.map)?)?;
                    Lost::some(LostKind::Open, open, records::OPEN)
                }
                false => None,
            },
            some(
                LostKind::BeyondMaxOpen,
                FULL,
                &format!("requests were not counted, beyond {} at a time", program::UNDER_WAY),
            ),
        ];
        Ok((vec![table], lost.into_iter().flatten().collect()))
    }
}
