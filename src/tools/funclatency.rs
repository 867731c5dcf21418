//! How long a function takes.

use std::cmp::Reverse;
use std::path::Path;

use super::distribution::{self, Shown};
use super::{Choice, Tool};
use crate::aggregate::Buckets;
use crate::aggregate::{Counters, Distributions, counters::unreadable};
use crate::error::Error;
use crate::host::{
    Attach, AttachKind, CallFrame, Fentry, Kprobe, PidNamespace, Process, UserFunction, names,
};
use crate::order::PutInOrder;
use crate::programs::funccount::PlaceNumber;
use crate::programs::funclatency::{
    self as program, EPOCH, LATENCIES, MISSED, OPEN, STARTS, missed,
};
use crate::run::{Group, Plan, Session};
use crate::sample::{
    LabelName, LabelValue, Lost, LostKind, Percentiles, Setting, Table, USUAL_PERCENTILES, Unit,
};
use crate::sys::MapSpec;
use crate::sys::link::At;
use crate::sys::map::Entries;

/// What is measured, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// A function of the kernel or of a module (`null_blk:null_queue_rq`), or `FILE:SYMBOL` or `FILE:PATTERN`
    /// for those of an executable or a library, whose calls are measured together: see
    /// [`UserFunction::find`].
    pub function: String,
    /// How to attach to a function of the kernel.
    pub attach: Choice,
    /// Only calls by this process.
    pub pid: Option<u32>,
    /// Which latencies are counted together, in `unit`.
    pub buckets: Buckets,
    /// The unit of latencies: nanoseconds, microseconds or milliseconds.
    pub unit: Unit,
    /// The percentiles to show.
    pub percentiles: Percentiles,
    /// A histogram for each process.
    pub by_pid: bool,
    /// For up to N processes there are histograms in the kernel.
    pub max_keys: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            function: String::new(),
            attach: Choice::Auto,
            pid: None,
            buckets: Buckets::LOG2,
            unit: Unit::Microseconds,
            percentiles: USUAL_PERCENTILES,
            by_pid: false,
            max_keys: 1024,
        }
    }
}

/// The entry is attached first, so that of every call whose return is seen the entry was.
const AT: [At; 2] = [At::Entry, At::Return];

/// Measures the time from a function's entry to its return.
pub struct Funclatency {
    options: Options,
    /// Functions of one file; none if it is a function of the kernel.
    user: Vec<UserFunction>,
    kinds: Vec<AttachKind>,
    program: program::Options,
    shown: Shown,
    distributions: Distributions,
    missed: Counters,
    /// How many calls a kretprobe did not follow to their return, and no other counter has.
    unfollowed: u64,
    starts: Entries,
}

impl Funclatency {
    /// The tool, not attached yet.
    ///
    /// # Errors
    /// There is no such process or user function, or it cannot be attached in that way.
    pub fn new(options: Options) -> Result<Funclatency, Error> {
        let process = options.pid.map(Process::find).transpose()?;
        options.buckets.check()?;
        let user = match options.function.split_once(':') {
            Some((file, text)) if file.contains('/') || !names::is_of_module(file, text) => {
                UserFunction::one_or_pattern(Path::new(file), text, At::Return, options.pid)?
            }
            _ => vec![],
        };
        let kinds = options.attach.among(match user[..] {
            [] if Kprobe::address(&options.function).is_some() => &[AttachKind::Kprobe],
            // A return that a kretprobe misses is a call that is not measured.
            [] => &[AttachKind::Fentry, AttachKind::Kprobe],
            _ => &AttachKind::OF_USER_FUNCTIONS,
        })?;
        let program = program::Options {
            unit: options.unit.in_base() as i32,
            buckets: options.buckets.clone().by_key(options.by_pid),
            process,
            namespace: if options.by_pid { PidNamespace::own() } else { None },
            by_pid: options.by_pid.then_some(options.max_keys),
            several: user.len() > 1,
        };
        Ok(Funclatency {
            user,
            kinds,
            distributions: Distributions::new(&program.buckets),
            shown: Shown::new(program.buckets.clone(), options.unit, options.percentiles.clone()),
            program,
            missed: Counters::default(),
            unfollowed: 0,
            starts: Entries::new(),
            options,
        })
    }

    /// Calls that were entered and have not returned, as far as was seen.
    fn open(&mut self, session: &Session) -> Result<u64, Error> {
        let starts = session.map(STARTS)?;
        starts.read_all(&mut self.starts).map_err(|error| unreadable(&error))?;
        // Those from before tracing began have the start 0.
        let open = self.starts.iter().filter(|(_, start)| start.iter().any(|byte| *byte != 0));
        Ok(open.count() as u64)
    }

