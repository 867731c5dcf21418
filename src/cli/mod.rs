//! The command line: one file for each subcommand.

/// Prints a line on stderr, in which nothing steers the terminal.
macro_rules! say {
    ($($line:tt)*) => {{
        let line = format!("{}\n", format_args!($($line)*));
        $crate::cli::streams::say(&line);
    }};
}

mod argdist;
mod asm;
mod bioheat;
mod biolatency;
mod bitehist;
mod bitesize;
mod compare;
mod completions;
mod distribution;
mod doctor;
mod dump;
mod explain;
mod export;
mod funccount;
mod funclatency;
mod input;
mod lesson;
mod list;
mod options;
mod output_file;
mod record;
mod recording;
mod replay;
mod report;
mod run;
mod schedule;
mod select;
mod serve;
mod stop;
mod streams;
mod tables;
mod terminal;
mod time;
mod trace;
mod traced;
mod verify;
mod when;

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Write};
use std::mem::ManuallyDrop;
use std::path::Path;

use clap::error::ContextKind;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::error::{Error, Failure};
use crate::sys::signal::survive_file_limit;
use crate::view::dump::Format;
pub use completions::{Shell, script};
use recording::Recording;
use stop::Stop;
use streams::Stdout;
use traced::{Output, TracedTool};

/// eBPF tracing from one small static binary: no compiler, no libraries, no kernel headers.
#[derive(Parser)]
#[command(name = "rawbpf", version, propagate_version = true, after_help = EXIT_CODES)]
#[command(max_term_width = WIDTH, disable_help_subcommand = false)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The largest width of the help, in columns.
const WIDTH: usize = 100;

const EXIT_CODES: &str = "\
Exit codes: 0 success, 1 failure, 2 wrong usage, 77 this host lacks something needed, or a privilege.
Linked under a tool's name, the program is that tool: ln -s rawbpf bitehist; ./bitehist";

/// The commands of the help, in groups.
const GROUPS: [(&str, &[&str]); 3] = [
    (
        "Tools that trace",
        &[
            "trace",
            "bitehist",
            "bitesize",
            "biolatency",
            "bioheat",
            "funccount",
            "funclatency",
            "argdist",
            "serve",
            "record",
            "replay",
            "compare",
        ],
    ),
    ("Bytecode and the verifier", &["asm", "dump", "run", "verify", "explain", "lesson"]),
    ("This host", &["list", "doctor", "completions"]),
];

