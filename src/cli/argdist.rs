//! `rawbpf argdist`: from options to a distribution.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use serde_json::{Map, Value, json};

use super::Stop;
use super::distribution::{DistributionOptions, Picture};
use super::options::{Choice, TraceOptions, attach_kind};
use super::report;
use super::trace::{self, Tool};
use crate::aggregate::Counters;
use crate::aggregate::{Distribution, Distributions};
use crate::error::Error;
use crate::host::names::Pattern;
use crate::host::{self, AttachKind, Expression, KernelTypes, UserFunction};
use crate::programs::argdist::{self as program, not_counted};
use crate::session::{Plan, Session};
use crate::sys::MapSpec;

/// Show the values of a function's argument, its result or a tracepoint's field, as a histogram
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// A kernel function, a tracepoint (block:block_rq_issue), or PATH:SYMBOL for a function of an
    /// executable or library
    #[arg(value_name = "FUNCTION")]
    function: String,

    /// arg0 to arg5 or an argument's name, retval, or a tracepoint's field; from pointers on with ->
    /// and . as in C: 'arg0->q->nr_requests'
    #[arg(value_name = "ARG|FIELD")]
    value: Expression,

    #[command(flatten)]
    pub trace: TraceOptions,

    #[command(flatten)]
    distribution: DistributionOptions,

    /// How to attach: auto, kprobe or fentry to a function; tp_btf or raw_tp to a tracepoint whose
    /// arg0 is asked for, tracepoint for a field
    #[arg(long, value_name = "KIND", default_value = "auto", hide_possible_values = true)]
    #[arg(value_parser = attach_kind())]
    attach: Choice,
}

const USAGE: &str = "rawbpf argdist [OPTIONS] FUNCTION ARG|FIELD [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
In the kernel its maps take 32 bytes, and 568 bytes for each CPU.

Examples:
  rawbpf argdist blk_mq_start_request 'arg0->__data_len' 1 1  a field behind an argument
  rawbpf argdist syscalls:sys_exit_read ret 1                 a tracepoint's field, a table a second
  rawbpf argdist vfs_read retval --linear 0,4096,256          what a function returns, in steps

Width and sign are those of the kernel's types (BTF). Where they do not tell, as of any function \
of a file, an argument is taken for a number of 64 bits without a sign. Numbers below 0, such as \
errors, and what could not be read are counted beside the table. -p is who runs the function or \
meets the tracepoint: in an interrupt, anybody.";

pub fn run(options: &Options) -> Result<(), Stop> {
    trace::run(&mut tool(options)?)
}

/// What is traced.
enum Traced {
    Function(String),
    /// By category and name.
    Tracepoint(String, String),
    User(UserFunction),
}

/// The tool as these options want it.
pub fn tool(options: &Options) -> Result<Argdist<'_>, Error> {
    let pid = options.distribution.pid()?;
    let in_file = options.function.split_once(':').filter(|(path, _)| path.contains('/'));
    let traced = match (in_file, Pattern::parse(&options.function)) {
        (Some((path, symbol)), _) => {
            Traced::User(UserFunction::find(Path::new(path), symbol, pid)?)
        }
        (None, pattern) if !pattern.is_exact() => {
            return Err(Error::usage("a pattern: one function or tracepoint is wanted"));
        }
        (None, Pattern::Functions(name)) => Traced::Function(name),
        (None, Pattern::Tracepoints(category, name)) => Traced::Tracepoint(category, name),
    };
    let kinds = options.attach.among(match traced {
        Traced::Function(_) => &[AttachKind::Kprobe, AttachKind::Fentry],
        Traced::Tracepoint(..) if options.value.is_of_argument() => {
            &[AttachKind::TpBtf, AttachKind::RawTp]
        }
        Traced::Tracepoint(..) => &[AttachKind::Tracepoint],
        Traced::User(_) => &[AttachKind::Uprobe],
    })?;
    let buckets = options.distribution.buckets();
    Ok(Argdist {
        options,
        traced,
        kinds,
        picture: Picture::new(options.value.last(), 1, buckets.clone(), false),
        distributions: Distributions::new(&buckets),
        program: program::Options { buckets, pid },
        counters: Counters::default(),
        taken: NOTHING,
        not_counted: vec![],
    })
}

pub struct Argdist<'a> {
    options: &'a Options,
    traced: Traced,
    kinds: Vec<AttachKind>,
    program: program::Options,
    picture: Picture,
    distributions: Distributions,
    counters: Counters,
    taken: Distribution,
    not_counted: Vec<u64>,
}

/// An interval without a value.
const NOTHING: Distribution = Distribution { counts: vec![], sum: 0, extremes: None };

impl Argdist<'_> {
    /// What is not in the histogram: how it is called in JSON, for people, and how often it was.
    fn not_counted(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let all = [
            (not_counted::NEGATIVE, "negative", "values below 0"),
            (
                not_counted::UNREADABLE,
                "unreadable",
                "values that could not be read: a pointer leads nowhere",
            ),
        ];
        let counted = all.into_iter().map(|(word, name, text)| {
            (name, text, self.not_counted.get(word as usize).copied().unwrap_or(0))
        });
        counted.filter(|(.., count)| *count > 0)
    }
}

impl Tool for Argdist<'_> {
    const NAME: &'static str = "argdist";
    const WHAT: &'static str = "values";

    fn what(&self) -> String {
        match &self.traced {
            Traced::User(function) => format!("{} of {function}", self.options.value),
            _ => format!("{} of {}", self.options.value, self.options.function),
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
        let asked = &self.options.value;
        let (attach, value) = match &self.traced {
            Traced::Function(name) => host::Value::of_function(name, kind, asked, types),
            Traced::Tracepoint(category, name) if kind == AttachKind::Tracepoint => {
                host::Value::of_record(category, name, asked)
            }
            Traced::Tracepoint(category, name) => {
                host::Value::of_tracepoint(category, name, kind, asked, types)
            }
            Traced::User(function) => host::Value::of_user_function(function, asked),
        }?;
        Ok(vec![Plan::new(Self::NAME, attach, program::program(&value, &self.program))?])
    }

    fn started(&mut self, session: &Session) -> Result<(), Error> {
        self.distributions.begin(session.map(program::EPOCH)?)
    }

    fn read(&mut self, session: &Session) -> Result<(), Error> {
        let (values, epoch) = (session.map(program::VALUES)?, session.map(program::EPOCH)?);
        let taken = self.distributions.interval(values, epoch)?;
        self.taken = taken.into_values().next().unwrap_or(NOTHING);
        self.not_counted = self.counters.interval(session.map(program::NOT_COUNTED)?)?;
        Ok(())
    }

    fn show(&mut self, time: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        report::head(time, out)?;
        write!(out, "{}", self.picture.of(&self.taken))?;
        self.not_counted().try_for_each(|(_, text, count)| writeln!(out, "{count} {text}"))
    }

    fn to_json(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("type".into(), "hist".into());
        fields.insert("function".into(), self.options.function.clone().into());
        fields.insert("value".into(), self.options.value.to_string().into());
        let values = self.picture.table_json(&self.taken);
        fields.insert("data".into(), json!({"values": values}));
        fields.insert("summary".into(), self.picture.summary_json(&self.taken).into());
        for (name, _, count) in self.not_counted() {
            fields.insert(name.into(), count.into());
        }
        fields
    }
}
