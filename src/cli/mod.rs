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
mod input;
mod lesson;
mod list;
mod options;
mod report;
mod run;
mod stop;
mod trace;
mod verify;

use std::ffi::OsString;
use std::io::ErrorKind;
use std::mem::ManuallyDrop;
use std::path::Path;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use options::TraceOptions;
use stop::Stop;

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

/// The commands, each with the file that has its options and runs it.
macro_rules! commands {
    ($($variant:ident $file:ident,)*) => {
        // The options of a command are made when it is called.
        #[derive(Subcommand)]
        #[command(defer = true)]
        enum Command {
            $($variant($file::Options),)*
        }

        impl Command {
            const NAMES: &[&str] = &[$(stringify!($file)),*];

            /// The command that the arguments name, if they do. Only its own options are made: those of
            /// all would take a third of a millisecond.
            fn called(args: &[OsString]) -> Option<Result<Command, clap::Error>> {
                let name = args.get(1)?;
                $(if name == stringify!($file) {
                    let command = $file::Options::augment_args(clap::Command::new(stringify!($file)));
                    return Some(matches(command, args).and_then(|mut matches| {
                        $file::Options::from_arg_matches_mut(&mut matches).map(Command::$variant)
                    }));
                })*
                None
            }

            fn name(&self) -> &'static str {
                match self {
                    $(Command::$variant(_) => stringify!($file),)*
                }
            }

            fn run(&self) -> Result<(), Stop> {
                match self {
                    $(Command::$variant(options) => $file::run(options),)*
                }
            }
        }
    };
}

commands! {
    Bitehist bitehist,
    Bitesize bitesize,
    Biolatency biolatency,
    Bioheat bioheat,
    Funccount funccount,
    Funclatency funclatency,
    Argdist argdist,
    Asm asm,
    Dump dump,
    Run run,
    Verify verify,
    Lesson lesson,
    List list,
    Doctor doctor,
}

/// The whole command line as clap knows it, for man pages and shell completions. What is in each
/// command is there once it is built.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs what the arguments ask for, and returns the exit code. What fails is said on stderr.
pub fn run(args: Vec<OsString>) -> u8 {
    let command = match parse(named(args)) {
        Ok(command) => command,
        Err(error) => return usage(&error),
    };
    if let Command::Dump(options) = &command
        && let Some(args) = dump::as_tool(options, is_tool)
    {
        return run(args);
    }
    if let Command::Verify(options) = &command
        && let Some((args, show)) = options.of_tool(is_tool)
    {
        return match parse(args) {
            Ok(mut command) => {
                command.verify(show);
                run_command(command)
            }
            Err(error) => usage(&error),
        };
    }
    run_command(command)
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
    let (verbose, log) = match &command {
        Command::Verify(_) => (true, None),
        Command::Lesson(options) => (false, options.verifier_log.clone()),
        Command::List(options) => (options.verbose, None),
        Command::Doctor(options) => (options.verbose, None),
        _ => traced.unwrap_or_default(),
    };
    let name = command.name();
    match command.run() {
        Ok(()) => 0,
        Err(Stop::Quietly) => 0,
        Err(Stop::Mistakes(mistakes)) => {
            say!("{}", mistakes.to_string().trim_end());
            1
        }
        Err(Stop::Error(error)) => {
            if verbose && error.refused.is_some() {
                say!("{name}: {}", error.without_cause());
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

fn parse(args: Vec<OsString>) -> Result<Command, clap::Error> {
    if let Some(called) = Command::called(&args) {
        return called;
    }
    // The help of all may be wanted, which is there once all are built.
    let mut all = command();
    all.build();
    Ok(Cli::from_arg_matches(&all.try_get_matches_from_mut(args)?)?.command)
}

/// What is given to the command, in the words of its help.
fn matches(mut command: clap::Command, args: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let name = command.get_name();
    let (called, shown) = (format!("rawbpf {name}"), format!("rawbpf-{name}"));
    command = command.bin_name(called).display_name(shown);
    command = command.version(env!("CARGO_PKG_VERSION")).max_term_width(WIDTH);
    // To take it apart would take longer than to make it, and the process has not much more to do.
    let mut command = ManuallyDrop::new(command);
    command.try_get_matches_from_mut(&args[1..])
}

/// The arguments with the tool's name in front, if the program was called by it.
fn named(mut args: Vec<OsString>) -> Vec<OsString> {
    let called = args.first().and_then(|first| Path::new(first).file_name()).map(OsString::from);
    if let Some(name) = called.filter(|name| Command::NAMES.iter().any(|tool| name == tool)) {
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
