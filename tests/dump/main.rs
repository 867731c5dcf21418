//! `rawbpf dump`: any instructions as text. No root, nothing installed.

mod bytes;
mod excerpt;
mod graph;
mod object;

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// How a dump ended and what it said.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

fn rawbpf(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rawbpf")).args(args).output().unwrap()
}

/// `rawbpf dump -` with these arguments and this on its standard input.
fn dump(input: &[u8], args: &[&str]) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rawbpf"))
        .args(["dump", "-"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It need not read all of what it refuses.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap().into()
}

/// What it prints, which must be all there is.
#[track_caller]
fn shown(input: &[u8], args: &[&str]) -> String {
    let ended = dump(input, args);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    ended.stdout
}
