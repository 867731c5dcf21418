//! `rawbpf trace`: runs scripts.

use std::ffi::CString;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::{Args, ValueEnum};

use super::dump::{self, Dumped};
use super::input;
use super::options::whole;
use super::stop::Stop;
use super::streams::Stdout;
use crate::error::Error;
use crate::host::refusal;
use crate::insn::Endian;
use crate::insn::parse::Mistakes;
use crate::sample::{Datum, ScriptMap};
use crate::script::lower::{ProbeProgram, Warning, WarningKind, lower};
use crate::script::{Host, check};
use crate::sys::Errno;
use crate::sys::child::WaitingChild;
use crate::sys::signal::StopSignal;
use crate::trace::{Ends, Output, TracedHost, attach, run as run_script, run_alone, spec};
use crate::view::dump::Format;
use crate::view::script::{json, text};

/// Run a script in the language of bpftrace 0.27, or a strict subset of it
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// The script's file, - for standard input; not with -e. Words after it are $1, $2 and so on
    #[arg(value_name = "FILE|ARG", trailing_var_arg = true)]
    words: Vec<String>,

    /// The script itself
    #[arg(short = 'e', value_name = "PROGRAM")]
    program: Option<String>,

    /// Run COMMAND, an executable and its arguments, once all is attached, and end with it. The script
    /// knows its process as cpid
    #[arg(short, value_name = "COMMAND")]
    command: Option<String>,

    /// Only the events of this process
    #[arg(short, long, value_name = "PID", value_parser = whole(1..=i32::MAX as u32))]
    pid: Option<u32>,

    /// The form of the output, as bpftrace has it
    #[arg(short, value_name = "FORMAT", default_value = "text")]
    format: ScriptFormat,

    /// Write the output to FILE instead of stdout
    #[arg(short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Do not report on stderr how many probes are attached
    #[arg(short, long)]
    quiet: bool,

    /// Print the bytecode and exit. FORMAT is one of those of dump
    #[arg(
        long,
        value_name = "FORMAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "listing",
        hide_possible_values = true
    )]
    dump_insns: Option<Format>,

    /// Show the kernel's own words
    #[arg(short, long)]
    verbose: bool,

    /// If the verifier refuses a program, write its whole log to FILE; - for stdout
    #[arg(long, value_name = "FILE")]
    verifier_log: Option<PathBuf>,
}

/// The form of a script's output.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScriptFormat {
    Text,
    Json,
}

const USAGE: &str =
    "rawbpf trace [OPTIONS] -e PROGRAM [ARG...]\n       rawbpf trace [OPTIONS] FILE [ARG...]";

const EXAMPLES: &str = "\
Examples:
  rawbpf trace -e 'tracepoint:block:block_rq_issue { @[comm] = hist(args.bytes); }'
  rawbpf trace -e 'tracepoint:syscalls:sys_enter_openat { printf(\"%s %s\\n\", comm, str(args.filename)); }'
  rawbpf trace -c '/bin/ls /' -e 'tracepoint:syscalls:sys_enter_* /pid == cpid/ { @[probe] = count(); }'";

/// Runs a script to its end.
///
/// # Errors
/// The script is wrong, or cannot be run here.
pub fn run(options: &Options) -> Result<(), Stop> {
    let (name, script, parameters) = options.script()?;
    let wrong = |mistake: Box<_>| Stop::Mistakes(Mistakes::one(&name, &script, *mistake));
    let child = options.command.as_deref().map(waiting).transpose()?;
    let host = TracedHost::new(options.pid, child.as_ref().map_or(0, WaitingChild::pid))?;
    let checked = check(&script, &parameters, &host).map_err(wrong)?;
    let lowered = lower(&checked, &name, &script, &host).map_err(wrong)?;
    if let Some(format) = options.dump_insns {
        let specs: Vec<_> = lowered.maps.iter().map(spec).collect();
        let programs: Vec<_> = lowered.programs.iter().map(dumped).collect();
        dump::dump(&mut Stdout::of(format), format, Endian::HOST, &programs, &specs)?;
        return Ok(());
    }
    let signal =
        StopSignal::new().map_err(|error| refusal::descriptors(Errno::from(&error), &error))?;
    let stdout = io::stdout();
    let writer: Box<dyn Write> = match &options.output {
        Some(path) => Box::new(fs::File::create(path).map_err(|error| {
            Error::usage(format!("{}: it cannot be written: {error}", path.display()))
        })?),
        None => Box::new(Stdout::of(Format::Raw)),
    };
    let mut printer = Printer {
        name: &name,
        format: options.format,
        quiet: options.quiet,
        pending: vec![],
        writer,
    };
    let output = options.output.is_none().then(|| stdout.as_fd());
    let ends = Ends { stop: signal.as_fd(), output, child };
    match run_script(&checked, &lowered, host.cpus(), ends, &mut printer)? {
        0 => Ok(()),
        code => Err(Stop::Code(code)),
    }
}

/// A probe's program as it is dumped: by the first of its events.
fn dumped(program: &ProbeProgram) -> Dumped<'_> {
    let event = &program.events[0];
    let (kind, place) = match attach(event) {
        Ok(attach) => (attach.word().to_owned(), attach.place()),
        Err(_) => (run_alone(event).to_string(), String::new()),
    };
    Dumped { name: event.type_name(), kind, place, program: &program.program }
}