/// The commands, each with the file of its options: first the tools, then the others.
macro_rules! commands {
    (tools { $($tool:ident $tool_file:ident,)* } others { $($other:ident $other_file:ident,)* }) => {
        // The options of a command are built when it is called.
        #[derive(Subcommand)]
        #[command(defer = true)]
        enum Command {
            $($tool($tool_file::Options),)*
            $($other($other_file::Options),)*
        }

        impl Command {
            const NAMES: &[&str] = &[$(stringify!($tool_file),)* $(stringify!($other_file)),*];

            /// The command that the arguments name, if they do. Only its own options are built: to build
            /// those of all commands would cost a third of a millisecond.
            fn called(args: &[OsString]) -> Option<Result<Command, clap::Error>> {
                let name = args.get(1)?;
                $(if name == stringify!($tool_file) {
                    return Some(called(stringify!($tool_file), args).map(Command::$tool));
                })*
                $(if name == stringify!($other_file) {
                    return Some(called(stringify!($other_file), args).map(Command::$other));
                })*
                None
            }

            fn name(&self) -> &'static str {
                match self {
                    $(Command::$tool(_) => stringify!($tool_file),)*
                    $(Command::$other(_) => stringify!($other_file),)*
                }
            }

            /// Whether a command of this name has programs of its own, or those of a text.
            fn is_tool(name: &OsStr) -> bool {
                name == "run" || name == "trace" $(|| name == stringify!($tool_file))*
            }

            /// The tool that it runs, if it is the command of a tool.
            fn traced(&self) -> Option<Result<TracedTool, Error>> {
                match self {
                    $(Command::$tool(options) => Some(options.traced()),)*
                    $(Command::$other(_) => None,)*
                }
            }

            /// Whether the kernel's own words are shown too, and the file for the verifier's log.
            fn reporting(&self) -> (bool, Option<&Path>) {
                match self {
                    $(Command::$tool(options) => options.trace.reporting(),)*
                    Command::Run(options) => options.trace.reporting(),
                    Command::Trace(options) => options.reporting(),
                    Command::Serve(_)
                    | Command::Record(_)
                    | Command::Replay(_)
                    | Command::Compare(_) => (false, None),
                    Command::Verify(_) => (true, None),
                    Command::Lesson(options) => (false, options.verifier_log.as_deref()),
                    Command::List(options) => (options.verbose, None),
                    Command::Doctor(options) => (options.verbose, None),
                    Command::Asm(_)
                    | Command::Dump(_)
                    | Command::Explain(_)
                    | Command::Completions(_) => (false, None),
                }
            }

            /// Whether `record` can run it.
            ///
            /// # Errors
            /// Why not.
            fn recorded(&self) -> Result<(), &'static str> {
                let shows = match self {
                    $(Command::$tool(options) => options.trace.dump_insns.is_some(),)*
                    Command::Trace(options) => options.only_shows(),
                    _ => return Err("only tools that trace, and scripts, can be recorded"),
                };
                match shows {
                    true => Err("nothing is counted with these options, so nothing can be recorded"),
                    false => Ok(()),
                }
            }

            /// Whether `serve` can run it.
            ///
            /// # Errors
            /// Why not.
            fn served(&self) -> Result<(), &'static str> {
                let (dumps, exports) = match self {
                    $(Command::$tool(options) => {
                        (options.trace.dump_insns.is_some(), options.trace.export.is_any())
                    })*
                    Command::Trace(options) => {
                        options.served()?;
                        (options.dump_insns.is_some(), options.export.is_any())
                    }
                    _ => return Err("only tools that trace, and scripts, can be served"),
                };
                match (dumps, exports) {
                    (true, _) => Err("--dump-insns prints programs instead of running them"),
                    (_, true) => {
                        Err("--prom-file, --listen and --otlp are options of serve itself")
                    }
                    _ => Ok(()),
                }
            }

            /// How it prints samples, and whether the time is above each; None if it prints none.
            fn printed(&self) -> Option<(Box<dyn Output>, bool)> {
                match self {
                    $(Command::$tool(options) => {
                        Some((Box::new(options.printer()), options.trace.timestamp))
                    })*
                    _ => None,
                }
            }

            /// Runs it. If it counts, that may be recorded.
            fn run(&self, recording: Option<Recording>) -> Result<(), Stop> {
                match (self, recording) {
                    $((Command::$tool(options), recording) => options.traced()?.run(recording),)*
                    (Command::Trace(options), Some(recording)) => trace::record(options, recording),
                    $((Command::$other(options), _) => $other_file::run(options),)*
                }
            }
        }
    };
}

commands! {
    tools {
        Bitehist bitehist,
        Bitesize bitesize,
        Biolatency biolatency,
        Bioheat bioheat,
        Funccount funccount,
        Funclatency funclatency,
        Argdist argdist,
    }
    others {
        Trace trace,
        Serve serve,
        Record record,
        Replay replay,
        Compare compare,
        Asm asm,
        Dump dump,
        Run run,
        Verify verify,
        Explain explain,
        Lesson lesson,
        List list,
        Doctor doctor,
        Completions completions,
    }
}

/// The whole command line in clap's types, for man pages and shell completions. Each command has its
/// options once it is built.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The column where the help on a command begins.
const ABOUT: usize = 14;

