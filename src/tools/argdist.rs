//! The values of an argument, a result or a field.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;

use super::distribution::{self, Shown};
use super::{Choice, Tool};
use crate::aggregate::Buckets;
use crate::aggregate::{Counters, Distributions, KeyedCounters, Measured};
use crate::error::Error;
use crate::host::names::{self, Pattern};
use crate::host::{
    Attach, AttachKind, Content, Expression, Fentry, KernelTypes, Process, TracedNumber,
    TracedValue, UserFunction,
};
use crate::order::PutInOrder;
use crate::programs::argdist::{
    self as program, Counted, EPOCH, LONGEST, NOT_COUNTED, VALUES, not_counted,
};
use crate::run::{Group, Plan, Session};
use crate::sample::{
    LabelName, LabelValue, Lost, LostKind, Percentiles, Row, Setting, Table, USUAL_PERCENTILES,
    Unit, Value,
};
use crate::sys::MapSpec;

/// What is measured, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// A function of the kernel or of a module (`null_blk:null_queue_rq`), a tracepoint
    /// (`block:block_rq_issue`), or `PATH:SYMBOL`.
    pub function: String,
    /// Which number or string of it.
    pub value: Expression,
    /// How to attach.
    pub attach: Choice,
    /// Only of this process.
    pub pid: Option<u32>,
    /// Which numbers are counted together; `None` counts each by itself, and so are strings and the values of
    /// an enumeration, which `Buckets::Log2` does not count together either.
    pub buckets: Option<Buckets>,
    /// Only the N most frequent values, of those that are counted by themselves.
    pub top: Option<u32>,
    /// For up to N values that are counted by themselves there is room in the kernel.
    pub max_keys: u32,
    /// The percentiles to show.
    pub percentiles: Percentiles,
}

impl Options {
    /// All values, by powers of two.
    pub fn new(function: &str, value: Expression) -> Options {
        let (attach, buckets) = (Choice::Auto, Some(Buckets::LOG2));
        Options {
            function: function.into(),
            value,
            attach,
            pid: None,
            buckets,
            top: None,
            max_keys: 10240,
            percentiles: USUAL_PERCENTILES,
        }
    }
}

/// What is traced.
enum TracedPlace {
    Function(String),
    /// By category and name.
    Tracepoint(String, String),
    /// Functions of one file.
    User(Vec<UserFunction>),
}

/// Counts the values that a program finds at a function or a tracepoint.
pub struct Argdist {
    options: Options,
    traced: TracedPlace,
    process: Option<Process>,
    kinds: Vec<AttachKind>,
    /// The value, as it is found by the first attach kind by which it can be found.
    found: OnceCell<(AttachKind, Vec<Attach>, TracedValue)>,
    shown: Shown,
    distributions: Distributions,
    each: KeyedCounters,
    counters: Counters,
}

impl Argdist {
    /// The tool, not attached yet.
    ///
    /// # Errors
    /// There is no such process or user function, or it cannot be attached in that way.
    pub fn new(options: Options) -> Result<Argdist, Error> {
        let process = options.pid.map(Process::find).transpose()?;
        let buckets = options.buckets.clone().unwrap_or(Buckets::LOG2);
        buckets.check()?;
        let in_file = UserFunction::split(&options.function, options.pid);
        let traced = match (in_file, Pattern::parse(&options.function)) {
            (Some((file, text)), _) => {
                let (file, at) = (Path::new(file), options.value.at());
                TracedPlace::User(UserFunction::one_or_pattern(file, text, at, options.pid)?)
            }
            (None, pattern) if !pattern.is_exact() => {
                return Err(Error::usage("a pattern: one function or tracepoint is wanted"));
            }
            (None, Pattern::Functions(name)) => TracedPlace::Function(name),
            (None, Pattern::Tracepoints(module, name)) if names::is_of_module(&module, &name) => {
                TracedPlace::Function(options.function.clone())
            }
            (None, Pattern::Tracepoints(category, name)) => TracedPlace::Tracepoint(category, name),
        };
        let kinds = options.attach.among(match &traced {
            TracedPlace::Function(_) => &[AttachKind::Fentry, AttachKind::Kprobe],
            // Those of the system calls exist only as records, and fields of some are called arg2.
            TracedPlace::Tracepoint(category, _)
                if options.value.is_of_argument() && category != SYSCALLS =>
            {
                &[AttachKind::TpBtf, AttachKind::RawTp]
            }
            TracedPlace::Tracepoint(..) => &[AttachKind::Tracepoint],
            TracedPlace::User(_) => &AttachKind::OF_USER_FUNCTIONS,
        })?;
        Ok(Argdist {
            traced,
            process,
            kinds,
            found: OnceCell::new(),
            distributions: Distributions::new(&buckets),
            shown: Shown::new(buckets, Unit::Number, options.percentiles.clone()),
            each: KeyedCounters::default(),
            counters: Counters::default(),
            options,
        })
    }

