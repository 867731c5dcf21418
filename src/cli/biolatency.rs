//! `rawbpf biolatency`: from options to histograms.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use serde_json::{Map, Value};

use super::Stop;
use super::options::{BlockOptions, TraceOptions};
use super::report;
use super::trace::{self, Tool};
use crate::counters::Counters;
use crate::distributions::{Distribution, Distributions};
use crate::error::Error;
use crate::host::{AttachKind, Disk, KernelTypes, Request};
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
}

const USAGE: &str = "rawbpf biolatency [OPTIONS] [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
Examples:
  rawbpf biolatency 1 10             ten histograms, one a second
  rawbpf biolatency -m -D            in milliseconds, for each disk
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
        disk,
    };
    Ok(Biolatency {
        options,
        programs,
        latencies: Distributions::new(&program::BUCKETS),
        ranges: (0..program::BUCKETS.len()).map(|index| program::BUCKETS.range(index)).collect(),
        missed: Counters::default(),
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
    /// By the disk's name, or by nothing.
    measured: BTreeMap<String, Distribution>,
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

    /// What is not in the histograms, with a name and a sentence for it.
    fn not_measured(&self) -> impl Iterator<Item = (u64, &'static str, &'static str)> {
        const WHY: [(u32, &str, &str); missed::WORDS as usize] = [
            (missed::UNMATCHED, "unmatched", "more ends, of flushes or of requests issued earlier"),
            (
                missed::REISSUED,
                "reissued",
                "issued anew before an end was seen, and measured from then",
            ),
            (missed::TOO_MANY, "too_many", "more requests, too many at a time to remember"),
            (missed::TOO_MANY_DISKS, "too_many_disks", "more requests, of too many disks"),
            (missed::NOT_TIMED, "not_timed", "more requests, whose disk has iostats off"),
        ];
        let count = |word: u32| self.not_measured.get(word as usize).copied().unwrap_or(0);
        let all = WHY.into_iter().map(move |(word, name, why)| (count(word), name, why));
        all.filter(|(count, ..)| *count > 0)
    }
}

impl Tool for Biolatency<'_> {
    const NAME: &'static str = "biolatency";
    const WHAT: &'static str = "block device I/O";

    fn options(&self) -> &TraceOptions {
        &self.options.trace
    }

    fn kinds(&self) -> Vec<AttachKind> {
        let mut kinds = self.options.block.attach.kinds();
        if kinds.len() > 1 {
            kinds.retain(|kind| *kind != AttachKind::Tracepoint);
        }
        kinds
    }

    fn maps(&self) -> Vec<MapSpec> {
        program::maps()
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
        let at_end = if kind == AttachKind::RawTp { kind } else { AttachKind::TpBtf };
        let places = [request::issue(kind), request::end(at_end)];
        let [(issue, issued), (complete, completed)] =
            Request::find(places, types, options.with_disk())?;
        // The end first: else starts would be remembered that nobody ends.
        Ok(vec![
            Plan::new("request_end", complete, program::completed(&completed, options))?,
            Plan::new("request_start", issue, program::issued(&issued, options))?,
        ])
    }

    fn started(&mut self, session: &Session) -> Result<(), Error> {
        self.latencies.begin(&session.maps[3])
    }

    fn read(&mut self, session: &Session) -> Result<(), Error> {
        let [_, latencies, _, epoch, missed] = &session.maps[..] else {
            return Err(Error::failed("a map is missing"));
        };
        let measured = self.latencies.interval(latencies, epoch)?.into_iter();
        let name = |key: Vec<u8>| match <[u8; 8]>::try_from(&key[..]).map(u64::from_ne_bytes) {
            Ok(dev) if self.options.disks => Disk::from_dev(dev as u32).name(),
            _ => String::new(),
        };
        self.measured = measured.map(|(key, measured)| (name(key), measured)).collect();
        self.not_measured = self.missed.interval(missed)?;
        Ok(())
    }

    fn show(&mut self, time: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        report::head(time, out)?;
        for (index, (disk, measured)) in self.measured.iter().enumerate() {
            if self.options.disks {
                let space = if index > 0 { "\n" } else { "" };
                writeln!(out, "{space}disk = {disk}")?;
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
        let data = match self.options.disks {
            true => {
                self.measured.iter().map(|(disk, one)| (disk.clone(), self.data(one))).collect()
            }
            false => self.data(self.measured.values().next().unwrap_or(&NOTHING)),
        };
        fields.insert("data".into(), data);
        for (count, name, _) in self.not_measured() {
            fields.insert(name.into(), count.into());
        }
        fields
    }
}