/// The form of the help, with the commands in groups, once all are built.
fn help_template(command: &clap::Command) -> String {
    let styles = command.get_styles();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut text = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    for (title, names) in GROUPS {
        text += &format!("\n{header}{title}:{header:#}\n");
        for name in names {
            let about = command.find_subcommand(name).and_then(clap::Command::get_about);
            let about = about.map_or(String::new(), ToString::to_string);
            // What follows a colon is in the command's own help.
            let about = about.split([':', ',']).next().unwrap_or_default();
            text += &format!("  {literal}{name:<12}{literal:#}");
            let mut column = ABOUT;
            for word in about.split(' ') {
                if column + 1 + word.len() > 80 {
                    text += &format!("\n{:ABOUT$}", "");
                    column = ABOUT;
                }
                text += &format!(" {word}");
                column += 1 + word.len();
            }
            text += "\n";
        }
    }
    text + &format!("\n{header}Options:{header:#}\n{{options}}{{after-help}}")
}

/// Runs the command that the arguments name, and returns the exit code. Failures are reported on
/// stderr.
pub fn run(args: Vec<OsString>) -> u8 {
    survive_file_limit();
    let bpftrace = called_as(&args).is_some_and(|name| name == trace::BPFTRACE);
    if !bpftrace {
        return run_command(named(args), failure_code);
    }
    match trace::translated(args) {
        Ok(args) => run_command(args, trace::failure_code),
        Err(error) => ended(trace::BPFTRACE, (false, None), Err(error.into()), trace::failure_code),
    }
}

/// The exit code of a failure.
type FailureCode = fn(Failure) -> u8;

fn failure_code(failure: Failure) -> u8 {
    failure.code()
}

fn run_command(args: Vec<OsString>, code: FailureCode) -> u8 {
    // Only these take more arguments after --: those of a tool.
    let more = args.get(1).is_some_and(|name| name == "verify" || name == "dump");
    let command = match parse(args) {
        Ok(command) => command,
        Err(error) => return usage(error, more, code),
    };
    let of_tool = match &command {
        Command::Dump(options) => options
            .of_tool(Command::is_tool)
            .map(|(words, format)| (words, Inspection::Dump(format))),
        Command::Verify(options) => {
            options.of_tool(Command::is_tool).map(|(words, show)| (words, Inspection::Verify(show)))
        }
        _ => None,
    };
    if let Command::Verify(options) = &command
        && let Some((file, show)) = options.of_script()
    {
        return ended(command.name(), command.reporting(), trace::verify_file(file, show), code);
    }
    let Some((words, show)) = of_tool else {
        return ended(command.name(), command.reporting(), command.run(None), code);
    };
    let words = [OsString::from("rawbpf")].into_iter().chain(words.iter().cloned());
    match parse(words.collect()) {
        Ok(tool) => {
            let (verbose, log) = tool.reporting();
            let verbose = verbose || matches!(show, Inspection::Verify(_));
            ended(tool.name(), (verbose, log), tool.show(&show), code)
        }
        Err(error) => usage(error, false, code),
    }
}

/// How a tool's programs are shown instead of attached.
enum Inspection<'a> {
    Dump(Format),
    Verify(&'a verify::Show),
}

/// Prints clap's message, which may be the help. Returns the exit code.
fn usage(mut error: clap::Error, more_after_dashes: bool, code: FailureCode) -> u8 {
    if !more_after_dashes {
        // The advice to put `--` before an unknown option would lead to a worse message.
        error.remove(ContextKind::Suggested);
    }
    let text = |colors: bool| match colors {
        true => error.render().ansi().to_string(),
        false => error.render().to_string(),
    };
    if error.use_stderr() {
        streams::say(&text(report::colored(&io::stderr())));
        return code(Failure::Usage);
    }
    let colors = report::colored(&io::stdout());
    match Stdout::styled(colors).write_all(text(colors).as_bytes()) {
        Err(unwritten) if unwritten.kind() != ErrorKind::BrokenPipe => 1,
        _ => 0,
    }
}

