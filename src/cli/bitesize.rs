//! `rawbpf bitesize`: from options to a table for each process.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::io::{self, Write};

use clap::builder::TypedValueParser;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::options::{self, BlockOptions, TraceOptions};
use super::trace::{self, Tool};
use super::{Stop, report};
use crate::counters::{Counters, KeyedCounters};
use crate::error::Error;
use crate::host::{AttachKind, Cgroups, Disk, Issue, KernelTypes, Operations};
use crate::programs::bitesize::{self as program, BUCKETS, BYTES, FULL, Key, UNREADABLE};
use crate::programs::request;
use crate::session::{Plan, Session};
use crate::sys::MapSpec;
use crate::view::histogram::Log2Histogram;

/// Show block I/O sizes as a histogram for each process that asked for it
///
/// The process is the one that submitted the I/O, even where a kworker hands it to the driver. Writes
/// that wait in the page cache are submitted by the kernel's own tasks (kworker, jbd2). With --attach
/// tracepoint it is the task that issues the request. A cgroup is told by its path in the hierarchy of
/// version 2, by its number once it is gone.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    #[command(flatten)]
    pub trace: TraceOptions,

    #[command(flatten)]
    block: BlockOptions,

    /// Only this process
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(..=i32::MAX as i64))]
    pid: Option<u32>,

    /// Only tasks of this name, of which the kernel keeps 15 bytes
    #[arg(short, long, value_name = "NAME")]
    comm: Option<String>,

    /// A histogram for each: pid (with user and name), tid (threads), comm, uid or cgroup
    #[arg(long, value_name = "KEY", default_value = "pid", hide_possible_values = true,
        value_parser = key())]
    by: Key,

    /// And for each operation with its flags
    #[arg(short = 'F', long)]
    flags: bool,

    /// Order by bytes or by count; the most comes last, next to the prompt
    #[arg(long, value_name = "WHAT", default_value = "bytes", hide_possible_values = true)]
    sort: Sort,

    /// Only the N with the most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    top: Option<u32>,

    /// Room in the kernel for so many histograms. Idle ones make room; what does not fit is counted and
    /// told
    #[arg(long, value_name = "N", default_value = "4096",
        value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    max_keys: u32,
}

/// What comes last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Sort {
    Bytes,
    Count,
}

fn key() -> impl TypedValueParser<Value = Key> {
    options::one_of(Key::ALL, |key| key.name().into())
}

const USAGE: &str = "rawbpf bitesize [OPTIONS] [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
In the kernel its maps take 3361 KiB, and 344 bytes for each CPU. --max-keys changes
that.

Examples:
  rawbpf bitesize                        tables every 5 seconds until Ctrl-C
  rawbpf bitesize --by comm --top 3 60   the three busiest programs of each minute
  rawbpf bitesize --by cgroup -F 10      containers and services, reads and writes apart
  rawbpf bitesize -d nvme0n1 -c postgres 10 1";

pub fn run(options: &Options) -> Result<(), Stop> {
    trace::run(&mut tool(options)?)
}

/// The tool as these options want it.
pub fn tool(options: &Options) -> Result<Bitesize<'_>, Error> {
    let disk = options.block.disk()?;
    Ok(Bitesize::new(options, disk))
}

pub struct Bitesize<'a> {
    options: &'a Options,
    disk: Option<Disk>,
    sizes: KeyedCounters,
    lost: Counters,
    cgroups: Cgroups,
    operations: OnceCell<Operations>,
    /// In the order in which they are shown.
    tasks: Vec<Task>,
    unreadable: u64,
    full: u64,
}

impl Bitesize<'_> {
    fn new(options: &Options, disk: Option<Disk>) -> Bitesize<'_> {
        Bitesize {
            options,
            disk,
            sizes: KeyedCounters::default(),
            lost: Counters::default(),
            cgroups: Cgroups::default(),
            operations: OnceCell::new(),
            tasks: vec![],
            unreadable: 0,
            full: 0,
        }
    }
}

