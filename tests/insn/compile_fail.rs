//! Nonsense does not compile. Each file in `compile_fail/` has one line of it, marked with the
//! error that rustc must give there; without that line it must compile.
//!
//! Only the code and what the message is about are compared: the rest of rustc's text differs
//! between its versions.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

#[test]
fn nonsense_does_not_compile() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/insn/compile_fail");
    let files = fs::read_dir(directory).expect("the directory");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    for file in &files {
        check(&fs::read_to_string(file).expect("text"), file);
    }
    assert!(files.len() >= 17, "only {} files", files.len());
}

fn check(source: &str, file: &Path) {
    let name = file.display();
    let lines = source.lines().zip(1..);
    let marked: Vec<_> =
        lines.filter_map(|(line, number)| Some((line.split_once(" //~ ")?.1, number))).collect();
    let [(mark, number)] = marked[..] else { panic!("{name}: one line has a mark") };
    let (code, about) = mark.split_once(' ').expect("a code and what it is about");
    let code = if code == "error" { "error: ".to_owned() } else { format!("error[{code}]: ") };

    let errors = errors(source);
    let place = format!("<anon>:{number}:");
    let there = errors.iter().all(|error| error.starts_with(&place) && error.contains(&code));
    assert!(
        there && errors.iter().any(|error| error.contains(about)),
        "{name}: {code}{about} expected in line {number}, and nothing else: {errors:#?}"
    );

    let without: Vec<&str> = source.lines().filter(|line| !line.contains("//~")).collect();
    assert_eq!(self::errors(&without.join("\n")), Vec::<String>::new(), "{name} without the line");
}

/// rustc's errors, a line each.
fn errors(source: &str) -> Vec<String> {
    // <target>/<triple>/<profile>/deps/<this test>; macros lie in <target>/<profile>/deps.
    let this = env::current_exe().expect("this test is a file");
    let [_, deps, profile, _, target, ..] = this.ancestors().collect::<Vec<_>>()[..] else {
        panic!("{} lies elsewhere than cargo puts it", this.display())
    };
    let macros = target.join(profile.file_name().expect("a name")).join("deps");
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition=2024", "--crate-type=lib", "--emit=metadata=-", "--error-format=short"]);
    rustc.arg("-L").arg(deps).arg("-L").arg(macros);
    rustc.arg("--extern").arg(format!("rawbpf={}", newest_library(deps).display()));
    rustc.arg("-").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = rustc.spawn().expect("rustc");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(source.as_bytes()).expect("rustc reads it");
    drop(stdin);
    let output = child.wait_with_output().expect("rustc");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let errors = text.lines().filter(|line| line.contains(": error"));
    // Where the crate has another type of that name, rustc says which it means.
    let errors: Vec<String> = errors.map(|line| line.replace("rawbpf::insn::mem::", "")).collect();
    assert_eq!(output.status.success(), errors.is_empty(), "{text}");
    errors
}

/// The library that was built for these tests.
fn newest_library(directory: &Path) -> PathBuf {
    let files = fs::read_dir(directory).expect("the directory of the tests");
    let libraries = files.map(|file| file.expect("a file").path()).filter(|file| {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("librawbpf-") && name.ends_with(".rlib")
    });
    let age = |file: &PathBuf| fs::metadata(file).and_then(|data| data.modified()).ok();
    libraries.max_by_key(age).expect("the library")
}