    fn lost(&self, missed: &[u64], unfollowed: u64, open: u64) -> Vec<Lost> {
        let some =
            |kind, word: u32, sentence: &str| Lost::some(kind, missed[word as usize], sentence);
        let never = missed[missed::NO_RETURN as usize];
        let no_end = match unfollowed {
            0 => Lost::some(LostKind::NoEnd, never, "calls whose return was missed or never came"),
            _ => Lost::some(
                LostKind::NoEnd,
                never + unfollowed,
                "calls whose return was missed: a kretprobe follows only some calls at a time",
            )
            .map(|lost| lost.option("--attach fentry")),
        };
        let lost = [
            some(LostKind::NoStart, missed::NO_ENTRY, "returns whose entry was missed"),
            no_end,
            some(
                LostKind::BeyondMaxOpen,
                missed::TOO_MANY,
                &format!("more calls, beyond {OPEN} open at once"),
            ),
            some(
                LostKind::BeyondMaxKeys,
                missed::TOO_MANY_KEYS,
                &format!("more calls, beyond {} processes", self.options.max_keys),
            )
            .map(|lost| lost.option("--max-keys")),
            Lost::some(
                LostKind::Open,
                open,
                match self.unfollowed {
                    0 => "calls still open: not finished, or their return was missed",
                    _ => "calls still open",
                },
            ),
        ];
        lost.into_iter().flatten().collect()
    }
}

impl Tool for Funclatency {
    fn name(&self) -> &'static str {
        "funclatency"
    }

    fn what(&self) -> String {
        match &self.user[..] {
            [] => format!("the latency of {}", self.options.function),
            [function] => format!("the latency of {function}"),
            [first, ..] => {
                let (count, file) = (self.user.len(), first.path.display());
                format!("the latency of {count} functions of {file}")
            }
        }
    }

    fn settings(&self) -> Vec<(&'static str, Setting)> {
        let options = &self.options;
        vec![
            ("function", options.function.clone().into()),
            ("attach", options.attach.name().into()),
            ("pid", options.pid.into()),
            ("buckets", distribution::name(&options.buckets).into()),
            ("unit", options.unit.name().into()),
            ("by", options.by_pid.then_some("pid").into()),
            ("max_keys", options.max_keys.into()),
        ]
    }

    fn maps(&self) -> Vec<MapSpec> {
        program::maps(&self.program)
    }

    fn groups(&self) -> Vec<Group<'_>> {
        vec![Group::new(self.kinds.clone(), |kind, types| {
            let name = self.options.function.clone();
            let (places, frames) = match (&self.user[..], kind) {
                ([], AttachKind::Fentry) => {
                    Fentry::check_name(&name)?;
                    let entry = Fentry::find(&name, At::Entry, types)?;
                    let places = AT.map(|at| vec![(entry.clone().at(at).into(), 0)]);
                    (places, [CallFrame::Context; 2])
                }
                ([], _) => {
                    let places = AT.map(|at| vec![(Kprobe::new(&*name, at).into(), 0)]);
                    (places, [CallFrame::of_probes()?; 2])
                }
                (user, _) => {
                    let frame = CallFrame::of_probes()?;
                    // The functions of a file are alike in this.
                    let at_return = match user.first().is_some_and(UserFunction::is_at_return) {
                        true => frame.before_return(),
                        false => frame,
                    };
                    (AT.map(|at| Attach::at_user_functions(user, kind, at)), [frame, at_return])
                }
            };
            let mut plans = vec![];
            for ((places, frame), at) in places.into_iter().zip(frames).zip(AT) {
                for (place, number) in places {
                    let number = match kind {
                        AttachKind::UprobeMulti => PlaceNumber::Cookie(self.user.len() as u32),
                        _ => PlaceNumber::Number(number),
                    };
                    plans.push(match at {
                        At::Entry => {
                            let program = program::entered(frame, number, &self.program)?;
                            Plan::new("entered", place, program)
                        }
                        At::Return => {
                            let program = program::returned(frame, number, &self.program)?;
                            Plan::new("returned", place, program)
                        }
                    });
                }
            }
            Ok(plans)
        })]
    }

    fn begin(&mut self, session: &Session) -> Result<(), Error> {
        self.distributions.begin(session.map(EPOCH)?)
    }

    fn read(&mut self, session: &Session) -> Result<(Vec<Table>, Vec<Lost>), Error> {
        let measured = self.distributions.read(session.map(LATENCIES)?, session.map(EPOCH)?)?;
        let unit = self.options.unit;
        let pid = |key: &[u8]| key.try_into().map_or(0, u32::from_ne_bytes);
        let rows = measured.iter().map(|measured| {
            let in_namespace = self.program.namespace.is_some();
            let pid = || LabelValue::process(pid(&measured.key), in_namespace);
            let pid = self.options.by_pid.then(pid);
            self.shown.row(pid.into_iter().collect(), measured)
        });
        let mut rows: Vec<_> = rows.collect();
        // Who called most comes first.
        rows.order_by_key(|row| (Reverse(row.value.count()), row.labels.clone()));
        let table = Table {
            name: "latency".into(),
            subject: "function".into(),
            help: "Time from the function's entry to its return".into(),
            unit,
            labels: match self.options.by_pid {
                true => vec![LabelName::new("pid", "PID")],
                false => vec![],
            },
            rows,
            rest: vec![],
        };
        let missed = self.missed.read(session.map(MISSED)?)?;
        let open = self.open(session)?;
        // The start of a call that a kretprobe did not follow stays in the map, until the same thread calls again from
        // the same place: that was counted too.
        let unfollowed = session.missed_returns().unwrap_or(0);
        let unfollowed = unfollowed.saturating_sub(missed.total[missed::NO_RETURN as usize]);
        let since = unfollowed.saturating_sub(self.unfollowed);
        self.unfollowed = self.unfollowed.max(unfollowed);
        let open = open.saturating_sub(unfollowed);
        Ok((vec![table], self.lost(&missed.interval, since, open)))
    }
}
