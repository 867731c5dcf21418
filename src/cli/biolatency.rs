//! `rawbpf biolatency`: from options to histograms.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use serde_json::{Map, Value, json};

use super::Stop;
use super::options::{BlockOptions, TraceOptions};
use super::report;
use super::trace::{self, Tool};
use crate::aggregate::Counters;
use crate::aggregate::{Distribution, Distributions};
use crate::error::Error;
use crate::host::{AttachKind, Disk, KernelTypes, Operations, StructRequest};
use crate::programs::biolatency::{self as program, missed};
use crate::programs::request;
use crate::session::{Plan, Session};
use crate::sys::MapSpec;
use crate::view::histogram::Log2Histogram;
use crate::view::summary::Summary;

/// Show the distribution of block I/O latency as a histogram
///
/// The time from a request's issue to the driver to its completion. Under each histogram: how many,
/// the average, the shortest, the longest, and the bounds of the buckets that hold the percentiles.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    #[command(flatten)]
    pub trace: TraceOptions,

    #[command(flatten)]
    block: BlockOptions,

    /// Milliseconds instead of microseconds
    #[arg(short, long)]
    milliseconds: bool,

    /// Include the time in the kernel's queue, before the driver got the request
    #[arg(short = 'Q', long)]
    queued: bool,

    /// A histogram for each disk
    #[arg(short = 'D', long)]
    disks: bool,

    /// A histogram for each operation with its flags
    #[arg(short = 'F', long)]
    flags: bool,

    /// Room in the kernel for so many histograms of -D and -F. Idle ones make room; what does not fit
    /// is counted and told
    #[arg(long, value_name = "N", default_value = "256",
        value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    max_keys: u32,

    /// Room in the kernel for at least so many requests between their start and their end; what does
    /// not fit is counted and told
    #[arg(long, value_name = "N", default_value = "32768",
        value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    max_requests: u32,
}

const USAGE: &str = "rawbpf biolatency [OPTIONS] [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
In the kernel its maps take 2817 KiB, and 632 bytes for each CPU. With -D or -F they take
3093 KiB, and 143 KiB for each CPU. --max-requests and --max-keys change that.

Examples:
  rawbpf biolatency 1 10             ten histograms, one a second
  rawbpf biolatency -m -D            in milliseconds, for each disk
  rawbpf biolatency -F 60 1          reads, writes and flushes of a minute, each with its flags
  rawbpf biolatency -Q -d nvme0n1    one disk, with the time that requests waited for it";

pub fn run(options: &Options) -> Result<(), Stop> {
    trace::run(&mut tool(options)?)
}

/// The tool as these options want it.
pub fn tool(options: &Options) -> Result<Biolatency<'_>, Error> {
    let disk = options.block.disk()?;
    let programs = program::Options {
        unit: if options.milliseconds { 1_000_000 } else { 1000 },
        queued: options.queued,
        by_disk: options.disks,
        by_flags: options.flags,
        disk,
        max_requests: options.max_requests,
        max_keys: options.max_keys,
    };
    Ok(Biolatency {
        options,
        programs,
        latencies: Distributions::new(&program::BUCKETS),
        ranges: (0..program::BUCKETS.len()).map(|index| program::BUCKETS.range(index)).collect(),
        missed: Counters::default(),
        operations: OnceCell::new(),
        measured: BTreeMap::new(),
        not_measured: vec![],
    })
}

const NOTHING: Distribution = Distribution { counts: vec![], sum: 0, extremes: None };

pub struct Biolatency<'a> {
    options: &'a Options,
    programs: program::Options,
    latencies: Distributions,
    /// What the buckets hold.
    ranges: Vec<(u64, Option<u64>)>,
    missed: Counters,
    operations: OnceCell<Operations>,
    /// By the disk's name and the operation with its flags, each empty if not asked for.
    measured: BTreeMap<(String, String), Distribution>,
    not_measured: Vec<u64>,
}

impl Biolatency<'_> {
    fn histogram<'a>(&self, measured: &'a Distribution) -> Log2Histogram<'a> {
        let unit = if self.options.milliseconds { "msecs" } else { "usecs" };
        Log2Histogram { unit, first: 2, counts: &measured.counts }
    }

    fn summary<'a>(&'a self, measured: &'a Distribution) -> Summary<'a> {
        let Distribution { counts, sum, extremes } = measured;
        let unit = self.programs.unit as u64;
        Summary { unit, ranges: &self.ranges, counts, sum: *sum, extremes: *extremes }
    }

    /// A histogram and what it comes to.
    fn data(&self, measured: &Distribution) -> Value {
        let mut fields = Map::new();
        fields.insert("hist".into(), self.histogram(measured).to_json());
        fields.append(&mut self.summary(measured).to_json());
        fields.into()
    }

    /// What tells a histogram from others: `disk = vda, flags = Write, Sync`.
    fn title(&self, disk: &str, flags: &str) -> Option<String> {
        match (self.options.disks, self.options.flags) {
            (true, true) => Some(format!("disk = {disk}, flags = {flags}")),
            (true, false) => Some(format!("disk = {disk}")),
            (false, true) => Some(format!("flags = {flags}")),
            (false, false) => None,
        }
    }

    /// What is not in the histograms, with a name and a sentence for it.
    fn not_measured(&self) -> Vec<(u64, &'static str, String)> {
        let Options { max_requests, max_keys, .. } = self.options;
        let why: [(u32, &str, String); missed::WORDS as usize] = [
            (
                missed::UNMATCHED,
                "unmatched",
                "more ends, of flushes or of requests issued earlier".into(),
            ),
            (
                missed::REISSUED,
                "reissued",
                "issued anew before an end was seen, and measured from then".into(),
            ),
            (
                missed::TOO_MANY,
                "beyond_max_requests",
                format!("more, beyond {max_requests} requests at a time: --max-requests"),
            ),
            (
                missed::TOO_MANY_KEYS,
                "beyond_max_keys",
                format!("more, beyond {max_keys} histograms: --max-keys"),
            ),
            (missed::NOT_TIMED, "not_timed", "more requests, whose disk has iostats off".into()),
        ];
        let count = |word: u32| self.not_measured.get(word as usize).copied().unwrap_or(0);
        let all = why.into_iter().map(|(word, name, why)| (count(word), name, why));
        all.filter(|(count, ..)| *count > 0).collect()
    }
}

