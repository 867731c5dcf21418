//! A script is read, its types are found, and its programs are made.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::script::host::{Field, FieldForm, Namespace, OnlyProcess};
use rawbpf::script::lower::lower;
use rawbpf::script::probes::Event;
use rawbpf::script::{Host, check};
use rawbpf_fuzz::look;

/// A host that has every event, each with a field of every form.
struct AnyHost;

impl Host for AnyHost {
    fn expand(&self, event: Event) -> Result<Vec<Event>, String> {
        Ok(vec![event])
    }

    fn field(&self, _: &Event, name: &str) -> Result<Field, String> {
        let form = match name {
            "bytes" => FieldForm::Number { bytes: 4, signed: false },
            "ret" => FieldForm::Number { bytes: 8, signed: true },
            "filename" => FieldForm::Pointer,
            "comm" => FieldForm::Text(16),
            "name" => FieldForm::Location,
            _ => return Err(format!("there is no field {name}")),
        };
        Ok(Field { offset: 8, form })
    }

    fn argument(&self, _: &Event, number: u32) -> Result<i32, String> {
        Ok(8 * number.min(6) as i32)
    }

    fn result(&self, _: &Event) -> Result<i32, String> {
        Ok(80)
    }

    fn cpus(&self) -> u32 {
        2
    }

    fn namespace(&self) -> Option<Namespace> {
        None
    }

    fn only_process(&self) -> Option<OnlyProcess> {
        None
    }

    fn child(&self) -> u32 {
        0
    }

    fn started(&self) -> u64 {
        0
    }
}

fuzz_target!(|text: &str| {
    match check(text, &[], &AnyHost) {
        Ok(checked) => look(lower(&checked, "any", text, &AnyHost)),
        Err(mistake) => assert!(mistake.span.end <= text.len()),
    }
});
