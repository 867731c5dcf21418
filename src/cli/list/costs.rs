//! What programs cost in an interval.

use std::cmp::Reverse;
use std::time::Duration;

use serde_json::{Value, json};

use super::objects::{counts, prog_type};
use super::options::{Options, Sort};
use crate::error::Error;
use crate::host::clock::rfc3339;
use crate::host::holders::Holders;
use crate::order::PutInOrder;
use crate::sample::{Span, Time};
use crate::sys::object::{ObjectKind, ProgInfo};
use crate::tools::now;

/// The counts of programs at a moment.
pub struct Counts {
    time: Time,
    programs: Vec<ProgInfo>,
}

impl Counts {
    /// The counts now, of the programs that are asked for.
    ///
    /// # Errors
    /// A privilege is missing.
    pub fn read(options: &Options) -> Result<Counts, Error> {
        // The time of the middle would be nearer, but ours is short beside an interval.
        let mut programs = counts()?;
        programs.retain(|program| options.is_named(&program.name));
        Ok(Counts { time: now()?, programs })
    }

    /// The greatest id of a program.
    pub fn newest(&self) -> u32 {
        self.programs.last().map_or(0, |program| program.id)
    }

    fn program(&self, id: u32) -> Option<&ProgInfo> {
        let index = self.programs.binary_search_by_key(&id, |program| program.id).ok()?;
        self.programs.get(index)
    }
}

/// What programs cost in an interval.
pub struct Costs {
    /// The interval.
    pub span: Span,
    /// Those that ran or were kept from running.
    pub programs: Vec<Cost>,
    /// The number of programs that were asked for in the kernel.
    pub loaded: usize,
    /// The number of those that were unloaded: what they cost since the interval began is not known.
    pub ended: usize,
}

/// What a program cost.
pub struct Cost {
    pub id: u32,
    pub prog_type: String,
    pub name: String,
    pub runs: u64,
    pub time: Duration,
    /// Runs that were left out, because it was already running on that CPU.
    pub misses: u64,
    /// Per cent of a CPU.
    pub percent: f64,
    /// Who holds it, for people.
    pub held_by: String,
}

impl Costs {
    /// What programs cost between two moments. A program that was loaded meanwhile has all its runs in it.
    pub fn between(before: &Counts, after: &Counts, holders: &Holders) -> Costs {
        let span = Span { start: before.time, end: after.time };
        let seconds = span.duration().as_secs_f64();
        let cost = |program: &ProgInfo| {
            let old = before.program(program.id);
            let more =
                |count: fn(&ProgInfo) -> u64| count(program).saturating_sub(old.map_or(0, count));
            let time = Duration::from_nanos(more(|program| program.run_time_ns));
            let processes = holders.processes(ObjectKind::Prog, program.id);
            let processes = processes.map(|process| format!("{} {}", process.comm, process.pid));
            let pins = holders.pins(ObjectKind::Prog, program.id);
            let pins = pins.map(|path| path.to_string_lossy().into_owned());
            let held_by: Vec<_> = processes.chain(pins).collect();
            let prog_type = prog_type(program.program_type);
            Cost {
                id: program.id,
                prog_type: prog_type.as_str().unwrap_or_default().to_owned(),
                name: program.name.clone(),
                runs: more(|program| program.run_count),
                time,
                misses: more(|program| program.recursion_misses),
                percent: if seconds > 0.0 { time.as_secs_f64() / seconds * 100.0 } else { 0.0 },
                held_by: held_by.join(", "),
            }
        };
        let programs = after.programs.iter().map(cost);
        let ended = before.programs.iter().filter(|program| after.program(program.id).is_none());
        Costs {
            span,
            programs: programs.filter(|cost| cost.runs > 0 || cost.misses > 0).collect(),
            loaded: after.programs.len(),
            ended: ended.count(),
        }
    }

    /// Sorts them: numbers but ids from the highest down.
    pub fn sort(&mut self, by: Sort) {
        let programs = &mut self.programs;
        match by {
            Sort::Id => programs.order_by_key(|cost| cost.id),
            Sort::Name => programs.order_by(|one, other| one.name.cmp(&other.name)),
            Sort::Type => programs.order_by(|one, other| one.prog_type.cmp(&other.prog_type)),
            Sort::Runs => programs.order_by_key(|cost| Reverse(cost.runs)),
            Sort::Average => programs.order_by_key(|cost| Reverse(cost.average())),
            Sort::Misses => programs.order_by_key(|cost| Reverse(cost.misses)),
            // It does not change.
            Sort::Memory | Sort::Time => programs.order_by_key(|cost| Reverse(cost.time)),
        }
    }

    /// A sentence: how many programs there are, how many ran, and what they cost.
    pub fn sentence(&self) -> String {
        let ran = self.programs.iter().filter(|cost| cost.runs > 0).count();
        let percent = self.programs.iter().map(|cost| cost.percent).fold(0.0, |all, one| all + one);
        let ended = match self.ended {
            0 => String::new(),
            ended => format!(", {ended} unloaded"),
        };
        format!("{} programs, {ran} ran, {percent:.2}% of a CPU{ended}", self.loaded)
    }

    /// As a line of JSON.
    pub fn json(&self, top: usize) -> Value {
        let programs = self.programs.iter().take(top).map(|cost| {
            json!({
                "id": cost.id,
                "prog_type": cost.prog_type,
                "name": cost.name,
                "run_cnt": cost.runs,
                "run_time_ns": cost.time.as_nanos() as u64,
                "recursion_misses": cost.misses,
                "cpu_percent": cost.percent,
                "held_by": cost.held_by,
            })
        });
        let Span { start, end } = self.span;
        json!({
            "type": "costs",
            "start": rfc3339(start.wall),
            "start_monotonic_ns": start.monotonic.as_nanos() as u64,
            "end": rfc3339(end.wall),
            "end_monotonic_ns": end.monotonic.as_nanos() as u64,
            "programs": programs.collect::<Vec<_>>(),
            "loaded": self.loaded,
            "unloaded": self.ended,
        })
    }
}

impl Cost {
    /// The average time of a run.
    pub fn average(&self) -> Option<Duration> {
        let nanoseconds = self.time.as_nanos() as u64;
        nanoseconds.checked_div(self.runs).map(Duration::from_nanos)
    }
}
