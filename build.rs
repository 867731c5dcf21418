//! Packs the long texts; links the command with musl where it is installed; and leaves the tables for
//! unwinding out of the release binary: a panic there aborts, so nobody reads them, and they would be a
//! tenth of the file.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// What `src/texts.rs` unpacks: these files, and all that is in these folders.
const TEXTS: [&str; 5] = [
    "programs/lessons",
    "src/verifier/causes.txt",
    "src/verifier/draw/page/page.css",
    "src/verifier/draw/page/page.js",
    "src/verifier/draw/page/panel.html",
];

/// Of these the standard library calls variants for large files; musl 1.2.4 and later have only such,
/// without the number in the name.
const LARGE_FILE: [&str; 9] =
    ["fstat", "fstatat", "ftruncate", "lseek", "lstat", "mmap", "open", "readdir", "stat"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    fs::write(out.join("texts.deflate"), packed()).unwrap();
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        let script = out.join("no-unwinding.ld");
        let text = "SECTIONS { /DISCARD/ : {\n\
            *(.eh_frame) *(.eh_frame_hdr) *(.gcc_except_table .gcc_except_table.*)\n\
            } } INSERT AFTER .rodata;\n";
        fs::write(&script, text).unwrap();
        println!("cargo::rustc-link-arg-bin=rawbpf=-Wl,-T,{}", script.display());
    }
    println!("cargo::rustc-check-cfg=cfg(linked_with_musl)");
    println!("cargo::rerun-if-env-changed=RAWBPF_MUSL");
    if let Some(musl) = musl() {
        link_with_musl(&musl);
    }
}

fn is(variable: &str, value: &str) -> bool {
    env::var(variable).is_ok_and(|found| found == value)
}

/// The folder with musl's library: $RAWBPF_MUSL, empty for none, or where Debian's package musl-dev has
/// it. Only in a static file at a fixed address for glibc's target: musl's own needs no help.
fn musl() -> Option<PathBuf> {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap();
    let is_static = ["-Ctarget-feature=+crt-static", "-Crelocation-model=static"]
        .iter()
        .all(|needed| flags.split('\x1f').any(|flag| flag == *needed));
    if !is("CARGO_CFG_TARGET_ARCH", "x86_64") || !is("CARGO_CFG_TARGET_ENV", "gnu") || !is_static {
        return None;
    }
    let named = env::var_os("RAWBPF_MUSL").map(PathBuf::from);
    let folder = named.unwrap_or("/usr/lib/x86_64-linux-musl".into());
    folder.join("libc.a").exists().then_some(folder)
}

/// Half of what glibc puts into a static file serves locales, plugins and each processor that there was.
/// musl keeps to the same binary interface, but for what `src/sys/glibc.rs` and the names here add.
fn link_with_musl(folder: &Path) {
    println!("cargo::rustc-cfg=linked_with_musl");
    let argument = |text: String| println!("cargo::rustc-link-arg-bin=rawbpf={text}");
    argument("-nostartfiles".into());
    for object in ["crt1.o", "crti.o", "crtn.o"] {
        argument(folder.join(object).display().to_string());
    }
    argument(format!("-L{}", folder.display()));
    for name in LARGE_FILE {
        argument(format!("-Wl,--defsym={name}64={name}"));
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
