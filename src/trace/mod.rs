//! Runs scripts: makes the maps, runs what comes before and after, attaches the rest, and does what the
//! programs ask for, in the order in which they asked.

mod facts;
mod functions;
mod host;
mod losses;
mod maps;
mod names;
mod totals;
mod types;

use std::cell::{OnceCell, RefCell};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use facts::{Facts, formatted};
pub use host::TracedHost;
use host::boot_time;
use losses::Losses;
use maps::TracedMap;
pub use totals::kind as metric_kind;

use crate::error::Error;
use crate::host::{AttachKind, refusal};
use crate::order::PutInOrder;
use crate::run::{Event as Wait, Events, Group, Plan, Session, create, load_alone, unwatched};
use crate::sample::{Attached as Place, Datum, Family, ScriptMap};
use crate::script::contents;
use crate::script::lower::{
    ACTIONS, Action, EVENTS, FIRST, LOST, Lowered, MapKind, MapPlan, ProbeProgram, Warning,
};
use crate::script::probes::Event;
use crate::script::types::{Naming, Type};
use crate::script::{Checked, Host, MapUse};
use crate::sys::capability;
use crate::sys::child::WaitingChild;
use crate::sys::confine::{self, Needs};
use crate::sys::map::{MapSpec, MapType};
use crate::sys::pidfd::PidFd;
use crate::sys::prog::TestRun;
use crate::sys::{Errno, Link, Memory, PerfEvent, Prog, ProgramType, Ring, SysError};

/// Where a script's output goes.
pub trait Output {
    /// All is attached.
    ///
    /// # Errors
    /// The clock cannot be read.
    fn attached(&mut self, attached: Attached) -> Result<(), Error>;
    /// What `printf()`, `time()` and their like wrote; `kind` is the function's name.
    fn text(&mut self, kind: &str, text: &[u8]);
    /// `print()` of a value.
    fn value(&mut self, value: &Datum);
    /// A map, in the order in which it is printed.
    fn map(&mut self, map: &ScriptMap);
    /// The run is over, and the maps follow.
    fn last(&mut self);
    /// What `warnf()` or `errorf()` wrote, `kind` is the function's name, and the place in the script: line,
    /// first column, and the one after the last.
    fn message(&mut self, _: &str, _: [u32; 3], _: &[u8]) {}
    /// Something went wrong while the script ran.
    fn warning(&mut self, warning: &Warning);
    /// Privileges are kept, against the caller's wish: the kernel refused to drop them.
    fn unconfined(&mut self, why: &SysError);
    /// So many events did not fit.
    fn lost(&mut self, events: u64);
    /// So many elements did not fit into a map. The first was a [`Output::warning`], and if it was the only one, this
    /// is not told.
    fn beyond(&mut self, map: &str, elements: u64);
    /// Whether [`Output::totals`] is wanted.
    fn exports(&self) -> bool {
        false
    }
    /// What is to be watched beside the script's own events: [`Output::readable`] is called once one of
    /// these is readable.
    ///
    /// # Errors
    /// Out of file descriptors.
    fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        Ok(vec![])
    }
    /// One of [`Output::descriptors`] is readable.
    ///
    /// # Errors
    /// It ends the run.
    fn readable(&mut self) -> Result<(), Error> {
        Ok(())
    }
    /// What was counted since the start, once a second and at the end.
    fn totals(&mut self, _: Totals) {}
    /// What it needs once privileges are dropped.
    fn needs(&self) -> Needs {
        Needs::default()
    }
    /// Whether a terminal shows it: what steers one is then taken out of strings.
    fn on_terminal(&self) -> bool {
        false
    }
    /// Writes what was printed.
    ///
    /// # Errors
    /// It cannot be written.
    fn flush(&mut self) -> Result<(), Error>;
}

/// What was counted since the start of a run.
pub struct Totals {
    /// The maps that are metrics: see [`metric_kind`]. Their names are those of the maps.
    pub maps: Vec<Family>,
    /// Events that did not fit into the ring buffers.
    pub lost: u64,
    /// Elements that did not fit into maps.
    pub beyond: u64,
    /// Events that came while another program of their kind was running, as far as the kernel counts them.
    pub missed: u64,
}

/// What is attached.
pub struct Attached {
    /// The number of probes, those that are run before and after the others included.
    pub probes: usize,
    /// What the maps take in the kernel at most.
    pub memory: Memory,
    /// The places.
    pub places: Vec<Place>,
}

