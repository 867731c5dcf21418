//! A refused program is diagnosed, whatever the log says of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf_fuzz::{Input, look};

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else { return };
    let program = &input.verified.program;
    if let Some(diagnosis) = program.diagnose() {
        look((diagnosis.notes(), program.render(true), program.render(false)));
    }
});
