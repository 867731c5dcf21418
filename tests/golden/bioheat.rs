//! bioheat.

use rawbpf::aggregate::Starts;
use rawbpf::host::registers::REGISTERS;
use rawbpf::host::{Disk, Identity, StructRequest};
use rawbpf::insn::Access;
use rawbpf::programs::bioheat::{self, Options};

use super::submitter::{DD_ON_HOST, only, submission};
use super::{place, through};

const ALL: Options<'_> = Options { disks: &[], submitters: None };

#[track_caller]
fn check(
    name: &str,
    by_slot: bool,
    issued: &StructRequest,
    completed: &StructRequest,
    options: Options<'_>,
) {
    let maps = bioheat::maps(&options);
    let maps: Vec<_> = maps.iter().map(|map| &*map.name).collect();
    let issue =
        bioheat::issue(issued, Some(&submission(Identity::Request)), options, by_slot).unwrap();
    super::check(&format!("bioheat-{name}-issue"), &issue, &maps);
    let complete = bioheat::complete(completed, options, by_slot).unwrap();
    super::check(&format!("bioheat-{name}-complete"), &complete, &maps);
}

#[test]
fn kprobe() {
    let di = REGISTERS[0].arguments[0];
    let (issued, completed) = (through(di, Access::Probe, true), through(0, Access::Probe, true));
    check("kprobe", false, &issued, &completed, ALL);
}

#[test]
fn typed() {
    let request = through(0, Access::Typed, true);
    check("typed", true, &request, &request, ALL);
    let disks = &[Disk { major: 259, minor: 3, hidden: None }];
    check("typed-disk", true, &request, &request, Options { disks, ..ALL });
    let submitters = Some(only(3, DD_ON_HOST));
    check("typed-filters", true, &request, &request, Options { submitters, ..ALL });
}

#[test]
fn probed() {
    let request = through(0, Access::Probe, true);
    check("probed", true, &request, &request, ALL);
    let unknown = through(0, Access::Probe, false);
    check("probed-without-btf", false, &unknown, &unknown, ALL);
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
    super::are_named(&bioheat::maps(&ALL), &handles);
    let submitters = only(3, DD_ON_HOST);
    let more = [(bioheat::SUBMITTED, "submitted"), (submitters.slots(), "submitter_slots")];
    let maps = bioheat::maps(&Options { submitters: Some(submitters), ..ALL });
    super::are_named(&maps, &[&handles[..], &more].concat());
    super::are_named(&bioheat::record_maps(), &handles);
}
