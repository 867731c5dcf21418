//! The options of what is shown of a walk.

use std::path::PathBuf;

use clap::Args;

/// What is shown of a walk.
#[derive(Args, Clone, Debug)]
pub struct Show {
    /// All that is known behind each instruction, not only what it changed
    #[arg(long)]
    pub all: bool,

    /// Print a line of JSON for each instruction, and one for the verdict
    #[arg(long)]
    pub json: bool,

    /// Write all that the kernel says of each program to this file, to be compared with elsewhere; - is
    /// stdout, and shows nothing else there
    #[arg(long, value_name = "FILE")]
    pub verifier_log: Option<PathBuf>,

    /// Compare with what other kernels said, instead: files of --verifier-log, or what bpftool -d, libbpf
    /// or veristat -v printed; - for stdin
    #[arg(long, value_name = "LOG", num_args = 1..)]
    pub against: Vec<PathBuf>,

    /// Write a web page on which to go through the walk; - for stdout
    #[arg(long, value_name = "FILE", conflicts_with_all = ["all", "json", "against"])]
    pub html: Option<PathBuf>,

    /// Step through it on the terminal, forward and back; ? there shows the keys
    #[arg(long, conflicts_with_all = ["all", "json", "html", "against", "verifier_log"])]
    pub step: bool,
}
