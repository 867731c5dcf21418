//! Writes the playground, a page in one file that needs no network: `cargo run --example playground FILE.html`.
//!
//! What can be computed without a kernel is built for the browser by the crate in `wasm/`, and packed into the page.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use miniz_oxide::deflate::compress_to_vec;

const TARGET: &str = "wasm32-unknown-unknown";

fn main() {
    let Some(file) = std::env::args_os().nth(1) else {
        eprintln!("usage: cargo run --example playground FILE.html");
        std::process::exit(2);
    };
    let written = module().and_then(|module| Ok(fs::write(&file, page(&module))?));
    if let Err(error) = written {
        eprintln!("playground: {error}");
        std::process::exit(1);
    }
}

/// Builds the module.
///
/// # Errors
/// The toolchain cannot build for a browser, and what to type; or the build failed.
fn module() -> Result<Vec<u8>, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let libraries = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| format!("rustc cannot be run: {error}"))?;
    let libraries = PathBuf::from(String::from_utf8(libraries.stdout)?.trim());
    if !libraries.is_dir() {
        return Err(
            format!("the toolchain has no {TARGET}\n  type: rustup target add {TARGET}").into()
        );
    }
    let target = target.join("playground");
    let manifest = root.join("examples/playground/wasm/Cargo.toml");
    if !manifest.is_file() {
        return Err("the module's crate is not here: it is in the repository only".into());
    }
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--target", TARGET, "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target)
        // The package's own flags are for Linux.
        .env("RUSTFLAGS", "")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .status()?;
    if !status.success() {
        return Err("the module could not be built".into());
    }
    Ok(fs::read(target.join(TARGET).join("release/rawbpf_playground.wasm"))?)
}

/// The page with this module.
fn page(module: &[u8]) -> String {
    let packed = base64(&compress_to_vec(module, 10));
    [
        "<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n\
         <meta name=viewport content=\"width=device-width\">\n\
         <meta name=color-scheme content=\"light dark\">\n\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline' 'wasm-unsafe-eval'\">\n\
         <title>rawbpf playground</title>\n<style>\n",
        include_str!("page/page.css"),
        "</style>\n",
        include_str!("page/page.html"),
        "<script type=application/octet-stream id=wasm>",
        &packed,
        "</script>\n<script type=module>\n",
        include_str!("page/page.js"),
        "</script>\n</html>\n",
    ]
    .concat()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letters = bytes.chunks(3).flat_map(|group| {
        let bits = (0..3).fold(0u32, |bits, at| {
            bits << 8 | u32::from(group.get(at).copied().unwrap_or_default())
        });
        let letter = move |at: u32| match at as usize > group.len() {
            true => '=',
            false => char::from(LETTERS[(bits >> (18 - 6 * at) & 63) as usize]),
        };
        (0..4).map(letter)
    });
    letters.collect()
}
