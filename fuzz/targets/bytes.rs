//! Bytes are instructions that encode to the same bytes, and are printed in every format.
#![no_main]

use std::io::{self, Write};

use libfuzzer_sys::fuzz_target;
use rawbpf::insn::translated::{Kernel, translated};
use rawbpf::insn::{Endian, decode, encode};
use rawbpf::source::hex;
use rawbpf::view::dump::{Dump, Format};
use rawbpf_fuzz::look;

const FORMATS: [Format; 9] = [
    Format::Listing,
    Format::Opcodes,
    Format::Linum,
    Format::Hex,
    Format::C,
    Format::Json,
    Format::Raw,
    Format::Visual,
    Format::Dot,
];

/// Counts, and stops at what would fill a disk.
struct Counted(usize);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        assert!(self.0 < 64 << 20, "more than 64 MB are printed");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct NoNames;

impl Kernel for NoNames {
    fn map(&self, id: i32) -> String {
        id.to_string()
    }

    fn function(&self, _: i32) -> Option<String> {
        None
    }

    fn subprogram(&self, _: i32) -> Option<String> {
        None
    }
}

fuzz_target!(|bytes: &[u8]| {
    for endian in [Endian::Little, Endian::Big] {
        if let Ok(insns) = decode(bytes, endian) {
            assert_eq!(encode(&insns, endian), bytes);
        }
        if let Ok(shown) = Dump::new("any", bytes.to_vec(), endian) {
            for format in FORMATS {
                shown.print(&mut Counted(0), format).unwrap();
            }
        }
    }
    look(translated(bytes, &NoNames));
    if let Ok(read) = hex::read(bytes.to_vec()) {
        assert!(read.len() <= bytes.len());
    }
});
