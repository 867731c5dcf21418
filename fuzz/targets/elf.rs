//! ELF files: of programs, whose functions are linked, and of anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::btf::{Btf, Resolved};
use rawbpf::elf::{File, Linker, Notes, Object};
use rawbpf_fuzz::look;

const SYMBOLS: u32 = 2;
const DYNAMIC_SYMBOLS: u32 = 11;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = File::parse(bytes) {
        look((file.symbols(SYMBOLS), file.symbols(DYNAMIC_SYMBOLS), file.segments()));
        look((file.section(".text"), file.is_little_endian()));
    }
    let Ok(object) = Object::parse(bytes) else { return };
    let mut btf = object.section(".BTF").and_then(|bytes| Btf::parse(bytes).ok());
    let maps = object.maps(btf.as_mut()).unwrap_or_default();
    let notes = Notes::new(&object, btf.as_ref());
    let functions = object.functions();
    let names = maps.iter().map(|map| map.definition.name).chain(object.variables().map(|(name, ..)| name));
    let mut linker = Linker::new(&object, &notes, &functions, names);
    for (index, function) in functions.iter().enumerate() {
        for slot in 0..function.bytes.len() / 8 {
            look((object.reference(function, slot), notes.line(function, slot)));
        }
        look(linker.reached(index));
        look(linker.link(index, &mut |_| Ok(Resolved { value: Some(8), sizes: (4, 8), resizable: true })));
    }
});
