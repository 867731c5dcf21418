//! bitesize.

use rawbpf::host::registers::REGISTERS;
use rawbpf::host::{Attach, By, Disk, Request, Submission};
use rawbpf::insn::Access;
use rawbpf::programs::bitesize::{self, Key, Options};

use super::{field, record, through};

const MAPS: [&str; 4] = ["sizes", "zeros", "lost", "submitted"];
const ALL: Options = Options { disk: None, pid: None, comm: None, by: Key::Pid, by_flags: false };

#[track_caller]
fn check(name: &str, request: &Request, by: Option<By>, options: Options) {
    super::check(name, &bitesize::count(request, by, options).unwrap(), &MAPS);
}

#[test]
fn submission() {
    let attach = Attach::RawTp("block_io_start".into());
    let submission = Submission { attach, argument: 0, by: By::Request };
    for (name, by) in [("bitesize-submit", Key::Pid), ("bitesize-submit-cgroup", Key::Cgroup)] {
        super::check(name, &bitesize::remember(&submission, by).unwrap(), &MAPS);
    }
}

#[test]
fn typed() {
    check("bitesize-typed", &through(0, Access::Typed, true), Some(By::Request), ALL);
}

#[test]
fn kprobe_by_bio() {
    let di = REGISTERS[0].arguments[0];
    let bio = By::Bio(field("request", "bio", 56, true));
    check("bitesize-kprobe-bio", &through(di, Access::Probe, true), Some(bio), ALL);
}

#[test]
fn tracepoint() {
    check("bitesize-tracepoint", &record(), None, ALL);
}

#[test]
fn filters() {
    let disk = Some(Disk { major: 259, minor: 3 });
    let options =
        Options { disk, pid: Some(4242), comm: Some(*b"dd\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), ..ALL };
    check("bitesize-filters", &through(0, Access::Typed, true), Some(By::Request), options);
}

#[test]
fn keys() {
    for (name, by) in [("tid", Key::Tid), ("comm", Key::Comm), ("uid", Key::Uid)] {
        check(&format!("bitesize-by-{name}"), &record(), None, Options { by, ..ALL });
    }
}

#[test]
fn flags_and_cgroup() {
    let options = Options { by: Key::Cgroup, by_flags: true, ..ALL };
    let request = through(0, Access::Typed, true);
    check("bitesize-by-cgroup-flags", &request, Some(By::Request), options);
}