impl Options {
    /// Whether the kernel's own words are shown too, and the file for the verifier's log.
    pub fn reporting(&self) -> (bool, Option<&Path>) {
        (self.verbose, self.verifier_log.as_deref())
    }

    /// The script's name and text, and its parameters.
    fn script(&self) -> Result<(String, String, Vec<String>), Stop> {
        if let Some(program) = &self.program {
            return Ok(("-e".into(), program.clone(), self.words.clone()));
        }
        let Some((file, parameters)) = self.words.split_first() else {
            let error = Error::usage("a script is missing");
            return Err(error
                .hint("a file, or -e 'PROGRAM'; examples: rawbpf trace --help")
                .into());
        };
        let bytes = input::bytes(Path::new(file))?;
        let script = String::from_utf8(bytes)
            .map_err(|_| Error::usage(format!("{file}: this is not UTF-8 text")))?;
        Ok((input::shown(Path::new(file)), script, parameters.to_vec()))
    }
}

/// A process that will run a command: the path or name of an executable, and its arguments.
fn waiting(command: &str) -> Result<WaitingChild, Error> {
    let words: Vec<&str> = command.split_ascii_whitespace().collect();
    let Some(first) = words.first() else { return Err(Error::usage("-c: the command is empty")) };
    let path = executable(first).ok_or_else(|| {
        Error::usage(format!("-c: {first} is no executable"))
            .hint("a script needs its shell: -c '/bin/sh SCRIPT'")
    })?;
    let c_string = |word: &str| CString::new(word).unwrap_or_default();
    let words: Vec<_> = words.iter().map(|word| c_string(word)).collect();
    WaitingChild::new(&c_string(&path.to_string_lossy()), &words)
        .map_err(|error| Error::failed(format!("-c: no process could be made: {error}")))
}

/// The ELF file that a command means: by its path, or the first of its name in the folders of PATH.
fn executable(name: &str) -> Option<PathBuf> {
    let is_elf = |path: &Path| {
        let executable =
            fs::metadata(path).is_ok_and(|of| of.is_file() && of.permissions().mode() & 0o111 != 0);
        let mut start = [0; 4];
        let read = || io::Read::read_exact(&mut fs::File::open(path)?, &mut start);
        executable && { read }().is_ok() && start == *b"\x7fELF"
    };
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| is_elf(path));
    }
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| is_elf(path))
}

/// Writes what a script prints.
struct Printer<'a> {
    name: &'a str,
    format: ScriptFormat,
    quiet: bool,
    pending: Vec<u8>,
    writer: Box<dyn Write>,
}

impl Printer<'_> {
    fn put(&mut self, text: impl FnOnce() -> Vec<u8>, json: impl FnOnce() -> String) {
        match self.format {
            ScriptFormat::Text => self.pending.extend(text()),
            ScriptFormat::Json => self.pending.extend(json().bytes()),
        }
    }
}

impl Output for Printer<'_> {
    fn attached(&mut self, probes: usize) {
        if self.quiet {
            return;
        }
        match self.format {
            ScriptFormat::Text => {
                say!("Attached {probes} probe{}", if probes == 1 { "" } else { "s" })
            }
            ScriptFormat::Json => {
                let before = std::mem::take(&mut self.pending);
                self.pending.extend(json::attached(probes).bytes());
                self.pending.extend(before);
            }
        }
    }

    fn text(&mut self, kind: &str, text: &[u8]) {
        self.put(|| text.to_vec(), || json::text(kind, text));
    }

    fn value(&mut self, value: &Datum) {
        let line = || {
            let mut line = text::value(value);
            line.push(b'\n');
            line
        };
        self.put(line, || json::value(value));
    }

    fn map(&mut self, map: &ScriptMap) {
        self.put(|| text::map(map), || json::map(map));
    }

    fn last(&mut self) {
        self.put(|| b"\n\n".to_vec(), String::new);
    }

    fn warning(&mut self, Warning { line, column, end, what }: &Warning) {
        let what = match what {
            WarningKind::MapFull => {
                if self.format == ScriptFormat::Json {
                    self.pending.extend(json::helper_error(self.name, *line, *column).bytes());
                    return;
                }
                "the map is full, and this element is not stored; try: a larger max_map_keys, or `let @m = hash(N);`".into()
            }
            WarningKind::DivisionByZero => "a division by zero gave 1".into(),
            WarningKind::LoopTooLong(turns) => format!("a loop was left after {turns} turns"),
        };
        say!("{}:{line}:{column}-{end}: WARNING: {what}", self.name);
    }

    fn lost(&mut self, events: u64) {
        match self.format {
            ScriptFormat::Text => say!("Lost {events} events"),
            ScriptFormat::Json => self.pending.extend(json::lost(events).bytes()),
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self.writer.write_all(&self.pending).and_then(|()| self.writer.flush());
        self.pending.clear();
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::failed(format!("the output could not be written: {error}")))
            }
            _ => Ok(()),
        }
    }
}
