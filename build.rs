//! Leaves the tables for unwinding out of the release binary: a panic there aborts, so nobody reads
//! them, and they would be a tenth of the file.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|found| found == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        let script = PathBuf::from(env::var_os("OUT_DIR").unwrap()).join("no-unwinding.ld");
        let text = "SECTIONS { /DISCARD/ : {\n\
            *(.eh_frame) *(.eh_frame_hdr) *(.gcc_except_table .gcc_except_table.*)\n\
            } } INSERT AFTER .rodata;\n";
        std::fs::write(&script, text).unwrap();
        println!("cargo::rustc-link-arg-bin=rawbpf=-Wl,-T,{}", script.display());
    }
}
