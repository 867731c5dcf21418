//! The values of an argument, a result or a field.

use std::path::Path;
use std::sync::Arc;

use super::{Choice, Tool, distribution};
use crate::aggregate::Buckets;
use crate::aggregate::Counters;
use crate::aggregate::{Distributions, Measured};
use crate::error::Error;
use crate::host::names::Pattern;
use crate::host::{self, Attach, AttachKind, Expression, UserFunction};
use crate::programs::argdist::{self as program, EPOCH, NOT_COUNTED, VALUES, not_counted};
use crate::run::{Group, Plan, Session};
use crate::sample::{Bucket, Lost, LostKind, Rest, Setting, Table, Unit};
use crate::sys::MapSpec;

/// What is measured, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// A function of the kernel, a tracepoint (`block:block_rq_issue`), or `PATH:SYMBOL`.
    pub function: String,
    /// Which number of it.
    pub value: Expression,
    /// How to attach.
    pub attach: Choice,
    /// Only of this process.
    pub pid: Option<u32>,
    /// Which values are counted together.
    pub buckets: Buckets,
}

impl Options {
    /// All values, by powers of two.
    pub fn new(function: &str, value: Expression) -> Options {
        let (attach, buckets) = (Choice::Auto, Buckets::Log2);
        Options { function: function.into(), value, attach, pid: None, buckets }
    }
}

/// What is traced.
enum TracedPlace {
    Function(String),
    /// By category and name.
    Tracepoint(String, String),
    User(UserFunction),
}

/// Counts the values of a number that a program finds at a function or a tracepoint.
pub struct Argdist {
    options: Options,
    traced: TracedPlace,
    kinds: Vec<AttachKind>,
    program: program::Options,
    buckets: Arc<[Bucket]>,
    distributions: Distributions,
    counters: Counters,
}

impl Argdist {
    /// The tool, not attached yet.
    ///
    /// # Errors
    /// There is no such process or user function, or it cannot be attached in that way.
    pub fn new(options: Options) -> Result<Argdist, Error> {
        distribution::check_pid(options.pid)?;
        options.buckets.check()?;
        let in_file = options.function.split_once(':').filter(|(path, _)| path.contains('/'));
        let traced = match (in_file, Pattern::parse(&options.function)) {
            (Some((path, symbol)), _) => {
                TracedPlace::User(UserFunction::find(Path::new(path), symbol, options.pid)?)
            }
            (None, pattern) if !pattern.is_exact() => {
                return Err(Error::usage("a pattern: one function or tracepoint is wanted"));
            }
            (None, Pattern::Functions(name)) => TracedPlace::Function(name),
            (None, Pattern::Tracepoints(category, name)) => TracedPlace::Tracepoint(category, name),
        };
        let kinds = options.attach.among(match traced {
            TracedPlace::Function(_) => &[AttachKind::Kprobe, AttachKind::Fentry],
            TracedPlace::Tracepoint(..) if options.value.is_of_argument() => {
                &[AttachKind::TpBtf, AttachKind::RawTp]
            }
            TracedPlace::Tracepoint(..) => &[AttachKind::Tracepoint],
            TracedPlace::User(_) => &AttachKind::OF_USER_FUNCTIONS,
        })?;
        Ok(Argdist {
            traced,
            kinds,
            buckets: distribution::buckets(&options.buckets),
            distributions: Distributions::new(&options.buckets),
            program: program::Options { buckets: options.buckets.clone(), pid: options.pid },
            counters: Counters::default(),
            options,
        })
    }
}

impl Tool for Argdist {
    fn name(&self) -> &'static str {
        "argdist"
    }

    fn what(&self) -> String {
        match &self.traced {
            TracedPlace::User(function) => format!("{} of {function}", self.options.value),
            _ => format!("{} of {}", self.options.value, self.options.function),
        }
    }

    fn settings(&self) -> Vec<(&'static str, Setting)> {
        let options = &self.options;
        vec![
            ("function", options.function.clone().into()),
            ("value", options.value.to_string().into()),
            ("attach", options.attach.name().into()),
            ("pid", options.pid.into()),
            ("buckets", distribution::name(&options.buckets).into()),
        ]
    }

    fn maps(&self) -> Vec<MapSpec> {
        program::maps(&self.program)
    }

    fn groups(&self) -> Vec<Group<'_>> {
        vec![Group::new(self.kinds.clone(), |kind, types| {
            let asked = &self.options.value;
            let one = |(attach, value)| (vec![attach], value);
            let (places, value) = match &self.traced {
                TracedPlace::Function(name) => {
                    one(host::TracedValue::of_function(name, kind, asked, types)?)
                }
                TracedPlace::Tracepoint(category, name) if kind == AttachKind::Tracepoint => {
                    one(host::TracedValue::of_record(category, name, asked)?)
                }
                TracedPlace::Tracepoint(category, name) => {
                    one(host::TracedValue::of_tracepoint(category, name, kind, asked, types)?)
                }
                TracedPlace::User(function) => {
                    let functions = std::slice::from_ref(function);
                    let places = Attach::at_user_functions(functions, kind, asked.at());
                    (places, host::TracedValue::of_user_function(function, asked)?)
                }
            };
            let program = program::program(&value, &self.program)?;
            let plan = |place| Plan::new(self.name(), place, program.clone());
            Ok(places.into_iter().map(plan).collect())
        })]
    }

    fn begin(&mut self, session: &Session) -> Result<(), Error> {
        self.distributions.begin(session.map(EPOCH)?)
    }

    fn read(&mut self, session: &Session) -> Result<(Vec<Table>, Vec<Lost>), Error> {
        let measured = self.distributions.read(session.map(VALUES)?, session.map(EPOCH)?)?;
        let row =
            |measured: &Measured| distribution::row(vec![], &self.buckets, Unit::Number, measured);
        let table = Table {
            name: self.options.value.last().into(),
            help: format!("Values of {}", self.what()).into(),
            unit: Unit::Number,
            labels: vec![],
            rows: measured.iter().map(row).collect(),
            rest: Rest::default(),
        };
        let not_counted = self.counters.read(session.map(NOT_COUNTED)?)?.interval;
        let some = |kind, word: u32, sentence: &str| {
            Lost::some(kind, not_counted[word as usize], sentence)
        };
        let lost = [
            some(LostKind::Negative, not_counted::NEGATIVE, "values below 0"),
            some(
                LostKind::Unreadable,
                not_counted::UNREADABLE,
                "values that could not be read: a pointer leads nowhere",
            ),
        ];
        Ok((vec![table], lost.into_iter().flatten().collect()))
    }
}
