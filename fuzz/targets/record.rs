//! A recording: what is in it is read to its end.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use rawbpf::export::json;
use rawbpf::record::{Entry, Reader, seal};
use rawbpf_fuzz::look;

fuzz_target!(|data: &[u8]| {
    // Checksums that are right, or nothing behind them would be looked at.
    let mut bytes = data.to_vec();
    seal(&mut bytes);
    for bytes in [data, &bytes] {
        let mut source = Cursor::new(bytes);
        let Ok(mut reader) = Reader::new(&mut source) else { continue };
        while let Ok(Some(entry)) = reader.entry() {
            match entry {
                Entry::Facts(facts) => look(json::run(&facts.run)),
                Entry::Sample(sample) => look(json::sample(&sample)),
            }
        }
        look(reader.damage());
    }
});