impl Command {
    /// What its counts are called among those of others: the tool, or the file of the script without its ending.
    fn run_name(&self) -> String {
        let file = match self {
            Command::Trace(options) if options.program.is_none() => options.words.first(),
            _ => None,
        };
        let stem = file.and_then(|file| Path::new(file).file_stem());
        stem.map_or(self.name().to_owned(), |stem| stem.to_string_lossy().into_owned())
    }

    /// Shows a tool's programs.
    fn show(&self, show: &Inspection<'_>) -> Result<(), Stop> {
        match (self, show) {
            (Command::Run(options), Inspection::Dump(format)) => run::dump(options, *format),
            (Command::Trace(options), Inspection::Dump(format)) => options.dump(*format),
            (Command::Trace(options), Inspection::Verify(show)) => options.verify(show),
            (command, show) => {
                let traced = command.traced().transpose()?;
                let traced = traced.ok_or_else(|| Error::usage("it has no programs"))?;
                match show {
                    Inspection::Dump(format) => traced.dump(*format),
                    Inspection::Verify(show) => traced.verify(show),
                }
            }
        }
    }
}

/// The exit code of the command of this name that ended with this result. Failures are reported on stderr,
/// with the kernel's own words if it is `verbose`, and the verifier's log goes to the file `log`.
fn ended(
    name: &str,
    (verbose, log): (bool, Option<&Path>),
    result: Result<(), Stop>,
    code: FailureCode,
) -> u8 {
    match result {
        Ok(()) => 0,
        Err(Stop::Quietly) => 0,
        Err(Stop::Code(exit)) => exit,
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
            report::verifier_log(name, &error, log);
            code(error.failure)
        }
    }
}

fn parse(args: Vec<OsString>) -> Result<Command, clap::Error> {
    if let Some(called) = Command::called(&args) {
        return called;
    }
    // Build all commands, since the help of any may be asked for.
    let mut all = command();
    all.build();
    let help = help_template(&all);
    let mut all = all.help_template(help);
    Ok(Cli::from_arg_matches(&all.try_get_matches_from_mut(args)?)?.command)
}

/// Parses the options of the command with this name.
fn called<O: Args>(name: &'static str, args: &[OsString]) -> Result<O, clap::Error> {
    let command = O::augment_args(clap::Command::new(name));
    O::from_arg_matches_mut(&mut matches(command, args)?)
}

/// Parses the arguments of a command.
fn matches(mut command: clap::Command, args: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let name = command.get_name();
    let (called, shown) = (format!("rawbpf {name}"), format!("rawbpf-{name}"));
    command = command.bin_name(called).display_name(shown);
    command = command.version(env!("CARGO_PKG_VERSION")).max_term_width(WIDTH);
    // Dropping it would cost more time than building it, and the process ends soon.
    let mut command = ManuallyDrop::new(command);
    command.try_get_matches_from_mut(&args[1..])
}

/// The name by which the program was called.
fn called_as(args: &[OsString]) -> Option<&OsStr> {
    args.first().and_then(|first| Path::new(first).file_name())
}

/// The arguments, with the tool's name inserted if the program was called by that name.
fn named(mut args: Vec<OsString>) -> Vec<OsString> {
    if let Some(name) = called_as(&args)
        .map(OsString::from)
        .filter(|name| Command::NAMES.iter().any(|tool| name == tool))
    {
        args.insert(1, name);
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_in_one_group_of_the_help_which_fits_80_columns() {
        let mut grouped: Vec<_> = GROUPS.iter().flat_map(|(_, names)| *names).collect();
        let mut all: Vec<_> = Command::NAMES.iter().collect();
        grouped.sort_unstable();
        all.sort_unstable();
        assert_eq!(grouped, all);
        let mut command = command();
        command.build();
        let help = help_template(&command);
        let help = command.help_template(help).render_help().to_string();
        for line in help.lines().filter(|line| line.starts_with("  ")) {
            assert!(line.len() <= 80, "{line}");
        }
        for name in Command::NAMES {
            assert!(help.contains(&format!("\n  {name} ")), "{name}: {help}");
        }
    }
}
