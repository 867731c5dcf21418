//! bitesize.

use rawbpf::host::registers::REGISTERS;
use rawbpf::host::{Attach, By, Disk, Request, Submission};
use rawbpf::insn::Access;
use rawbpf::programs::bitesize::{self, Key, Options};

use super::{field, record, through};

const MAPS: [&str; 4] = ["sizes", "zeros", "lost", "submitted"];
const ALL: Options = Options { disk: None, pid: None, comm: None, by: Key::Pid };

#[track_caller]
fn check(name: &str, request: &Request, by: Option<By>, options: Options) {
    super::check(name, &bitesize::count(request, by, options).unwrap(), &MAPS);
}

#[test]
fn submission() {
    let attach = Attach::RawTp("block_io_start".into());
    let submission = Submission { attach, argument: 0, by: By::Request };
    super::check("bitesize-submit", &bitesize::remember(&submission).unwrap(), &MAPS);
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
