//! The `rawbpf` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    rawbpf::cli::run(std::env::args_os())
}
