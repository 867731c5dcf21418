//! Block I/O sizes as a histogram for each process that asked for it.

use std::cell::OnceCell;
use std::cmp::Reverse;

use super::whose::{self, SubmitterLabels, Whose};
use super::{Choice, Tool, distribution};
use crate::aggregate::{Counters, KeyedCounters};
use crate::error::Error;
use crate::host::{AttachKind, Disks, Issue, Operations};
use crate::order::PutInOrder;
use crate::programs::bitesize::{
    self as program, BUCKETS, BYTES, FULL, LOST, SIZES, SUBMITTED, UNREADABLE,
};
use crate::programs::request;
use crate::programs::submitter::{FLAGS, Key, Submitters};
use crate::run::{Group, Plan, Session};
use crate::sample::{
    Histogram, LabelName, LabelValue, Lost, LostKind, Row, Setting, Table, Unit, Value, merge,
};
use crate::sys::MapSpec;

/// What is counted, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only these disks.
    pub disks: Disks,
    /// How to attach.
    pub attach: Choice,
    /// Whose.
    pub whose: Whose,
    /// What a histogram is kept for.
    pub by: Key,
    /// And for each operation with its flags.
    pub by_flags: bool,
    /// What puts a histogram last.
    pub sort: Sort,
    /// Only the N with the most.
    pub top: Option<u32>,
    /// Up to N histograms are kept in the kernel.
    pub max_keys: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            disks: Disks::default(),
            attach: Choice::Auto,
            whose: Whose::default(),
            by: Key::Pid,
            by_flags: false,
            sort: Sort::Bytes,
            top: None,
            max_keys: 4096,
        }
    }
}

/// What the histogram with the most of it comes last for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    /// Bytes.
    Bytes,
    /// Requests.
    Count,
}

/// Counts block I/O by size and by who asked for it.
pub struct Bitesize {
    options: Options,
    submitters: Submitters,
    sizes: KeyedCounters,
    lost: Counters,
    labels: SubmitterLabels,
    operations: OnceCell<Operations>,
}

impl Bitesize {
    /// The tool, not attached yet.
    pub fn new(options: Options) -> Bitesize {
        let submitters = options.whose.submitters(Some(options.by)).at(SUBMITTED);
        Bitesize {
            labels: SubmitterLabels::new(Some(&submitters)),
            options,
            submitters,
            sizes: KeyedCounters::default(),
            lost: Counters::default(),
            operations: OnceCell::new(),
        }
    }

    fn labels(&self) -> Vec<LabelName> {
        let mut labels = self.labels.names();
        if self.options.by_flags {
            labels.push(LabelName::new("flags", "FLAGS"));
        }
        labels
    }

    /// As many as there are [`Bitesize::labels`].
    fn label_values(&self, key: &[u8]) -> Vec<LabelValue> {
        let mut values = self.labels.values(key);
        if let Some(operations) = self.operations.get() {
            let flags = operations.name(whose::number(key, FLAGS));
            values.push(LabelValue::text(&flags));
        }
        values
    }
}

impl Tool for Bitesize {
    fn name(&self) -> &'static str {
        "bitesize"
    }

    fn what(&self) -> String {
        "block device I/O".into()
    }

    fn settings(&self) -> Vec<(&'static str, Setting)> {
        let options = &self.options;
        let sort = if options.sort == Sort::Bytes { "bytes" } else { "count" };
        let mut settings =
            vec![("disk", options.disks.names().into()), ("attach", options.attach.name().into())];
        settings.extend(options.whose.settings());
        settings.extend([
            ("by", options.by.name().into()),
            ("flags", options.by_flags.into()),
            ("sort", sort.into()),
            ("top", options.top.into()),
            ("max_keys", options.max_keys.into()),
        ]);
        settings
    }

    fn notes(&self) -> Vec<String> {
        self.labels.notes()
    }

    fn maps(&self) -> Vec<MapSpec> {
        self.options.whose.fill(program::maps(self.options.max_keys, &self.submitters))
    }

    fn groups(&self) -> Vec<Group<'_>> {
        let mut kinds = self.options.attach.kinds(&AttachKind::CHEAPEST);
        // A record only names the task that runs, which need not be the submitter.
        if self.options.attach == Choice::Auto && !self.options.by_flags {
            kinds.push(AttachKind::Tracepoint);
        }
        vec![Group::new(kinds, |kind, types| {
            if self.options.by_flags {
                if kind == AttachKind::Tracepoint {
                    return Err(Error::usage("a tracepoint's record has no flags of the request")
                        .hint("try: --attach raw_tp"));
                }
                if self.operations.get().is_none() {
                    let _ = self.operations.set(Operations::find(types)?);
                }
            }
            let disks = match kind {
                AttachKind::Tracepoint => self.options.disks.in_records()?,
                _ => self.options.disks.numbers(),
            };
            let issue = Issue::find(request::issue(kind), types, !disks.is_empty())?;
            let options = program::Options {
                disks,
                submitters: self.submitters,
                by_flags: self.options.by_flags,
            };
            let count = program::count(&issue, &options);
            let mut plans = vec![];
            if let Some(submission) = &issue.submission {
                let remember = self.submitters.remember(submission, issue.task);
                plans.push(Plan::new("bitesize_submit", submission.attach.clone(), remember?));
            }
            plans.push(Plan::new(self.name(), issue.attach, count?));
            Ok(plans)
        })]
    }

    fn read(&mut self, session: &Session) -> Result<(Vec<Table>, Vec<Lost>), Error> {
        let sizes = self.sizes.read(session.map(SIZES)?)?;
        self.labels.look_up(sizes.iter().map(|counted| counted.key));
        let buckets = distribution::powers_of_two(2, BUCKETS);
        let unit = Unit::Kibibytes;
        let value = |words: &[u64]| {
            let counts = words[..BUCKETS as usize].to_vec();
            let histogram = Histogram::new(buckets.clone(), counts);
            Value::Histogram(histogram.measured(unit, words[BYTES as usize], None))
        };
        let rows = sizes.iter().map(|counted| Row {
            labels: self.label_values(counted.key),
            value: value(counted.interval),
            total: value(counted.total),
        });
        let mut rows = merge(rows);
        let bytes = |value: &Value| match value {
            Value::Histogram(histogram) => histogram.sum.unwrap_or(u64::MAX),
            _ => 0,
        };
        rows.order_by_key(|row| {
            let (bytes, count) = (bytes(&row.value), row.value.count());
            let most = match self.options.sort {
                Sort::Bytes => (bytes, count),
                Sort::Count => (count, bytes),
            };
            // What is equal stands in the same order every time.
            (most, Reverse(row.labels.clone()))
        });
        let mut table = Table {
            name: "size".into(),
            subject: "block_io".into(),
            help: "Sizes of block I/O requests, when they are issued to the driver".into(),
            unit,
            labels: self.labels(),
            rows,
            rest: vec![],
        };
        table.keep_last(self.options.top);
        let lost = self.lost.read(session.map(LOST)?)?.interval;
        let unreadable = lost[UNREADABLE as usize];
        let unreadable = Lost::some(
            LostKind::Unreadable,
            unreadable,
            "more requests, whose size could not be read",
        );
        let beyond = format!("more requests, beyond {} histograms", self.options.max_keys);
        let beyond = Lost::some(LostKind::BeyondMaxKeys, lost[FULL as usize], beyond);
        let beyond = beyond.map(|lost| lost.option("--max-keys"));
        Ok((vec![table], unreadable.into_iter().chain(beyond).collect()))
    }
}
