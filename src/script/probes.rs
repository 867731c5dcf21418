//! Probe types: what an attach point means.

use std::fmt;

use super::ast::{AttachPoint, Probe};
use super::cursor::{Cursor, Read};
use super::literal::{DURATIONS, signed_number};

/// Where a probe runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Before anything is attached.
    Begin,
    /// After everything is detached.
    End,
    /// Periodically, on one CPU.
    Interval(Period),
    /// Periodically, on all CPUs.
    Profile(Period),
    /// Each time that a counter of a CPU has gone on by so much.
    Counter {
        /// Whether the processor counts, and not the kernel.
        hardware: bool,
        /// Its name, as it is written.
        name: String,
        /// How much that is; a usual number if none is written.
        period: Option<u64>,
    },
    /// A tracepoint: its category and its name, each of which may be a pattern.
    Tracepoint(String, String),
    /// A tracepoint without its record.
    RawTracepoint(String),
    /// The entry of a kernel function, or what is so many bytes after it.
    Kprobe {
        /// The module, if one is named.
        module: Option<String>,
        /// The function, which may be a pattern.
        function: String,
        /// Bytes after its entry.
        offset: u64,
    },
    /// The return of a kernel function.
    Kretprobe {
        /// The module, if one is named.
        module: Option<String>,
        /// The function, which may be a pattern.
        function: String,
    },
    /// The entry of a kernel function, with its arguments by name.
    Fentry {
        /// The module, if one is named.
        module: Option<String>,
        /// The function, which may be a pattern.
        function: String,
    },
    /// The return of a kernel function, with its arguments by name.
    Fexit {
        /// The module, if one is named.
        module: Option<String>,
        /// The function, which may be a pattern.
        function: String,
    },
    /// The entry of a function of a file, or an instruction in it.
    Uprobe {
        /// The executable or the library: its path or its short name.
        file: String,
        /// The function, which may be a pattern or end in an offset.
        function: String,
    },
    /// The return of a function of a file.
    Uretprobe {
        /// The executable or the library: its path or its short name.
        file: String,
        /// The function, which may be a pattern.
        function: String,
    },
}

/// How often something happens, as it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Period {
    /// `s`, `ms`, `us`, or `hz` for times in a second.
    pub unit: &'static str,
    /// So many of them.
    pub number: u64,
}

impl Period {
    /// The period in nanoseconds; nothing if it is too long.
    pub fn nanoseconds(self) -> Option<u64> {
        match DURATIONS.iter().find(|(name, _)| *name == self.unit) {
            Some((_, factor)) => self.number.checked_mul(*factor),
            None => Some(1_000_000_000 / self.number.max(1)),
        }
    }
}

/// The probe types of bpftrace 0.27: the name, its short forms, and whether we have it.
pub const TYPES: [(&str, &[&str], bool); 21] = [
    ("begin", &["BEGIN"], true),
    ("end", &["END"], true),
    ("interval", &["i"], true),
    ("profile", &["p"], true),
    ("tracepoint", &["t"], true),
    ("rawtracepoint", &["rt"], true),
    ("kprobe", &["k"], true),
    ("kretprobe", &["kr"], true),
    ("fentry", &["f", "kfunc"], true),
    ("fexit", &["fr", "kretfunc"], true),
    ("uprobe", &["u"], true),
    ("uretprobe", &["ur"], true),
    ("usdt", &["U"], false),
    ("software", &["s"], true),
    ("hardware", &["h"], true),
    ("watchpoint", &["w"], false),
    ("asyncwatchpoint", &["aw"], false),
    ("iter", &["it"], false),
    ("self", &[], false),
    ("bench", &["BENCH"], false),
    ("test", &[], false),
];

/// The counters of the kernel and of processors: names, the kernel's number (`PERF_COUNT_*`), and how much one
/// goes on between two events.
pub const COUNTERS: [(bool, &[&str], u64, u64); 21] = [
    (false, &["alignment-faults"], 7, 1),
    (false, &["bpf-output"], 10, 1),
    (false, &["context-switches", "cs"], 3, 1000),
    (false, &["cpu-clock", "cpu"], 0, 1_000_000),
    (false, &["cpu-migrations"], 4, 1),
    (false, &["dummy"], 9, 1),
    (false, &["emulation-faults"], 8, 1),
    (false, &["major-faults"], 6, 1),
    (false, &["minor-faults"], 5, 100),
    (false, &["page-faults", "faults"], 2, 100),
    (false, &["task-clock"], 1, 1_000_000),
    (true, &["backend-stalls"], 8, 1_000_000),
    (true, &["branch-instructions", "branches"], 4, 100_000),
    (true, &["branch-misses"], 5, 100_000),
    (true, &["bus-cycles"], 6, 100_000),
    (true, &["cache-misses"], 3, 1_000_000),
    (true, &["cache-references"], 2, 1_000_000),
    (true, &["cpu-cycles", "cycles"], 0, 1_000_000),
    (true, &["frontend-stalls"], 7, 1_000_000),
    (true, &["instructions"], 1, 1_000_000),
    (true, &["ref-cycles"], 9, 1_000_000),
];

