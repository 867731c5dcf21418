//! The ways to attach, each tried with a program that does nothing.

use std::ffi::{CStr, CString};
use std::path::Path;

use goblin::elf::program_header::PT_LOAD;

use super::features::{load_for, nothing};
use super::{Held, check};
use crate::btf::Kind;
use crate::elf;
use crate::error::Error;
use crate::host::{Attach, AttachKind, KernelTypes, elf_parts, refusal};
use crate::session::{self, Plan, Session};
use crate::sys::link::{self, At, Functions, Places};
use crate::sys::perf::has_kprobes;
use crate::sys::{AttachType, Errno, Link, PerfEvent, Prog, ProgramType, SysError};
use crate::view::checks::Check;

/// Runs when somebody calls sync(2), and is there on every kernel.
const FUNCTION: &str = "ksys_sync";
/// Runs when the kernel kills for want of memory.
const TRACEPOINT: (&str, &str) = ("oom", "mark_victim");

const KPROBES: &str = "the block tools use tp_btf then";
const TRAMPOLINES: &str = "needs BTF and CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS";

/// This program's own file.
const SELF: &CStr = c"/proc/self/exe";

pub fn checks(types: &KernelTypes, held: &mut Held) -> Vec<Check> {
    let ids = ids(types).unwrap_or_default();
    let (category, tracepoint) = TRACEPOINT;
    let kretprobe = kretprobe().map(|link| held.push(Box::new(link)));
    let (uprobe, link) = match uprobe() {
        Ok((attached, link)) => {
            held.push(Box::new(attached));
            (Ok(()), link)
        }
        Err(error) => (Err(error.clone()), Err(error)),
    };
    let mut by_session = |attach: Attach, needs: &str| {
        let kind = attach.kind();
        row(&kind.to_string(), alone(attach).map(|session| hold(session, kind, held)), needs)
    };
    vec![
        by_session(Attach::Kprobe(vec![FUNCTION.into()]), KPROBES),
        row("kretprobe", kretprobe, KPROBES),
        by_session(Attach::Tracepoint(category.into(), tracepoint.into()), "needs tracefs"),
        by_session(Attach::RawTp(tracepoint.into()), "needs Linux 4.17"),
        by_session(Attach::TpBtf(tracepoint.into(), ids.tracepoint), "needs Linux 5.5 with BTF"),
        by_session(Attach::Fentry(FUNCTION.into(), ids.function), TRAMPOLINES),
        row("fexit", fexit(ids.function).map(drop), TRAMPOLINES),
        row("kprobe.multi", kprobe_multi().map(drop), "needs Linux 5.18 with CONFIG_FPROBE"),
        row("uprobe", uprobe, "needs CONFIG_UPROBE_EVENTS"),
        row("uprobe.multi", uprobe_multi().map(drop), "needs Linux 6.6"),
        row("link to a perf event", link, "needs Linux 5.15"),
    ]
}

/// A program that does nothing, attached as a tool's would be.
fn alone(attach: Attach) -> Result<Session, Error> {
    if attach.kind() == AttachKind::Kprobe && !has_kprobes() {
        return Err(refusal::no_kprobes());
    }
    let plans = |_| {
        let attach = attach.clone();
        Ok(vec![Plan { name: "doctor", attach, program: nothing() }])
    };
    session::start(&[], &[attach.kind()], &plans, &mut session::All)
}

/// Detaches, or puts that off where a perf event makes it slow.
fn hold(session: Session, kind: AttachKind, held: &mut Held) {
    if matches!(kind, AttachKind::Kprobe | AttachKind::Tracepoint) {
        held.push(Box::new(session));
    }
}

fn row(name: &str, tried: Result<(), Error>, needs: &str) -> Check {
    check(name, unless_by_option(tried, needs))
}

/// A sentence that ends in what a tool's option could do is no remedy here; what is needed is.
fn unless_by_option(tried: Result<(), Error>, needs: &str) -> Result<String, Error> {
    tried.map(|()| String::new()).map_err(|error| match &error.next {
        Some(next) if !next.contains("--attach") => error,
        _ => error.next(needs),
    })
}

/// The BTF ids of the places above.
#[derive(Default)]
struct Ids {
    function: Option<u32>,
    tracepoint: Option<u32>,
}

