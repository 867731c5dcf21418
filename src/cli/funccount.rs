//! `rawbpf funccount`: from patterns to frequency counts.

use std::io::{self, Write};

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Args};
use serde_json::{Map, Value, json};

use super::Stop;
use super::options::{self, TraceOptions};
use super::report;
use super::trace::{self, Tool};
use crate::counters::{Counters, KeyedCounters};
use crate::error::Error;
use crate::host::names::{self, Function, Pattern};
use crate::host::{Attach, AttachKind, KernelTypes, refusal};
use crate::programs::funccount::{self as program, By, Place};
use crate::session::{Plan, Session};
use crate::sys::MapSpec;
use crate::sys::perf::has_kprobes;
use crate::view::frequency::Frequencies;

/// Count calls of kernel functions and hits of tracepoints, by function or by who makes them
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
#[command(mut_arg("interval", interval), mut_arg("count", count))]
pub struct Options {
    /// Functions (vfs_read) and tracepoints (sched:sched_switch, also t:sched:sched_switch), by name
    /// or pattern with *, ? and [..]; behind them the interval in seconds and how many tables
    #[arg(required = true, value_name = "FUNCTION|PATTERN")]
    words: Vec<String>,

    #[command(flatten)]
    pub trace: TraceOptions,

    /// A count for each of these
    #[arg(long, value_name = "KEY", default_value = "function", value_parser = by())]
    by: By,

    /// Only this process
    #[arg(short, long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pid: Option<i32>,

    /// Only the highest counts, so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    top: Option<u32>,

    /// How many processes, names, users or CPUs there is room for in the kernel, 100 bytes each
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10240,
        value_parser = clap::value_parser!(u32).range(1..=1 << 24)
    )]
    max_keys: u32,
}

fn by() -> impl TypedValueParser<Value = By> {
    options::one_of(By::ALL, |by| {
        PossibleValue::new(by.name()).help(match by {
            By::Function => "The function or tracepoint",
            By::Pid => "The process",
            By::Comm => "The name of the thread",
            By::Uid => "The user",
            By::Cpu => "The CPU",
        })
    })
}

/// The numbers behind the patterns can be options too, as in bcc's tool.
fn interval(arg: Arg) -> Arg {
    arg.short('i').long("interval").value_name("SECONDS")
}

fn count(arg: Arg) -> Arg {
    arg.short('n').long("count").value_name("N")
}

const USAGE: &str = "rawbpf funccount [OPTIONS] FUNCTION|PATTERN... [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
In the kernel its maps take 8 bytes for each function or tracepoint. With --by another key
they take 977 KiB, and 72 bytes for each CPU. --max-keys changes that.

Examples:
  rawbpf funccount 'vfs_*'                   a table every 5 seconds until Ctrl-C
  rawbpf funccount 'vfs_*' --by comm 1 1     who calls them, one second long
  rawbpf funccount 'tcp_send*' 'tcp_recv*' 1 two patterns, a table a second
  rawbpf funccount 'syscalls:sys_enter_*' -p 4242 --top 10
                                             the ten most frequent system calls of a process";

pub fn run(options: &Options) -> Result<(), Stop> {
    let mut tool = tool(options)?;
    trace::run(&mut tool).map_err(|stop| match stop {
        Stop::Error(error) if !tool.functions.is_empty() && !has_kprobes() => {
            Stop::Error(without_kprobes(error))
        }
        stop => stop,
    })
}

/// The tool as these options want it.
pub fn tool(options: &Options) -> Result<FuncCount<'_>, Error> {
    let (words, trace) = split(&options.words, &options.trace)?;
    let patterns: Vec<Pattern> = words.iter().map(|word| Pattern::parse(word)).collect();
    let (mut functions, mut tracepoints) = (vec![], vec![]);
    for pattern in &patterns {
        match pattern {
            Pattern::Functions(name) => functions.push(&**name),
            Pattern::Tracepoints(category, name) => tracepoints.push((&**category, &**name)),
        }
    }
    let functions = match functions.is_empty() {
        true => vec![],
        false => names::functions(&functions)?,
    };
    let tracepoints = match tracepoints.is_empty() {
        true => vec![],
        false => names::tracepoints(&tracepoints)?,
    };
    Ok(FuncCount {
        options,
        trace,
        patterns,
        functions,
        tracepoints,
        counters: Counters::default(),
        keyed: KeyedCounters::default(),
        no_room: Counters::default(),
        counts: vec![],
        not_counted: 0,
    })
}

/// What to type on a host on which functions cannot be counted at all.
fn without_kprobes(error: Error) -> Error {
    if error.failure != refusal::no_kprobes().failure || refusal::privilege().is_some() {
        return error;
    }
    let detail = error.detail.unwrap_or_default();
    refusal::no_kprobes()
        .next("try tracepoints, such as: rawbpf funccount 'sched:*' or 'syscalls:sys_enter_*'")
        .detail(detail)
}