impl Event {
    /// The probe type's whole name, as `probetype` gives it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Event::Begin | Event::End => "special",
            Event::Interval(_) => "interval",
            Event::Profile(_) => "profile",
            Event::Counter { hardware: false, .. } => "software",
            Event::Counter { hardware: true, .. } => "hardware",
            Event::Tracepoint(..) => "tracepoint",
            Event::RawTracepoint(_) => "rawtracepoint",
            Event::Kprobe { .. } => "kprobe",
            Event::Kretprobe { .. } => "kretprobe",
            Event::Fentry { .. } => "fentry",
            Event::Fexit { .. } => "fexit",
            Event::Uprobe { .. } => "uprobe",
            Event::Uretprobe { .. } => "uretprobe",
        }
    }

    /// Of a counter: whether it is the processor's, the kernel's number for it, and how much it goes on between
    /// two events.
    pub fn counter(&self) -> Option<(bool, u64, u64)> {
        let Event::Counter { hardware, name, period } = self else { return None };
        let known =
            COUNTERS.iter().find(|(of, names, ..)| of == hardware && names.contains(&&**name));
        known.map(|(hardware, _, number, usual)| (*hardware, *number, period.unwrap_or(*usual)))
    }

    /// The function of the kernel that is probed.
    pub fn kernel_function(&self) -> Option<&str> {
        match self {
            Event::Kprobe { function, .. }
            | Event::Kretprobe { function, .. }
            | Event::Fentry { function, .. }
            | Event::Fexit { function, .. } => Some(function),
            _ => None,
        }
    }

    /// The function that is probed, without an offset.
    pub fn function(&self) -> Option<&str> {
        match self {
            Event::Uprobe { function, .. } | Event::Uretprobe { function, .. } => {
                function.split('+').next()
            }
            event => event.kernel_function(),
        }
    }

    /// Whether addresses are those of the process that runs: not of the kernel.
    pub fn is_of_process(&self) -> bool {
        match self {
            Event::Uprobe { .. } | Event::Uretprobe { .. } => true,
            Event::Tracepoint(category, _) => category == "syscalls",
            _ => false,
        }
    }

    /// What an attach point means.
    pub(super) fn of(cursor: &Cursor, point: &AttachPoint) -> Read<Event> {
        let wrong = |what: String| cursor.mistake(point.span, what);
        let written = &*point.parts[0];
        let known =
            TYPES.iter().find(|(name, short, _)| *name == written || short.contains(&written));
        let Some((name, _, supported)) = known else {
            let names = TYPES.iter().filter(|(_, _, supported)| *supported).map(|(name, ..)| *name);
            let mistake = wrong(format!("there is no probe type `{written}`"));
            return Err(mistake.meant(written, &mut names.into_iter()));
        };
        if !supported {
            return Err(wrong(format!("{name} probes are not supported")));
        }
        let parts: Vec<&str> = point.parts[1..].iter().map(|part| &**part).collect();
        let form = |form: &str| Err(wrong(format!("this is not a {name} probe")).help(form));
        match (*name, &parts[..]) {
            ("begin", []) => Ok(Event::Begin),
            ("end", []) => Ok(Event::End),
            ("begin" | "end", _) => Err(wrong(format!("a {name} probe has no parts"))),
            ("interval", parts) => Ok(Event::Interval(period(parts).map_err(|why| {
                wrong(why)
                    .help("`interval:s:1`, `interval:ms:100`, `interval:hz:10` or `interval:100ms`")
            })?)),
            ("profile", parts) => Ok(Event::Profile(
                period(parts)
                    .map_err(|why| wrong(why).help("`profile:hz:99` or `profile:ms:10`"))?,
            )),
            ("software" | "hardware", [counter] | [counter, _]) => {
                let hardware = *name == "hardware";
                let known = COUNTERS
                    .iter()
                    .filter(|(of, ..)| *of == hardware)
                    .flat_map(|(_, names, ..)| *names);
                if !known.clone().any(|known| known == counter) {
                    let mistake = wrong(format!("there is no {name} counter `{counter}`"));
                    return Err(mistake.meant(counter, &mut known.copied()));
                }
                let period = match parts.get(1).map(|period| whole(period)) {
                    Some(None) => return form("`software:page-faults:100`"),
                    // None of them is as if nothing was said.
                    period => period.flatten().filter(|period| *period > 0),
                };
                Ok(Event::Counter { hardware, name: (*counter).into(), period })
            }
            ("software" | "hardware", _) => form("`software:page-faults:100`"),
            ("tracepoint", [category, event]) if !category.is_empty() && !event.is_empty() => {
                Ok(Event::Tracepoint((*category).into(), (*event).into()))
            }
            ("tracepoint", _) => form("`tracepoint:CATEGORY:NAME`"),
            ("rawtracepoint", [event] | [_, event]) if !event.is_empty() => {
                Ok(Event::RawTracepoint((*event).into()))
            }
            ("rawtracepoint", _) => form("`rawtracepoint:NAME`"),
            ("fentry" | "fexit", [function] | [_, function]) if !function.is_empty() => {
                let module = (parts.len() == 2).then(|| parts[0].to_owned());
                let function = (*function).to_owned();
                Ok(match *name {
                    "fentry" => Event::Fentry { module, function },
                    _ => Event::Fexit { module, function },
                })
            }
            ("fentry" | "fexit", _) => form("`fentry:FUNCTION`"),
            ("uprobe" | "uretprobe", [file, function])
                if !file.is_empty() && !function.is_empty() =>
            {
                let (file, function) = ((*file).to_owned(), (*function).to_owned());
                Ok(match *name {
                    "uprobe" => Event::Uprobe { file, function },
                    _ => Event::Uretprobe { file, function },
                })
            }
            ("uprobe" | "uretprobe", _) => {
                form("`uprobe:/path/of/program:FUNCTION`, `uprobe:libc:malloc`")
            }
            ("kprobe" | "kretprobe", [place] | [_, place]) if !place.is_empty() => {
                let module = (parts.len() == 2).then(|| parts[0].to_owned());
                let (function, offset) = match place.split_once('+') {
                    Some((function, offset)) => (function, Some(offset)),
                    None => (*place, None),
                };
                let offset = match offset.map(whole).unwrap_or(Some(0)) {
                    Some(offset) if offset == 0 || *name == "kprobe" => offset,
                    _ => return form("`kprobe:FUNCTION+OFFSET`"),
                };
                let function = function.to_owned();
                Ok(match *name {
                    "kprobe" => Event::Kprobe { module, function, offset },
                    _ => Event::Kretprobe { module, function },
                })
            }
            _ => form("`kprobe:FUNCTION`"),
        }
    }
}

