//! The distribution of block I/O latency.

use std::cell::{Cell, OnceCell, RefCell};

use super::distribution::Shown;
use super::whose::{self, SubmitterLabels, Whose};
use super::{Choice, Tool, records};
use crate::aggregate::Counters;
use crate::aggregate::Distributions;
use crate::error::Error;
use crate::host::{
    AttachKind, DiskNames, Disks, KernelTypes, Operations, StructRequest, some_lack_numbers,
};
use crate::order::PutInOrder;
use crate::programs::biolatency::{
    self as program, DISK_NAMES, EPOCH, LATENCIES, MISSED, STARTS, missed,
};
use crate::programs::submitter::{Key, Submitters};
use crate::programs::{disk_names, request};
use crate::run::{Group, Plan, Session};
use crate::sample::{
    LabelName, LabelValue, Lost, LostKind, Percentiles, Setting, Table, USUAL_PERCENTILES, Unit,
    merge,
};
use crate::sys::MapSpec;

/// What is measured, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only these disks.
    pub disks: Disks,
    /// Whose.
    pub whose: Whose,
    /// How to attach.
    pub attach: Choice,
    /// Milliseconds instead of microseconds.
    pub milliseconds: bool,
    /// Include the time in the kernel's queue, before the driver got the request.
    pub queued: bool,
    /// A histogram for each disk.
    pub by_disk: bool,
    /// A histogram for each operation with its flags.
    pub by_flags: bool,
    /// A histogram for each of these that submitted requests.
    pub by: Option<Key>,
    /// For up to N disks, operations and submitters there are histograms in the kernel.
    pub max_keys: u32,
    /// Up to N requests are known between their start and their end, or more where slots are used.
    pub max_requests: u32,
    /// The percentiles to show.
    pub percentiles: Percentiles,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            disks: Disks::default(),
            whose: Whose::default(),
            attach: Choice::Auto,
            milliseconds: false,
            queued: false,
            by_disk: false,
            by_flags: false,
            by: None,
            max_keys: 256,
            max_requests: 32768,
            percentiles: USUAL_PERCENTILES,
        }
    }
}

/// Measures how long block I/O takes, from the issue to the driver to the completion.
pub struct Biolatency {
    options: Options,
    disk_names: RefCell<DiskNames>,
    submitters: SubmitterLabels,
    latencies: Distributions,
    shown: Shown,
    missed: Counters,
    operations: OnceCell<Operations>,
    /// Whether the programs meet requests in tracepoints' records.
    by_record: Cell<bool>,
    /// Whether a program reads the names of disks, since the kernel does not report the numbers of some.
    learns_names: bool,
}

impl Biolatency {
    /// The tool, not attached yet.
    pub fn new(options: Options) -> Biolatency {
        let learns_names = options.by_disk && some_lack_numbers();
        let programs = Biolatency::programs(&options, learns_names);
        let buckets = programs.buckets();
        let percentiles = options.percentiles.clone();
        Biolatency {
            submitters: SubmitterLabels::new(programs.submitters.as_ref()),
            latencies: Distributions::new(&buckets),
            shown: Shown::new(buckets, Biolatency::unit(&options), percentiles),
            learns_names,
            options,
            disk_names: RefCell::default(),
            missed: Counters::default(),
            operations: OnceCell::new(),
            by_record: Cell::new(false),
        }
    }

    /// Who submitted requests, if that is asked for.
    fn asked(options: &Options, learns_names: bool) -> Option<Submitters> {
        let with_key = options.by_disk || options.by_flags || options.by.is_some();
        let asked = options.whose.asked(options.by);
        asked.map(|submitters| submitters.at(program::submitted(with_key, learns_names)))
    }

