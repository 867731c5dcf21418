//! Lines and relocations of an object, with the types that they refer to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::btf::{Btf, Ext};
use rawbpf_fuzz::look;

// The first two bytes are how long the section of lines and relocations is; types follow it.
fuzz_target!(|bytes: &[u8]| {
    let Some((length, rest)) = bytes.split_first_chunk() else { return };
    let length = usize::from(u16::from_le_bytes(*length));
    let Some((ext, types)) = rest.split_at_checked(length) else { return };
    let (Ok(ext), Ok(mut btf)) = (Ext::parse(ext), Btf::parse(types)) else { return };
    look(ext.lines(&btf));
    let mut kernel = Btf::parse(types).unwrap();
    for relocation in ext.relocations(&btf).iter().flatten() {
        look(btf.describe(&relocation.what));
        let found = btf.candidates(&relocation.what, &mut kernel);
        look(found.and_then(|found| btf.resolve(&relocation.what, &mut kernel, &found)));
    }
});