/// As `probe` gives it.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.type_name();
        match self {
            Event::Begin => f.write_str("begin"),
            Event::End => f.write_str("end"),
            Event::Interval(Period { unit, number }) | Event::Profile(Period { unit, number }) => {
                write!(f, "{name}:{unit}:{number}")
            }
            Event::Counter { name: counter, period: None, .. } => write!(f, "{name}:{counter}"),
            Event::Counter { name: counter, period: Some(period), .. } => {
                write!(f, "{name}:{counter}:{period}")
            }
            Event::Tracepoint(category, event) => write!(f, "{name}:{category}:{event}"),
            Event::RawTracepoint(event) => write!(f, "{name}:{event}"),
            Event::Kprobe { function, offset: 0, .. } | Event::Kretprobe { function, .. } => {
                write!(f, "{name}:{function}")
            }
            Event::Kprobe { function, offset, .. } => write!(f, "{name}:{function}+{offset}"),
            Event::Fentry { module, function } | Event::Fexit { module, function } => {
                write!(f, "{name}:{}:{function}", module.as_deref().unwrap_or("vmlinux"))
            }
            Event::Uprobe { file, function } | Event::Uretprobe { file, function } => {
                write!(f, "{name}:{file}:{function}")
            }
        }
    }
}

/// A whole number, in any form that a script may write it in.
fn whole(text: &str) -> Option<u64> {
    signed_number(text).and_then(|number| u64::try_from(number).ok())
}

/// The period of `s:1`, `hz:10` or `100ms`.
fn period(parts: &[&str]) -> Result<Period, String> {
    let period = match parts {
        [unit, number] => {
            let known = ["s", "ms", "us", "hz"].into_iter().find(|known| known == unit);
            let Some(known) = known else { return Err(format!("there is no unit `{unit}`")) };
            let Some(number) = whole(number).filter(|number| *number > 0) else {
                return Err(format!("`{number}` is not a number of {unit}"));
            };
            Period { unit: known, number }
        }
        // A duration is a number of nanoseconds.
        [duration] => match whole(duration) {
            Some(nanoseconds) => Period { unit: "us", number: nanoseconds / 1000 },
            None => return Err(format!("`{duration}` is not a duration")),
        },
        _ => return Err("a period is missing".into()),
    };
    match period.nanoseconds() {
        None => Err("this period is too long".into()),
        Some(0..1000) => Err("this period is shorter than a microsecond".into()),
        Some(_) => Ok(period),
    }
}

/// The events of a probe, one for each of its attach points.
pub(super) fn events(cursor: &Cursor, probe: &Probe) -> Read<Vec<Event>> {
    probe.points.iter().map(|point| Event::of(cursor, point)).collect()
}
