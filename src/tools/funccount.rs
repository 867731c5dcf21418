//! Calls of functions, of the kernel or of programs, and hits of tracepoints.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::Tool;
use crate::aggregate::{Counters, KeyedCounters};
use crate::error::Error;
use crate::host::names::{self, KernelFunction, Pattern};
use crate::host::{
    Attach, AttachKind, KernelTypes, Kprobe, KprobeMulti, PidNamespace, Process, RawTp,
    SystemCalls, Tracepoint, Uprobe, UprobeMulti, UserFunction, refusal, system_calls,
};
use crate::order::PutInOrder;
use crate::programs::funccount::{self as program, By, COUNTS, Counted, FULL, PlaceNumber};
use crate::run::{Group, Plan, Session};
use crate::sample::{LabelName, LabelValue, Lost, LostKind, Row, Setting, Table, Unit, Value};
use crate::sys::MapSpec;
use crate::sys::link::At;
use crate::sys::map::Update;

/// What is counted, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Functions (`vfs_read`), tracepoints (`sched:sched_switch`) and functions of executables and libraries
    /// (`c:malloc`, `/bin/app:work*`), by name or pattern.
    pub patterns: Vec<String>,
    /// What a count is kept for.
    pub by: By,
    /// Only this process.
    pub pid: Option<i32>,
    /// Only the N highest counts.
    pub top: Option<u32>,
    /// For up to N processes, names, users or CPUs there is room in the kernel.
    pub max_keys: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options { patterns: vec![], by: By::Function, pid: None, top: None, max_keys: 10240 }
    }
}

/// Counts calls of functions and hits of tracepoints, by place or by who makes them.
pub struct Funccount {
    options: Options,
    program: program::Options,
    patterns: Vec<Pattern>,
    functions: Vec<KernelFunction>,
    /// Category and name.
    tracepoints: Vec<(String, String)>,
    /// Those of system calls that are found by their number: at the entry or the return, the number, and where
    /// the tracepoint is among the others.
    calls: Vec<(At, u32, usize)>,
    users: Vec<UserPlace>,
    /// How many functions, tracepoints and user functions are attached, once they are.
    attached: Option<[usize; 3]>,
    counters: Counters,
    keyed: KeyedCounters,
    full: Counters,
}

/// A function of an executable or a library that is counted.
struct UserPlace {
    /// As it was asked for: `c:malloc`.
    label: String,
    function: UserFunction,
    /// Whether only a pattern found it.
    optional: bool,
}

impl UserPlace {
    fn can_be_probed(&self) -> bool {
        self.function.check().is_ok()
    }
}

/// The functions that words such as `c:malloc` name and match, each once, those of a file side by side, the
/// ones that cannot be probed last.
fn user_places(words: &[(&str, &str)], pid: Option<u32>) -> Result<Vec<UserPlace>, Error> {
    let mut places = vec![];
    for (file, text) in words {
        for function in UserFunction::find_all(Path::new(file), text, pid)? {
            let label = format!("{file}:{}", function.symbol);
            places.push(UserPlace { label, optional: !names::is_exact(text), function });
        }
    }
    places.order_by(|one, other| {
        let key =
            |place: &UserPlace| (!place.can_be_probed(), place.function.offset, place.optional);
        one.function.path.cmp(&other.function.path).then(key(one).cmp(&key(other)))
    });
    places.dedup_by(|one, other| {
        one.function.path == other.function.path && one.function.offset == other.function.offset
    });
    Ok(places)
}

/// The category whose events are made of two tracepoints.
const SYSCALLS: &str = "syscalls";

/// Both, and the names of the programs there.
const ENDS_OF_CALLS: [(At, &str); 2] =
    [(At::Entry, "funccount_enter"), (At::Return, "funccount_exit")];

/// The kernel needs a tenth of a second to let go of a program at a perf event: of up to this many it is waited
/// for.
const FEW: usize = 8;

