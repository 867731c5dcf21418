//! bioheat.

use rawbpf::host::{Disk, Request};
use rawbpf::insn::Access;
use rawbpf::programs::bioheat;

use super::through;

#[track_caller]
fn check(name: &str, request: &Request, disk: Option<Disk>) {
    let maps = bioheat::maps();
    let maps: Vec<_> = maps.iter().map(|map| &*map.name).collect();
    let issue = bioheat::issue(request, disk).unwrap();
    super::check(&format!("bioheat-{name}-issue"), &issue, &maps);
    let complete = bioheat::complete(request, disk).unwrap();
    super::check(&format!("bioheat-{name}-complete"), &complete, &maps);
}

#[test]
fn typed() {
    check("typed", &through(0, Access::Typed, true), None);
    let disk = Some(Disk { major: 259, minor: 3 });
    check("typed-disk", &through(0, Access::Typed, true), disk);
}

#[test]
fn probed() {
    check("probed", &through(0, Access::Probe, true), None);
}