fn ids(types: &KernelTypes) -> Option<Ids> {
    let typedef = format!("btf_trace_{}", TRACEPOINT.1);
    let wanted = [(Kind::Func, FUNCTION), (Kind::Typedef, &typedef)];
    let found = types.btf().ok()??.find_all(&wanted).ok()?;
    let id = |index: usize| found[index].map(|(id, _)| id);
    Some(Ids { function: id(0), tracepoint: id(1) })
}

fn fexit(id: Option<u32>) -> Result<Link, Error> {
    let id = id.ok_or_else(|| refusal::no_btf(FUNCTION))?;
    let prog = load_for(ProgramType::Tracing, Some(AttachType::TraceFexit), id, &nothing());
    let prog = prog.map_err(|error| refusal::load(AttachKind::Fentry, &error))?;
    link::tracing(&prog).map_err(|error| refusal::attach(AttachKind::Fentry, FUNCTION, &error))
}

fn kprobe(attach_type: Option<AttachType>) -> Result<Prog, Error> {
    load_for(ProgramType::Kprobe, attach_type, 0, &nothing())
        .map_err(|error| refusal::load(AttachKind::Kprobe, &error))
}

fn kretprobe() -> Result<Link, Error> {
    if !has_kprobes() {
        return Err(refusal::no_kprobes());
    }
    let event = PerfEvent::kprobe(&c_string(FUNCTION), 0, At::Return);
    let event = event.map_err(|error| refusal::kprobe(FUNCTION, &error))?;
    event.attach(&kprobe(None)?).map_err(|error| refusal::kprobe(FUNCTION, &error))
}

fn kprobe_multi() -> Result<Link, Error> {
    let prog = kprobe(Some(AttachType::TraceKprobeMulti))?;
    let functions = [c_string(FUNCTION)];
    let functions: Vec<_> = functions.iter().map(|name| name.as_c_str()).collect();
    let link = link::kprobe_multi(&prog, Functions::Names(&functions), At::Entry, &[]);
    link.map_err(|error| unknown(&error, "this kernel cannot probe many functions at once"))
}

/// A uprobe, and whether it could be attached by a link too.
fn uprobe() -> Result<(Link, Result<(), Error>), Error> {
    let refused = |error: SysError| unknown(&error, "this kernel has no uprobes");
    let event = PerfEvent::uprobe(SELF, entry()?, At::Entry, Some(std::process::id()));
    let event = event.map_err(refused)?;
    let prog = kprobe(None)?;
    match link::perf_event(&prog, &event, 0) {
        Ok(link) => Ok((link, Ok(()))),
        Err(error) => {
            let error = unknown(&error, "this kernel has no links to perf events");
            Ok((event.attach(&prog).map_err(refused)?, Err(error)))
        }
    }
}

fn uprobe_multi() -> Result<Link, Error> {
    let prog = kprobe(Some(AttachType::TraceUprobeMulti))?;
    let offsets = [entry()?];
    let places = Places {
        path: SELF,
        offsets: &offsets,
        semaphores: &[],
        cookies: &[],
        pid: Some(std::process::id()),
    };
    let link = link::uprobe_multi(&prog, &places, At::Entry);
    link.map_err(|error| unknown(&error, "this kernel cannot probe many places of a file at once"))
}

/// Where this program begins in its file: an instruction that has run by now.
fn entry() -> Result<u64, Error> {
    let unreadable = || Error::failed("this program cannot read its own file");
    let bytes = elf_parts(Path::new("/proc/self/exe"), &|_, _| false).map_err(|_| unreadable())?;
    let elf = elf::File::parse(&bytes).map_err(|_| unreadable())?;
    let (entry, segments) = (elf.header.e_entry, elf.segments().map_err(|_| unreadable())?);
    let loaded = segments.iter().filter(|header| header.p_type == PT_LOAD);
    let mut inside = loaded.filter(|header| header.vm_range().contains(&(entry as usize)));
    let header = inside.next().ok_or_else(unreadable)?;
    Ok(entry - header.p_vaddr + header.p_offset)
}

/// The kernel does not know this, unless it is forbidden.
fn unknown(error: &SysError, what: &str) -> Error {
    match error.errno {
        Errno::EPERM | Errno::EACCES => refusal::attach(AttachKind::Kprobe, FUNCTION, error),
        _ => Error::lacking(what).detail(error.to_string()),
    }
}

fn c_string(name: &str) -> CString {
    CString::new(name).expect("a name without NUL")
}
