//! funccount.

use rawbpf::programs::funccount::{self, By, Options, PlaceNumber};

#[track_caller]
fn check(name: &str, place: PlaceNumber, by: By, pid: Option<i32>) {
    let maps = funccount::maps(by, 7, 10240);
    let names: Vec<_> = maps.iter().map(|map| &*map.name).collect();
    super::check(name, &funccount::program(place, Options { by, pid }).unwrap(), &names);
}

#[test]
fn by_function() {
    check("funccount-number", PlaceNumber::Number(3), By::Function, None);
    check("funccount-cookie", PlaceNumber::Cookie(7), By::Function, None);
    check("funccount-cookie-pid", PlaceNumber::Cookie(7), By::Function, Some(4242));
}

#[test]
fn by_key() {
    check("funccount-pid", PlaceNumber::Number(3), By::Pid, None);
    check("funccount-uid", PlaceNumber::Number(3), By::Uid, None);
    check("funccount-cpu", PlaceNumber::Number(3), By::Cpu, None);
    check("funccount-comm", PlaceNumber::Cookie(7), By::Comm, None);
    check("funccount-comm-pid", PlaceNumber::Cookie(7), By::Comm, Some(4242));
}

#[test]
fn maps_are_called_as_their_handles() {
    super::are_named(&funccount::maps(By::Function, 7, 16), &super::handles![funccount: COUNTS]);
    let handles = super::handles![funccount: COUNTS, ZEROS, FULL];
    super::are_named(&funccount::maps(By::Pid, 7, 16), &handles);
}
