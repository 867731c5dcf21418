//! bitesize.

use rawbpf::host::registers::REGISTERS;
use rawbpf::host::{Attach, Disk, Identity, Issue, RawTp, Request};
use rawbpf::insn::Access;
use rawbpf::programs::bitesize::{self, Options};
use rawbpf::programs::submitter::{Key, Submitters};

use super::submitter::{self, DD_ON_HOST};
use super::{field, record, through};

const MAPS: [&str; 5] = ["sizes", "zeros", "lost", "submitted", "submitter_slots"];
const ALL: Options<'_> =
    Options { disks: &[], submitters: submitter::by(3, Key::Pid), by_flags: false };

fn issue(request: Request, identity: Option<Identity>) -> Issue {
    // Only where the request is counts.
    let attach = Attach::from(RawTp::new(""));
    Issue { attach, request, submission: identity.map(submitter::submission), task: None }
}

fn typed() -> Issue {
    issue(Request::Struct(through(0, Access::Typed, true)), Some(Identity::Request))
}

#[track_caller]
fn check(name: &str, issue: &Issue, options: Options<'_>) {
    super::check(name, &bitesize::count(issue, &options).unwrap(), &MAPS);
}

#[test]
fn by_request() {
    check("bitesize-typed", &typed(), ALL);
}

#[test]
fn by_bio() {
    let di = REGISTERS[0].arguments[0];
    let bio = Identity::Bio(field("request", "bio", 56, true));
    let issue = issue(Request::Struct(through(di, Access::Probe, true)), Some(bio));
    check("bitesize-kprobe-bio", &issue, ALL);
}

#[test]
fn tracepoint() {
    check("bitesize-tracepoint", &issue(Request::Record(record()), None), ALL);
}

#[test]
fn filters() {
    let disks = &[Disk { major: 259, minor: 3, hidden: None }];
    let submitters = Submitters { whose: DD_ON_HOST, ..submitter::by(3, Key::Uid) };
    let options = Options { disks, submitters, ..ALL };
    check("bitesize-filters", &typed(), options);
}

#[test]
fn flags_and_cgroup() {
    let options = Options { submitters: submitter::by(3, Key::Cgroup), by_flags: true, ..ALL };
    check("bitesize-by-cgroup-flags", &typed(), options);
}

#[test]
fn records_have_no_flags_to_be_told_apart_by() {
    let issue = issue(Request::Record(record()), None);
    let [with, without] = [true, false].map(|by_flags| {
        let program = bitesize::count(&issue, &Options { by_flags, ..ALL }).unwrap();
        program.listing(&MAPS).to_string()
    });
    assert_eq!(with, without);
}

#[test]
fn maps_are_called_as_their_handles() {
    let handles = super::handles![bitesize: SIZES, ZEROS, LOST, SUBMITTED];
    let more = [(ALL.submitters.slots(), "submitter_slots")];
    let maps = bitesize::maps(16, &ALL.submitters);
    super::are_named(&maps, &[&handles[..], &more].concat());
}