/// The patterns, and the options with the numbers that stand behind them.
fn split<'a>(
    words: &'a [String],
    options: &TraceOptions,
) -> Result<(&'a [String], TraceOptions), Error> {
    let patterns = words.iter().rposition(|word| word.parse::<f64>().is_err()).map_or(0, |n| n + 1);
    let (patterns, numbers) = words.split_at(patterns);
    if patterns.is_empty() {
        return Err(Error::usage("a function or a pattern must come before the numbers"));
    }
    let mut options = options.clone();
    if let Some(interval) = numbers.first() {
        options.interval = options::interval(interval)
            .map_err(|why| Error::usage(format!("the interval {interval}: {why}")))?;
    }
    if let Some(count) = numbers.get(1) {
        let parsed = count.parse().ok().filter(|count| *count > 0);
        options.count = Some(parsed.ok_or_else(|| {
            Error::usage(format!("the count {count}: it is not a number of tables"))
        })?);
    }
    match numbers.get(2) {
        Some(more) => Err(Error::usage(format!("what is {more}? INTERVAL and COUNT are there"))),
        None => Ok((patterns, options)),
    }
}

pub struct FuncCount<'a> {
    options: &'a Options,
    trace: TraceOptions,
    patterns: Vec<Pattern>,
    functions: Vec<Function>,
    /// Category and name.
    tracepoints: Vec<(String, String)>,
    counters: Counters,
    keyed: KeyedCounters,
    no_room: Counters,
    counts: Vec<(String, u64)>,
    not_counted: u64,
}

/// The category whose events are made of two tracepoints, which only perf tells apart.
const SYSCALLS: &str = "syscalls";

impl FuncCount<'_> {
    fn places(&self) -> usize {
        self.functions.len() + self.tracepoints.len()
    }

    fn plan(&self, attach: Attach, place: Place) -> Result<Plan, Error> {
        let options = program::Options { by: self.options.by, pid: self.options.pid };
        Plan::new(Self::NAME, attach, program::program(place, options))
    }

    fn header(&self) -> &'static str {
        match self.options.by {
            By::Function => "FUNC",
            By::Pid => "PID",
            By::Comm => "COMM",
            By::Uid => "UID",
            By::Cpu => "CPU",
        }
    }

    fn frequencies(&self) -> Frequencies {
        let top = self.options.top.map(|top| top as usize);
        Frequencies::new(self.header(), self.counts.iter().cloned(), top)
    }

    fn label(&self, key: &[u8]) -> String {
        match key.try_into() {
            Ok(number) => u32::from_ne_bytes(number).to_string(),
            Err(_) => {
                let name = key.split(|byte| *byte == 0).next().unwrap_or_default();
                String::from_utf8_lossy(name).into_owned()
            }
        }
    }
}

