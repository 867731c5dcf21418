//! Block I/O sizes as a histogram for each process that asked for it.

use std::cell::{OnceCell, RefCell};
use std::cmp::Reverse;

use super::{Choice, Tool, distribution};
use crate::aggregate::{Counters, KeyedCounters};
use crate::error::Error;
use crate::host::{AttachKind, Cgroups, Disks, Issue, Operations};
use crate::programs::bitesize::{
    self as program, BUCKETS, BYTES, FULL, Key, LOST, SIZES, UNREADABLE,
};
use crate::programs::request;
use crate::run::{Group, Plan, Session};
use crate::sample::{
    Histogram, LabelName, LabelValue, Lost, LostKind, Rest, Row, Setting, Table, Unit, Value, merge,
};
use crate::sys::MapSpec;

/// What is counted, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only these disks.
    pub disks: Disks,
    /// How to attach.
    pub attach: Choice,
    /// Only this process.
    pub pid: Option<u32>,
    /// Only tasks of this name, of which the kernel keeps 15 bytes.
    pub comm: Option<String>,
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
            pid: None,
            comm: None,
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
    sizes: KeyedCounters,
    lost: Counters,
    cgroups: RefCell<Cgroups>,
    operations: OnceCell<Operations>,
}

impl Bitesize {
    /// The tool, not attached yet.
    pub fn new(options: Options) -> Bitesize {
        Bitesize {
            options,
            sizes: KeyedCounters::default(),
            lost: Counters::default(),
            cgroups: RefCell::default(),
            operations: OnceCell::new(),
        }
    }

    fn labels(&self) -> Vec<LabelName> {
        let [pid, tid, uid, comm] =
            [("pid", "PID"), ("tid", "TID"), ("uid", "UID"), ("comm", "CMD")]
                .map(|(name, heading)| LabelName::new(name, heading));
        let mut labels = match self.options.by {
            Key::Pid => vec![pid, uid, comm],
            Key::Tid => vec![pid, tid, uid, comm],
            Key::Comm => vec![comm],
            Key::Uid => vec![uid],
            Key::Cgroup => vec![LabelName::new("cgroup", "CGROUP")],
        };
        if self.options.by_flags {
            labels.push(LabelName::new("flags", "FLAGS"));
        }
        labels
    }

    /// As many as there are [`Bitesize::labels`].
    fn label_values(&self, key: &[u8], cgroups: &Cgroups) -> Vec<LabelValue> {
        let number = |at: i32| LabelValue::Number(number(key, at).into());
        let comm = || LabelValue::of_bytes(&key[program::COMM as usize..]);
        let mut values = match self.options.by {
            Key::Pid => vec![number(program::PID), number(program::UID), comm()],
            Key::Tid => {
                vec![number(program::PID), number(program::TID), number(program::UID), comm()]
            }
            Key::Comm => vec![comm()],
            Key::Uid => vec![number(program::UID)],
            Key::Cgroup => vec![LabelValue::text(&cgroups.name(cgroup(key)))],
        };
        if let Some(operations) = self.operations.get() {
            let flags = operations.name(self::number(key, program::FLAGS));
            values.push(LabelValue::text(&flags));
        }
        values
    }
}

/// A number of a key.
fn number(key: &[u8], at: i32) -> u32 {
    u32::from_ne_bytes(key[at as usize..].first_chunk().copied().unwrap_or_default())
}

/// The number of the cgroup, in a key by that.
fn cgroup(key: &[u8]) -> u64 {
    u64::from_ne_bytes(key[program::CGROUP as usize..].first_chunk().copied().unwrap_or_default())
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
        vec![
            ("disk", options.disks.names().into()),
            ("attach", options.attach.name().into()),
            ("pid", options.pid.into()),
            ("comm", options.comm.clone().into()),
            ("by", options.by.name().into()),
            ("flags", options.by_flags.into()),
            ("sort", sort.into()),
            ("top", options.top.into()),
            ("max_keys", options.max_keys.into()),
        ]
    }

    fn maps(&self) -> Vec<MapSpec> {
        program::maps(self.options.max_keys)
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
                pid: self.options.pid,
                comm: self.options.comm.as_deref().map(comm),
                by: self.options.by,
                by_flags: self.options.by_flags,
            };
            let count = program::count(&issue, &options);
            let mut plans = vec![];
            if let Some(submission) = &issue.submission {
                let remember = program::remember(submission, issue.task, &options);
                plans.push(Plan::new("bitesize_submit", submission.attach.clone(), remember?));
            }
            plans.push(Plan::new(self.name(), issue.attach, count?));
            Ok(plans)
        })]
    }

    fn read(&mut self, session: &Session) -> Result<(Vec<Table>, Vec<Lost>), Error> {
        let sizes = self.sizes.read(session.map(SIZES)?)?;
        let by_cgroup = self.options.by == Key::Cgroup;
        let cgroups = self.cgroups.get_mut();
        if by_cgroup {
            cgroups.look_up(sizes.iter().map(|counted| cgroup(counted.key)));
        }
        let buckets = distribution::powers_of_two(2, BUCKETS);
        let unit = Unit::Kibibytes;
        let value = |words: &[u64]| {
            let counts = words[..BUCKETS as usize].to_vec();
            let histogram = Histogram::new(buckets.clone(), counts);
            Value::Histogram(histogram.measured(unit, words[BYTES as usize], None))
        };
        let cgroups = self.cgroups.borrow();
        let rows = sizes.iter().map(|counted| Row {
            labels: self.label_values(counted.key, &cgroups),
            value: value(counted.interval),
            total: value(counted.total),
        });
        let mut rows = merge(rows);
        let bytes = |value: &Value| match value {
            Value::Histogram(histogram) => histogram.sum.unwrap_or(u64::MAX),
            _ => 0,
        };
        rows.sort_by_cached_key(|row| {
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
            help: "Sizes of block I/O requests, by who asked for them".into(),
            unit,
            labels: self.labels(),
            rows,
            rest: Rest::default(),
        };
        drop(cgroups);
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

/// A task's name as the kernel keeps it: 15 bytes and zeros.
fn comm(name: &str) -> [u8; 16] {
    let mut comm = [0; 16];
    let kept = name.len().min(15);
    comm[..kept].copy_from_slice(&name.as_bytes()[..kept]);
    comm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_compared_as_far_as_the_kernel_keeps_it() {
        assert_eq!(&comm("dd"), b"dd\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(&comm("a-name-of-20-letters"), b"a-name-of-20-le\0");
    }
}
