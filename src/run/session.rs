//! Programs in the kernel: their maps are made, and they are loaded and attached.

use std::fmt;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::load::{load, resolved, verify};
use super::plan::{Group, Plan};
use super::types;
use crate::error::{Error, Failure};
use crate::host::{Attach, AttachKind, Attachment, KernelTypes, KprobeMulti, refusal};
use crate::insn::MapRef;
use crate::sys::confine::Needs;
use crate::sys::{self, Link, LoadError, Map, MapSpec, Memory, Prog, capability};

/// How far a session's start has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// How many programs were attached or left out.
    pub done: usize,
    /// How many there are, as far as is known by now.
    pub of: usize,
}

/// For those who do not watch a session's start and never break it off.
pub fn unwatched(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A program that is attached.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct AttachedProgram {
    /// The program's name.
    pub name: String,
    /// By which kind it is attached.
    pub kind: AttachKind,
    /// The same, and whether it is at an entry or a return: `kretprobe`.
    pub word: &'static str,
    /// Where: `blk_mq_start_request`, `1024 functions`.
    pub place: String,
}

/// `kprobe blk_mq_start_request`.
impl fmt::Display for AttachedProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.word, self.place)
    }
}

/// A kind by which a group could not be attached.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SkippedKind {
    /// The group's index among those of the session.
    pub group: usize,
    /// The kind.
    pub kind: AttachKind,
    /// Why it did not work.
    pub error: Error,
}

/// An optional program that could not be attached.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LeftOutProgram {
    /// The program's name.
    pub name: String,
    /// Where it was to be attached, and how.
    pub attach: Attach,
    /// Why it could not be.
    pub error: Error,
}

/// Up to this many programs are detached here; for more of them, a child process is made that does it
/// after our end.
const DETACH_HERE: usize = 8;

/// Programs that are attached, and their maps.
#[must_use = "the programs are detached when it is dropped"]
#[derive(Default)]
#[non_exhaustive]
pub struct Session {
    /// The maps in their order.
    pub maps: Vec<Map>,
    /// The programs in the order in which they were attached.
    pub attached: Vec<AttachedProgram>,
    /// The kinds that did not work, and why.
    pub skipped: Vec<SkippedKind>,
    /// The kinds after those that worked, which were not tried.
    pub alternatives: Vec<AttachKind>,
    /// The optional programs that could not be attached, and why.
    pub left_out: Vec<LeftOutProgram>,
    /// The steps of the start and how long each took, failed tries included.
    pub steps: Vec<(&'static str, Duration)>,
    programs: Vec<(Prog, Link)>,
    /// Whether the kernel takes long to let one of them go.
    slow: bool,
}

impl Session {
    /// The map that the programs call by this name.
    ///
    /// # Errors
    /// The session has no such map.
    pub fn map(&self, map: MapRef) -> Result<&Map, Error> {
        map.of(&self.maps).ok_or_else(|| Error::failed("a map is missing"))
    }

    /// Makes the maps, and loads and attaches these programs in their order.
    ///
    /// # Errors
    /// A map cannot be made, or a program that is not optional cannot be attached, and why.
    pub fn attach(maps: &[MapSpec], plans: Vec<Plan>) -> Result<Session, Error> {
        Session::start(maps, &[Group::of(plans)], &KernelTypes::running(), &mut unwatched)
    }

