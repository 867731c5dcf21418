//! A tool's run in the kernel: its maps, its program, its attachment. Dropping it leaves nothing
//! behind, and neither does killing the process: file descriptors are all that holds it.

mod load;

use std::ffi::CString;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate::error::{Error, Failure};
use crate::host::names::Function;
use crate::host::{Attach, AttachKind, refusal};
use crate::insn::{AsmError, MapRef, Program};
use crate::sys::link::{At, Functions};
use crate::sys::{self, Link, LoadError, Map, MapSpec, Memory, PerfEvent, Prog, Tracefs};
pub use load::{Walked, load_alone, program_btf, refused, verify, verify_alone};
use load::{load, resolved};

/// A program and where it shall be attached.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program's name as other tools see it in the kernel.
    pub name: &'static str,
    /// Where and how.
    pub attach: Attach,
    /// The program, made for that attach kind.
    pub program: Program,
}

impl Plan {
    /// A program as it came from the builder.
    ///
    /// # Errors
    /// It was not built right.
    pub fn new(
        name: &'static str,
        attach: Attach,
        program: Result<Program, AsmError>,
    ) -> Result<Plan, Error> {
        let program = program.map_err(|error| Error::failed(error.to_string()))?;
        Ok(Plan { name, attach, program })
    }
}

/// Of so many programs the kernel lets go while a child process could be made to do that.
const MANY: usize = 8;

/// What a running tool holds in the kernel.
pub struct Session {
    /// The tool's maps in their order.
    pub maps: Vec<Map>,
    /// How and where each program is attached: `kprobe blk_mq_start_request`.
    pub attached: Vec<String>,
    /// The kinds that did not work, and why.
    pub skipped: Vec<(AttachKind, Error)>,
    /// The places that were left out, since a program could not be attached there, and why.
    pub left_out: Vec<(String, Error)>,
    /// The steps of the start and how long each took, failed tries included.
    pub steps: Vec<(&'static str, Duration)>,
    programs: Vec<(Prog, Link)>,
    /// Whether the kernel takes long to let one of them go.
    slow: bool,
}

impl Session {
    /// One of the tool's maps, by the name that its programs have for it.
    ///
    /// # Errors
    /// The tool has no such map in this run.
    pub fn map(&self, map: MapRef) -> Result<&Map, Error> {
        map.of(&self.maps).ok_or_else(|| Error::failed("a map is missing"))
    }

    /// What the maps take in the kernel of this host.
    pub fn memory(&self) -> Memory {
        self.maps.iter().map(|map| map.spec().memory()).sum::<Memory>().here()
    }

    /// Detaches all at once as soon as this process has ended, which nobody should have to wait for:
    /// the kernel takes tens of milliseconds to let go of what is not at a bare tracepoint, and of a
    /// thousand programs that are. Until then the programs go on.
    pub fn leave(self) {
        if self.slow || self.programs.len() > MANY {
            let links: Vec<_> = self.programs.iter().map(|(_, link)| link.as_fd()).collect();
            sys::link::leave_behind(&links);
        }
    }

    /// Why the kernel took a program without its source lines, where it did.
    pub fn without_lines(&self) -> impl Iterator<Item = &LoadError> {
        self.programs.iter().filter_map(|(prog, _)| prog.btf_refused())
    }

    /// How many events the programs missed because the CPU was already running a program of their
    /// kind. Linux counts them since 5.12 for fentry, for the other kinds later or not at all.
    pub fn missed(&self) -> u64 {
        let infos = self.programs.iter().map(|(prog, _)| sys::object::prog_info(prog.as_fd()));
        infos.map(|info| info.map_or(0, |info| info.recursion_misses)).sum()
    }
}

/// What is to be done when a tool attaches in many places.
pub trait Many {
    /// Whether a place where it does not work can be left out, as long as another works.
    fn can_do_without(&self, plan: &Plan) -> bool;

    /// So many programs are attached of so many; [`ControlFlow::Break`] when that must do.
    fn progress(&mut self, done: usize, of: usize) -> ControlFlow<()>;
}

/// All places must work, and none takes long.
pub struct All;

impl Many for All {
    fn can_do_without(&self, _: &Plan) -> bool {
        false
    }