impl Funccount {
    /// The tool, not attached yet.
    ///
    /// # Errors
    /// A pattern matches nothing on this host, or what there is cannot be read.
    pub fn new(options: Options) -> Result<Funccount, Error> {
        let pid = options.pid.map(|pid| pid as u32);
        let process = pid.map(Process::find).transpose()?;
        let namespace = if options.by == By::Pid { PidNamespace::own() } else { None };
        let program = program::Options { by: options.by, process, namespace, ends: None };
        let mut users = vec![];
        let kernel = options.patterns.iter().filter(|word| match UserFunction::split(word, pid) {
            Some(user) => {
                users.push(user);
                false
            }
            None => true,
        });
        let patterns: Vec<_> = kernel.map(|word| Pattern::parse(word)).collect();
        let users = user_places(&users, pid)?;
        let (mut functions, mut tracepoints) = (vec![], vec![]);
        for pattern in &patterns {
            match pattern {
                Pattern::Functions(name) => functions.push(name.clone()),
                Pattern::Tracepoints(module, name) if names::is_of_module(module, name) => {
                    functions.push(format!("{module}:{name}"));
                }
                Pattern::Tracepoints(category, name) => tracepoints.push((&**category, &**name)),
            }
        }
        let functions = match functions.is_empty() {
            true => vec![],
            false => names::functions(&functions.iter().map(|name| &**name).collect::<Vec<_>>())?,
        };
        let tracepoints = match tracepoints.is_empty() {
            true => vec![],
            false => names::tracepoints(&tracepoints)?,
        };
        let calls = calls(&tracepoints);
        Ok(Funccount {
            options,
            program,
            patterns,
            functions,
            tracepoints,
            users,
            calls,
            attached: None,
            counters: Counters::default(),
            keyed: KeyedCounters::default(),
            full: Counters::default(),
        })
    }

    /// A function or tracepoint is optional that only patterns found, but not one that was named.
    fn plan(
        &self,
        named: &Pattern,
        attach: impl Into<Attach>,
        place: PlaceNumber,
    ) -> Result<Plan, Error> {
        let options = self.program();
        let optional = !self.patterns.contains(named);
        let plan = Plan::new(self.name(), attach, program::program(place, options)?);
        Ok(Plan { optional, ..plan })
    }

    fn function_plans(&self, kind: AttachKind) -> Result<Vec<Plan>, Error> {
        if kind == AttachKind::KprobeMulti {
            let attach = KprobeMulti::new(self.functions.clone());
            let places = PlaceNumber::Cookie(self.functions.len() as u32);
            let program =
                program::program(places, program::Options { ends: None, ..self.program() });
            return Ok(vec![Plan::new(self.name(), attach, program?)]);
        }
        let functions = self.functions.iter().zip(0..);
        let plan = |(function, number): (&KernelFunction, u32)| {
            let attach = Kprobe::new(&*function.name, At::Entry);
            let named = Pattern::parse(&function.name);
            self.plan(&named, attach, PlaceNumber::Number(number))
        };
        functions.map(plan).collect()
    }

    /// What all programs have in common.
    fn program(&self) -> program::Options {
        let ends = self.ends().then_some(self.places());
        program::Options { ends, ..self.program }
    }

    /// How many functions and tracepoints are counted.
    fn places(&self) -> u32 {
        (self.functions.len() + self.tracepoints.len() + self.users.len()) as u32
    }

    /// Whether the kernel may need seconds to let go of the programs, so that a word ends counting.
    fn ends(&self) -> bool {
        self.functions.len().max(self.users.len()).max(self.system_calls().count()) > FEW
    }

    /// Each tracepoint with its place among all.
    fn numbered(&self) -> impl Iterator<Item = (usize, &(String, String))> {
        (self.functions.len()..).zip(&self.tracepoints)
    }

    /// The tracepoints of system calls.
    fn system_calls(&self) -> impl Iterator<Item = (usize, &(String, String))> {
        self.numbered().filter(|(_, (category, _))| category == SYSCALLS)
    }

    fn tracepoint_plan(
        &self,
        (place, (category, name)): (usize, &(String, String)),
    ) -> Result<Plan, Error> {
        let attach = match category == SYSCALLS {
            true => Attach::from(Tracepoint::new(&**category, &**name)),
            false => RawTp::new(&**name).into(),
        };
        let named = Pattern::Tracepoints(category.clone(), name.clone());
        self.plan(&named, attach, PlaceNumber::Number(place as u32))
    }

    /// Tracepoints other than those of system calls.
    fn tracepoint_plans(&self) -> Result<Vec<Plan>, Error> {
        let others = self.numbered().filter(|(_, (category, _))| category != SYSCALLS);
        others.map(|tracepoint| self.tracepoint_plan(tracepoint)).collect()
    }

