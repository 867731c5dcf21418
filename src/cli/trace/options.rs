//! The options of `rawbpf trace`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::export::ExportOptions;
use crate::cli::options::whole;
use crate::view::dump::Format;

/// Run a script in the language of bpftrace 0.27, or a strict subset of it
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE, allow_negative_numbers = true)]
pub struct Options {
    /// The script's file, - for standard input; not with -e. The words after it are $1, $2 and so on in
    /// the script
    #[arg(value_name = "FILE|ARG")]
    pub words: Vec<String>,

    /// The script itself
    #[arg(short = 'e', value_name = "PROGRAM")]
    pub program: Option<String>,

    /// List the probes that match a pattern, or those of a script, instead of running anything; -lv
    /// prints the arguments of each too
    #[arg(short, long)]
    pub list: bool,

    /// Start COMMAND, an executable and its arguments, once all probes are attached, and end when it ends.
    /// cpid is its process
    #[arg(short, long = "cmd", value_name = "COMMAND", conflicts_with = "pid")]
    pub command: Option<String>,

    /// Only events of this process
    #[arg(short, long, value_name = "PID", value_parser = whole(1..=i32::MAX as u32))]
    pub pid: Option<u32>,

    /// Do not report on stderr how many probes are attached
    #[arg(short, long)]
    pub quiet: bool,

    /// The form of the output, both as bpftrace prints them
    #[arg(short, value_name = "FORMAT", default_value = "text")]
    pub format: ScriptFormat,

    /// Print lines of JSON in the form of rawbpf's other tools
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Write the output to FILE instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    #[command(flatten)]
    pub export: ExportOptions,

    /// Do not report runtime errors, such as a full map
    #[arg(long)]
    pub no_warnings: bool,

    /// Attach all probes, and end at once
    #[arg(long)]
    pub dry_run: bool,

    /// Print how the script is read, and exit: ast is its tree, types are those of its variables and maps
    #[arg(short, long, value_name = "STAGE")]
    pub debug: Option<Stage>,

    /// Print the bytecode, by default with the script's lines, and exit. FORMAT is linum, listing,
    /// opcodes, hex, c, json, raw, visual or dot
    #[arg(
        long,
        value_name = "FORMAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "linum",
        hide_possible_values = true
    )]
    pub dump_insns: Option<Format>,

    /// Report on stderr how much kernel memory the maps use, and the kernel's own words in errors
    #[arg(short, long)]
    pub verbose: bool,

    /// Keep all privileges. Without this option, the capabilities and system calls that are not needed any
    /// more are given up once all probes are attached
    #[arg(long)]
    pub keep_privileges: bool,

    /// If the verifier refuses a program, write its whole log to FILE; - for stdout
    #[arg(long, value_name = "FILE")]
    pub verifier_log: Option<PathBuf>,
}

/// The form of a script's output, as bpftrace calls it.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScriptFormat {
    Text,
    Json,
}

/// What `-d` prints.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    Ast,
    Types,
}

const USAGE: &str = "\
rawbpf trace [OPTIONS] -e PROGRAM [ARG...]
       rawbpf trace [OPTIONS] FILE [ARG...]
       rawbpf trace -l[v] [PATTERN|FILE]";

const EXAMPLES: &str = "\
Examples:
  rawbpf trace -e 'tracepoint:block:block_rq_issue { @[comm] = hist(args.bytes); }'
  rawbpf trace -e 'tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }
                   interval:s:1 { print(@, 5); clear(@); }'
  rawbpf trace -c '/bin/ls /' -e 'tracepoint:syscalls:sys_enter_openat /pid == cpid/ {
                   printf(\"%s\\n\", str(args.filename)); }'
  rawbpf trace -e 'uretprobe:/bin/bash:readline { printf(\"%s\\n\", str(retval)); }'
  rawbpf trace -lv 'tracepoint:block:*'   what a script can attach to, and what it can read there
  rawbpf verify script.bt                 how the verifier walks over a script's programs

Docs: docs/language.md shows the language by example, and what is missing. A script keeps at most 4096 \
keys for each map, unless it sets config = { max_map_keys = N }; -v reports the kernel memory.

The exit code is that of the script's exit(), else 0. Linked under the name bpftrace, the program accepts \
bpftrace's command line.";

/// The form of what a script prints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// bpftrace's text.
    Text,
    /// bpftrace's JSON.
    Json,
    /// The lines of JSON of rawbpf's tools.
    Lines,
}

impl Options {
    /// Whether the kernel's own words are shown too, and the file for the verifier's log.
    pub fn reporting(&self) -> (bool, Option<&Path>) {
        (self.verbose, self.verifier_log.as_deref())
    }

    /// Whether these options only show something, and run nothing.
    pub fn only_shows(&self) -> bool {
        self.list || self.debug.is_some() || self.dry_run || self.dump_insns.is_some()
    }

    /// Whether `rawbpf serve` can run it.
    ///
    /// # Errors
    /// Why not.
    pub fn served(&self) -> Result<(), &'static str> {
        let prints = self.list || self.debug.is_some() || self.dry_run || self.output.is_some();
        match (prints, &self.command) {
            (true, _) => Err("--list, -d, -o and --dry-run are not for a script that is served"),
            (_, Some(_)) => {
                Err("-c is not for a script that is served: start the command yourself")
            }
            _ if self.program.is_none() && self.words.first().is_none_or(|file| file == "-") => {
                Err("a script is missing: its file, or -e 'PROGRAM'")
            }
            _ => Ok(()),
        }
    }

    /// Whether the first word is a file, and no pattern.
    pub fn names_a_file(&self) -> bool {
        self.words.first().is_some_and(|word| Path::new(word).is_file())
    }

    /// The file of the output, if that is not stdout.
    pub fn output_file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| *path != "-")
    }

    /// What the output looks like.
    pub fn form(&self) -> Form {
        match (self.json, self.format) {
            (true, _) => Form::Lines,
            (_, ScriptFormat::Json) => Form::Json,
            _ => Form::Text,
        }
    }
}