impl Tool for Biolatency<'_> {
    const NAME: &'static str = "biolatency";
    const WHAT: &'static str = "block device I/O";

    fn options(&self) -> &TraceOptions {
        &self.options.trace
    }

    fn kinds(&self) -> Vec<AttachKind> {
        self.options.block.attach.kinds_with_request()
    }

    fn maps(&self) -> Vec<MapSpec> {
        program::maps(&self.programs)
    }

    fn plans(&self, kind: AttachKind, types: &KernelTypes) -> Result<Vec<Plan>, Error> {
        if kind == AttachKind::Tracepoint {
            return Err(Error::usage(
                "a tracepoint's record does not tell which request it is of, and a latency takes two",
            )
            .next("try: --attach raw_tp"));
        }
        if types.btf()?.is_none() && self.options.trace.dump_insns.is_none() {
            return Err(Error::lacking(
                "where a request keeps its size is not known: this kernel has no BTF \
                 (CONFIG_DEBUG_INFO_BTF) that tells it",
            )
            .next("try: --btf FILE"));
        }
        let options = self.programs;
        if options.by_flags && self.operations.get().is_none() {
            let _ = self.operations.set(Operations::find(types)?);
        }
        let at_end = if kind == AttachKind::RawTp { kind } else { AttachKind::TpBtf };
        let places = [request::issue(kind), request::end(at_end)];
        let ([(issue, issued), (complete, completed)], by_slot) =
            StructRequest::find_with_cmpxchg(places, types, options.with_disk())?;
        // The end first: else starts would be remembered that nobody ends.
        Ok(vec![
            Plan::new("request_end", complete, program::completed(&completed, options, by_slot))?,
            Plan::new("request_start", issue, program::issued(&issued, options, by_slot))?,
        ])
    }

    fn started(&mut self, session: &Session) -> Result<(), Error> {
        self.latencies.begin(session.map(program::EPOCH)?)
    }

    fn read(&mut self, session: &Session) -> Result<(), Error> {
        let (latencies, epoch) = (session.map(program::LATENCIES)?, session.map(program::EPOCH)?);
        let measured = self.latencies.interval(latencies, epoch)?.into_iter();
        let name = |key: &[u8]| {
            let (dev, flags) = program::key(key);
            let disk = self.options.disks.then(|| Disk::from_dev(dev).name());
            let flags = self.operations.get().map(|operations| operations.name(flags));
            (disk.unwrap_or_default(), flags.unwrap_or_default())
        };
        self.measured = measured.map(|(key, measured)| (name(&key), measured)).collect();
        self.not_measured = self.missed.interval(session.map(program::MISSED)?)?;
        Ok(())
    }

    fn show(&mut self, time: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        report::head(time, out)?;
        for (index, ((disk, flags), measured)) in self.measured.iter().enumerate() {
            if let Some(title) = self.title(disk, flags) {
                let space = if index > 0 { "\n" } else { "" };
                writeln!(out, "{space}{title}")?;
            }
            write!(out, "{}{}", self.histogram(measured), self.summary(measured))?;
        }
        for (count, _, why) in self.not_measured() {
            writeln!(out, "{count} {why}")?;
        }
        Ok(())
    }

    fn to_json(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("type".into(), "hist".into());
        let unit = if self.options.milliseconds { "msecs" } else { "usecs" };
        fields.insert("unit".into(), unit.into());
        let mut data = Map::new();
        for ((disk, flags), measured) in &self.measured {
            let measured = self.data(measured);
            match (self.options.disks, self.options.flags) {
                (true, true) => {
                    data.entry(disk).or_insert_with(|| json!({}))[flags] = measured;
                }
                (true, false) => drop(data.insert(disk.clone(), measured)),
                (false, true) => drop(data.insert(flags.clone(), measured)),
                (false, false) => {}
            }
        }
        let data = match self.options.disks || self.options.flags {
            true => data.into(),
            false => self.data(self.measured.values().next().unwrap_or(&NOTHING)),
        };
        fields.insert("data".into(), data);
        for (count, name, _) in self.not_measured() {
            fields.insert(name.into(), count.into());
        }
        fields
    }
}