    /// System calls: a program at the entry and one at the return of all of them, and one each for those whose
    /// number is not known; or by records, one each.
    fn system_call_plans(&self, kind: AttachKind, types: &KernelTypes) -> Result<Vec<Plan>, Error> {
        let by_number = |(place, _): &(usize, &(String, String))| {
            kind != AttachKind::Tracepoint
                && self.calls.iter().any(|(.., index)| self.functions.len() + index == *place)
        };
        let alone = self.system_calls().filter(|call| !by_number(call));
        let mut plans: Vec<_> =
            alone.map(|call| self.tracepoint_plan(call)).collect::<Result<_, _>>()?;
        for (at, name) in ENDS_OF_CALLS {
            if kind != AttachKind::Tracepoint && self.calls.iter().any(|(of, ..)| *of == at) {
                let (attach, calls) = SystemCalls::find(at, kind, types)?;
                let place = Counted::SystemCalls(calls, self.places());
                let options = program::Options { ends: None, ..self.program() };
                plans.push(Plan::new(name, attach, program::program(place, options)?));
            }
        }
        Ok(plans)
    }

    /// The numbers of the system calls that are counted by number at their entry or return, and where they are
    /// among the tracepoints.
    fn calls_at(&self, at: At) -> impl Iterator<Item = (u32, usize)> {
        self.calls
            .iter()
            .filter(move |(of, ..)| *of == at)
            .map(|(_, number, index)| (*number, *index))
    }

    /// One program for the functions of a file, or one for each function.
    fn user_plans(&self, kind: AttachKind) -> Result<Vec<Plan>, Error> {
        let ends = self.program().ends.filter(|_| kind == AttachKind::Uprobe);
        let options = program::Options { ends, ..self.program() };
        let first = (self.functions.len() + self.tracepoints.len()) as u32;
        let (mut plans, mut number) = (vec![], first);
        for file in self.users.chunk_by(|one, other| one.function.path == other.function.path) {
            let plan = |attach, number, optional| {
                let plan = Plan::new(self.name(), attach, program::program(number, options)?);
                Ok::<_, Error>(Plan { optional, ..plan })
            };
            let mut together = 0;
            if kind == AttachKind::UprobeMulti {
                // A link with one of the others would be refused as a whole.
                together = file.iter().filter(|place| place.can_be_probed()).count();
                let functions: Vec<_> =
                    file[..together].iter().map(|place| place.function.clone()).collect();
                if !functions.is_empty() {
                    let attach = UprobeMulti::new(functions, At::Entry, number.into());
                    let places = first + self.users.len() as u32;
                    plans.push(plan(Attach::from(attach), PlaceNumber::Cookie(places), false)?);
                }
            }
            for (place, number) in file.iter().zip(number..).skip(together) {
                let attach = Uprobe::new(place.function.clone(), At::Entry);
                plans.push(plan(attach.into(), PlaceNumber::Number(number), place.optional)?);
            }
            number += file.len() as u32;
        }
        Ok(plans)
    }

    fn label(&self) -> LabelName {
        match self.options.by {
            By::Function => LabelName::new("function", "FUNC"),
            By::Pid => LabelName::new("pid", "PID"),
            By::Comm => LabelName::new("comm", "COMM"),
            By::Uid => LabelName::new("uid", "UID"),
            By::Cpu => LabelName::new("cpu", "CPU"),
        }
    }
}

/// The calls among these tracepoints that are found by their number, and where they are among the tracepoints.
fn calls(tracepoints: &[(String, String)]) -> Vec<(At, u32, usize)> {
    let numbers: HashMap<&str, u32> =
        system_calls::numbers().map(|(number, name)| (name, number)).collect();
    let call = |(index, (category, name)): (usize, &(String, String))| {
        let (at, name) = match name.strip_prefix("sys_enter_") {
            Some(name) => (At::Entry, name),
            None => (At::Return, name.strip_prefix("sys_exit_")?),
        };
        (category == SYSCALLS).then_some((at, *numbers.get(name)?, index))
    };
    tracepoints.iter().enumerate().filter_map(call).collect()
}