/// What ends a run, beside the script itself.
pub struct Ends<'a> {
    /// Readable when the run shall end.
    pub stop: BorrowedFd<'a>,
    /// What is written to: the run ends if nobody reads it any more.
    pub output: Option<BorrowedFd<'a>>,
    /// A process that is started once all is attached: the run ends with it.
    pub child: Option<WaitingChild>,
    /// A process that the run ends with.
    pub process: Option<PidFd>,
    /// Whether it ends at once.
    pub dry_run: bool,
    /// Whether privileges are kept. Otherwise the calling thread gives up, once all is attached and for
    /// good, what the run does not need any more.
    pub keep_privileges: bool,
}

/// The kernel takes tens of milliseconds to let go of each tracepoint. Of more than these, a script without end
/// probes prints what there is at its end, and leaves them to a child process.
const WAITED_FOR: usize = 16;

/// How long a wait is at most: rings wake us up.
const WAIT: Duration = Duration::from_secs(1);

/// Runs a script until it ends itself, or something else ends it. Its exit code.
///
/// # Errors
/// A program is refused or cannot be attached, and why.
pub fn run(
    checked: &Checked,
    lowered: &Lowered,
    host: &TracedHost<'_>,
    ends: Ends<'_>,
    out: &mut dyn Output,
) -> Result<u8, Error> {
    let specs: Vec<_> = lowered.maps.iter().map(spec).collect();
    let maps = create(&specs)?;
    let mut session = Session::with_maps(maps);
    let load = |program: &ProbeProgram, session: &Session, of: ProgramType| {
        load_alone("probe", &program.program, &session.maps, of)
    };
    let of_kind = |wanted: &Event| {
        let wanted = wanted.clone();
        lowered.programs.iter().filter(move |program| program.events.contains(&wanted))
    };
    // All programs are loaded before anything runs.
    let load_all = |wanted: &Event, session: &Session| {
        of_kind(wanted)
            .map(|program| load(program, session, run_alone(wanted)))
            .collect::<Result<Vec<_>, _>>()
    };
    let begin = load_all(&Event::Begin, &session)?;
    let end = load_all(&Event::End, &session)?;
    let mut timers: Vec<(Prog, &Event)> = vec![];
    let mut plans = vec![];
    for program in &lowered.programs {
        for event in &program.events {
            match event {
                Event::Begin | Event::End => {}
                Event::Interval(_) | Event::Profile(_) | Event::Counter { .. } => {
                    timers.push((load(program, &session, run_alone(event))?, event));
                }
                _ => {
                    check_kprobes(event)?;
                    let plan = |place| Plan::new("probe", place, program.program.clone());
                    plans.push(Group::of(host.attach(event)?.into_iter().map(plan).collect()));
                }
            }
        }
    }
    let probes: usize = lowered.programs.iter().map(|program| program.events.len()).sum();
    for prog in &begin {
        test_run(prog)?;
    }
    session.add(&plans, host.types().kernel(), &mut unwatched)?;
    let mut links: Vec<Link> = vec![];
    for (prog, event) in &timers {
        let everywhere = !matches!(event, Event::Interval(_));
        for cpu in 0..if everywhere { host.cpus() } else { 1 } {
            let link = timer(event, cpu).and_then(|timer| timer.attach(prog));
            links.push(link.map_err(|error| Error::failed(format!("{event}: {error}")))?);
        }
    }
    let places = session.attached.iter().map(|attached| Place {
        program: attached.name.clone(),
        kind: attached.word.to_owned(),
        place: attached.place.clone(),
    });
    let places = places.collect();
    if !ends.keep_privileges {
        let needs = session.needs() | own_needs(checked, lowered) | out.needs();
        let dropped = confine::capabilities(needs).and_then(|()| confine::system_calls(needs));
        if let Err(error) = dropped {
            out.unconfined(&error);
        }
    }
    out.attached(Attached { probes, memory: session.memory(), places })?;

    let all = std::mem::take(&mut session.maps);
    let mut run = Run::new(checked, lowered, host, &all, out.on_terminal())?;
    out.flush()?;
    let Ends { stop, output, child, process, dry_run, .. } = ends;
    if dry_run {
        return Ok(0);
    }
    // Once the begin probes have run, nothing more can happen.
    let over = lowered.programs.iter().all(|program| {
        program.events.iter().all(|event| matches!(event, Event::Begin | Event::End))
    });
    let child = child.map(WaitingChild::start).transpose();
    let child =
        child.map_err(|error| Error::failed(format!("the command was not started: {error}")))?;
    let mut events = Events::every(WAIT, None).until(&stop);
    if let Some(output) = &output {
        events = events.while_read(output);
    }
    let [ring, actions] = [EVENTS, ACTIONS].map(|map| &all[usize::from(map.0)]);
    events.watch(ring);
    events.watch(actions);
    let ended = [
        child.as_ref().map(|child| events.watch(child)),
        process.as_ref().map(|process| events.watch(process)),
    ];
    let exported = out.descriptors();
    let exported = exported.map_err(|error| refusal::descriptors(Errno::from(&error), &error))?;
    let exported: Vec<_> = exported.iter().map(|exported| events.watch(exported)).collect();
    loop {
        run.drain(out)?;
        out.flush()?;
        if run.exit.is_some() || over {
            break;
        }
        match events.wait() {
            Ok(Wait::Readable(source)) if ended.contains(&Some(source)) => break,
            Ok(Wait::Readable(source)) if exported.contains(&source) => out.readable()?,
            Ok(Wait::Unread) => return Ok(0),
            Ok(Wait::Last) => break,
            Ok(Wait::Interval) => {
                run.remember()?;
                if out.exports() {
                    out.totals(run.totals(session.missed())?);
                }
            }
            Ok(_) => {}
            Err(error) => return Err(Error::failed(format!("waiting failed: {error}"))),
        }
    }
    drop(links);
    let missed = session.missed();
    match end.is_empty() && session.attached.len() > WAITED_FOR {
        true => session.leave(),
        false => drop(session),
    }
    run.drain(out)?;
    run.ending = true;
    for prog in &end {
        test_run(prog)?;
    }
    run.drain(out)?;
    if out.exports() {
        out.totals(run.totals(missed)?);
    }
    run.finish(out)?;
    out.flush()?;
    Ok(run.exit.unwrap_or(0) as u8)
}

