//! A script is read, its types are found, and its programs are made.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::script::check;
use rawbpf::script::lower::lower;
use rawbpf_fuzz::look;

#[path = "../../tests/script/fields.rs"]
mod fields;
use fields::Fields;

fuzz_target!(|text: &str| {
    match check(text, &[], &Fields) {
        Ok(checked) => look(lower(&checked, "any", text, &Fields)),
        Err(mistake) => assert!(mistake.span.end <= text.len()),
    }
});
