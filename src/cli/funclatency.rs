//! `rawbpf funclatency`: from options to distributions.

use std::io::{self, Write};
use std::path::Path;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::Stop;
use super::distribution::{DistributionOptions, Picture};
use super::options::{Choice, TraceOptions, attach_kind};
use super::report;
use super::trace::{self, Tool};
use crate::aggregate::counters::{Counters, unreadable};
use crate::aggregate::{Distribution, Distributions};
use crate::btf::Kind;
use crate::error::Error;
use crate::host::{Attach, AttachKind, CallFrame, KernelTypes, UserFunction, refusal};
use crate::programs::funclatency::{self as program, missed};
use crate::session::{Plan, Session};
use crate::sys::MapSpec;
use crate::sys::link::At;
use crate::sys::map::Entries;

/// Show how long a kernel or user function takes, as a histogram
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// A kernel function, or PATH:SYMBOL for one of an executable or library
    #[arg(value_name = "FUNCTION")]
    function: String,

    #[command(flatten)]
    pub trace: TraceOptions,

    #[command(flatten)]
    distribution: DistributionOptions,

    /// A histogram for each: pid
    #[arg(long, value_name = "KEY", hide_possible_values = true)]
    by: Option<By>,

    /// How many processes --by pid has room for
    #[arg(long, value_name = "N", default_value = "1024", requires = "by")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_keys: u32,

    /// ns, us or ms
    #[arg(long, value_name = "UNIT", default_value = "us", hide_possible_values = true)]
    unit: Unit,

    /// How to attach to a kernel function: auto, kprobe or fentry
    #[arg(long, value_name = "KIND", default_value = "auto", hide_possible_values = true)]
    #[arg(value_parser = attach_kind())]
    attach: Choice,
}

const USAGE: &str = "rawbpf funclatency [OPTIONS] FUNCTION [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
In the kernel its maps take 977 KiB, and 568 bytes for each CPU. With --by pid they \
take 1057 KiB, and 568 KiB for each CPU. --max-keys changes that.

Examples:
  rawbpf funclatency do_nanosleep 1 3             a kernel function, three tables
  rawbpf funclatency --unit ns vfs_read           in nanoseconds
  rawbpf funclatency /lib/x86_64-linux-gnu/libc.so.6:nanosleep --linear 0,20,1 --unit ms

Calls that were open when tracing began or ended are not counted. A kretprobe follows only so many \
calls at once, often twice the number of CPUs, and misses the return of others; fentry does not.";

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum By {
    Pid,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Unit {
    Ns,
    Us,
    Ms,
}

impl Unit {
    fn nanoseconds(self) -> i32 {
        match self {
            Unit::Ns => 1,
            Unit::Us => 1_000,
            Unit::Ms => 1_000_000,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Unit::Ns => "nsecs",
            Unit::Us => "usecs",
            Unit::Ms => "msecs",
        }
    }
}

pub fn run(options: &Options) -> Result<(), Stop> {
    trace::run(&mut tool(options)?)
}

/// The tool as these options want it.
pub fn tool(options: &Options) -> Result<Funclatency<'_>, Error> {
    let pid = options.distribution.pid()?;
    let user = options.function.split_once(':');
    let user = user.map(|(path, symbol)| UserFunction::find(Path::new(path), symbol, pid));
    let user = user.transpose()?;
    let kinds = options.attach.among(match user {
        Some(_) => &[AttachKind::Uprobe],
        None => &[AttachKind::Kprobe, AttachKind::Fentry],
    })?;
    let (unit, buckets) = (options.unit.nanoseconds(), options.distribution.buckets());
    let picture = Picture::new(options.unit.name().into(), unit as u64, buckets.clone(), true);
    let by_pid = options.by.map(|_| options.max_keys);
    Ok(Funclatency {
        options,
        user,
        kinds,
        picture,
        distributions: Distributions::new(&buckets),
        program: program::Options { unit, buckets, pid, by_pid },
        missed: Counters::default(),
        taken: vec![],
        not_counted: vec![],
        starts: Entries::new(),
        open: 0,
    })
}

pub struct Funclatency<'a> {
    options: &'a Options,
    user: Option<UserFunction>,
    kinds: Vec<AttachKind>,
    program: program::Options,
    picture: Picture,
    distributions: Distributions,
    missed: Counters,
    /// By process, if that was asked for; who called most comes first.
    taken: Vec<(u32, Distribution)>,
    not_counted: Vec<u64>,
    starts: Entries,
    /// Calls that were entered and have not returned, as far as was seen.
    open: u64,
}