/// What the rest of a run needs besides its maps: the kernel shows the addresses of its functions to those
/// who may read its log.
fn own_needs(checked: &Checked, lowered: &Lowered) -> Needs {
    let shows = |kind: &dyn Fn(&Type) -> bool| {
        let printed = lowered.actions.iter().any(|action| match action {
            Action::Printf(_, types) => types.iter().any(|of| of.has(kind)),
            Action::Print(of) => of.has(kind),
            _ => false,
        });
        let held = |map: &MapUse| map.key.has(kind) || map.value.has(kind);
        printed || checked.types.maps.iter().any(held)
    };
    let kernel =
        shows(&|of| matches!(of, Type::Stack(_, _, false) | Type::Named(Naming::KernelSymbol)));
    let users = shows(&|of| matches!(of, Type::Stack(_, _, true) | Type::UserSymbol));
    // The memory of others is shown to those who may trace them, and their files to those who may read all.
    let users =
        [capability::SYS_PTRACE, capability::DAC_READ_SEARCH, capability::CHECKPOINT_RESTORE]
            .map(|capability| u64::from(users) << capability);
    let capabilities =
        users.iter().fold(u64::from(kernel) << capability::SYSLOG, |all, one| all | one);
    Needs { capabilities, ..Needs::default() }
}

/// A clock or a counter of a CPU.
fn timer(event: &Event, cpu: u32) -> Result<PerfEvent, SysError> {
    match event {
        Event::Interval(period) | Event::Profile(period) => {
            PerfEvent::cpu_clock(period.nanoseconds().unwrap_or(u64::MAX), cpu)
        }
        event => {
            let (hardware, counter, period) = event.counter().unwrap_or_default();
            PerfEvent::counter(hardware, counter, period, cpu)
        }
    }
}

/// Runs a program once, by itself.
fn test_run(prog: &Prog) -> Result<(), Error> {
    let run = TestRun { ctx_in: &[0; 64], ..TestRun::default() };
    prog.test_run(run)
        .map(|_| ())
        .map_err(|error| Error::failed(format!("a begin or end probe did not run: {error}")))
}

/// The type of a program that is attached to nothing that has a name.
pub fn run_alone(event: &Event) -> ProgramType {
    match event {
        Event::Interval(_) | Event::Profile(_) | Event::Counter { .. } => ProgramType::PerfEvent,
        _ => ProgramType::RawTracepoint,
    }
}

/// Refuses functions of the kernel where it cannot probe any.
fn check_kprobes(event: &Event) -> Result<(), Error> {
    let (kind, function) = match event {
        Event::Kprobe { function, .. } | Event::Kretprobe { function, .. } => {
            (AttachKind::Kprobe, function)
        }
        Event::Fentry { function, .. } | Event::Fexit { function, .. } => {
            (AttachKind::Fentry, function)
        }
        _ => return Ok(()),
    };
    let Some(missing) = kind.missing() else { return Ok(()) };
    let what = format!("{event}: {}", missing.what);
    Err(Error::lacking(what).hint(format!(
        "tracepoint and rawtracepoint probes, which this kernel has: rawbpf trace -l '*{function}*'"
    )))
}

