//! argdist.

use rawbpf::aggregate::Buckets;
use rawbpf::btf::Number;
use rawbpf::host::{
    Content, ContextPlace, Memory, TextPlace, TracedNumber, TracedText, TracedValue,
};
use rawbpf::programs::argdist::{self, Counted, Options, program};

use super::submitter::{INSIDE, ON_HOST};

#[track_caller]
fn check(name: &str, value: &TracedValue, options: &Options) {
    let maps = argdist::maps(options);
    let maps: Vec<_> = maps.iter().map(|map| map.name.as_str()).collect();
    super::check(name, &program(value, options).unwrap(), &maps);
}

fn number(size: u32, signed: bool) -> Number {
    Number { size, signed, pointer: false }
}

fn stored(origin: ContextPlace, path: &[i32], number: Number) -> TracedValue {
    let content = Content::Number(TracedNumber::stored(number));
    TracedValue { origin, path: path.to_vec(), content }
}

fn text(origin: ContextPlace, path: &[i32], text: TracedText) -> TracedValue {
    TracedValue { origin, path: path.to_vec(), content: Content::Text(text) }
}

fn options(buckets: Buckets) -> Options {
    Options { counted: Counted::Buckets(buckets), process: None }
}

fn each(key: u32) -> Options {
    Options { counted: Counted::Each { key, max_keys: 10240 }, process: None }
}

/// `arg0->q->nr_requests` by kprobe.
#[test]
fn a_field_behind_two_pointers() {
    let value = stored(ContextPlace::Word(112), &[0, 320], number(8, false));
    check("argdist-pointers", &value, &options(Buckets::LOG2));
}

/// `arg0->signal->oom_score_adj` by tp_btf, of one process.
#[test]
fn a_short_with_a_sign_of_one_process() {
    let value = stored(ContextPlace::Word(0), &[2000, 900], number(2, true));
    let linear = Buckets::Linear { min: 0, step: 100, steps: 10 };
    let of = |process| Options { process: Some(process), ..options(linear.clone()) };
    check("argdist-signed-pid", &value, &of(ON_HOST));
    check("argdist-signed-namespace", &value, &of(INSIDE));
}

/// The third argument of a function, an int.
#[test]
fn an_int_in_a_register() {
    let value = stored(ContextPlace::Word(96), &[], number(4, true));
    check("argdist-register", &value, &options(Buckets::Custom(vec![1, 100])));
}

/// Trampolines hand on addresses with which the verifier allows no calculation.
#[test]
fn a_pointer() {
    let pointer = Number { pointer: true, ..number(8, false) };
    let value = stored(ContextPlace::Word(8), &[], pointer);
    check("argdist-pointer", &value, &options(Buckets::LOG2));
}

#[test]
fn a_field_of_a_record() {
    let value = stored(ContextPlace::Field(28), &[], number(4, false));
    check("argdist-field", &value, &options(Buckets::LOG2));
}

/// `(int)retval` of a user function, each by itself.
#[test]
fn a_result_converted_to_an_int() {
    let content = Content::Number(TracedNumber {
        cast: Some(number(4, true)),
        ..TracedNumber::stored(number(8, false))
    });
    let value = TracedValue { origin: ContextPlace::Word(80), path: vec![], content };
    check("argdist-cast-each", &value, &each(8));
}

/// Three bits after two others, with a sign.
#[test]
fn a_bitfield() {
    let bits = Some((2, 3));
    let content = Content::Number(TracedNumber { bits, ..TracedNumber::stored(number(1, true)) });
    let value = TracedValue { origin: ContextPlace::Word(112), path: vec![40], content };
    check("argdist-bits", &value, &each(8));
}

/// `comm` of a tracepoint's record.
#[test]
fn a_string_in_a_record() {
    let comm = TracedText { at: TextPlace::Here, memory: Memory::Kernel, array: Some(16) };
    check("argdist-comm", &text(ContextPlace::Field(8), &[], comm), &each(24));
}

/// `__data_loc char[] filename` of a tracepoint's record.
#[test]
fn a_string_after_a_record() {
    let name = TracedText { at: TextPlace::Record(0), memory: Memory::Kernel, array: None };
    check("argdist-data-loc", &text(ContextPlace::Field(8), &[], name), &each(128));
}

/// `str(arg0->name)` by kprobe.
#[test]
fn a_string_behind_a_pointer() {
    let name = TracedText { at: TextPlace::Pointer, memory: Memory::ByAddress, array: None };
    check("argdist-str", &text(ContextPlace::Word(112), &[8], name), &each(128));
}

#[test]
fn maps_are_called_as_their_handles() {
    let maps = argdist::maps(&options(Buckets::LOG2));
    super::are_named(&maps, &super::handles![argdist: NOT_COUNTED, VALUES, EPOCH]);
    let maps = argdist::maps(&each(8));
    super::are_named(&maps, &super::handles![argdist: NOT_COUNTED, VALUES, ZEROS]);
}