impl Funclatency<'_> {
    /// One value for all processes, or an object of one for each.
    fn by_pid(&self, value: impl Fn(&Distribution) -> Value) -> Value {
        match self.options.by {
            Some(By::Pid) => {
                let all = self.taken.iter().map(|(pid, one)| (pid.to_string(), value(one)));
                Value::Object(all.collect())
            }
            None => self.taken.first().map_or_else(|| value(&NOTHING), |(_, one)| value(one)),
        }
    }

    /// What is not in the histograms: how it is called in JSON, for people, and how often it was.
    fn not_counted(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let all = [
            (missed::NO_ENTRY, "no_entry", "returns without an entry, which was missed"),
            (
                missed::NO_RETURN,
                "no_return",
                "calls without a return: it was missed, or never came",
            ),
            (missed::TOO_MANY, "too_many", "calls more than can be open at once"),
            (missed::TOO_MANY_KEYS, "too_many_keys", "calls by more processes than --max-keys"),
        ];
        let counted = all.into_iter().map(|(word, name, text)| {
            (name, text, self.not_counted.get(word as usize).copied().unwrap_or(0))
        });
        let open = ("open", "calls open: not over yet, or their return was missed", self.open);
        counted.chain([open]).filter(|(.., count)| *count > 0)
    }
}

/// An interval without a call.
const NOTHING: Distribution = Distribution { counts: vec![], sum: 0, extremes: None };

impl Tool for Funclatency<'_> {
    const NAME: &'static str = "funclatency";
    const WHAT: &'static str = "a function";

    fn what(&self) -> String {
        match &self.user {
            Some(function) => format!("the latency of {function}"),
            None => format!("the latency of {}", self.options.function),
        }
    }

    fn options(&self) -> &TraceOptions {
        &self.options.trace
    }

    fn kinds(&self) -> Vec<AttachKind> {
        self.kinds.clone()
    }

    fn maps(&self) -> Vec<MapSpec> {
        program::maps(&self.program)
    }

    fn plans(&self, kind: AttachKind, types: &KernelTypes) -> Result<Vec<Plan>, Error> {
        let name = self.options.function.clone();
        let (entry, exit, frame) = match (&self.user, kind) {
            (Some(user), _) => {
                let [entry, exit] =
                    [At::Entry, At::Return].map(|at| Attach::Uprobe(user.clone(), at));
                (entry, exit, CallFrame::of_probes()?)
            }
            (None, AttachKind::Fentry) => {
                let id = types.btf()?.map(|mut btf| btf.find_id(Kind::Func, &name)).transpose();
                let id = id.map_err(|error| types.error(&error))?;
                if id == Some(None) {
                    return Err(refusal::no_function(&name));
                }
                let id = id.flatten().filter(|_| !types.are_from_file());
                (Attach::Fentry(name.clone(), id), Attach::Fexit(name, id), CallFrame::Context)
            }
            (None, _) => {
                let entry = Attach::Kprobe(vec![name.clone()]);
                (entry, Attach::Kretprobe(name), CallFrame::of_probes()?)
            }
        };
        // The entry comes first, so that of every call whose return is seen the entry was.
        Ok(vec![
            Plan::new("entered", entry, program::entered(frame, &self.program))?,
            Plan::new("returned", exit, program::returned(frame, &self.program))?,
        ])
    }

    fn started(&mut self, session: &Session) -> Result<(), Error> {
        self.distributions.begin(session.map(program::EPOCH)?)
    }

    fn read(&mut self, session: &Session) -> Result<(), Error> {
        let (latencies, epoch) = (session.map(program::LATENCIES)?, session.map(program::EPOCH)?);
        let taken = self.distributions.interval(latencies, epoch)?;
        let pid = |key: Vec<u8>| key.try_into().map_or(0, u32::from_ne_bytes);
        self.taken = taken.into_iter().map(|(key, one)| (pid(key), one)).collect();
        self.taken
            .sort_by_key(|(pid, one)| (std::cmp::Reverse(one.counts.iter().sum::<u64>()), *pid));
        self.not_counted = self.missed.interval(session.map(program::MISSED)?)?;
        session
            .map(program::STARTS)?
            .read_all(&mut self.starts)
            .map_err(|error| unreadable(&error))?;
        // Those from before tracing began have the start 0.
        let open = self.starts.iter().filter(|(_, start)| start.iter().any(|byte| *byte != 0));
        self.open = open.count() as u64;
        Ok(())
    }

    fn show(&mut self, time: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        report::head(time, out)?;
        for (index, (pid, distribution)) in self.taken.iter().enumerate() {
            if self.options.by == Some(By::Pid) {
                let space = if index == 0 { "" } else { "\n" };
                writeln!(out, "{space}PID: {pid}")?;
            }
            write!(out, "{}", self.picture.of(distribution))?;
        }
        for (_, text, count) in self.not_counted() {
            writeln!(out, "{count} {text}")?;
        }
        Ok(())
    }

    fn to_json(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("type".into(), "hist".into());
        fields.insert("unit".into(), self.options.unit.name().into());
        let latencies = self.by_pid(|one| self.picture.table_json(one));
        fields.insert("data".into(), json!({"latencies": latencies}));
        fields.insert("summary".into(), self.by_pid(|one| self.picture.summary_json(one).into()));
        for (name, _, count) in self.not_counted() {
            fields.insert(name.into(), count.into());
        }
        fields
    }
}
