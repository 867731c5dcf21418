//! Packs the long texts; leaves the tables for unwinding out of the release binary, where a panic aborts,
//! so that nobody reads them, and they would be a tenth of the file; and warns of a binary that is not static.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// What `src/texts.rs` unpacks: these files, and all that is in these folders.
const TEXTS: [&str; 8] = [
    "programs/lessons",
    "src/verifier/causes.txt",
    "src/trace/errors.txt",
    "src/trace/signals.txt",
    "src/verifier/diagnose/contexts.txt",
    "src/verifier/draw/page/page.css",
    "src/verifier/draw/page/page.js",
    "src/verifier/draw/page/panel.html",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    fs::write(out.join("texts.deflate"), packed()).unwrap();
    if is("CARGO_CFG_TARGET_OS", "linux") {
        if is("PROFILE", "release") {
            discard_unwinding(&out);
        }
        if env::var_os("CARGO_FEATURE_CLI").is_some() {
            warn_unless_static();
        }
    }
}

fn is(variable: &str, value: &str) -> bool {
    env::var(variable).is_ok_and(|found| found == value)
}

/// The C library's crtbegin.o refers to its own table, and crtend.o ends it: these few bytes stay.
fn discard_unwinding(out: &Path) {
    let script = out.join("no-unwinding.ld");
    let text = "SECTIONS { /DISCARD/ : {\n\
        *(EXCLUDE_FILE(*crtbegin*.o *crtend*.o) .eh_frame)\n\
        *(.eh_frame_hdr) *(.gcc_except_table .gcc_except_table.*)\n\
        } } INSERT AFTER .rodata;\n";
    fs::write(&script, text).unwrap();
    println!("cargo::rustc-link-arg-bin=rawbpf=-Wl,-T,{}", script.display());
    // Code and constants may share a page: no holes between them in the file.
    println!("cargo::rustc-link-arg-bin=rawbpf=-Wl,-z,noseparate-code");
    // The command has a function of its own in place of one of the unwinder's, which stands in one object with others.
    println!("cargo::rustc-link-arg-bin=rawbpf=-Wl,--allow-multiple-definition");
}

/// `.cargo/config.toml` asks for a static file, but `cargo install` from elsewhere than a folder does not
/// read it.
fn warn_unless_static() {
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if features.split(',').any(|feature| feature == "crt-static") {
        return;
    }
    let target = env::var("TARGET").unwrap();
    let musl = target.replace("-gnu", "-musl");
    let how = match musl != target && !target.starts_with("s390x") {
        true => {
            format!("rustup target add {musl}, and the same cargo command with --target {musl}")
        }
        // There is no such target for it, or it is this one, where a file need not be static.
        false => format!(
            "the same cargo command with --target {target} and with \
            RUSTFLAGS=-Ctarget-feature=+crt-static in the environment"
        ),
    };
    println!(
        "cargo::warning=the command will not be static: it runs only where the C library is like this \
        host's. For one that runs on any Linux host: {how}"
    );
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
