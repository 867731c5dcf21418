//! funccount.

use rawbpf::host::{Process, SystemCalls};
use rawbpf::insn::{Access, Field};
use rawbpf::programs::funccount::{self, By, Counted, Options, PlaceNumber};
use rawbpf::sys::link::At;

use super::submitter::{INSIDE, ON_HOST};

#[track_caller]
fn check(name: &str, counted: impl Into<Counted>, by: By, process: Option<Process>) {
    // As on a host, or where the process is.
    let namespace = process.and_then(|process| process.namespace);
    let options = Options { by, process, namespace, ends: None };
    let counted = counted.into();
    let calls = matches!(counted, Counted::SystemCalls(..));
    let maps = funccount::maps(by, 7, 10240, false, calls);
    let names: Vec<_> = maps.iter().map(|map| &*map.name).collect();
    super::check(name, &funccount::program(counted, options).unwrap(), &names);
}

/// All system calls, where the fields have these offsets.
fn calls(at: At, access: Access) -> Counted {
    let field = |of, member, offset| Field { of, member, offset: Some(offset) };
    let number = field("pt_regs", "orig_ax", 120);
    let status = field("task_struct", "thread_info.status", 16);
    Counted::SystemCalls(SystemCalls { at, access, number, status }, 7)
}

#[test]
fn system_calls() {
    check("funccount-calls-entered", calls(At::Entry, Access::Typed), By::Function, None);
    check("funccount-calls-returned-pid", calls(At::Return, Access::Typed), By::Pid, Some(ON_HOST));
    check("funccount-calls-returned-probed", calls(At::Return, Access::Probe), By::Function, None);
}

#[test]
fn a_word_ends_counting() {
    let options = |by| Options { by, process: None, namespace: None, ends: Some(7) };
    for (name, by) in [("funccount-ends", By::Function), ("funccount-ends-uid", By::Uid)] {
        let maps = funccount::maps(by, 7, 10240, true, false);
        let names: Vec<_> = maps.iter().map(|map| &*map.name).collect();
        let program = funccount::program(PlaceNumber::Number(3), options(by));
        super::check(name, &program.unwrap(), &names);
    }
}

#[test]
fn by_function() {
    check("funccount-number", PlaceNumber::Number(3), By::Function, None);
    check("funccount-cookie", PlaceNumber::Cookie(7), By::Function, None);
    check("funccount-cookie-pid", PlaceNumber::Cookie(7), By::Function, Some(ON_HOST));
}

#[test]
fn by_key() {
    check("funccount-pid", PlaceNumber::Number(3), By::Pid, None);
    check("funccount-uid", PlaceNumber::Number(3), By::Uid, None);
    check("funccount-cpu", PlaceNumber::Number(3), By::Cpu, None);
    check("funccount-comm", PlaceNumber::Cookie(7), By::Comm, None);
    check("funccount-comm-pid", PlaceNumber::Cookie(7), By::Comm, Some(ON_HOST));
}

#[test]
fn in_a_namespace() {
    check("funccount-cookie-namespace", PlaceNumber::Cookie(7), By::Function, Some(INSIDE));
    check("funccount-pid-namespace", PlaceNumber::Number(3), By::Pid, Some(INSIDE));
}

#[test]
fn maps_are_called_as_their_handles() {
    let maps = |by| funccount::maps(by, 7, 16, false, false);
    super::are_named(&maps(By::Function), &super::handles![funccount: COUNTS]);
    let handles = super::handles![funccount: COUNTS, ZEROS, FULL];
    super::are_named(&maps(By::Pid), &handles);
    for by in [By::Function, By::Pid] {
        let maps = funccount::maps(by, 7, 16, true, true);
        assert_eq!(funccount::places(by).of(&maps).unwrap().name, "places");
    }
}
