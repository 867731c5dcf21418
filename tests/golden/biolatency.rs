//! biolatency.

use rawbpf::host::registers::REGISTERS;
use rawbpf::host::{Disk, Identity, StructRequest};
use rawbpf::insn::Access;
use rawbpf::programs::biolatency::{self, Options};
use rawbpf::programs::submitter::{Key, Submitters};

use super::submitter::{self, DD_ON_HOST, only, submission};
use super::{place, through};

const USECS: Options<'_> = Options {
    unit: 1000,
    queued: false,
    by_disk: false,
    by_flags: false,
    disks: &[],
    disk_names: false,
    submitters: None,
    max_requests: 32768,
    max_keys: 256,
};

#[track_caller]
fn check(
    name: &str,
    by_slot: bool,
    issued: &StructRequest,
    completed: &StructRequest,
    options: Options<'_>,
) {
    let maps = biolatency::maps(&options);
    let maps: Vec<_> = maps.iter().map(|map| &*map.name).collect();
    let start =
        biolatency::issued(issued, Some(&submission(Identity::Request)), options, by_slot).unwrap();
    super::check(&format!("biolatency-{name}-start"), &start, &maps);
    let end = biolatency::completed(completed, options, by_slot).unwrap();
    super::check(&format!("biolatency-{name}-end"), &end, &maps);
}

#[test]
fn kprobe() {
    let di = REGISTERS[0].arguments[0];
    let (issued, completed) = (through(di, Access::Probe, true), through(0, Access::Typed, true));
    check("kprobe", false, &issued, &completed, USECS);
}

#[test]
fn typed() {
    let request = through(0, Access::Typed, true);
    let disks = &[Disk { major: 259, minor: 3, hidden: None }];
    check("typed", true, &request, &request, USECS);
    check("typed-disk", true, &request, &request, Options { by_disk: true, disks, ..USECS });
    let disks =
        &[Disk { major: 259, minor: 3, hidden: None }, Disk { major: 8, minor: 16, hidden: None }];
    check("typed-disks", true, &request, &request, Options { by_disk: true, disks, ..USECS });
    check(
        "typed-queued",
        true,
        &request,
        &request,
        Options { unit: 1_000_000, queued: true, ..USECS },
    );
}

#[test]
fn probed() {
    let request = through(0, Access::Probe, true);
    check("probed", true, &request, &request, Options { by_disk: true, ..USECS });
}

#[test]
fn flags() {
    let request = through(0, Access::Typed, true);
    check("flags", false, &request, &request, Options { by_disk: true, by_flags: true, ..USECS });
}

#[test]
fn by_record() {
    let check = |name: &str, options: Options<'_>| {
        let maps = biolatency::record_maps(&options);
        let maps: Vec<_> = maps.iter().map(|map| &*map.name).collect();
        let start = biolatency::issued_by_record(&place(), options).unwrap();
        super::check(&format!("biolatency-record{name}-start"), &start, &maps);
        let end = biolatency::completed_by_record(&place(), options).unwrap();
        super::check(&format!("biolatency-record{name}-end"), &end, &maps);
    };
    check("", USECS);
    let disks = &[Disk { major: 259, minor: 3, hidden: None }];
    check("-disk", Options { by_disk: true, disks, ..USECS });
    let maps = biolatency::record_maps(&USECS);
    let maps: Vec<_> = maps.iter().map(|map| &*map.name).collect();
    let given_back = biolatency::given_back_by_record(&place(), USECS).unwrap();
    super::check("biolatency-record-requeue", &given_back, &maps);
}

#[test]
fn of_some_tasks() {
    let request = through(0, Access::Typed, true);
    let submitters = Some(only(5, DD_ON_HOST));
    check("filters", true, &request, &request, Options { submitters, ..USECS });
}

#[test]
fn by_process() {
    let submitters = Some(submitter::by(6, Key::Pid));
    let options = Options { submitters, by_disk: true, ..USECS };
    let typed = through(0, Access::Typed, true);
    check("pid", true, &typed, &typed, options);
    let probed = through(0, Access::Probe, true);
    check("pid-without-slots", false, &probed, &probed, options);
}

#[test]
fn maps_are_called_as_their_handles() {
    let one = super::handles![biolatency: STARTS, SLOTS, MISSED, LATENCIES, EPOCH];
    super::are_named(&biolatency::maps(&USECS), &one);
    super::are_named(&biolatency::record_maps(&USECS), &one);
    let keyed = biolatency::maps(&Options { by_disk: true, ..USECS });
    let several = [&one[..], &super::handles![biolatency: ZEROS]].concat();
    super::are_named(&keyed, &several);
    for (with_key, handles) in [(false, one.to_vec()), (true, several)] {
        let first = biolatency::submitted(with_key, false);
        let submitters = Submitters { first, ..only(0, DD_ON_HOST) };
        let options = Options { by_disk: with_key, submitters: Some(submitters), ..USECS };
        let more = [(submitters.submitted(), "submitted"), (submitters.slots(), "submitter_slots")];
        super::are_named(&biolatency::maps(&options), &[&handles[..], &more].concat());
    }
}