    fn progress(&mut self, _: usize, _: usize) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Makes the maps, and loads and attaches the programs of the first of `kinds` for which all of them
/// work on this host that `many` cannot do without.
///
/// # Errors
/// None works, and why; or a privilege is missing, which no other kind would mend.
pub fn start(
    maps: &[MapSpec],
    kinds: &[AttachKind],
    plans: &dyn Fn(AttachKind) -> Result<Vec<Plan>, Error>,
    many: &mut dyn Many,
) -> Result<Session, Error> {
    let mut clock = Clock::default();
    let maps = clock.step("maps", || create(maps))?;
    let mut skipped = vec![];
    for &kind in kinds {
        match attach_all(kind, &maps, plans, many, &mut clock) {
            Ok(Attached { places, programs, left_out, slow }) => {
                let (attached, steps) = (places, clock.steps);
                return Ok(Session { maps, attached, skipped, left_out, steps, programs, slow });
            }
            Err(error) => skipped.push((kind, error)),
        }
    }
    Err(none_works(skipped))
}

/// Makes the maps.
///
/// # Errors
/// The kernel refuses one, and why.
pub fn create(maps: &[MapSpec]) -> Result<Vec<Map>, Error> {
    let create = |spec| Map::create(spec).map_err(|error| refusal::map_of(spec, &error));
    maps.iter().map(create).collect()
}

/// The maps, and the plans of the first of `kinds` that can be made on this host and need nothing
/// that it lacks.
///
/// # Errors
/// There is none, and why.
pub fn first(
    maps: &[MapSpec],
    kinds: &[AttachKind],
    plans: &dyn Fn(AttachKind) -> Result<Vec<Plan>, Error>,
) -> Result<(Vec<Map>, Vec<Plan>), Error> {
    let maps = create(maps)?;
    let mut skipped = vec![];
    for &kind in kinds {
        // One that was asked for is shown even where it could not be attached.
        let lacking = kinds.len() > 1 && kind == AttachKind::Kprobe && !sys::perf::has_kprobes();
        match if lacking { Err(refusal::no_kprobes()) } else { plans(kind) } {
            Ok(plans) => match plans.first().map(|plan| verify(plan, &maps)) {
                Some(Err(error)) if error.failure == Failure::Lacking => {
                    skipped.push((kind, error))
                }
                _ => return Ok((maps, plans)),
            },
            Err(error) => skipped.push((kind, error)),
        }
    }
    Err(none_works(skipped))
}

/// The error of the only kind that was tried, or one that sums up all of them.
fn none_works(mut tried: Vec<(AttachKind, Error)>) -> Error {
    if let Some(missing) = refusal::privilege().or_else(refusal::no_sysfs) {
        return missing;
    }
    // A kind that this host lacks says nothing against the place, another may.
    let mut reasons = (0..tried.len()).filter(|&i| tried[i].1.failure != Failure::Lacking);
    let only = match (tried.len(), reasons.next()) {
        (1, _) => Some(0),
        (_, Some(first)) => {
            reasons.all(|other| tried[other].1.what == tried[first].1.what).then_some(first)
        }
        _ => None,
    };
    match only {
        Some(index) => tried.swap_remove(index).1,
        None => {
            let reasons = tried.iter().map(|(kind, error)| format!("{kind}: {error}"));
            let error = Error::lacking("no way to attach works on this host")
                .next("why, for each: -v")
                .detail(reasons.collect::<Vec<_>>().join("\n"));
            let refused = tried.into_iter().find_map(|(_, error)| error.refused);
            Error { refused, ..error }
        }
    }
}

/// Where each program is attached, what holds it there, and where none is.
#[derive(Default)]
struct Attached {
    places: Vec<String>,
    programs: Vec<(Prog, Link)>,
    left_out: Vec<(String, Error)>,
    slow: bool,
}

fn attach_all(
    kind: AttachKind,
    maps: &[Map],
    plans: &dyn Fn(AttachKind) -> Result<Vec<Plan>, Error>,
    many: &mut dyn Many,
    clock: &mut Clock,
) -> Result<Attached, Error> {
    if kind == AttachKind::Kprobe && !sys::perf::has_kprobes() {
        return Err(refusal::no_kprobes());
    }
    let plans = clock.step("BTF and program", || plans(kind))?;
    sys::file::want_descriptors(2 * plans.len() as u64);
    let mut attached = Attached::default();
    for (done, plan) in plans.iter().enumerate() {
        if many.progress(done, plans.len()).is_break() {
            break;
        }
        match attach(plan, maps, clock) {
            Ok((place, prog, link)) => {
                attached.places.push(place);
                attached.programs.push((prog, link));
                let kind = plan.attach.kind();
                attached.slow |= !matches!(kind, AttachKind::RawTp | AttachKind::TpBtf);
            }
            Err(error) if many.can_do_without(plan) => {
                attached.left_out.push((plan.attach.to_string(), error));
            }
            Err(error) if error.refused.is_some() => {
                return Err(error.of_program(plan.name, plans.len()));
            }
            Err(error) => return Err(error),
        }
    }
    let _ = many.progress(plans.len(), plans.len());
    match (attached.places.is_empty(), attached.left_out.pop()) {
        (true, Some((_, error))) => Err(error),
        (_, last) => {
            attached.left_out.extend(last);
            Ok(attached)
        }
    }
}

fn attach(plan: &Plan, maps: &[Map], clock: &mut Clock) -> Result<(String, Prog, Link), Error> {
    let kind = plan.attach.kind();
    resolved(plan)?;
    match &plan.attach {
        Attach::KprobeMulti(functions) => {
            let prog = clock.step("load", || load(plan, maps))?;
            let link = clock.step("attach", || kprobe_multi(&prog, functions))?;
            let place = match &functions[..] {
                [function] => function.name.clone(),
                _ => format!("{} functions", functions.len()),
            };
            Ok((format!("{kind} {place}"), prog, link))
        }
        Attach::Kprobe(functions) => {
            let (function, event) = clock.step("attach", || probe(functions))?;
            let prog = clock.step("load", || load(plan, maps))?;
            let link = clock.step("attach", || event.attach(&prog));
            let link = link.map_err(|error| refusal::kprobe(&function, &error))?;
            Ok((format!("kprobe {function}"), prog, link))
        }
        Attach::Kretprobe(function) => {
            let event = clock.step("attach", || {
                let name = c_string(function)?;
                PerfEvent::kprobe(&name, 0, At::Return)
                    .map_err(|error| refusal::kprobe(function, &error))
            })?;
            let prog = clock.step("load", || load(plan, maps))?;
            let link = clock.step("attach", || event.attach(&prog));
            let link = link.map_err(|error| refusal::kprobe(function, &error))?;
            Ok((plan.attach.to_string(), prog, link))
        }
        Attach::Uprobe(function, at) => {
            let event = clock.step("attach", || {
                let path = c_string(&function.path.to_string_lossy())?;
                PerfEvent::uprobe(&path, function.offset, *at, function.pid)
                    .map_err(|error| refusal::uprobe(function, &error))
            })?;
            let prog = clock.step("load", || load(plan, maps))?;
            let link = clock.step("attach", || event.attach(&prog));
            let link = link.map_err(|error| refusal::uprobe(function, &error))?;
            Ok((plan.attach.to_string(), prog, link))
        }
        Attach::Tracepoint(category, name) => {
            let event = clock.step("attach", || {
                let tracefs = Tracefs::find().ok_or_else(refusal::no_tracefs)?;
                let id = tracefs.tracepoint_id(category, name);
                let id = id.map_err(|error| Error::lacking(error.to_string()))?;
                PerfEvent::tracepoint(id).map_err(|error| refusal::attach(kind, name, &error))
            })?;
            let prog = clock.step("load", || load(plan, maps))?;
            let link = clock.step("attach", || event.attach(&prog));
            let link = link.map_err(|error| refusal::attach(kind, name, &error))?;
            Ok((plan.attach.to_string(), prog, link))
        }
        Attach::RawTp(name) => {
            let prog = clock.step("load", || load(plan, maps))?;
            let link = clock.step("attach", || {
                let name = c_string(name)?;
                sys::link::raw_tracepoint(&prog, &name)
                    .map_err(|error| refusal::attach(kind, &name.to_string_lossy(), &error))
            })?;
            Ok((plan.attach.to_string(), prog, link))
        }
        Attach::Fentry(name, _) | Attach::Fexit(name, _) | Attach::TpBtf(name, _) => {
            let prog = clock.step("load", || load(plan, maps))?;
            let link = clock.step("attach", || sys::link::tracing(&prog));
            let link = link.map_err(|error| refusal::attach(kind, name, &error))?;
            Ok((plan.attach.to_string(), prog, link))
        }
    }
}

/// One link for all of these functions, by address where all are known: of several functions that
/// have one name, a name means only the first.
fn kprobe_multi(prog: &Prog, functions: &[Function]) -> Result<Link, Error> {
    let places = || {
        let indexed = functions.iter().zip(0u64..);
        indexed.flat_map(|(function, index)| function.addresses.iter().map(move |a| (*a, index)))
    };
    let link = if functions.iter().all(|function| !function.addresses.is_empty()) {
        let (addresses, cookies): (Vec<_>, Vec<_>) = places().unzip();
        sys::link::kprobe_multi(prog, Functions::Addresses(&addresses), At::Entry, &cookies)
    } else {
        let names = functions.iter().map(|function| c_string(&function.name));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let names: Vec<_> = names.iter().map(|name| name.as_c_str()).collect();
        let cookies: Vec<_> = (0..names.len() as u64).collect();
        sys::link::kprobe_multi(prog, Functions::Names(&names), At::Entry, &cookies)
    };
    link.map_err(|error| refusal::kprobe_multi(&error))
}

/// A probe at the first of these functions that the kernel has.
fn probe(functions: &[String]) -> Result<(String, PerfEvent), Error> {
    let mut first = None;
    for function in functions {
        match PerfEvent::kprobe(&c_string(function)?, 0, At::Entry) {
            Ok(event) => return Ok((function.clone(), event)),
            Err(error) => first = first.or(Some((function, error))),
        }
    }
    let (function, error) = first.ok_or_else(|| Error::failed("no function to probe"))?;
    Err(refusal::kprobe(function, &error))
}

/// A name as the kernel takes it.
fn c_string(name: &str) -> Result<CString, Error> {
    CString::new(name).map_err(|_| Error::usage(format!("{name:?} is no name: it holds a NUL")))
}

/// Times the steps of a start.
#[derive(Default)]
struct Clock {
    steps: Vec<(&'static str, Duration)>,
}

impl Clock {
    fn step<T>(&mut self, name: &'static str, run: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = run();
        let took = start.elapsed();
        match self.steps.iter_mut().find(|(step, _)| *step == name) {
            Some((_, sum)) => *sum += took,
            None => self.steps.push((name, took)),
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insn::{Asm, r0};
    use crate::sys::Errno;
    use crate::sys::call::{Call, Command, hook};

    const RAW_TRACEPOINT: u32 = 17;

    /// `r0 = 0; exit` for any kind.
    fn plan(kind: AttachKind) -> Result<Vec<Plan>, Error> {
        let mut a = Asm::new();
        a.mov(r0, 0);
        a.exit();
        let attach = match kind {
            AttachKind::TpBtf => Attach::TpBtf("t".into(), Some(1)),
            _ => Attach::RawTp("t".into()),
        };
        Ok(vec![Plan { name: "test", attach, program: a.finish().unwrap() }])
    }

    /// A kernel that answers program loads so and everything else with success.
    fn kernel(load: impl Fn(u32) -> Result<i64, Errno> + 'static) -> hook::Installed {
        hook::install(move |call| match call {
            Call::Bpf { command: Command::ProgLoad, attr } => Some(load(hook::u32_at(attr, 0))),
            _ => Some(Ok(hook::fd())),
        })
    }

    const KINDS: [AttachKind; 2] = [AttachKind::TpBtf, AttachKind::RawTp];

    #[test]
    fn the_first_kind_that_works_is_taken_and_the_others_are_told() {
        let _kernel = kernel(|kind| match kind {
            RAW_TRACEPOINT => Ok(hook::fd()),
            _ => Err(Errno::EINVAL),
        });
        let session = start(&[], &KINDS, &plan, &mut All).unwrap();
        assert_eq!(session.attached, ["raw_tp t"]);
        let [(AttachKind::TpBtf, error)] = &session.skipped[..] else { panic!("one is skipped") };
        assert_eq!(error.what, "this kernel knows no tp_btf programs");
    }

    #[test]
    fn where_no_kind_works_each_reason_is_a_flag_away() {
        let _kernel = kernel(|_| Err(Errno::EINVAL));
        let root = "CapEff:\t000001ffffffffff\n";
        let _host = sys::file::hook::install(move |path| {
            path.ends_with("status").then(|| Ok(root.as_bytes().to_vec()))
        });
        let error = start(&[], &KINDS, &plan, &mut All).err().unwrap();
        assert_eq!(error.failure, Failure::Lacking);
        assert_eq!(error.what, "no way to attach works on this host");
        let detail = error.detail.unwrap();
        assert!(detail.contains("tp_btf: this kernel") && detail.contains("raw_tp: this kernel"));
        // Of one kind that was asked for, the reason itself.
        let error = start(&[], &KINDS[..1], &plan, &mut All).err().unwrap();
        assert_eq!(error.what, "this kernel knows no tp_btf programs");
    }

    #[test]
    fn a_kind_that_the_host_lacks_does_not_hide_what_another_says() {
        let missing = || (AttachKind::KprobeMulti, Error::lacking("no kprobe.multi"));
        let forbidden = || (AttachKind::Kprobe, Error::failed("f cannot be probed"));
        let root = "CapEff:\t000001ffffffffff\n";
        let _host = sys::file::hook::install(move |path| {
            path.ends_with("status").then(|| Ok(root.as_bytes().to_vec()))
        });
        assert_eq!(none_works(vec![missing(), forbidden()]), forbidden().1);
        assert!(none_works(vec![missing(), missing()]).what.contains("no way to attach"));
    }

    /// Those at the second tracepoint fail.
    struct Most(bool, Vec<usize>);
    impl Many for Most {
        fn can_do_without(&self, _: &Plan) -> bool {
            self.0
        }
        fn progress(&mut self, done: usize, _: usize) -> ControlFlow<()> {
            self.1.push(done);
            if done == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }

    #[test]
    fn a_place_that_can_be_done_without_is_left_out_and_told() {
        let opened = std::cell::Cell::new(0);
        let _kernel = hook::install(move |call| match call {
            Call::Bpf { command: Command::RawTracepointOpen, .. } => {
                opened.set(opened.get() + 1);
                Some(if opened.get() == 2 { Err(Errno::ENOENT) } else { Ok(hook::fd()) })
            }
            _ => Some(Ok(hook::fd())),
        });
        let plans = |kind| Ok([plan(kind)?, plan(kind)?, plan(kind)?, plan(kind)?].concat());
        let mut most = Most(true, vec![]);
        let session = start(&[], &[AttachKind::RawTp], &plans, &mut most).unwrap();
        // The fourth was not wanted any more.
        assert_eq!((session.attached.len(), session.left_out.len()), (2, 1));
        assert_eq!(most.1, [0, 1, 2, 3, 4]);
        drop(session);
    }

    #[test]
    fn an_unknown_offset_never_reaches_the_kernel() {
        let _kernel = kernel(|_| panic!("loaded"));
        let unresolved = |_| {
            let mut a = Asm::new();
            a.add(r0, crate::insn::Field { of: "request", member: "x", offset: None });
            a.exit();
            let attach = Attach::RawTp("t".into());
            Ok(vec![Plan { name: "test", attach, program: a.finish().unwrap() }])
        };
        let error = start(&[], &[AttachKind::RawTp], &unresolved, &mut All).err().unwrap();
        assert!(error.what.contains("offsetof(struct request, x) is not known"), "{error}");
    }
}