/// A key of the hash: a number of 4 bytes, or a name.
fn label_value(key: &[u8], in_namespace: bool) -> LabelValue {
    match key.try_into() {
        Ok(number) => LabelValue::process(u32::from_ne_bytes(number), in_namespace),
        Err(_) => LabelValue::of_bytes(key),
    }
}

impl Tool for Funccount {
    fn name(&self) -> &'static str {
        "funccount"
    }

    fn what(&self) -> String {
        let some = |count: usize, what: &str| match count {
            0 => None,
            1 => Some(format!("1 {what}")),
            _ => Some(format!("{count} {what}s")),
        };
        let found = [self.functions.len(), self.tracepoints.len(), self.users.len()];
        let [functions, tracepoints, users] = self.attached.unwrap_or(found);
        let what = [
            some(functions, "function"),
            some(tracepoints, "tracepoint"),
            some(users, "user function"),
        ];
        what.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }

    fn settings(&self) -> Vec<(&'static str, Setting)> {
        let options = &self.options;
        vec![
            ("patterns", options.patterns.clone().into()),
            ("by", options.by.name().into()),
            ("pid", options.pid.map(|pid| pid as u32).into()),
            ("top", options.top.into()),
            ("max_keys", options.max_keys.into()),
        ]
    }

    fn maps(&self) -> Vec<MapSpec> {
        let (by, max_keys) = (self.options.by, self.options.max_keys);
        program::maps(by, self.places(), max_keys, self.ends(), !self.calls.is_empty())
    }

    fn groups(&self) -> Vec<Group<'_>> {
        let mut groups = vec![];
        if !self.functions.is_empty() {
            let kinds = vec![AttachKind::KprobeMulti, AttachKind::Kprobe];
            groups.push(Group::new(kinds, |kind, _| self.function_plans(kind)));
        }
        let system_calls = self.system_calls().count();
        if self.tracepoints.len() > system_calls {
            groups.push(Group::new(vec![AttachKind::RawTp], |_, _| self.tracepoint_plans()));
        }
        if !self.users.is_empty() {
            let kinds = AttachKind::OF_USER_FUNCTIONS.to_vec();
            groups.push(Group::new(kinds, |kind, _| self.user_plans(kind)));
        }
        if system_calls > 0 {
            let kinds = match self.calls.is_empty() {
                false => vec![AttachKind::TpBtf, AttachKind::RawTp, AttachKind::Tracepoint],
                true => vec![AttachKind::Tracepoint],
            };
            groups.push(Group::new(kinds, |kind, types| self.system_call_plans(kind, types)));
        }
        groups
    }

    /// Where functions cannot be counted at all, tracepoints may be.
    fn explain(&self, error: Error) -> Error {
        match AttachKind::Kprobe.missing() {
            Some(missing)
                if !self.functions.is_empty()
                    && error.failure == missing.failure
                    && refusal::privilege().or_else(refusal::no_sysfs).is_none() =>
            {
                let detail = error.detail.unwrap_or_default();
                let next = "try tracepoints, such as: rawbpf funccount 'sched:*' or \
                    'syscalls:sys_enter_*'";
                missing.hint(next).detail(detail)
            }
            _ => error,
        }
    }

    fn begin(&mut self, session: &Session) -> Result<(), Error> {
        let mut attached = [0; 3];
        for program in &session.attached {
            match program.kind {
                AttachKind::KprobeMulti => {
                    let left_out = session.left_out.iter();
                    let left_out = left_out.filter(|it| it.attach.kind() == program.kind);
                    attached[0] += self.functions.len() - left_out.count();
                }
                AttachKind::Kprobe => attached[0] += 1,
                // One for each file.
                AttachKind::UprobeMulti => {
                    attached[2] = self.users.iter().filter(|place| place.can_be_probed()).count();
                }
                AttachKind::Uprobe => attached[2] += 1,
                _ => {
                    let end = ENDS_OF_CALLS.iter().find(|(_, name)| *name == program.name);
                    attached[1] += end.map_or(1, |(at, _)| self.calls_at(*at).count());
                }
            }
        }
        self.attached = Some(attached);
        if !self.calls.is_empty() {
            let mut places = vec![0u8; 4 * program::PLACES as usize];
            for (at, _) in ENDS_OF_CALLS {
                for (number, index) in self.calls_at(at) {
                    let place = (self.functions.len() + index + 1) as u32;
                    let at = 4 * program::place_of_call(at, number) as usize;
                    places[at..at + 4].copy_from_slice(&place.to_ne_bytes());
                }
            }
            let map = session.map(program::places(self.options.by))?;
            let written = map.update(&0u32.to_ne_bytes(), &places, Update::Any);
            written.map_err(|error| {
                Error::failed(format!("the places of system calls were not written: {error}"))
            })?;
        }
        Ok(())
    }

    fn end(&mut self, session: &Session) {
        if self.ends() {
            let (map, offset) = program::end(self.options.by, self.places());
            // Where that fails, the programs count until the kernel has let go of them.
            if let Ok(map) = session.map(map) {
                let mut value = vec![0; map.value_len()];
                value[offset as usize] = 1;
                let _ = map.update(&0u32.to_ne_bytes(), &value, Update::Any);
            }
        }
    }

    fn read(&mut self, session: &Session) -> Result<(Vec<Table>, Vec<Lost>), Error> {
        // What looks the same is one row: functions of one name, names with control characters.
        let mut counts = BTreeMap::<LabelValue, (u64, u64)>::new();
        let mut add = |label, interval, total| {
            let (sum, all) = counts.entry(label).or_default();
            (*sum, *all) = (*sum + interval, *all + total);
        };
        let mut lost = None;
        if self.options.by == By::Function {
            let counted = self.counters.read(session.map(COUNTS)?)?;
            let functions = self.functions.iter().map(|function| function.name.clone());
            let tracepoints = self.tracepoints.iter();
            let tracepoints = tracepoints.map(|(category, name)| format!("{category}:{name}"));
            let counted = counted.interval.into_iter().zip(counted.total);
            let users = self.users.iter().map(|place| place.label.clone());
            for (name, (interval, total)) in functions.chain(tracepoints).chain(users).zip(counted)
            {
                add(LabelValue::text(&name), interval, total);
            }
        } else {
            let in_namespace = self.program.namespace.is_some();
            for counted in self.keyed.read(session.map(COUNTS)?)?.iter() {
                add(label_value(counted.key, in_namespace), counted.interval[0], counted.total[0]);
            }
            let full = self.full.read(session.map(FULL)?)?.interval[0];
            let beyond = format!("more calls or hits, beyond {} keys", self.options.max_keys);
            lost = Lost::some(LostKind::BeyondMaxKeys, full, beyond);
        }
        counts.retain(|_, (interval, _)| *interval > 0);
        let mut counts: Vec<_> = counts.into_iter().collect();
        // Equal counts stay in the order of their names.
        counts.order_by_key(|(_, (interval, _))| *interval);
        let row = |(label, (interval, total))| Row {
            labels: vec![label],
            value: Value::Count(interval),
            total: Value::Count(total),
        };
        let mut table = Table {
            name: "calls".into(),
            subject: "function".into(),
            help: "Calls of functions and hits of tracepoints".into(),
            unit: Unit::Count,
            labels: vec![self.label()],
            rows: counts.into_iter().map(row).collect(),
            rest: vec![],
        };
        table.keep_last(self.options.top);
        let lost = lost.map(|lost| lost.option("--max-keys"));
        Ok((vec![table], lost.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_pattern_found_can_be_left_out() {
        let tool = Funccount {
            patterns: ["vfs_*", "vfs_read", "block:*", "*:block_rq_issue", "sched:vfs_write"]
                .map(Pattern::parse)
                .to_vec(),
            functions: ["vfs_write", "vfs_read"].map(KernelFunction::named).to_vec(),
            tracepoints: vec![
                ("block".into(), "block_rq_issue".into()),
                ("sched".into(), "vfs_write".into()),
            ],
            ..Funccount::new(Options::default()).unwrap()
        };
        let optional = |plans: Result<Vec<Plan>, Error>| {
            plans.unwrap().iter().map(|plan| plan.optional).collect::<Vec<_>>()
        };
        assert_eq!(optional(tool.function_plans(AttachKind::Kprobe)), [true, false]);
        assert_eq!(optional(tool.function_plans(AttachKind::KprobeMulti)), [false]);
        assert_eq!(optional(tool.tracepoint_plans()), [true, false]);
    }
}
