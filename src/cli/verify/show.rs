//! The options that select what is shown of a walk.

use std::path::PathBuf;

use clap::Args;

/// What is shown of a walk.
#[derive(Args, Clone, Debug)]
pub struct Show {
    /// Print everything known after each instruction, not only what it changed
    #[arg(long)]
    pub all: bool,

    /// Print a line of JSON for each instruction, and one for the verdict
    #[arg(long)]
    pub json: bool,

    /// Write the kernel's log of each program to FILE, to compare with other kernels; with - it goes to
    /// stdout, and nothing else does
    #[arg(long, value_name = "FILE")]
    pub verifier_log: Option<PathBuf>,

    /// Compare with other kernels' logs instead: files of --verifier-log, or the output of bpftool -d,
    /// libbpf or veristat -v; - for stdin
    #[arg(long, value_name = "LOG", num_args = 1..)]
    pub against: Vec<PathBuf>,

    /// Write a web page to go through the walk; - for stdout
    #[arg(long, value_name = "FILE", conflicts_with_all = ["all", "json", "against"])]
    pub html: Option<PathBuf>,

    /// Step through the walk on the terminal, forward and back; press ? there for the keys
    #[arg(long, conflicts_with_all = ["all", "json", "html", "against", "verifier_log"])]
    pub step: bool,
}
