//! A program's log beside any other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::verifier::draw::comparison;
use rawbpf::verifier::pair::Pair;
use rawbpf_fuzz::{Input, look, text};

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else { return };
    let other = text(&input.more);
    let pair = Pair::new(&input.verified, "other.log".into(), &other);
    look((pair.unlike(&input.verified), comparison::json(&input.verified, &pair, "6.18")));
    look(comparison::text(&input.verified, &[pair], "6.18"));
});
