//! A file becomes programs and maps, and these an object that defines as much.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::host::KernelTypes;
use rawbpf::insn::Endian;
use rawbpf::source::{read, write};
use rawbpf_fuzz::{look, types};

thread_local!(static TYPES: KernelTypes = types());

fuzz_target!(|bytes: &[u8]| TYPES.with(|types| {
    let defined = match read("any", bytes, types) {
        Ok(defined) => defined,
        Err(error) => return look(error.to_string()),
    };
    let Ok(object) = write::object(&defined, Endian::HOST) else { return };
    let again = read("again", &object, types).expect("an object of our own");
    assert_eq!(again.programs.len(), defined.programs.len());
    assert_eq!(again.maps.len(), defined.maps.len());
}));