    /// What the programs need to know of the options.
    fn programs(options: &Options, learns_names: bool) -> program::Options<'_> {
        program::Options {
            unit: Biolatency::unit(options).in_base() as i32,
            queued: options.queued,
            by_disk: options.by_disk,
            by_flags: options.by_flags,
            disks: options.disks.numbers(),
            disk_names: learns_names,
            submitters: Biolatency::asked(options, learns_names),
            max_requests: options.max_requests,
            max_keys: options.max_keys,
        }
    }

    fn unit(options: &Options) -> Unit {
        if options.milliseconds { Unit::Milliseconds } else { Unit::Microseconds }
    }

    fn labels(&self) -> Vec<LabelName> {
        let disk = self.options.by_disk.then(|| LabelName::new("disk", "disk"));
        let flags = self.options.by_flags.then(|| LabelName::new("flags", "flags"));
        // In this tool's titles labels have no capitals.
        let submitter = self.submitters.names().into_iter();
        let submitter = submitter.map(|label| LabelName { heading: label.name.clone(), ..label });
        submitter.chain(disk).chain(flags).collect()
    }

    fn label_values(&self, key: &[u8]) -> Vec<LabelValue> {
        let (dev, flags, submitter) = program::key(key);
        let mut values = self.submitters.values(submitter);
        let disk = self.options.by_disk.then(|| self.disk_names.borrow_mut().name(dev));
        let flags = self.operations.get().map(|operations| operations.name(flags));
        values.extend(disk.into_iter().chain(flags).map(|name| LabelValue::text(&name)));
        values
    }

    fn lost(&self, missed: &[u64]) -> Vec<Lost> {
        let Options { max_requests, max_keys, .. } = self.options;
        let some =
            |kind, word: u32, sentence: &str| Lost::some(kind, missed[word as usize], sentence);
        let lost = [
            some(
                LostKind::NoStart,
                missed::UNMATCHED,
                "more completions without a recorded start (issued before tracing began, or while the \
                 CPU ran another program)",
            ),
            if self.by_record.get() {
                some(LostKind::Ambiguous, missed::REISSUED, records::AMBIGUOUS)
            } else {
                some(
                    LostKind::Reissued,
                    missed::REISSUED,
                    "requests were issued again before their end was seen: the driver gave them back, or the CPU \
                 ran another program when they ended",
                )
            },
            some(
                LostKind::BeyondMaxOpen,
                missed::TOO_MANY,
                &format!("more requests, beyond {max_requests} at a time"),
            )
            .map(|lost| lost.option("--max-requests")),
            some(
                LostKind::BeyondMaxKeys,
                missed::TOO_MANY_KEYS,
                &format!("more requests, beyond {max_keys} histograms"),
            )
            .map(|lost| lost.option("--max-keys")),
            some(
                LostKind::NotTimed,
                missed::NOT_TIMED,
                "more requests, whose disk has iostats off",
            ),
        ];
        lost.into_iter().flatten().collect()
    }
}

