//! `rawbpf trace`: runs scripts.

mod bpftrace;
mod child;
mod list;
mod options;
mod printer;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

pub use bpftrace::{NAME as BPFTRACE, failure_code, translated};
pub use options::Options;
use options::Stage;
use printer::Printer;

use super::dump::{self, Dumped};
use super::input;
use super::recording::Recording;
use super::stop::Stop;
use super::streams::Stdout;
use super::verify::{Show, Shown};
use crate::error::Error;
use crate::host::{Attach, KernelTypes, refusal};
use crate::insn::Endian;
use crate::insn::parse::{Mistake, Mistakes};
use crate::run::{self as session, Plan};
use crate::script::lower::{Lowered, ProbeProgram, lower};
use crate::script::{Checked, Host, check, outline};
use crate::sys::Errno;
use crate::sys::child::WaitingChild;
use crate::sys::pidfd::PidFd;
use crate::sys::signal::StopSignal;
use crate::trace::{Ends, Output, TracedHost, metric_kind, run as run_script, run_alone, spec};
use crate::view::dump::Format;

/// A script and what follows it.
struct Script {
    name: String,
    text: String,
    parameters: Vec<String>,
}

/// A script, checked and turned into programs.
struct Ready {
    checked: Checked,
    lowered: Lowered,
}

impl Script {
    fn mistake(&self, mistake: &Mistake) -> Stop {
        Stop::Mistakes(Mistakes::one(&self.name, &self.text, mistake.clone()))
    }

    fn checked(&self, host: &dyn Host) -> Result<Checked, Stop> {
        check(&self.text, &self.parameters, host).map_err(|mistake| self.mistake(&mistake))
    }

    fn ready(&self, host: &dyn Host) -> Result<Ready, Stop> {
        let checked = self.checked(host)?;
        let lowered = lower(&checked, &self.name, &self.text, host);
        Ok(Ready { lowered: lowered.map_err(|mistake| self.mistake(&mistake))?, checked })
    }
}

/// Runs a script to its end.
///
/// # Errors
/// The script is wrong, or cannot be run here.
pub fn run(options: &Options) -> Result<(), Stop> {
    run_with(options, None)
}

/// Runs a script to its end, and records its totals.
///
/// # Errors
/// As [`run`], or the recording cannot be written.
pub fn record(options: &Options, recording: Recording) -> Result<(), Stop> {
    run_with(options, Some(recording))
}

fn run_with(options: &Options, recording: Option<Recording>) -> Result<(), Stop> {
    if options.list && options.program.is_none() && !options.names_a_file() {
        return list::patterns(&options.words, options.verbose);
    }
    if let Some(format) = options.dump_insns {
        return options.dump(format);
    }
    let script = options.script()?;
    let types = KernelTypes::running();
    if options.list {
        return list::script(&script.checked(&TracedHost::new(&types, None, 0)?)?, options.verbose);
    }
    let child = options.command.as_deref().map(child::waiting).transpose()?;
    let host = TracedHost::new(&types, options.pid, child.as_ref().map_or(0, WaitingChild::pid))?;
    match options.debug {
        Some(Stage::Ast) => {
            let parsed = crate::script::parse(&script.text, &script.parameters);
            let parsed = parsed.map_err(|mistake| script.mistake(&mistake))?;
            return print(&outline::tree(&parsed));
        }
        Some(Stage::Types) => return print(&outline::types(&script.checked(&host)?)),
        None => {}
    }
    let Ready { checked, lowered } = script.ready(&host)?;
    if !options.no_warnings {
        for Mistake { span, what, .. } in &checked.warnings {
            match span.line {
                0 => say!("trace: warning: {what}"),
                line => {
                    let (file, start, end) = (&script.name, span.start + 1, span.end + 1);
                    say!("{file}:{line}:{start}-{end}: WARNING: {what}");
                }
            }
        }
    }
    if options.export.is_any() || recording.is_some() {
        say_left_out(&checked);
    }
    let signal =
        StopSignal::new().map_err(|error| refusal::descriptors(Errno::from(&error), &error))?;
    let stdout = io::stdout();
    let mut printer = Printer::new(&script.name, options, recording)?;
    let output = options.output_file().is_none().then(|| stdout.as_fd());
    // Without pidfd_open, a run does not end with the process.
    let process = options.pid.and_then(|pid| PidFd::open(pid).ok());
    let ends = Ends {
        stop: signal.as_fd(),
        output,
        child,
        process,
        dry_run: options.dry_run,
        keep_privileges: options.keep_privileges,
    };
    let ran = run_script(&checked, &lowered, &host, ends, &mut printer);
    match ran.map_err(|error| placed(&script.name, error))? {
        0 => Ok(()),
        code => Err(Stop::Code(code)),
    }
}

/// Runs a script until it ends or `stop` becomes readable. Its exit code.
///
/// # Errors
/// The script is wrong, or cannot be run here.
pub fn serve(options: &Options, stop: BorrowedFd<'_>, out: &mut dyn Output) -> Result<u8, Stop> {
    let script = options.script()?;
    let types = KernelTypes::running();
    let host = TracedHost::new(&types, options.pid, 0)?;
    let Ready { checked, lowered } = script.ready(&host)?;
    say_left_out(&checked);
    let process = options.pid.and_then(|pid| PidFd::open(pid).ok());
    let (output, child, dry_run) = (None, None, false);
    let keep_privileges = options.keep_privileges;
    let ends = Ends { stop, output, child, process, dry_run, keep_privileges };
    let ran = run_script(&checked, &lowered, &host, ends, out);
    Ok(ran.map_err(|error| placed(&script.name, error))?)
}

