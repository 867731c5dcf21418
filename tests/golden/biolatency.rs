//! biolatency.

use rawbpf::host::registers::REGISTERS;
use rawbpf::host::{Disk, Request};
use rawbpf::insn::Access;
use rawbpf::programs::biolatency::{self, Options};

use super::through;

const MAPS: [&str; 5] = ["starts", "latencies", "zeros", "epoch", "missed"];
const USECS: Options = Options {
    unit: 1000,
    queued: false,
    by_disk: false,
    by_flags: false,
    disk: None,
    max_requests: 32768,
    max_keys: 256,
};

#[track_caller]
fn check(name: &str, issued: &Request, completed: &Request, options: Options) {
    let start = biolatency::issued(issued, options).unwrap();
    super::check(&format!("biolatency-{name}-start"), &start, &MAPS);
    let end = biolatency::completed(completed, options).unwrap();
    super::check(&format!("biolatency-{name}-end"), &end, &MAPS);
}

#[test]
fn kprobe() {
    let di = REGISTERS[0].arguments[0];
    let (issued, completed) = (through(di, Access::Probe, true), through(0, Access::Typed, true));
    check("kprobe", &issued, &completed, USECS);
}

#[test]
fn typed() {
    let request = through(0, Access::Typed, true);
    let disk = Some(Disk { major: 259, minor: 3 });
    check("typed", &request, &request, USECS);
    check("typed-disk", &request, &request, Options { by_disk: true, disk, ..USECS });
    check("typed-queued", &request, &request, Options { unit: 1_000_000, queued: true, ..USECS });
}

#[test]
fn probed() {
    let request = through(0, Access::Probe, true);
    check("probed", &request, &request, Options { by_disk: true, ..USECS });
}

#[test]
fn flags() {
    let request = through(0, Access::Typed, true);
    check("flags", &request, &request, Options { by_disk: true, by_flags: true, ..USECS });
}
