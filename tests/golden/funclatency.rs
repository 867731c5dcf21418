//! funclatency.

use rawbpf::aggregate::Buckets;
use rawbpf::host::CallFrame;
use rawbpf::programs::funclatency::{self, Options, entered, returned};

/// As on x86_64.
const STACK: CallFrame = CallFrame::StackPointer { register: 152, popped: 8 };

#[track_caller]
fn check(name: &str, frame: CallFrame, options: &Options) {
    let maps = funclatency::maps(options);
    let maps: Vec<_> = maps.iter().map(|map| map.name.as_str()).collect();
    super::check(&format!("{name}-entered"), &entered(frame, options).unwrap(), &maps);
    super::check(&format!("{name}-returned"), &returned(frame, options).unwrap(), &maps);
}

fn options(buckets: Buckets) -> Options {
    Options { unit: 1000, buckets, pid: None, by_pid: None }
}

#[test]
fn probes() {
    check("funclatency", STACK, &options(Buckets::Log2));
}

#[test]
fn trampoline_of_one_process_in_linear_nanoseconds() {
    let linear = Buckets::Linear { min: 100, step: 50, steps: 20 };
    let options = Options { unit: 1, pid: Some(4242), ..options(linear) };
    check("funclatency-fentry-pid-linear", CallFrame::Context, &options);
}

#[test]
fn custom_by_pid() {
    let options = Options { by_pid: Some(64), ..options(Buckets::Custom(vec![10, 1000])) };
    check("funclatency-by-pid-custom", STACK, &options);
}

#[test]
fn maps_are_called_as_their_handles() {
    let one = super::handles![funclatency: STARTS, MISSED, LATENCIES, EPOCH];
    super::are_named(&funclatency::maps(&options(Buckets::Log2)), &one);
    let keyed = funclatency::maps(&Options { by_pid: Some(64), ..options(Buckets::Log2) });
    super::are_named(&keyed, &[&one[..], &super::handles![funclatency: ZEROS]].concat());
}