/// What a task asked for.
struct Task {
    /// As `programs/bitesize.rs` has it.
    key: Vec<u8>,
    counts: Vec<u64>,
    bytes: u64,
}

impl Task {
    fn new(key: Vec<u8>, mut counts: Vec<u64>) -> Task {
        let bytes = counts[BYTES as usize];
        counts.truncate(BUCKETS as usize);
        Task { key, counts, bytes }
    }

    fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn histogram(&self) -> Log2Histogram<'_> {
        Log2Histogram { unit: "kbytes", first: 2, counts: &self.counts }
    }

    /// A number of its key.
    fn number(&self, at: i32) -> u32 {
        let bytes = self.key[at as usize..].first_chunk().copied().unwrap_or_default();
        u32::from_ne_bytes(bytes)
    }

    /// The number of its cgroup, in a key by that.
    fn cgroup(&self) -> u64 {
        let bytes = self.key[program::CGROUP as usize..].first_chunk().copied();
        u64::from_ne_bytes(bytes.unwrap_or_default())
    }
}

impl Bitesize<'_> {
    /// The numbers and names that tell a task from others: what the original called them, and JSON's
    /// names.
    fn identity(&self, task: &Task) -> Vec<(&'static str, &'static str, Value)> {
        let number = |at: i32| Value::from(task.number(at));
        let comm = task.key[program::COMM as usize..].split(|byte| *byte == 0).next();
        let comm = String::from_utf8_lossy(comm.unwrap_or_default());
        let pid = ("PID", "pid", number(program::PID));
        let tid = ("TID", "tid", number(program::TID));
        let uid = ("UID", "uid", number(program::UID));
        let comm = ("CMD", "comm", Value::from(comm));
        let mut identity = match self.options.by {
            Key::Pid => vec![pid, uid, comm],
            Key::Tid => vec![pid, tid, uid, comm],
            Key::Comm => vec![comm],
            Key::Uid => vec![uid],
            Key::Cgroup => vec![("CGROUP", "cgroup", self.cgroups.name(task.cgroup()).into())],
        };
        if let Some(operations) = self.operations.get() {
            let flags = operations.name(task.number(program::FLAGS));
            identity.push(("FLAGS", "flags", flags.into()));
        }
        identity
    }
}

