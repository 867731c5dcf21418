//! bitehist.

use rawbpf::host::registers::REGISTERS;
use rawbpf::host::{Disk, Request};
use rawbpf::insn::Access;
use rawbpf::programs::bitehist::{self, Options};

use super::{record, through};

#[track_caller]
fn check(name: &str, request: &Request, options: Options<'_>) {
    super::check(name, &bitehist::program(request, options).unwrap(), &["hist"]);
}

const KBYTES: Options<'_> = Options { shift: 10, disks: &[] };
const ONE_DISK: Options<'_> =
    Options { shift: 10, disks: &[Disk { major: 259, minor: 3, hidden: None }] };
const TWO_DISKS: Options<'_> = Options {
    shift: 10,
    disks: &[
        Disk { major: 259, minor: 3, hidden: None },
        Disk { major: 8, minor: 16, hidden: None },
    ],
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
    let options = Options { shift: 10, disks };
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
    check("bitehist-bytes", &Request::Record(record()), Options { shift: 8, disks: &[] });
}

#[test]
fn maps_are_called_as_their_handles() {
    super::are_named(&bitehist::maps(), &super::handles![bitehist: HIST]);
}
