//! Packs the long texts, and leaves the tables for unwinding out of the release binary: a panic there
//! aborts, so nobody reads them, and they would be a tenth of the file.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// What `src/texts.rs` unpacks: these files, and all that is in these folders.
const TEXTS: [&str; 5] = [
    "programs/lessons",
    "src/verifier/causes.txt",
    "src/verifier/page/page.css",
    "src/verifier/page/page.js",
    "src/verifier/page/panel.html",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    fs::write(out.join("texts.deflate"), packed()).unwrap();
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|found| found == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        let script = out.join("no-unwinding.ld");
        let text = "SECTIONS { /DISCARD/ : {\n\
            *(.eh_frame) *(.eh_frame_hdr) *(.gcc_except_table .gcc_except_table.*)\n\
            } } INSERT AFTER .rodata;\n";
        fs::write(&script, text).unwrap();
        println!("cargo::rustc-link-arg-bin=rawbpf=-Wl,-T,{}", script.display());
    }
}

/// Path, zero, text, zero of each.
fn packed() -> Vec<u8> {
    let mut all = vec![];
    for path in TEXTS {
        println!("cargo::rerun-if-changed={path}");
        let mut files = match Path::new(path).is_dir() {
            true => fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect(),
            false => vec![PathBuf::from(path)],
        };
        files.sort();
        for file in files {
            all.extend([file.to_str().unwrap().as_bytes(), b"\0"].concat());
            all.extend(fs::read(&file).unwrap());
            all.push(0);
        }
    }
    miniz_oxide::deflate::compress_to_vec(&all, 10)
}