impl Tool for Bitesize<'_> {
    const NAME: &'static str = "bitesize";
    const WHAT: &'static str = "block device I/O";

    fn options(&self) -> &TraceOptions {
        &self.options.trace
    }

    fn kinds(&self) -> Vec<AttachKind> {
        match self.options.flags {
            true => self.options.block.attach.kinds_with_request(),
            false => self.options.block.attach.kinds(),
        }
    }

    fn maps(&self) -> Vec<MapSpec> {
        program::maps(self.options.max_keys)
    }

    fn plans(&self, kind: AttachKind, types: &KernelTypes) -> Result<Vec<Plan>, Error> {
        if self.options.flags {
            if kind == AttachKind::Tracepoint {
                return Err(Error::usage("a tracepoint's record does not tell a request's flags")
                    .next("try: --attach raw_tp"));
            }
            if self.operations.get().is_none() {
                let _ = self.operations.set(Operations::find(types)?);
            }
        }
        let issue = Issue::find(request::issue(kind), types, self.disk.is_some())?;
        let options = program::Options {
            disk: self.disk,
            pid: self.options.pid,
            comm: self.options.comm.as_deref().map(comm),
            by: self.options.by,
            by_flags: self.options.flags,
        };
        let count = program::count(&issue, &options);
        let mut plans = vec![];
        if let Some(submission) = &issue.submission {
            let remember = program::remember(submission, issue.task, &options);
            plans.push(Plan::new("bitesize_submit", submission.attach.clone(), remember)?);
        }
        plans.push(Plan::new(Self::NAME, issue.attach, count)?);
        Ok(plans)
    }

    fn read(&mut self, session: &Session) -> Result<(), Error> {
        let sizes = self.sizes.interval(&session.maps[0])?;
        let lost = self.lost.interval(&session.maps[2])?;
        (self.unreadable, self.full) = (lost[UNREADABLE as usize], lost[FULL as usize]);
        let tasks = sizes.iter().map(|(key, counts)| Task::new(key.to_vec(), counts.to_vec()));
        self.tasks = tasks.collect();
        let (sort, tasks) = (self.options.sort, &mut self.tasks);
        tasks.sort_by_cached_key(|task| {
            let (bytes, count) = (task.bytes, task.count());
            let most = if sort == Sort::Bytes { (bytes, count) } else { (count, bytes) };
            // What is equal stands in the same order every time.
            (most, Reverse(task.key.clone()))
        });
        if let Some(top) = self.options.top {
            tasks.drain(..tasks.len().saturating_sub(top as usize));
        }
        if self.options.by == Key::Cgroup {
            self.cgroups.look_up(self.tasks.iter().map(Task::cgroup));
        }
        Ok(())
    }

    fn show(&mut self, time: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        match (time, self.options.trace.count) {
            (None, Some(1)) => {}
            (None, _) => report::head(Some(&report::date_and_time()), out)?,
            (time, _) => report::head(time, out)?,
        }
        for task in &self.tasks {
            let identity = self.identity(task).into_iter();
            let identity = identity.map(|(name, _, value)| match value {
                // A task may call itself anything, also what would steer the terminal.
                Value::String(text) => {
                    format!("{name}: {}", text.replace(char::is_control, "?"))
                }
                number => format!("{name}: {number}"),
            });
            writeln!(out, "\n  {}", identity.collect::<Vec<_>>().join(" "))?;
            writeln!(out, "{}", task.histogram().from_lowest())?;
        }
        if self.unreadable > 0 {
            writeln!(out, "{} more, whose size could not be read", self.unreadable)?;
        }
        if self.full > 0 {
            let max_keys = self.options.max_keys;
            writeln!(out, "{} more, beyond {max_keys} histograms: --max-keys", self.full)?;
        }
        Ok(())
    }

    fn to_json(&self) -> Map<String, Value> {
        let tasks = self.tasks.iter().map(|task| {
            let identity = self.identity(task).into_iter();
            let mut fields: Map<String, Value> =
                identity.map(|(_, name, value)| (name.to_owned(), value)).collect();
            fields.insert("count".into(), task.count().into());
            fields.insert("bytes".into(), task.bytes.into());
            fields.insert("hist".into(), task.histogram().to_json());
            Value::from(fields)
        });
        let mut fields = Map::new();
        fields.insert("type".into(), "hist".into());
        fields.insert("unit".into(), "kbytes".into());
        fields.insert("data".into(), json!({"sizes": tasks.collect::<Vec<_>>()}));
        for (name, count) in [("unreadable", self.unreadable), ("beyond_max_keys", self.full)] {
            if count > 0 {
                fields.insert(name.into(), count.into());
            }
        }
        fields
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
    use clap::Parser;

    use super::*;

    #[test]
    fn a_name_is_compared_as_far_as_the_kernel_keeps_it() {
        assert_eq!(&comm("dd"), b"dd\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(&comm("a-name-of-20-letters"), b"a-name-of-20-le\0");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let options =
            crate::cli::Cli::try_parse_from(["rawbpf", "bitesize", "--by", "comm", "1", "1"]);
        let crate::cli::Command::Bitesize(options) = options.unwrap().command else { panic!() };
        let key = [[0; 16], *b"\x1b[2Jred\n\0\0\0\0\0\0\0\0"].concat();
        let counts = [&[0, 0, 3][..], &[0; 30]].concat();
        let mut tool =
            Bitesize { tasks: vec![Task::new(key, counts)], ..Bitesize::new(&options, None) };
        let mut shown = vec![];
        tool.show(None, &mut shown).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.starts_with("\n  CMD: ?[2Jred?\n     kbytes"), "{shown}");
    }
}
