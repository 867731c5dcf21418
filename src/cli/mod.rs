//! The command line: a file a subcommand.

/// A line on stderr. Where that cannot be written there is nobody to tell.
macro_rules! say {
    ($($line:tt)*) => {{
        // In one piece, so that it stays one line where others write too.
        let line = format!("{}\n", format_args!($($line)*));
        let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
    }};
}

mod argdist;
mod asm;
mod bioheat;
mod biolatency;
mod bitehist;
mod bitesize;
mod distribution;
mod doctor;
mod dump;
mod funccount;
mod funclatency;
mod lesson;
mod list;
mod object;
mod options;
mod report;
mod run;
mod text;
mod trace;
mod verify;

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::Path;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::error::Error;
use crate::insn::parse::Mistakes;
pub use dump::LICENSE;
use options::TraceOptions;

/// eBPF tracing from one small static binary: no compiler, no libraries, no kernel headers.
#[derive(Parser)]
#[command(name = "rawbpf", version, propagate_version = true, after_help = EXIT_CODES)]
#[command(max_term_width = WIDTH, disable_help_subcommand = false)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Of the help, in columns at most.
const WIDTH: usize = 100;

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 77 this host lacks what is needed (a privilege too).
Linked under a tool's name, the program is that tool: ln -s rawbpf bitehist; ./bitehist";

// The options of a command are made when it is called.
#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    Bitehist(bitehist::Options),
    Bitesize(bitesize::Options),
    Biolatency(biolatency::Options),
    Bioheat(bioheat::Options),
    Funccount(funccount::Options),
    Funclatency(funclatency::Options),
    Argdist(argdist::Options),
    Asm(asm::Options),
    Dump(dump::Options),
    Run(run::Options),
    Verify(verify::Options),
    Lesson(lesson::Options),
    List(list::Options),
    Doctor(doctor::Options),
}

/// The whole command line as clap knows it, for man pages and shell completions. What is in each
/// command is there once it is built.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs what the arguments ask for, and returns the exit code. What fails is said on stderr.
pub fn run(args: impl Iterator<Item = OsString>) -> u8 {
    let cli = match parse(named(args)) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    if let Command::Dump(options) = &cli.command
        && let Some(args) = dump::as_tool(options, is_tool)
    {
        return run(args.into_iter());
    }
    if let Command::Verify(options) = &cli.command
        && let Some((args, show)) = options.of_tool(is_tool)
    {
        return match parse(args) {
            Ok(mut cli) => {
                cli.command.verify(show);
                run_command(cli.command)
            }
            Err(error) => usage(&error),
        };
    }
    run_command(cli.command)
}

/// What clap has to say, which may be the help.
fn usage(error: &clap::Error) -> u8 {
    match error.print() {
        Err(unwritten) if unwritten.kind() != ErrorKind::BrokenPipe => 1,
        _ => error.exit_code() as u8,
    }
}

impl Command {
    /// Its options for tracing, if it traces.
    fn trace(&mut self) -> Option<&mut TraceOptions> {
        match self {
            Command::Bitehist(options) => Some(&mut options.trace),
            Command::Bitesize(options) => Some(&mut options.trace),
            Command::Biolatency(options) => Some(&mut options.trace),
            Command::Bioheat(options) => Some(&mut options.trace),
            Command::Funccount(options) => Some(&mut options.trace),
            Command::Funclatency(options) => Some(&mut options.trace),
            Command::Argdist(options) => Some(&mut options.trace),
            Command::Run(options) => Some(&mut options.trace),
            Command::Asm(_)
            | Command::Dump(_)
            | Command::Verify(_)
            | Command::Lesson(_)
            | Command::List(_)
            | Command::Doctor(_) => None,
        }
    }

    /// Makes a tool show how its programs are verified instead of attaching them.
    fn verify(&mut self, show: verify::Show) {
        if let Some(trace) = self.trace() {
            trace.verbose = true;
            trace.verify = Some(show);
        }
    }
}

