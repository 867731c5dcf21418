//! bioheat.

use rawbpf::aggregate::Starts;
use rawbpf::host::registers::REGISTERS;
use rawbpf::host::{Disk, StructRequest};
use rawbpf::insn::Access;
use rawbpf::programs::bioheat;

use super::{place, through};

#[track_caller]
fn check(
    name: &str,
    by_slot: bool,
    issued: &StructRequest,
    completed: &StructRequest,
    disks: &[Disk],
) {
    let maps = bioheat::maps();
    let maps: Vec<_> = maps.iter().map(|map| &*map.name).collect();
    let issue = bioheat::issue(issued, disks, by_slot).unwrap();
    super::check(&format!("bioheat-{name}-issue"), &issue, &maps);
    let complete = bioheat::complete(completed, disks, by_slot).unwrap();
    super::check(&format!("bioheat-{name}-complete"), &complete, &maps);
}

#[test]
fn kprobe() {
    let di = REGISTERS[0].arguments[0];
    let (issued, completed) = (through(di, Access::Probe, true), through(0, Access::Probe, true));
    check("kprobe", false, &issued, &completed, &[]);
}

#[test]
fn typed() {
    let request = through(0, Access::Typed, true);
    check("typed", true, &request, &request, &[]);
    check("typed-disk", true, &request, &request, &[Disk { major: 259, minor: 3, hidden: None }]);
}

#[test]
fn probed() {
    let request = through(0, Access::Probe, true);
    check("probed", true, &request, &request, &[]);
    let unknown = through(0, Access::Probe, false);
    check("probed-without-btf", false, &unknown, &unknown, &[]);
}

#[test]
fn by_record() {
    let maps = bioheat::record_maps();
    let maps: Vec<_> = maps.iter().map(|map| &*map.name).collect();
    let disks =
        [Disk { major: 259, minor: 3, hidden: None }, Disk { major: 8, minor: 16, hidden: None }];
    for (name, program) in [
        ("issue", bioheat::issue_by_record(&place(), &disks)),
        ("requeue", bioheat::give_back_by_record(&place(), &[])),
        ("complete", bioheat::complete_by_record(&place(), &disks)),
    ] {
        super::check(&format!("bioheat-record-{name}"), &program.unwrap(), &maps);
    }
}

#[test]
fn maps_are_called_as_their_handles() {
    let Starts { map, slots, .. } = bioheat::STARTS;
    let handles = [(map, "starts"), (slots, "slots"), (bioheat::HEAT, "heat")];
    super::are_named(&bioheat::maps(), &handles);
    super::are_named(&bioheat::record_maps(), &handles);
}
