//! argdist.

use rawbpf::aggregate::Buckets;
use rawbpf::btf::Number;
use rawbpf::host::{ContextPlace, TracedValue};
use rawbpf::programs::argdist::{self, Options, program};

#[track_caller]
fn check(name: &str, value: &TracedValue, options: &Options) {
    let maps = argdist::maps(options);
    let maps: Vec<_> = maps.iter().map(|map| map.name.as_str()).collect();
    super::check(name, &program(value, options).unwrap(), &maps);
}

fn number(size: u32, signed: bool) -> Number {
    Number { size, signed, pointer: false }
}

fn options(buckets: Buckets) -> Options {
    Options { buckets, pid: None }
}

/// `arg0->q->nr_requests` by kprobe.
#[test]
fn a_field_behind_two_pointers() {
    let value = TracedValue {
        origin: ContextPlace::Word(112),
        path: vec![0, 320],
        number: number(8, false),
    };
    check("argdist-pointers", &value, &options(Buckets::Log2));
}

/// `arg0->signal->oom_score_adj` by tp_btf, of one process.
#[test]
fn a_short_with_a_sign_of_one_process() {
    let value = TracedValue {
        origin: ContextPlace::Word(0),
        path: vec![2000, 900],
        number: number(2, true),
    };
    let linear = Buckets::Linear { min: 0, step: 100, steps: 10 };
    check("argdist-signed-pid", &value, &Options { pid: Some(4242), ..options(linear) });
}

/// The third argument of a function, an int.
#[test]
fn an_int_in_a_register() {
    let value =
        TracedValue { origin: ContextPlace::Word(96), path: vec![], number: number(4, true) };
    check("argdist-register", &value, &options(Buckets::Custom(vec![1, 100])));
}

/// Trampolines hand on addresses with which the verifier allows no calculation.
#[test]
fn a_pointer() {
    let pointer = Number { pointer: true, ..number(8, false) };
    let value = TracedValue { origin: ContextPlace::Word(8), path: vec![], number: pointer };
    check("argdist-pointer", &value, &options(Buckets::Log2));
}

#[test]
fn a_field_of_a_record() {
    let value =
        TracedValue { origin: ContextPlace::Field(28), path: vec![], number: number(4, false) };
    check("argdist-field", &value, &options(Buckets::Log2));
}

#[test]
fn maps_are_called_as_their_handles() {
    let maps = argdist::maps(&options(Buckets::Log2));
    super::are_named(&maps, &super::handles![argdist: NOT_COUNTED, VALUES, EPOCH]);
}