fn run_command(mut command: Command) -> u8 {
    let traced = command.trace().map(|trace| (trace.verbose, trace.verifier_log.clone()));
    let (name, told, result) = match &command {
        Command::Bitehist(options) => ("bitehist", traced, bitehist::run(options)),
        Command::Bitesize(options) => ("bitesize", traced, bitesize::run(options)),
        Command::Biolatency(options) => ("biolatency", traced, biolatency::run(options)),
        Command::Bioheat(options) => ("bioheat", traced, bioheat::run(options)),
        Command::Funccount(options) => ("funccount", traced, funccount::run(options)),
        Command::Funclatency(options) => ("funclatency", traced, funclatency::run(options)),
        Command::Argdist(options) => ("argdist", traced, argdist::run(options)),
        Command::Asm(options) => ("asm", None, asm::run(options)),
        Command::Dump(options) => ("dump", None, dump::run(options)),
        Command::Run(options) => ("run", traced, run::run(options)),
        Command::Verify(options) => ("verify", Some((true, None)), verify::run(options)),
        Command::Lesson(options) => {
            ("lesson", Some((false, options.verifier_log.clone())), lesson::run(options))
        }
        Command::List(options) => ("list", Some((options.verbose, None)), list::run(options)),
        Command::Doctor(options) => ("doctor", Some((options.verbose, None)), doctor::run(options)),
    };
    let (verbose, log) = told.unwrap_or_default();
    match result {
        Ok(()) => 0,
        Err(Stop::Quietly) => 0,
        Err(Stop::Mistakes(mistakes)) => {
            say!("{}", mistakes.to_string().trim_end());
            1
        }
        Err(Stop::Error(error)) => {
            if verbose && error.refused.is_some() {
                say!("{name}: {}", report::without_cause(&error));
            } else {
                say!("{name}: {error}");
            }
            if verbose {
                report::detail(&error, "");
            }
            report::verifier_log(name, &error, log.as_deref());
            error.failure.code()
        }
    }
}

/// Only the command that is called is built: all of them would take a third of a millisecond.
/// Without the name of one the help of all may be wanted.
fn parse(args: Vec<OsString>) -> Result<Cli, clap::Error> {
    let mut all = command();
    let called = args.get(1).and_then(|name| all.find_subcommand(name)).cloned();
    let mut commands = match called {
        Some(called) => clap::Command::new("rawbpf")
            .version(env!("CARGO_PKG_VERSION"))
            .propagate_version(true)
            .max_term_width(WIDTH)
            .subcommand(called),
        None => {
            all.build();
            all
        }
    };
    Cli::from_arg_matches(&commands.try_get_matches_from_mut(args)?)
}

/// The arguments with the tool's name in front, if the program was called by it.
fn named(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<_> = args.collect();
    let called = args.first().and_then(|first| Path::new(first).file_name()).map(OsString::from);
    let tool = |name: &OsString| name != "rawbpf" && Cli::command().find_subcommand(name).is_some();
    if let Some(name) = called.filter(tool) {
        args.insert(1, name);
    }
    args
}

/// Whether a subcommand has bytecode of its own.
fn is_tool(name: &str) -> bool {
    let mut commands = command();
    commands.find_subcommand_mut(name).is_some_and(|tool| {
        tool.build();
        tool.get_arguments().any(|arg| arg.get_id() == "dump_insns")
    })
}

/// Why a run ends before its time.
enum Stop {
    /// Whoever read the output has gone.
    Quietly,
    Error(Error),
    /// A text is wrong.
    Mistakes(Mistakes),
}

impl From<Mistakes> for Stop {
    fn from(mistakes: Mistakes) -> Stop {
        Stop::Mistakes(mistakes)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Error(error)
    }
}

/// The output could not be written.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        match error.kind() {
            ErrorKind::BrokenPipe => Stop::Quietly,
            _ => Stop::Error(Error::failed(format!("the output could not be written: {error}"))),
        }
    }
}
