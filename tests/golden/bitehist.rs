//! bitehist.

use rawbpf::host::registers::REGISTERS;
use rawbpf::host::{Disk, Identity, Request};
use rawbpf::insn::Access;
use rawbpf::programs::bitehist::{self, Options};

use super::submitter::{DD_ON_HOST, MAPS, only, submission};
use super::{record, through};

#[track_caller]
fn check(name: &str, request: &Request, options: Options<'_>) {
    super::check(name, &bitehist::program(request, None, options).unwrap(), &["hist"]);
}

const KBYTES: Options<'_> = Options { shift: 10, disks: &[], submitters: None };
const ONE_DISK: Options<'_> =
    Options { disks: &[Disk { major: 259, minor: 3, hidden: None }], ..KBYTES };
const TWO_DISKS: Options<'_> = Options {
    disks: &[
        Disk { major: 259, minor: 3, hidden: None },
        Disk { major: 8, minor: 16, hidden: None },
    ],
    ..KBYTES
};

#[test]
fn kprobe() {
    let di = REGISTERS[0].arguments[0];
    check("bitehist-kprobe", &Request::Struct(through(di, Access::Probe, true)), KBYTES);
    check("bitehist-kprobe-disk", &Request::Struct(through(di, Access::Probe, true)), ONE_DISK);
    check(
        "bitehist-kprobe-without-btf",
        &Request::Struct(through(di, Access::Probe, false)),
        KBYTES,
    );
}

#[test]
fn typed() {
    check("bitehist-typed", &Request::Struct(through(0, Access::Typed, true)), KBYTES);
    check("bitehist-typed-disk", &Request::Struct(through(0, Access::Typed, true)), ONE_DISK);
    check("bitehist-typed-disks", &Request::Struct(through(0, Access::Typed, true)), TWO_DISKS);
}

/// Linux 5.10 to 5.15 do not report its number.
#[test]
fn hidden() {
    let hidden = Some(*b"nvme0c0n1\0\0\0\0\0\0\0");
    let disks = &[Disk { major: 0, minor: 0, hidden }, Disk { major: 8, minor: 16, hidden: None }];
    let options = Options { disks, ..KBYTES };
    check("bitehist-typed-hidden", &Request::Struct(through(0, Access::Typed, true)), options);
}

#[test]
fn tracepoint() {
    check("bitehist-tracepoint", &Request::Record(record()), KBYTES);
    check("bitehist-tracepoint-disk", &Request::Record(record()), ONE_DISK);
    check("bitehist-tracepoint-disks", &Request::Record(record()), TWO_DISKS);
}

#[test]
fn bytes() {
    check("bitehist-bytes", &Request::Record(record()), Options { shift: 8, ..KBYTES });
}

#[test]
fn of_some_tasks() {
    let submitters = Some(only(1, DD_ON_HOST));
    let options = Options { submitters, ..KBYTES };
    let maps = [&["hist"], &MAPS[..]].concat();
    let typed = Request::Struct(through(0, Access::Typed, true));
    let submission = submission(Identity::Request);
    let program = bitehist::program(&typed, Some(&submission), options).unwrap();
    super::check("bitehist-typed-filters", &program, &maps);
    let program = bitehist::program(&Request::Record(record()), None, options).unwrap();
    super::check("bitehist-tracepoint-filters", &program, &maps);
}

#[test]
fn maps_are_called_as_their_handles() {
    super::are_named(&bitehist::maps(None), &super::handles![bitehist: HIST]);
    let submitters = only(1, DD_ON_HOST);
    let handles = [(bitehist::HIST, "hist"), (bitehist::SUBMITTED, "submitted")];
    super::are_named(
        &bitehist::maps(Some(&submitters)),
        &[&handles[..], &[(submitters.slots(), "submitter_slots")]].concat(),
    );
}
