//! A walk as text, as JSON, and kept.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::verifier::draw::{json, text};
use rawbpf::verifier::trail::Trail;
use rawbpf_fuzz::{Input, look};

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else { return };
    let verified = &input.verified;
    look((text::head(verified), text::end(verified), json::verdict(verified)));
    for all in [false, true] {
        let mut lines = text::Lines::new(&verified.program, all);
        input.walk(|entry| look((lines.entry(entry), json::entry(verified, entry, all))));
    }
    let trail = Trail::of(&verified.program.code, &verified.program.log, 1000);
    for row in 0..trail.rows().len() {
        look((trail.after(row), trail.branches(row)));
        for register in 0..=10 {
            look(trail.history(row, register));
        }
    }
});
