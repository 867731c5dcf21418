//! funclatency.

use rawbpf::aggregate::Buckets;
use rawbpf::host::CallFrame;
use rawbpf::programs::funccount::PlaceNumber;
use rawbpf::programs::funclatency::{self, Options, entered, returned};

use super::submitter::{INSIDE, NAMESPACE, ON_HOST};

/// As on x86_64.
const STACK: CallFrame = CallFrame::StackPointer { register: 152, popped: 8 };

/// Of several functions by one program.
const PLACE: PlaceNumber = PlaceNumber::Cookie(3);

#[track_caller]
fn check(name: &str, frame: CallFrame, options: &Options) {
    let maps = funclatency::maps(options);
    let maps: Vec<_> = maps.iter().map(|map| map.name.as_str()).collect();
    super::check(&format!("{name}-entered"), &entered(frame, PLACE, options).unwrap(), &maps);
    super::check(&format!("{name}-returned"), &returned(frame, PLACE, options).unwrap(), &maps);
}

fn options(buckets: Buckets) -> Options {
    Options { unit: 1000, buckets, process: None, namespace: None, by_pid: None, several: false }
}

#[test]
fn probes() {
    check("funclatency", STACK, &options(Buckets::LOG2));
}

#[test]
fn trampoline_of_one_process_in_linear_nanoseconds() {
    let linear = Buckets::Linear { min: 100, step: 50, steps: 20 };
    let options = Options { unit: 1, process: Some(ON_HOST), ..options(linear) };
    check("funclatency-fentry-pid-linear", CallFrame::Context, &options);
}

#[test]
fn in_a_namespace() {
    let (process, namespace) = (Some(INSIDE), Some(NAMESPACE));
    let options = Options { process, namespace, by_pid: Some(64), ..options(Buckets::LOG2) };
    check("funclatency-by-pid-namespace", STACK, &options);
}

#[test]
fn custom_by_pid() {
    let options = Options { by_pid: Some(64), ..options(Buckets::Custom(vec![10, 1000])) };
    check("funclatency-by-pid-custom", STACK, &options);
}

#[test]
fn several_functions() {
    let options = Options { several: true, ..options(Buckets::LOG2) };
    check("funclatency-several", STACK, &options);
}

#[test]
fn maps_are_called_as_their_handles() {
    let one = super::handles![funclatency: STARTS, MISSED, LATENCIES, EPOCH];
    super::are_named(&funclatency::maps(&options(Buckets::LOG2)), &one);
    let keyed = funclatency::maps(&Options { by_pid: Some(64), ..options(Buckets::LOG2) });
    super::are_named(&keyed, &[&one[..], &super::handles![funclatency: ZEROS]].concat());
}