impl Tool for FuncCount<'_> {
    const NAME: &'static str = "funccount";
    const WHAT: &'static str = "functions";

    fn options(&self) -> &TraceOptions {
        &self.trace
    }

    fn kinds(&self) -> Vec<AttachKind> {
        match self.functions.is_empty() {
            true => vec![AttachKind::RawTp],
            false => vec![AttachKind::KprobeMulti, AttachKind::Kprobe],
        }
    }

    fn maps(&self) -> Vec<MapSpec> {
        program::maps(self.options.by, self.places() as u32, self.options.max_keys)
    }

    /// Functions first, in the way of this kind; tracepoints always in the cheapest way they have.
    fn plans(&self, kind: AttachKind, _: &KernelTypes) -> Result<Vec<Plan>, Error> {
        let mut plans = vec![];
        let functions = self.functions.len() as u32;
        match kind {
            AttachKind::KprobeMulti => {
                let attach = Attach::KprobeMulti(self.functions.clone());
                plans.push(self.plan(attach, Place::Cookie(functions))?);
            }
            _ => {
                for (function, number) in self.functions.iter().zip(0..) {
                    let attach = Attach::Kprobe(vec![function.name.clone()]);
                    plans.push(self.plan(attach, Place::Number(number))?);
                }
            }
        }
        for ((category, name), number) in self.tracepoints.iter().zip(functions..) {
            let attach = match category == SYSCALLS {
                true => Attach::Tracepoint(category.clone(), name.clone()),
                false => Attach::RawTp(name.clone()),
            };
            plans.push(self.plan(attach, Place::Number(number))?);
        }
        Ok(plans)
    }

    fn what(&self) -> String {
        let some = |count: usize, what: &str| match count {
            0 => None,
            1 => Some(format!("1 {what}")),
            _ => Some(format!("{count} {what}s")),
        };
        let what =
            [some(self.functions.len(), "function"), some(self.tracepoints.len(), "tracepoint")];
        what.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }

    /// What a pattern found, but not what was named.
    fn can_do_without(&self, plan: &Plan) -> bool {
        let name = match &plan.attach {
            Attach::KprobeMulti(_) => return false,
            Attach::Kprobe(functions) => &functions[0],
            Attach::Tracepoint(_, name) => name,
            attach => &attach.place(),
        };
        !self.patterns.iter().any(|pattern| match pattern {
            Pattern::Functions(exact) | Pattern::Tracepoints(_, exact) => exact == name,
        })
    }

    fn read(&mut self, session: &Session) -> Result<(), Error> {
        if self.options.by == By::Function {
            let counts = self.counters.interval(&session.maps[0])?;
            let functions = self.functions.iter().map(|function| function.name.clone());
            let tracepoints = self.tracepoints.iter();
            let tracepoints = tracepoints.map(|(category, name)| format!("{category}:{name}"));
            self.counts = functions.chain(tracepoints).zip(counts).collect();
            return Ok(());
        }
        let counts = self.keyed.interval(&session.maps[0])?;
        self.counts = counts.iter().map(|(key, counts)| (self.label(key), counts[0])).collect();
        self.not_counted = self.no_room.interval(&session.maps[2])?[0];
        Ok(())
    }

    fn show(&mut self, time: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        report::head(time, out)?;
        write!(out, "{}", self.frequencies())?;
        match self.not_counted {
            0 => Ok(()),
            count => writeln!(out, "{count} more, for whose key there was no room: --max-keys"),
        }
    }

    fn to_json(&self) -> Map<String, Value> {
        let frequencies = self.frequencies();
        let mut fields = Map::new();
        fields.insert("type".into(), "map".into());
        fields.insert("by".into(), self.header().to_lowercase().into());
        fields.insert("data".into(), json!({"counts": frequencies.to_json()}));
        let (names, counts) = frequencies.rest();
        if names > 0 {
            fields.insert("rest".into(), json!({"keys": names, "count": counts}));
        }
        if self.not_counted > 0 {
            fields.insert("no_room".into(), self.not_counted.into());
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    /// The patterns, the interval in seconds and the count.
    fn read(words: &str) -> Result<(Vec<String>, f64, Option<u64>), Error> {
        let words = ["funccount"].into_iter().chain(words.split(' '));
        let line = Line::try_parse_from(words).map_err(|error| Error::usage(error.to_string()))?;
        let (patterns, trace) = split(&line.options.words, &line.options.trace)?;
        Ok((patterns.to_vec(), trace.interval.as_secs_f64(), trace.count))
    }

    #[test]
    fn numbers_behind_the_patterns_are_interval_and_count() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(read("vfs_*").unwrap(), (names(&["vfs_*"]), 5.0, None));
        assert_eq!(read("a b 0.5").unwrap(), (names(&["a", "b"]), 0.5, None));
        assert_eq!(read("a --by comm 1 3").unwrap(), (names(&["a"]), 1.0, Some(3)));
        assert_eq!(read("-i 2 a -n 4").unwrap(), (names(&["a"]), 2.0, Some(4)));
    }

    #[test]
    fn nonsense_behind_the_patterns_is_an_error() {
        for (words, said) in [
            ("1 2", "must come before"),
            ("a 0", "0.001"),
            ("a 1 0", "not a number of tables"),
            ("a 1 1.5", "not a number of tables"),
            ("a 1 2 3", "what is 3?"),
        ] {
            let error = read(words).unwrap_err();
            assert!(error.what.contains(said), "{words}: {error}");
        }
    }

    #[test]
    fn only_what_a_pattern_found_can_be_left_out() {
        let line = Line::try_parse_from(["funccount", "x"]).unwrap();
        let tool = FuncCount {
            options: &line.options,
            trace: line.options.trace.clone(),
            patterns: ["vfs_*", "vfs_read", "block:*"].map(Pattern::parse).to_vec(),
            functions: vec![],
            tracepoints: vec![],
            counters: Counters::default(),
            keyed: KeyedCounters::default(),
            no_room: Counters::default(),
            counts: vec![],
            not_counted: 0,
        };
        let can = |attach| {
            let plan = tool.plan(attach, Place::Number(0)).unwrap();
            tool.can_do_without(&plan)
        };
        assert!(can(Attach::Kprobe(vec!["vfs_write".into()])));
        assert!(!can(Attach::Kprobe(vec!["vfs_read".into()])));
        assert!(can(Attach::RawTp("block_rq_issue".into())));
        assert!(!can(Attach::KprobeMulti(vec![])));
    }
}