    /// The value, and the places where a program of this kind finds it.
    fn find(
        &self,
        kind: AttachKind,
        types: &KernelTypes,
    ) -> Result<(Vec<Attach>, TracedValue), Error> {
        let asked = &self.options.value;
        let (place, value) = match &self.traced {
            TracedPlace::Function(name) => {
                if kind == AttachKind::Fentry {
                    Fentry::check_name(name)?;
                }
                TracedValue::of_function(name, kind, asked, types)?
            }
            TracedPlace::Tracepoint(category, name) if kind == AttachKind::Tracepoint => {
                TracedValue::of_record(category, name, asked)?
            }
            TracedPlace::Tracepoint(category, name) => {
                TracedValue::of_tracepoint(category, name, kind, asked, types)?
            }
            TracedPlace::User(functions) => {
                // All functions of a file are called in the same way.
                let first = functions.first().ok_or_else(|| Error::failed("no function"))?;
                let value = TracedValue::of_user_function(first, asked)?;
                let places = Attach::at_user_functions(functions, kind, asked.at());
                return Ok((places.into_iter().map(|(place, _)| place).collect(), value));
            }
        };
        Ok((vec![place], value))
    }

    /// How values are counted, once it is known what they are.
    fn counted(&self) -> Counted {
        let max_keys = self.options.max_keys;
        match (self.found.get().map(|(_, _, value)| &value.content), &self.options.buckets) {
            (Some(Content::Text(text)), _) => {
                Counted::Each { key: program::key_of_text(text), max_keys }
            }
            (Some(Content::Number(TracedNumber { names, .. })), Some(Buckets::Log2 { .. }))
                if !names.is_empty() =>
            {
                Counted::Each { key: 8, max_keys }
            }
            (_, Some(buckets)) => Counted::Buckets(buckets.clone()),
            (_, None) => Counted::Each { key: 8, max_keys },
        }
    }

    fn program(&self) -> program::Options {
        program::Options { counted: self.counted(), process: self.process }
    }

    /// A value that is counted by itself, and whether it is cut.
    fn label(&self, key: &[u8]) -> (LabelValue, bool) {
        let Some((_, _, TracedValue { content: Content::Number(number), .. })) = self.found.get()
        else {
            let whole = key.get(..LONGEST as usize).unwrap_or(key);
            return (LabelValue::of_bytes(whole), key[whole.len()..].iter().any(|byte| *byte != 0));
        };
        let value = key.try_into().map_or(0, u64::from_ne_bytes);
        let name = number.names.binary_search_by_key(&value, |(value, _)| *value);
        let label = match name {
            Ok(index) => LabelValue::text(&number.names[index].1),
            Err(_) if number.is_signed() => LabelValue::signed(value as i64),
            Err(_) => LabelValue::Number(value),
        };
        (label, false)
    }

    /// A row for each value, the most frequent last.
    fn each(&mut self, session: &Session) -> Result<(Table, Option<Lost>), Error> {
        // What looks the same is one row, such as strings with control characters.
        let (mut counts, mut cut) = (BTreeMap::<LabelValue, (u64, u64)>::new(), 0);
        for counted in self.each.read(session.map(VALUES)?)?.iter() {
            let (label, is_cut) = self.label(counted.key);
            let (sum, all) = counts.entry(label).or_default();
            (*sum, *all) = (*sum + counted.interval[0], *all + counted.total[0]);
            cut += if is_cut { counted.interval[0] } else { 0 };
        }
        let mut counts: Vec<_> =
            counts.into_iter().filter(|(_, (interval, _))| *interval > 0).collect();
        // Equal counts stay in the order of their values.
        counts.order_by_key(|(_, (interval, _))| *interval);
        let row = |(label, (interval, total))| Row {
            labels: vec![label],
            value: Value::Count(interval),
            total: Value::Count(total),
        };
        let mut table = Table {
            name: self.options.value.last().into(),
            subject: "argument".into(),
            help: format!("How often each value of {} was found", self.what()).into(),
            unit: Unit::Count,
            labels: vec![LabelName {
                name: "value".into(),
                heading: self.options.value.last().to_uppercase().into(),
            }],
            rows: counts.into_iter().map(row).collect(),
            rest: vec![],
        };
        table.keep_last(self.options.top);
        let sentence =
            format!("values that are longer than {LONGEST} bytes: they are counted by these");
        Ok((table, Lost::some(LostKind::Cut, cut, sentence)))
    }

