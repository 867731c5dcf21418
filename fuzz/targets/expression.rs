//! Which number argdist shows, and which places funccount counts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::host::Expression;
use rawbpf::host::names::Pattern;

fuzz_target!(|text: &str| {
    Pattern::parse(text).is_exact();
    let Ok(expression) = text.parse::<Expression>() else { return };
    assert!(!expression.last().is_empty());
    let _ = (expression.is_of_argument(), expression.is_of_result());
});
