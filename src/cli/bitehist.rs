//! `rawbpf bitehist`: from options to tables.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Value, json};

use super::Stop;
use super::dump::dump;
use super::options::TraceOptions;
use super::report;
use crate::error::Error;
use crate::host::{AttachKind, Disk, KernelTypes, Request};
use crate::interval::{Ended, Intervals, StopSignal};
use crate::programs::bitehist::{self as tool, BUCKETS, UNREADABLE};
use crate::session::{self, Plan, Session};
use crate::view::histogram::Log2Histogram;

/// Show the distribution of block I/O sizes as a histogram
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    #[command(flatten)]
    pub trace: TraceOptions,

    /// Bytes, from half a kilobyte on, instead of kilobytes
    #[arg(long)]
    bytes: bool,
}

const USAGE: &str = "rawbpf bitehist [OPTIONS] [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
Examples:
  rawbpf bitehist                    a table every 5 seconds until Ctrl-C
  rawbpf bitehist 1 10               ten tables, one a second
  rawbpf bitehist -T -d nvme0n1 60   one disk, a table a minute with the time
  rawbpf bitehist --json 1 | jq .    a line of JSON a second
  rawbpf bitehist --dump-insns       the bytecode; needs no privilege";

impl Options {
    /// By how many bits sizes are shifted to the unit of bucket 0's half.
    fn shift(&self) -> i32 {
        if self.bytes { 8 } else { 10 }
    }

    fn histogram<'a>(&self, counts: &'a [u64]) -> Log2Histogram<'a> {
        match self.bytes {
            true => Log2Histogram { unit: "bytes", first: 512, counts },
            false => Log2Histogram { unit: "kbytes", first: 2, counts },
        }
    }
}

pub fn run(options: &Options) -> Result<(), Stop> {
    let trace = &options.trace;
    let disk = trace.disk.as_deref().map(Disk::find).transpose()?;
    let types = KernelTypes::new(trace.btf.as_deref());
    let plan = |kind| plan(kind, &types, tool::Options { shift: options.shift(), disk });
    let mut out = io::stdout().lock();
    if let Some(format) = trace.dump_insns {
        let kind = *trace.attach.kinds().first().unwrap_or(&AttachKind::Kprobe);
        return dump(&mut out, format, &plan(kind)?, &tool::maps());
    }
    let signal = StopSignal::new().map_err(|error| Error::failed(error.to_string()))?;
    let session = session::start(&tool::maps(), &trace.attach.kinds(), plan)?;
    report::attached("bitehist", trace, &session);
    report::tracing("block device I/O", trace, &mut out)?;
    let mut intervals = Intervals::start(signal, trace.interval, trace.count);
    let mut before = vec![0; UNREADABLE as usize + 1];
    loop {
        let ended = intervals.wait().map_err(|error| Error::failed(error.to_string()))?;
        let now = counters(&session)?;
        let counts: Vec<_> = now.iter().zip(&before).map(|(now, then)| now - then).collect();
        before = now;
        show(options, &counts, &mut out)?;
        out.flush()?;
        if ended == Ended::Last {
            report::missed("bitehist", &session);
            return Ok(());
        }
    }
}

fn plan(kind: AttachKind, types: &KernelTypes, options: tool::Options) -> Result<Plan, Error> {
    let with_disk = options.disk.is_some();
    let (attach, request) =
        Request::issued(kind, &tool::FUNCTIONS, tool::TRACEPOINT, types, with_disk)?;
    let program = tool::program(&request, options);
    let program = program.map_err(|error| Error::failed(error.to_string()))?;
    Ok(Plan { name: "bitehist", attach, program })
}

/// The counters since the start. They are never cleared, so that none is lost between two reads.
fn counters(session: &Session) -> Result<Vec<u64>, Error> {
    let [hist] = &session.maps[..] else { unreachable!("bitehist has one map") };
    let mut value = vec![0; hist.value_len()];
    hist.lookup(&0u32.to_ne_bytes(), &mut value)
        .map_err(|error| Error::failed(format!("the counters could not be read: {error}")))?;
    let (words, _) = value.as_chunks::<8>();
    Ok(words.iter().map(|word| u64::from_ne_bytes(*word)).collect())
}

fn show(options: &Options, counts: &[u64], out: &mut dyn Write) -> io::Result<()> {
    let (buckets, unreadable) = counts.split_at(BUCKETS as usize);
    let unreadable: u64 = unreadable.iter().sum();
    let histogram = options.histogram(buckets);
    let time = options.trace.timestamp.then(report::time_of_day);
    if options.trace.json {
        let mut line = json!({"type": "hist"});
        if let Some(time) = time {
            line["time"] = Value::from(time);
        }
        line["unit"] = Value::from(histogram.unit);
        line["data"] = json!({"hist": histogram.to_json()});
        if unreadable > 0 {
            line["unreadable"] = Value::from(unreadable);
        }
        return writeln!(out, "{line}");
    }
    writeln!(out)?;
    if let Some(time) = time {
        writeln!(out, "{time}")?;
    }
    write!(out, "{histogram}")?;
    if unreadable > 0 {
        writeln!(out, "{unreadable} more, whose size could not be read")?;
    }
    Ok(())
}