    /// A row with the distribution.
    fn distribution(&mut self, session: &Session) -> Result<Table, Error> {
        let measured = self.distributions.read(session.map(VALUES)?, session.map(EPOCH)?)?;
        let row = |measured: &Measured| self.shown.row(vec![], measured);
        Ok(Table {
            name: self.options.value.last().into(),
            subject: "argument".into(),
            help: format!("Values of {}", self.what()).into(),
            unit: Unit::Number,
            labels: vec![],
            rows: measured.iter().map(row).collect(),
            rest: vec![],
        })
    }
}

/// The category whose tracepoints are records only.
const SYSCALLS: &str = "syscalls";

impl Tool for Argdist {
    fn name(&self) -> &'static str {
        "argdist"
    }

    fn what(&self) -> String {
        match &self.traced {
            TracedPlace::User(functions) => match &functions[..] {
                [function] => format!("{} of {function}", self.options.value),
                _ => {
                    let count = functions.len();
                    format!(
                        "{} of {count} functions: {}",
                        self.options.value, self.options.function
                    )
                }
            },
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
            ("buckets", options.buckets.as_ref().map(distribution::name).into()),
            ("top", options.top.into()),
            ("max_keys", options.max_keys.into()),
        ]
    }

    /// What the value is decides what it is counted in. If it is not found, the attempt to attach finds the
    /// reasons.
    fn prepare(&self, types: &KernelTypes) -> Result<(), Error> {
        let mut kinds = self.kinds.iter();
        let found = kinds.find_map(|kind| {
            let (places, value) = self.find(*kind, types).ok()?;
            Some((*kind, places, value))
        });
        let Some(found) = found else {
            return Ok(());
        };
        let is_text = matches!(found.2.content, Content::Text(_));
        if is_text && !matches!(self.options.buckets, None | Some(Buckets::Log2 { .. })) {
            let value = &self.options.value;
            return Err(Error::usage(format!("{value} is a string, which has no buckets"))
                .hint("leave out --linear and --custom: each string is counted by itself"));
        }
        let _ = self.found.set(found);
        Ok(())
    }

    fn maps(&self) -> Vec<MapSpec> {
        program::maps(&self.program())
    }

    fn groups(&self) -> Vec<Group<'_>> {
        vec![Group::new(self.kinds.clone(), |kind, types| {
            let (places, value) = match self.found.get() {
                Some((found, places, value)) if *found == kind => (places.clone(), value.clone()),
                _ => self.find(kind, types)?,
            };
            let program = program::program(&value, &self.program())?;
            let plan = |place| Plan::new(self.name(), place, program.clone());
            Ok(places.into_iter().map(plan).collect())
        })]
    }

    fn begin(&mut self, session: &Session) -> Result<(), Error> {
        match self.counted() {
            Counted::Buckets(_) => self.distributions.begin(session.map(EPOCH)?),
            Counted::Each { .. } => Ok(()),
        }
    }

    fn read(&mut self, session: &Session) -> Result<(Vec<Table>, Vec<Lost>), Error> {
        let (table, cut) = match self.counted() {
            Counted::Buckets(_) => (self.distribution(session)?, None),
            Counted::Each { .. } => self.each(session)?,
        };
        let not_counted = self.counters.read(session.map(NOT_COUNTED)?)?.interval;
        let some = |kind, word: u32, sentence: &str| {
            let count = not_counted.get(word as usize);
            Lost::some(kind, count.copied().unwrap_or(0), sentence)
        };
        let full = format!("more values, beyond {} different ones", self.options.max_keys);
        let lost = [
            some(LostKind::Negative, not_counted::NEGATIVE, "values below 0")
                .map(|lost| lost.option("--each")),
            some(
                LostKind::Unreadable,
                not_counted::UNREADABLE,
                "values that could not be read: a pointer leads nowhere, or to memory that is not loaded",
            ),
            some(LostKind::BeyondMaxKeys, not_counted::FULL, &full)
                .map(|lost| lost.option("--max-keys")),
            cut,
        ];
        Ok((vec![table], lost.into_iter().flatten().collect()))
    }
}
