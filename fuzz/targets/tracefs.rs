//! The description of a tracepoint's records.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::sys::tracefs::RecordFormat;

fuzz_target!(|text: &str| {
    let Ok(format) = RecordFormat::parse(text) else { return };
    for field in &format.fields {
        assert!(format.field(&field.name).is_some());
        field.data_location();
    }
});
