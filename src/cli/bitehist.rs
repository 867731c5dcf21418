//! `rawbpf bitehist`: from options to tables.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Map, Value, json};

use super::Stop;
use super::options::{BlockOptions, TraceOptions};
use super::report;
use super::trace::{self, Tool};
use crate::aggregate::Counters;
use crate::error::Error;
use crate::host::{AttachKind, Disk, KernelTypes, Request};
use crate::programs::bitehist::{self as program, BUCKETS};
use crate::programs::request;
use crate::session::{Plan, Session};
use crate::sys::MapSpec;
use crate::view::histogram::Log2Histogram;

/// Show the distribution of block I/O sizes as a histogram
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    #[command(flatten)]
    pub trace: TraceOptions,

    #[command(flatten)]
    block: BlockOptions,

    /// Bytes, from half a kilobyte on, instead of kilobytes
    #[arg(long)]
    bytes: bool,
}

const USAGE: &str = "rawbpf bitehist [OPTIONS] [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
In the kernel its maps take 264 bytes.

Examples:
  rawbpf bitehist                    a table every 5 seconds until Ctrl-C
  rawbpf bitehist 1 10               ten tables, one a second
  rawbpf bitehist -T -d nvme0n1 60   one disk, a table a minute with the time
  rawbpf bitehist --json 1 | jq .    a line of JSON a second
  rawbpf bitehist --dump-insns       the bytecode; needs no privilege";

pub fn run(options: &Options) -> Result<(), Stop> {
    trace::run(&mut tool(options)?)
}

/// The tool as these options want it.
pub fn tool(options: &Options) -> Result<Bitehist<'_>, Error> {
    let disk = options.block.disk()?;
    Ok(Bitehist { options, disk, counters: Counters::default(), counts: vec![] })
}

pub struct Bitehist<'a> {
    options: &'a Options,
    disk: Option<Disk>,
    counters: Counters,
    counts: Vec<u64>,
}

impl Bitehist<'_> {
    fn histogram(&self) -> Log2Histogram<'_> {
        let counts = self.counts.get(..BUCKETS as usize).unwrap_or_default();
        match self.options.bytes {
            true => Log2Histogram { unit: "bytes", first: 512, counts },
            false => Log2Histogram { unit: "kbytes", first: 2, counts },
        }
    }

    fn unreadable(&self) -> u64 {
        self.counts.iter().skip(BUCKETS as usize).sum()
    }
}

impl Tool for Bitehist<'_> {
    const NAME: &'static str = "bitehist";
    const WHAT: &'static str = "block device I/O";

    fn options(&self) -> &TraceOptions {
        &self.options.trace
    }

    fn kinds(&self) -> Vec<AttachKind> {
        self.options.block.attach.kinds()
    }

    fn maps(&self) -> Vec<MapSpec> {
        program::maps()
    }

    fn plans(&self, kind: AttachKind, types: &KernelTypes) -> Result<Vec<Plan>, Error> {
        let (attach, request) = Request::find(request::issue(kind), types, self.disk.is_some())?;
        // Bucket 0 reaches to twice the unit: two kilobytes, or half of one.
        let shift = if self.options.bytes { 8 } else { 10 };
        let options = program::Options { shift, disk: self.disk };
        Ok(vec![Plan::new(Self::NAME, attach, program::program(&request, options))?])
    }

    fn read(&mut self, session: &Session) -> Result<(), Error> {
        self.counts = self.counters.interval(session.map(program::HIST)?)?;
        Ok(())
    }

    fn show(&mut self, time: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        report::head(time, out)?;
        write!(out, "{}", self.histogram())?;
        match self.unreadable() {
            0 => Ok(()),
            count => writeln!(out, "{count} more, whose size could not be read"),
        }
    }

    fn to_json(&self) -> Map<String, Value> {
        let histogram = self.histogram();
        let mut fields = Map::new();
        fields.insert("type".into(), "hist".into());
        fields.insert("unit".into(), histogram.unit.into());
        fields.insert("data".into(), json!({"hist": histogram.to_json()}));
        if self.unreadable() > 0 {
            fields.insert("unreadable".into(), self.unreadable().into());
        }
        fields
    }
}
