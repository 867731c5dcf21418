//! A text with a verifier's log somewhere in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::verifier::draw::{json, text};
use rawbpf::verifier::explain::explain;
use rawbpf::verifier::trail::Trail;
use rawbpf_fuzz::look;

fuzz_target!(|data: &[u8]| {
    for one in explain(&rawbpf_fuzz::text(data)) {
        look((text::head(&one), text::end(&one), json::verdict(&one), one.program.render(false)));
        look(Trail::of(&one.program.code, &one.program.log, 1000).rows().len());
    }
});
