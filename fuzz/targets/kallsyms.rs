//! A line of the kernel's symbols.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::sys::kallsyms::KernelSymbol;

fuzz_target!(|line: &[u8]| {
    if let Some(symbol) = KernelSymbol::parse(line) {
        assert!(!symbol.name.is_empty());
        symbol.is_text();
    }
});