/// How a map of a script is made.
pub fn spec(plan: &MapPlan) -> MapSpec {
    let kind = match plan.kind {
        MapKind::Array => MapType::Array,
        MapKind::PercpuArray => MapType::PercpuArray,
        MapKind::Hash => MapType::Hash,
        MapKind::LruHash => MapType::LruHash,
        MapKind::Ringbuf => MapType::Ringbuf,
    };
    MapSpec::new(&plan.name, kind, plan.key as u32, plan.value as u32, plan.entries as u32)
}

/// A record: its CPU, its number there, its action and the words of its values.
struct Record {
    cpu: u32,
    sequence: u64,
    action: usize,
    words: Vec<u64>,
}

/// A run that is going on.
struct Run<'a> {
    checked: &'a Checked,
    lowered: &'a Lowered,
    maps: Vec<TracedMap<'a>>,
    rings: [Ring<'a>; 2],
    losses: Losses<'a>,
    /// The code that the script ended with.
    exit: Option<u64>,
    /// Whether the end probes run: what they ask for is done although the run is over.
    ending: bool,
    /// The map that was printed just now.
    printed: Option<usize>,
    facts: Facts<'a>,
}

impl<'a> Run<'a> {
    fn new(
        checked: &'a Checked,
        lowered: &'a Lowered,
        host: &'a dyn Host,
        maps: &'a [crate::sys::Map],
        on_terminal: bool,
    ) -> Result<Run<'a>, Error> {
        let ring = |index: u16| {
            Ring::new(&maps[usize::from(index)])
                .map_err(|error| Error::failed(format!("the ring buffer cannot be read: {error}")))
        };
        let held = checked.types.maps.iter().zip(&maps[usize::from(FIRST)..]);
        let since_boot = boot_time()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Run {
            checked,
            lowered,
            maps: held.map(|(held, map)| TracedMap::new(held, map)).collect(),
            rings: [ring(EVENTS.0)?, ring(ACTIONS.0)?],
            losses: Losses::new(&maps[usize::from(LOST.0)], checked.types.maps.len()),
            exit: None,
            ending: false,
            printed: None,
            facts: Facts {
                host,
                checked,
                lowered,
                boot: now.saturating_sub(since_boot),
                functions: OnceCell::new(),
                user_symbols: RefCell::default(),
                cgroups: RefCell::default(),
                on_terminal,
            },
        })
    }

    /// Does what was asked for. On each CPU that is done in its order: an action waits for the events
    /// before it, and an event for the actions before it.
    fn drain(&mut self, out: &mut dyn Output) -> Result<(), Error> {
        let mut queues: [Vec<Record>; 2] = [vec![], vec![]];
        // First what asks, then what is printed: so all events before an action are there.
        for index in [1, 0] {
            let queue = &mut queues[index];
            self.rings[index].read(|bytes| {
                let words = contents::words(bytes);
                if let [first, sequence, rest @ ..] = &words[..] {
                    let [action, cpu] = halves(*first);
                    queue.push(Record {
                        cpu,
                        sequence: *sequence,
                        action: action as usize,
                        words: rest.to_vec(),
                    });
                }
            });
        }
        let [events, actions] = queues;
        let mut actions = actions.into_iter().peekable();
        for event in events {
            while let Some(action) = actions
                .next_if(|action| action.cpu != event.cpu || action.sequence < event.sequence)
            {
                self.act(&action, out)?;
            }
            self.act(&event, out)?;
        }
        for action in actions {
            self.act(&action, out)?;
        }
        Ok(())
    }

    fn act(&mut self, record: &Record, out: &mut dyn Output) -> Result<(), Error> {
        if self.exit.is_some() && !self.ending {
            return Ok(());
        }
        let lowered = self.lowered;
        let Some(action) = lowered.actions.get(record.action) else { return Ok(()) };
        let before = self.printed.take();
        match action {
            Action::Printf(format, types) => {
                out.text("printf", &format.write(&self.values(types, record)));
            }
            Action::Message(kind, format, types, place) => {
                out.message(kind, *place, &format.write(&self.values(types, record)));
            }
            Action::Join(between, of) => {
                if let Datum::Tuple(all) = self.decode(of, &record.words) {
                    let all = all.into_iter().map(|one| match one {
                        Datum::Text(text) => text,
                        _ => vec![],
                    });
                    let all: Vec<_> = all.take_while(|text| !text.is_empty()).collect();
                    let mut line = all.join(&between[..]);
                    line.push(b'\n');
                    out.text("join", &line);
                }
            }
            Action::Print(of) => out.value(&self.decode(of, &record.words)),
            Action::PrintMap { map, top, divisor } => {
                let index = self.index(map);
                let top = usize::try_from(*top).ok().filter(|top| *top > 0);
                self.print_map(index, true, top, *divisor, out)?;
                self.printed = Some(index);
            }
            Action::Clear(map) => {
                let index = self.index(map);
                self.maps[index].clear(before == Some(index))?;
            }
            Action::Zero(map) => {
                let index = self.index(map);
                self.maps[index].zero(before == Some(index))?;
            }
            Action::Time(format) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                out.text("time", &formatted(format, now));
            }
            Action::TimeFormat(_) => {}
            Action::Exit => {
                // What the end probes say counts.
                if self.exit.is_none() || self.ending {
                    self.exit = Some(record.words.first().copied().unwrap_or_default());
                }
            }
            Action::Warning(warning) => {
                if self.losses.is_news(&warning.what) {
                    out.warning(warning);
                }
            }
        }
        Ok(())
    }

    /// The values of a record.
    fn values(&self, types: &[Type], record: &Record) -> Vec<Datum> {
        let mut at = 0;
        let values = types.iter().map(|of| {
            let value = self.decode(of, record.words.get(at..).unwrap_or_default());
            at += of.words();
            value
        });
        values.collect()
    }

    fn index(&self, map: &str) -> usize {
        self.checked.types.index(map)
    }

    fn decode(&self, of: &Type, words: &[u64]) -> Datum {
        contents::value(of, words, &self.facts)
    }

    fn print_map(
        &mut self,
        index: usize,
        whole: bool,
        top: Option<usize>,
        divisor: u64,
        out: &mut dyn Output,
    ) -> Result<(), Error> {
        let mut map = self.maps[index].read(whole, &self.facts)?;
        map.arrange(top, divisor);
        out.map(&map);
        Ok(())
    }

    /// Remembers the processes whose functions will be printed: they may end before.
    fn remember(&self) -> Result<(), Error> {
        for map in &self.maps {
            let mut places = vec![];
            processes(&map.held().key, 0, &mut places);
            if places.is_empty() {
                continue;
            }
            let mut symbols = self.facts.user_symbols.borrow_mut();
            for key in map.keys()? {
                let words = contents::words(&key);
                let numbers = places.iter().filter_map(|place| words.get(*place));
                numbers.for_each(|number| symbols.remember(*number as u32));
            }
        }
        Ok(())
    }

    /// What was counted since the start, by programs that missed this number of events.
    fn totals(&self, missed: u64) -> Result<Totals, Error> {
        let maps = self.maps.iter().map(|map| totals::family(map, &self.facts));
        let maps = maps.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        let lost = self.losses.events(self.exit.is_some());
        Ok(Totals { maps, lost, beyond: self.losses.elements().iter().sum(), missed })
    }

    /// Reports what was lost, and prints all maps.
    fn finish(&mut self, out: &mut dyn Output) -> Result<(), Error> {
        let lost = self.losses.events(self.exit.is_some());
        if lost > 0 {
            out.lost(lost);
        }
        for (map, elements) in self.checked.types.maps.iter().zip(self.losses.untold()) {
            if elements > 0 {
                out.beyond(&map.name, elements);
            }
        }
        out.last();
        if !self.checked.settings.print_maps_on_exit {
            return Ok(());
        }
        let mut order: Vec<_> = (0..self.maps.len()).collect();
        order.order_by_key(|index| &self.checked.types.maps[*index].name);
        for index in order {
            self.print_map(index, false, None, 1, out)?;
        }
        Ok(())
    }
}

/// The words of a value that are the numbers of processes whose functions it shows.
fn processes(of: &Type, first: usize, places: &mut Vec<usize>) {
    match of {
        Type::Stack(_, _, true) | Type::UserSymbol => places.push(first + 1),
        Type::Tuple(all) => {
            all.iter().fold(first, |first, of| {
                processes(of, first, places);
                first + of.words()
            });
        }
        _ => {}
    }
}

/// The low and the high half of a word, as the program wrote them one after the other.
fn halves(word: u64) -> [u32; 2] {
    let bytes = word.to_ne_bytes();
    let half =
        |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    [half(0), half(4)]
}
