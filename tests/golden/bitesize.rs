//! bitesize.

use rawbpf::host::registers::REGISTERS;
use rawbpf::host::{Attach, Disk, Identity, Issue, RawTp, Request, Submission, Task};
use rawbpf::insn::Access;
use rawbpf::programs::bitesize::{self, Key, Options};

use super::{field, record, through};

const MAPS: [&str; 5] = ["sizes", "zeros", "lost", "submitted", "slots"];
const ALL: Options<'_> =
    Options { disks: &[], pid: None, comm: None, by: Key::Pid, by_flags: false };
const DD: [u8; 16] = *b"dd\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// Offsets of Linux 6.12.
const TASK: Task = Task { pid: 2436, tid: 2432, comm: 2976, cred: 2960, uid: 8 };

fn issue(request: Request, identity: Option<Identity>, task: Option<Task>) -> Issue {
    // Only where the request is counts.
    let attach = Attach::from(RawTp::new(""));
    let submission =
        identity.map(|identity| Submission { attach: attach.clone(), argument: 0, identity });
    Issue { attach, request, submission, task }
}

fn typed() -> Issue {
    issue(Request::Struct(through(0, Access::Typed, true)), Some(Identity::Request), Some(TASK))
}

#[track_caller]
fn check(name: &str, issue: &Issue, options: Options<'_>) {
    super::check(name, &bitesize::count(issue, &options).unwrap(), &MAPS);
}

#[track_caller]
fn check_submission(name: &str, issue: &Issue, options: Options<'_>) {
    let submission = issue.submission.as_ref().unwrap();
    let program = bitesize::remember(submission, issue.task, &options).unwrap();
    super::check(name, &program, &MAPS);
}

#[test]
fn by_request() {
    check_submission("bitesize-submit", &typed(), ALL);
    check("bitesize-typed", &typed(), ALL);
}

/// Before 5.11 without typed pointers to tasks.
#[test]
fn by_bio() {
    let di = REGISTERS[0].arguments[0];
    let bio = Identity::Bio(field("request", "bio", 56, true));
    let issue = issue(Request::Struct(through(di, Access::Probe, true)), Some(bio), None);
    check_submission("bitesize-submit-bio", &issue, ALL);
    check("bitesize-kprobe-bio", &issue, ALL);
}

#[test]
fn tracepoint() {
    check("bitesize-tracepoint", &issue(Request::Record(record()), None, None), ALL);
}

#[test]
fn filters() {
    let disks = &[Disk { major: 259, minor: 3, hidden: None }];
    let options = Options { disks, pid: Some(4242), comm: Some(DD), by: Key::Uid, ..ALL };
    check_submission("bitesize-filters-submit", &typed(), options);
    check("bitesize-filters", &typed(), options);
}

#[test]
fn keys() {
    for (name, by) in [("tid", Key::Tid), ("comm", Key::Comm), ("uid", Key::Uid)] {
        check_submission(&format!("bitesize-submit-{name}"), &typed(), Options { by, ..ALL });
    }
}

#[test]
fn flags_and_cgroup() {
    let options = Options { by: Key::Cgroup, by_flags: true, ..ALL };
    check_submission("bitesize-submit-cgroup", &typed(), options);
    check("bitesize-by-cgroup-flags", &typed(), options);
}

#[test]
fn records_have_no_flags_to_be_told_apart_by() {
    let issue = issue(Request::Record(record()), None, None);
    let [with, without] = [true, false].map(|by_flags| {
        let program = bitesize::count(&issue, &Options { by_flags, ..ALL }).unwrap();
        program.listing(&MAPS).to_string()
    });
    assert_eq!(with, without);
}

#[test]
fn maps_are_called_as_their_handles() {
    let handles = super::handles![bitesize: SIZES, ZEROS, LOST, SUBMITTED, SLOTS];
    super::are_named(&bitesize::maps(16), &handles);
}