/// Reports which maps are no metrics.
fn say_left_out(checked: &Checked) {
    for map in &checked.types.maps {
        if let Err(why) = metric_kind(map) {
            say!("trace: @{} is not exported: {why}", map.name);
        }
    }
}

/// A refusal by the verifier, with the line of the script that led to it.
fn placed(script: &str, error: Error) -> Error {
    let error = match error.what.contains("too many instructions") {
        true => error.hint(
            "the verifier walks a loop turn by turn, over 1000000 instructions at most: give this loop fewer \
             turns, or less to do in each",
        ),
        false => error,
    };
    let line = error.refused.as_ref().and_then(|refused| {
        let at = refused.diagnose()?.at?;
        Some(refused.source(at)?.line)
    });
    match line {
        Some(line) => error.prefix(format_args!("{script}:{line}")),
        None => error,
    }
}

fn print(text: &str) -> Result<(), Stop> {
    let mut out = Stdout::plain();
    io::Write::write_all(&mut out, text.as_bytes())?;
    Ok(io::Write::flush(&mut out)?)
}

/// How a probe's program is loaded, and where it is attached first unless it is run by itself.
fn dumped<'a>(program: &'a ProbeProgram, host: &TracedHost<'_>) -> (Dumped<'a>, Option<Attach>) {
    let event = &program.events[0];
    let attached = host.attach(event).ok().and_then(|places| places.into_iter().next());
    let (kind, place) = match &attached {
        Some(attach) => (attach.word().to_owned(), attach.place()),
        None => (run_alone(event).to_string(), String::new()),
    };
    let name = event.type_name();
    (Dumped { name, kind, place, flags: 0, program: &program.program }, attached)
}

/// Shows how the verifier walks over the programs of the script in this file.
///
/// # Errors
/// The script is wrong, or a program is refused.
pub fn verify_file(file: &Path, show: &Show) -> Result<(), Stop> {
    let name = file.to_string_lossy().into_owned();
    verify(&read(&name, vec![])?, None, show)
}

fn verify(script: &Script, pid: Option<u32>, show: &Show) -> Result<(), Stop> {
    let types = KernelTypes::running();
    let host = TracedHost::new(&types, pid, 0)?;
    let Ready { lowered, .. } = script.ready(&host)?;
    let specs: Vec<_> = lowered.maps.iter().map(spec).collect();
    let maps = session::create(&specs)?;
    let mut shown = Shown::new(&script.name, show)?;
    for program in &lowered.programs {
        let (dumped, attached) = dumped(program, &host);
        let verdict = match attached {
            Some(attach) => {
                session::verify(&Plan::new(dumped.name, attach, program.program.clone()), &maps)
            }
            None => {
                let of = run_alone(&program.events[0]);
                session::verify_alone(dumped.name, &program.program, &maps, of)
            }
        };
        shown.program(&dumped, verdict)?;
    }
    shown.end()
}

fn read(file: &str, parameters: Vec<String>) -> Result<Script, Stop> {
    let bytes = input::bytes(Path::new(file))?;
    let name = input::shown(Path::new(file));
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::usage(format!("{name}: this is not UTF-8 text")))?;
    Ok(Script { name, text, parameters })
}

impl Options {
    /// Prints the script's programs without loading them.
    ///
    /// # Errors
    /// The script is wrong, or the output could not be written.
    pub fn dump(&self, format: Format) -> Result<(), Stop> {
        let types = KernelTypes::running();
        let host = TracedHost::new(&types, self.pid, 0)?;
        let Ready { lowered, .. } = self.script()?.ready(&host)?;
        let specs: Vec<_> = lowered.maps.iter().map(spec).collect();
        let programs: Vec<_> =
            lowered.programs.iter().map(|program| dumped(program, &host).0).collect();
        dump::dump(&mut Stdout::of(format), format, Endian::HOST, &programs, &specs)
    }

    /// Shows how the verifier walks over the script's programs.
    ///
    /// # Errors
    /// As [`verify_file`].
    pub fn verify(&self, show: &Show) -> Result<(), Stop> {
        verify(&self.script()?, self.pid, show)
    }

    /// The script, and its parameters.
    fn script(&self) -> Result<Script, Stop> {
        let script = match (&self.program, self.words.split_first()) {
            (Some(program), _) => {
                let (text, parameters) = (program.clone(), self.words.clone());
                Script { name: "-e".into(), text, parameters }
            }
            (None, Some((file, parameters))) => read(file, parameters.to_vec())?,
            (None, None) => {
                let error = Error::usage("a script is missing");
                return Err(error
                    .hint("a file, or -e 'PROGRAM'; examples: rawbpf trace --help")
                    .into());
            }
        };
        if let Some(named) = script.parameters.iter().find(|word| word.starts_with("--")) {
            let what = format!(
                "{named}: named parameters are not supported, nor is getopt(), which reads them"
            );
            return Err(Error::usage(what)
                .hint("$1, $2 and so on are the words after the script")
                .into());
        }
        Ok(script)
    }
}