impl Tool for Biolatency {
    fn name(&self) -> &'static str {
        "biolatency"
    }

    fn what(&self) -> String {
        "block device I/O".into()
    }

    fn settings(&self) -> Vec<(&'static str, Setting)> {
        let options = &self.options;
        let mut settings =
            vec![("disk", options.disks.names().into()), ("attach", options.attach.name().into())];
        settings.extend(options.whose.settings());
        settings.extend([
            ("milliseconds", options.milliseconds.into()),
            ("queued", options.queued.into()),
            ("disks", options.by_disk.into()),
            ("flags", options.by_flags.into()),
            ("by", options.by.map(|by| by.name().to_owned()).into()),
            ("max_keys", options.max_keys.into()),
            ("max_requests", options.max_requests.into()),
        ]);
        settings
    }

    fn notes(&self) -> Vec<String> {
        self.submitters.notes()
    }

    fn prepare(&self, types: &KernelTypes) -> Result<(), Error> {
        let Options { attach, queued, by_flags, by, whose, .. } = &self.options;
        let (attach, queued, by_flags) = (*attach, *queued, *by_flags);
        self.by_record.set(attach.is_by_record(types)?);
        if self.by_record.get() && (by.is_some() || whose.is_some()) {
            return Err(records::no_submitter(attach));
        }
        let missing = match (queued, by_flags) {
            _ if !self.by_record.get() => return Ok(()),
            (true, _) => "-Q: a tracepoint's record does not say when a request was queued",
            (_, true) => "-F: a tracepoint's record has no flags of the request",
            _ => return Ok(()),
        };
        Err(match attach {
            Choice::Auto => Error::lacking(format!("{missing}, and this kernel has no BTF"))
                .hint("try: without that option, or --btf FILE with this kernel's types"),
            Choice::Only(_) => Error::usage(missing).hint("try: --attach raw_tp"),
        })
    }

    fn maps(&self) -> Vec<MapSpec> {
        match self.by_record.get() {
            true => program::record_maps(&Biolatency::programs(&self.options, self.learns_names)),
            false => self
                .options
                .whose
                .fill(program::maps(&Biolatency::programs(&self.options, self.learns_names))),
        }
    }

    fn groups(&self) -> Vec<Group<'_>> {
        let kinds = match self.by_record.get() {
            true => vec![AttachKind::Tracepoint],
            false => self.options.attach.kinds(&AttachKind::CHEAPEST),
        };
        let mut groups = vec![Group::new(kinds, |kind, types| {
            let options = Biolatency::programs(&self.options, self.learns_names);
            if kind == AttachKind::Tracepoint {
                self.options.disks.in_records()?;
                let [(issue, issued), (requeue, given_back), (complete, completed)] =
                    records::find(types)?;
                let end = program::completed_by_record(&completed, options)?;
                let given_back = program::given_back_by_record(&given_back, options)?;
                let start = program::issued_by_record(&issued, options)?;
                // The end first, as below.
                return Ok(vec![
                    Plan::new("request_end", complete, end),
                    Plan::new("request_requeue", requeue, given_back),
                    Plan::new("request_start", issue, start),
                ]);
            }
            if options.by_flags && self.operations.get().is_none() {
                let _ = self.operations.set(Operations::find(types)?);
            }
            let at_end = if kind == AttachKind::RawTp { kind } else { AttachKind::TpBtf };
            let places = [request::issue(kind), request::end(at_end)];
            let ([(issue, issued), (complete, completed)], by_slot) =
                StructRequest::find_with_cmpxchg(places, types, options.with_disk())?;
            let end = program::completed(&completed, options, by_slot)?;
            // The end first: otherwise starts would be stored that nobody ends.
            let mut plans = vec![Plan::new("request_end", complete, end)];
            let (submission, remember) = whose::plan(options.submitters, types)?;
            plans.extend(remember);
            let start = program::issued(&issued, submission.as_ref(), options, by_slot)?;
            plans.push(Plan::new("request_start", issue, start));
            Ok(plans)
        })];
        if self.learns_names && !self.by_record.get() {
            groups.push(Group::new(vec![AttachKind::TpBtf, AttachKind::RawTp], |kind, types| {
                let ([(attach, request)], _) =
                    StructRequest::find_with_cmpxchg([request::issue(kind)], types, true)?;
                let program = disk_names::program(&request, DISK_NAMES)?;
                Ok(vec![Plan::new("disk_names", attach, program)])
            }));
        }
        groups
    }

    fn begin(&mut self, session: &Session) -> Result<(), Error> {
        if self.options.by_disk {
            self.disk_names.get_mut().look();
        }
        self.latencies.begin(session.map(EPOCH)?)
    }

    fn read(&mut self, session: &Session) -> Result<(Vec<Table>, Vec<Lost>), Error> {
        let measured = self.latencies.read(session.map(LATENCIES)?, session.map(EPOCH)?)?;
        self.submitters.look_up(measured.iter().map(|measured| program::key(&measured.key).2));
        if self.learns_names && !self.by_record.get() {
            let (names, known) = (session.map(DISK_NAMES)?, self.disk_names.get_mut());
            for (dev, ..) in measured.iter().map(|measured| program::key(&measured.key)) {
                let mut name = [0; disk_names::NAME as usize];
                if names.lookup(&dev.to_ne_bytes(), &mut name).is_ok_and(|found| found) {
                    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
                    known.learn(dev, &String::from_utf8_lossy(&name[..end]));
                }
            }
        }
        let rows = measured.iter().map(|measured| {
            let labels = self.label_values(&measured.key);
            self.shown.row(labels, measured)
        });
        let mut rows = merge(rows);
        rows.order_by(|one, other| one.labels.cmp(&other.labels));
        let table = Table {
            name: "latency".into(),
            subject: "block_io".into(),
            help: match self.options.queued {
                true => "Time from a request's insertion into the queue to its completion",
                false => "Time from a request's issue to the driver to its completion",
            }
            .into(),
            unit: Biolatency::unit(&self.options),
            labels: self.labels(),
            rows,
            rest: vec![],
        };
        let missed = self.missed.read(session.map(MISSED)?)?;
        let mut lost = self.lost(&missed.interval);
        if self.by_record.get() {
            let open = records::open(session.map(STARTS)?)?;
            lost.extend(Lost::some(LostKind::Open, open, records::OPEN));
        }
        Ok((vec![table], lost))
    }
}