    /// Makes the maps, and loads and attaches the groups in their order, each by the first of its kinds
    /// that works on this host. `progress` is called before each program and at the end of a group. It
    /// breaks off the start when it returns [`ControlFlow::Break`]: the session then has what is
    /// attached by then.
    ///
    /// # Errors
    /// A map cannot be made; or for a group no kind works, and why; or a privilege is missing, which no
    /// other kind would mend.
    pub fn start(
        maps: &[MapSpec],
        groups: &[Group<'_>],
        types: &KernelTypes,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Session, Error> {
        let mut clock = Clock::default();
        let maps = clock.step("maps", || create(maps))?;
        let mut session = Session { maps, steps: clock.steps, ..Session::default() };
        session.add(groups, types, progress)?;
        Ok(session)
    }

    /// A session with these maps, to which programs can be added.
    pub fn with_maps(maps: Vec<Map>) -> Session {
        Session { maps, ..Session::default() }
    }

    /// Loads and attaches more groups; otherwise like [`Session::start`].
    ///
    /// # Errors
    /// As there. What was attached before stays.
    pub fn add(
        &mut self,
        groups: &[Group<'_>],
        types: &KernelTypes,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let clock = Clock { steps: std::mem::take(&mut self.steps) };
        let mut start = Start { types, progress, clock };
        for (index, group) in groups.iter().enumerate() {
            let (found, tried) =
                first_that_works(&group.kinds, |kind| start.attach_all(kind, group, self))?;
            self.alternatives.extend(group.kinds.iter().skip(tried.len() + 1));
            let skipped =
                tried.into_iter().map(|(kind, error)| SkippedKind { group: index, kind, error });
            self.skipped.extend(skipped);
            self.attached.extend(found.attached);
            self.left_out.extend(found.left_out);
            self.programs.extend(found.programs);
            self.slow |= found.slow;
            if found.broken_off {
                break;
            }
        }
        self.steps = start.clock.steps;
        types::fill(&self.maps, &mut self.programs.iter().map(|(prog, _)| prog))
    }

    /// What the maps take in the kernel of this host.
    pub fn memory(&self) -> Memory {
        self.maps.iter().map(|map| map.spec().memory()).sum::<Memory>().here()
    }

    /// Detaches all at once as soon as this process has ended, which nobody should have to wait for:
    /// the kernel takes tens of milliseconds to let go of what is not at a bare tracepoint, and of a
    /// thousand programs that are. Until then the programs go on.
    pub fn leave(self) {
        if self.slow || self.programs.len() > DETACH_HERE {
            let links = self.programs.iter().map(|(prog, link)| (link.as_fd(), prog.as_fd()));
            let links: Vec<_> = links.collect();
            sys::link::leave_behind(&links);
        }
    }

    /// What it takes to read the maps, which is a capability if kernel.unprivileged_bpf_disabled is set,
    /// before Linux 5.19 or so: it is tried without.
    pub fn needs(&self) -> Needs {
        /// More than any capability's number.
        const NONE: u32 = 64;
        let Some(map) = self.maps.first() else { return Needs::default() };
        let may = |capability| {
            let info = || sys::object::map_info(map.as_fd());
            capability::with_only(capability, info).is_ok_and(|info| info.is_ok())
        };
        let capability =
            [NONE, capability::BPF, capability::SYS_ADMIN].into_iter().find(|it| may(*it));
        let capabilities = capability.and_then(|it| 1u64.checked_shl(it)).unwrap_or(0);
        Needs { capabilities, ..Needs::default() }
    }

    /// Why the kernel took a program without its source lines, where it did.
    pub fn without_lines(&self) -> impl Iterator<Item = &LoadError> {
        self.programs.iter().filter_map(|(prog, _)| prog.btf_refused())
    }

    /// How many calls kretprobes did not follow to their return, since each follows only some at a time; `None` if the
    /// session has none, or the kernel does not say it at all. Before Linux 6.7 it is 0.
    pub fn missed_returns(&self) -> Option<u64> {
        let links = self.programs.iter();
        let missed = links.filter_map(|(_, link)| sys::object::missed_returns(link.as_fd()));
        missed.reduce(u64::saturating_add)
    }

    /// How many events the programs missed because the CPU was already running a program of their
    /// kind, as far as the kernel counts them: see [`Facts::misses_since`](crate::host::Facts).
    pub fn missed(&self) -> u64 {
        let infos = self.programs.iter().map(|(prog, _)| sys::object::prog_info(prog.as_fd()));
        infos.map(|info| info.map_or(0, |info| info.recursion_misses)).sum()
    }
}

/// Makes the maps.
///
/// # Errors
/// The kernel refuses one, and why.
pub fn create(maps: &[MapSpec]) -> Result<Vec<Map>, Error> {
    let (made, failed) = create_each(maps)?;
    failed.into_iter().next().map_or(Ok(made), |(_, error)| Err(error))
}

/// The places of maps that cannot be made, and why.
pub type RefusedMaps = Vec<(usize, Error)>;

/// Makes each of these maps that can be made. Arrays stand in for the others.
///
/// # Errors
/// The kernel refuses even those arrays.
pub fn create_each(maps: &[MapSpec]) -> Result<(Vec<Map>, RefusedMaps), Error> {
    let (mut made, mut failed) = (vec![], vec![]);
    for (place, spec) in maps.iter().enumerate() {
        let map = match types::create(spec, &made) {
            Ok(map) => map,
            Err(error) => {
                let error = refusal::map_of(spec, &error);
                failed.push((place, error.clone()));
                Map::create(&MapSpec::stand_in(&spec.name)).map_err(|_| error)?
            }
        };
        made.push(map);
    }
    failed.extend(types::nest(&made));
    Ok((made, failed))
}

/// The maps, and for each group the plans of the first kind that can be made on this host and need
/// nothing that it lacks.
///
/// # Errors
/// For a group there is none, and why.
pub fn plan_without_attaching(
    maps: &[MapSpec],
    groups: &[Group<'_>],
    types: &KernelTypes,
) -> Result<(Vec<Map>, Vec<Plan>), Error> {
    let maps = create(maps)?;
    let mut all = vec![];
    for group in groups {
        let (plans, _) = first_that_works(&group.kinds, |kind| {
            // One that was asked for is shown even where it could not be attached.
            if group.kinds.len() > 1
                && let Some(missing) = kind.missing()
            {
                return Err(missing);
            }
            let plans = group.plans(kind, types)?;
            match plans.first().map(|plan| verify(plan, &maps)) {
                Some(Err(error)) if error.failure == Failure::Lacking => Err(error),
                _ => Ok(plans),
            }
        })?;
        all.extend(plans);
    }
    Ok((maps, all))
}

/// What came of the first of these kinds by which it could be done, and why it could not by those before.
/// Nothing came of it where there are no kinds.
fn first_that_works<T: Default>(
    kinds: &[AttachKind],
    mut attempt: impl FnMut(AttachKind) -> Result<T, Error>,
) -> Result<(T, Vec<(AttachKind, Error)>), Error> {
    let mut tried = vec![];
    for &kind in kinds {
        match attempt(kind) {
            Ok(result) => return Ok((result, tried)),
            Err(error) => tried.push((kind, error)),
        }
    }
    if tried.is_empty() { Ok((T::default(), tried)) } else { Err(none_works(tried)) }
}

/// The error of the only kind that was tried, or one that sums up all of them: their reasons against this
/// place if there are any, since another place may do, else what this host lacks.
fn none_works(mut tried: Vec<(AttachKind, Error)>) -> Error {
    if let Some(missing) = refusal::privilege().or_else(refusal::no_sysfs) {
        return missing;
    }
    if let Some(out) = tried.iter().position(|(_, error)| error.failure == Failure::Exhausted) {
        return tried.swap_remove(out).1;
    }
    let place = tried.iter().any(|(_, error)| error.failure != Failure::Lacking);
    let mut reasons: Vec<(String, usize)> = vec![];
    for (index, (kind, error)) in tried.iter().enumerate() {
        // A kind that this host lacks says nothing against the place.
        if place && error.failure == Failure::Lacking {
            continue;
        }
        match reasons.iter_mut().find(|(_, same)| tried[*same].1.what == error.what) {
            Some((kinds, _)) => *kinds += &format!(", {kind}"),
            None => reasons.push((kind.to_string(), index)),
        }
    }
    if let [(_, only)] = reasons[..] {
        return tried.swap_remove(only).1;
    }
    let sentences =
        reasons.iter().map(|(kinds, index)| format!("{kinds}: {}", tried[*index].1.what));
    let what = format!("no way to attach works here: {}", sentences.collect::<Vec<_>>().join("; "));
    // One that mends something is better than one that tells where to look.
    let hints = reasons.iter().filter_map(|(_, index)| tried[*index].1.hint.clone());
    let hint = hints.min_by_key(|hint| hint.contains("rawbpf doctor"));
    let all = tried.iter().map(|(kind, error)| format!("{kind}: {error}"));
    let error = if place { Error::failed(what) } else { Error::lacking(what) };
    let error = error.hint(hint.unwrap_or_else(|| "the kernel's own words: -v".to_owned()));
    let error = error.detail(all.collect::<Vec<_>>().join("\n"));
    let refused = tried.into_iter().find_map(|(_, error)| error.refused);
    Error { refused, ..error }
}

/// The start of a session.
struct Start<'a> {
    types: &'a KernelTypes,
    progress: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
    clock: Clock,
}

/// The programs of a group that are attached, and those that are not.
#[derive(Default)]
struct GroupOutcome {
    attached: Vec<AttachedProgram>,
    programs: Vec<(Prog, Link)>,
    left_out: Vec<LeftOutProgram>,
    slow: bool,
    broken_off: bool,
}

impl Start<'_> {
    /// Attaches a group by a kind, after what the session has already.
    fn attach_all(
        &mut self,
        kind: AttachKind,
        group: &Group<'_>,
        session: &Session,
    ) -> Result<GroupOutcome, Error> {
        if let Some(missing) = kind.missing() {
            return Err(missing);
        }
        let plans = self.clock.step("BTF and program", || group.plans(kind, self.types))?;
        // Of each program itself and its attachment, and some that are open for a moment.
        sys::file::want_descriptors(2 * plans.len() as u64 + 2)
            .map_err(|needed| refusal::too_few_descriptors(plans.len(), needed))?;
        let before = session.attached.len() + session.left_out.len();
        let of = before + plans.len();
        let mut progress = |done| (self.progress)(Progress { done: before + done, of });
        let mut found = GroupOutcome::default();
        for (done, plan) in plans.iter().enumerate() {
            if progress(done).is_break() {
                found.broken_off = true;
                break;
            }
            match self.clock.attach(plan, &session.maps) {
                Ok(Attachment { place, prog, link, left_out }) => {
                    let (name, kind) = (plan.name.clone(), plan.attach.kind());
                    for (function, error) in left_out {
                        let (name, attach) =
                            (name.clone(), KprobeMulti::new(vec![function]).into());
                        found.left_out.push(LeftOutProgram { name, attach, error });
                    }
                    found.slow |= !kind.facts().detaches_at_once;
                    found.attached.push(AttachedProgram {
                        name,
                        kind,
                        word: plan.attach.word(),
                        place,
                    });
                    found.programs.push((prog, link));
                }
                // What ran out is missing for the other places too.
                Err(error) if plan.optional && error.failure != Failure::Exhausted => {
                    let (name, attach) = (plan.name.clone(), plan.attach.clone());
                    found.left_out.push(LeftOutProgram { name, attach, error });
                }
                Err(error) if error.refused.is_some() => {
                    return Err(error.prefix_if_several(&plan.name, plans.len()));
                }
                Err(error) => return Err(error),
            }
        }
        let _ = progress(plans.len());
        match (found.attached.is_empty(), found.left_out.pop()) {
            (true, Some(LeftOutProgram { error, .. })) => Err(error),
            (_, last) => {
                found.left_out.extend(last);
                Ok(found)
            }
        }
    }
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
        self.add(name, took);
        result
    }

    fn add(&mut self, name: &'static str, took: Duration) {
        match self.steps.iter_mut().find(|(step, _)| *step == name) {
            Some((_, sum)) => *sum += took,
            None => self.steps.push((name, took)),
        }
    }

    /// Attaches a program, which is loaded on the way there.
    fn attach(&mut self, plan: &Plan, maps: &[Map]) -> Result<Attachment, Error> {
        resolved(plan)?;
        let start = Instant::now();
        let mut loading = Duration::ZERO;
        let attached = plan.attach.attach(&mut || {
            let start = Instant::now();
            let loaded = load(plan, maps);
            loading = start.elapsed();
            loaded
        });
        self.add("load", loading);
        self.add("attach", start.elapsed().saturating_sub(loading));
        attached
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{RawTp, TpBtf};
    use crate::insn::{Asm, r0};
    use crate::sys::Errno;
    use crate::sys::call::{BpfCommand, Call, hook};

    const RAW_TRACEPOINT: u32 = 17;

    /// `r0 = 0; exit` for any kind.
    fn plan(kind: AttachKind, _: &KernelTypes) -> Result<Vec<Plan>, Error> {
        let mut a = Asm::new();
        a.mov(r0, 0);
        a.exit();
        let attach = match kind {
            AttachKind::TpBtf => Attach::from(TpBtf::new("t", Some(1))),
            _ => RawTp::new("t").into(),
        };
        Ok(vec![Plan::new("test", attach, a.finish().unwrap())])
    }

    /// A session without maps and with one group.
    fn start(
        kinds: &[AttachKind],
        plans: impl Fn(AttachKind, &KernelTypes) -> Result<Vec<Plan>, Error>,
    ) -> Result<Session, Error> {
        let group = Group::new(kinds.to_vec(), plans);
        Session::start(&[], &[group], &KernelTypes::running(), &mut unwatched)
    }

    fn places(session: &Session) -> Vec<String> {
        session.attached.iter().map(AttachedProgram::to_string).collect()
    }

    /// A kernel that answers program loads so and everything else with success.
    fn kernel(load: impl Fn(u32) -> Result<i64, Errno> + 'static) -> hook::Installed {
        hook::install(move |call| match call {
            Call::Bpf { command: BpfCommand::ProgLoad, attr } => Some(load(hook::u32_at(attr, 0))),
            _ => Some(Ok(hook::fd())),
        })
    }

    const KINDS: [AttachKind; 2] = [AttachKind::TpBtf, AttachKind::RawTp];

    #[test]
    fn the_first_kind_that_works_is_taken_and_the_others_are_skipped() {
        let _kernel = kernel(|kind| match kind {
            RAW_TRACEPOINT => Ok(hook::fd()),
            _ => Err(Errno::EINVAL),
        });
        let session = start(&KINDS, plan).unwrap();
        assert_eq!(places(&session), ["raw_tp t"]);
        let [SkippedKind { group: 0, kind: AttachKind::TpBtf, error }] = &session.skipped[..]
        else {
            panic!("one is skipped")
        };
        assert_eq!(error.what, "this kernel knows no tp_btf programs");
    }

    #[test]
    fn where_no_kind_works_each_reason_is_told() {
        let _kernel = kernel(|_| Err(Errno::EINVAL));
        let root = "CapEff:\t000001ffffffffff\n";
        let _host = sys::file::hook::install(move |path| {
            path.ends_with("status").then(|| Ok(root.as_bytes().to_vec()))
        });
        let error = start(&KINDS, plan).err().unwrap();
        assert_eq!(error.failure, Failure::Lacking);
        let said = "no way to attach works here: tp_btf: this kernel knows no tp_btf programs; raw_tp: this \
                    kernel knows no raw_tp programs";
        assert_eq!(error.what, said);
        let detail = error.detail.unwrap();
        assert!(detail.contains("tp_btf: this kernel") && detail.contains("raw_tp: this kernel"));
        // Of one kind that was asked for, the reason itself.
        let error = start(&KINDS[..1], plan).err().unwrap();
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
        assert_eq!(none_works(vec![missing(), missing()]), missing().1);
        // Reasons that concern the place are all told, each once.
        let several = || Error::failed("there are several f").hint("name one");
        let tried = vec![
            missing(),
            (AttachKind::Kprobe, several()),
            (AttachKind::Fentry, Error::failed("f is not in BTF")),
            (AttachKind::RawTp, several()),
        ];
        let error = none_works(tried);
        let said = "no way to attach works here: kprobe, raw_tp: there are several f; fentry: f is not in BTF";
        assert_eq!((&*error.what, error.hint.as_deref()), (said, Some("name one")));
        assert_eq!(error.failure, Failure::Failed);
    }

    /// A kernel whose `nth` raw tracepoint has no room for a program.
    fn full(nth: u32) -> hook::Installed {
        let opened = std::cell::Cell::new(0);
        hook::install(move |call| match call {
            Call::Bpf { command: BpfCommand::RawTracepointOpen, .. } => {
                opened.set(opened.get() + 1);
                Some(if opened.get() == nth { Err(Errno::ENOENT) } else { Ok(hook::fd()) })
            }
            _ => Some(Ok(hook::fd())),
        })
    }

    /// Four programs, all of them optional.
    fn optional(kind: AttachKind, types: &KernelTypes) -> Result<Vec<Plan>, Error> {
        let plan = Plan { optional: true, ..plan(kind, types)?.remove(0) };
        Ok(vec![plan; 4])
    }

    #[test]
    fn an_optional_program_is_left_out_and_named() {
        let _kernel = full(2);
        let mut seen = vec![];
        let mut progress = |Progress { done, of }| {
            seen.push((done, of));
            if done == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let types = KernelTypes::running();
        let groups = [Group::new(vec![AttachKind::RawTp], optional), Group::of(vec![])];
        let session = Session::start(&[], &groups, &types, &mut progress).unwrap();
        // The fourth was not wanted any more.
        assert_eq!((session.attached.len(), session.left_out.len()), (2, 1));
        assert_eq!(session.left_out[0].attach.to_string(), "raw_tp t");
        assert_eq!(seen, [0, 1, 2, 3, 4].map(|done| (done, 4)));
    }

    #[test]
    fn what_runs_out_ends_the_start_and_leaves_nothing_out() {
        for errno in [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM] {
            let opened = std::cell::Cell::new(0);
            let _kernel = hook::install(move |call| match call {
                Call::Bpf { command: BpfCommand::RawTracepointOpen, .. } => {
                    opened.set(opened.get() + 1);
                    Some(if opened.get() == 3 { Err(errno) } else { Ok(hook::fd()) })
                }
                _ => Some(Ok(hook::fd())),
            });
            let error = start(&[AttachKind::RawTp], optional).err().unwrap();
            assert_eq!(error.failure, Failure::Exhausted, "{error}");
            assert!(error.hint.is_some(), "{error}");
        }
    }

    #[test]
    fn groups_find_their_kinds_by_themselves() {
        let _kernel = kernel(|kind| match kind {
            RAW_TRACEPOINT => Ok(hook::fd()),
            _ => Err(Errno::EINVAL),
        });
        let mut seen = vec![];
        let mut progress = |Progress { done, of }| {
            seen.push((done, of));
            ControlFlow::Continue(())
        };
        let types = KernelTypes::running();
        let groups = [
            Group::new(vec![AttachKind::RawTp], plan),
            Group::of(vec![]),
            Group::new(KINDS.to_vec(), plan),
        ];
        let session = Session::start(&[], &groups, &types, &mut progress).unwrap();
        assert_eq!(places(&session), ["raw_tp t", "raw_tp t"]);
        let [SkippedKind { group: 2, kind: AttachKind::TpBtf, .. }] = &session.skipped[..] else {
            panic!("one is skipped")
        };
        assert_eq!(seen, [(0, 1), (1, 1), (1, 2), (1, 2), (2, 2)]);
    }

    #[test]
    fn a_group_that_cannot_be_attached_ends_the_session_with_its_reason() {
        let _kernel = full(2);
        let types = KernelTypes::running();
        let groups = [(); 3].map(|()| Group::new(vec![AttachKind::RawTp], plan));
        let error = Session::start(&[], &groups, &types, &mut unwatched).err().unwrap();
        assert_eq!(error.what, "this kernel has no tracepoint t");
    }

    #[test]
    fn a_start_that_is_broken_off_leaves_later_groups_alone() {
        let _kernel = kernel(|_| Ok(hook::fd()));
        let types = KernelTypes::running();
        let groups =
            [Group::new(vec![AttachKind::RawTp], optional), Group::new(KINDS.to_vec(), plan)];
        let mut progress = |Progress { done, .. }| match done {
            2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let session = Session::start(&[], &groups, &types, &mut progress).unwrap();
        assert_eq!(places(&session), ["raw_tp t", "raw_tp t"]);
    }

    #[test]
    fn an_unknown_offset_never_reaches_the_kernel() {
        let _kernel = kernel(|_| panic!("loaded"));
        let unresolved = |_, _: &KernelTypes| {
            let mut a = Asm::new();
            a.add(r0, crate::insn::Field { of: "request", member: "x", offset: None });
            a.exit();
            Ok(vec![Plan::new("test", RawTp::new("t"), a.finish().unwrap())])
        };
        let error = start(&[AttachKind::RawTp], unresolved).err().unwrap();
        assert!(error.what.contains("offsetof(struct request, x) is not known"), "{error}");
    }
}
