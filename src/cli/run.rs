//! `rawbpf run`: runs programs of a text or an object once, or attaches them, and prints their maps.

mod interpreted;
mod results;

use std::path::PathBuf;

use clap::Args;

use super::dump::{self, Dumped};
use super::input;
use super::options::{TraceOptions, whole};
use super::select::Select;
use super::stop::Stop;
use super::streams::Stdout;
use super::tables::TablePrinter;
use super::traced::TracedTool;
use crate::error::Error;
use crate::host::{Attach, KernelTypes};
use crate::insn::Endian;
use crate::run::{Plan, create, fill, load_as};
use crate::source::{Collection, LoadOptions, ProgramKind, ProgramSpec, resolved};
use crate::sys::prog::{self, TestRun};
use crate::sys::{Errno, Prog, ProgramType, SysError};
use crate::tools::programs::{Programs, elements};
use crate::view::dump::Format;
use crate::view::tables::Titles;
use results::{ProgramResult, Results};

/// Run or attach the programs of a text or an ELF object, and show their maps
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// A text in the language of asm, or an ELF object made by clang; - for stdin
    file: PathBuf,

    #[command(flatten)]
    select: Select,

    #[command(flatten)]
    pub trace: TraceOptions,

    /// The program's input, in hexadecimal: a packet of at least 14 bytes, or a raw tracepoint's
    /// arguments, 8 bytes each [default: zeros]
    #[arg(long, value_name = "HEX", value_parser = bytes)]
    ctx: Option<HexBytes>,

    #[command(flatten)]
    maps: input::MapOptions,

    /// Run it N times and print the average time
    #[arg(long, value_name = "N", value_parser = whole(1..=u32::MAX))]
    repeat: Option<u32>,

    /// Run it here, without root: neither the kernel's verifier nor its JIT is asked
    #[arg(long, conflicts_with = "repeat")]
    interpret: bool,
}

/// Bytes from the command line. A type of its own, since for clap a `Vec` means several values.
#[derive(Clone, Debug)]
struct HexBytes(Vec<u8>);

const USAGE: &str = "rawbpf run [OPTIONS] FILE [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
Examples:
  rawbpf run add.bpf --repeat 100000          its result, and how long a run takes on average
  rawbpf run drop.bpf --ctx \"$(xxd -p packet)\"
  rawbpf run count.o 1 3                      an object made by clang -O2 -g --target=bpf
  rawbpf bitehist --attach raw_tp --dump-insns | rawbpf run - 1 3
  rawbpf run add.bpf --interpret              its result, by this program alone

A tracing program (kprobe, tracepoint, raw_tp, tp_btf, fentry, uprobe, ...) is attached until Ctrl-C \
or for COUNT intervals, and its maps are shown after each interval. A program of another type, such \
as socket_filter, xdp or sched_cls, is run once by BPF_PROG_TEST_RUN, and so is a raw_tp program \
with --ctx. Array elements that are 0 are not shown; the values of all CPUs are added up.

With --interpret, programs are run once by this program itself: on one CPU, with a clock that counts \
instructions. A program that would be attached needs --ctx, the bytes that its r1 leads to. Helpers \
that need a kernel end the run with an error. What bpf_trace_printk prints goes to stderr.

In an object, each program's kind comes from its section's name, as in libbpf, or from --type. Variables become \
arrays, CO-RE relocations are resolved with the kernel's types, and functions and variables of the \
kernel and its modules (__ksym) and its configuration (__kconfig) are linked.";

fn bytes(text: &str) -> Result<HexBytes, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let digits: Vec<u8> =
        digits.bytes().filter(|c| !c.is_ascii_whitespace() && !matches!(c, b':' | b',')).collect();
    let digit = |c: u8| char::from(c).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((digit(*high)? << 4 | digit(*low)?) as u8),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(pair).collect();
    bytes.map(HexBytes).ok_or_else(|| "it must be pairs of hexadecimal digits".into())
}

impl Options {
    /// The programs that are meant.
    fn read(&self, types: &KernelTypes) -> Result<Collection, Stop> {
        let text = self.select.from(input::read_any(&self.file, types)?)?.whole();
        let mut text = text.map_err(|error| error.prefix(input::shown(&self.file)))?;
        self.maps.apply(&self.file, &mut text)?;
        if text.programs.is_empty() {
            let what = format!("{}: no program is chosen", input::shown(&self.file));
            return Err(Error::usage(what).hint("choose one: --program NAME").into());
        }
        Ok(text)
    }

    /// The file as it was named.
    fn name(&self) -> String {
        self.file.to_string_lossy().into_owned()
    }
}

/// Prints the programs without loading them.
///
/// # Errors
/// The file cannot be read or is wrong, or the output could not be written.
pub fn dump(options: &Options, format: Format) -> Result<(), Stop> {
    let types = KernelTypes::new(options.trace.btf.as_deref())?;
    let text = options.read(&types)?;
    let programs = Dumped::all(&text);
    dump::dump(&mut Stdout::of(format), format, Endian::HOST, &programs, &text.maps)
}

pub fn run(options: &Options) -> Result<(), Stop> {
    if let Some(format) = options.trace.dump_insns {
        return dump(options, format);
    }
    let types = KernelTypes::new(options.trace.btf.as_deref())?;
    let text = options.read(&types)?;
    let programs = Dumped::all(&text);
    for program in &programs {
        resolved(program.program)?;
    }
    if options.interpret {
        only_once(options)?;
        let ctx = options.ctx.as_ref().map(|bytes| &bytes.0[..]);
        let mut results = Results::new(options.name(), &options.trace, None, true)?;
        return interpreted::run(&text, ctx, &mut results);
    }
    let once = options.ctx.is_some() || options.repeat.is_some();
    text.programs.iter().try_for_each(can_run)?;
    let kinds: Vec<_> = text.programs.iter().map(|spec| spec.kind).collect();
    let test = |kind: &ProgramKind| match *kind {
        ProgramKind::Attached("raw_tp") if once => Some(ProgramType::RawTracepoint),
        kind => results::program_type(kind),
    };
    let tests: Vec<_> = kinds.iter().filter_map(test).collect();
    if tests.len() == programs.len() {
        only_once(options)?;
        return test_run(options, &text, &tests);
    }
    if let Some(program) = programs.iter().zip(&kinds).find(|(_, kind)| test(kind).is_some()) {
        return Err(Error::usage(format!(
            "{} is of type {}, which can only be run once, but other programs of this file are attached",
            program.0.name, program.0.kind
        ))
        .into());
    }
    if once {
        let kind = &programs[0].kind;
        return Err(Error::usage(format!(
            "a {kind} program runs when the event it is attached to happens: --ctx and --repeat \
             do not apply to it"
        ))
        .into());
    }
    attached(options, &text, &programs)
}

/// No option asks for what only programs that are attached have.
fn only_once(options: &Options) -> Result<(), Error> {
    if options.trace.export.is_any() {
        let what = "the programs of this file are run once: nothing is exported";
        return Err(Error::usage(what).hint("--json prints what they return"));
    }
    let schedule = &options.trace.schedule;
    if schedule.duration.is_some() || schedule.summary {
        let what = "the programs of this file are run once: --duration and --summary do not apply";
        return Err(Error::usage(what).hint("try: --repeat N for the average time of N runs"));
    }
    Ok(())
}

/// The program can be run or attached, as far as its kind tells.
fn can_run(spec: &ProgramSpec) -> Result<(), Error> {
    let ProgramSpec { name, kind, place, .. } = spec;
    let is_placeless = match kind {
        ProgramKind::Type(program_type) => *program_type != ProgramType::RawTracepoint,
        ProgramKind::Section(section) if section.has_target && kind.attach_kind().is_none() => {
            let what = format!("{name}: {kind} programs are not attached here");
            return Err(Error::usage(what).hint("rawbpf verify judges them"));
        }
        ProgramKind::Section(_) => true,
        ProgramKind::Attached(_) if spec.options != LoadOptions::default() => {
            let what = format!("{name}: its .flags are only for programs that are not attached");
            return Err(Error::usage(what).hint("rawbpf verify loads it with them"));
        }
        ProgramKind::Attached(_) => false,
        ProgramKind::Function | ProgramKind::Unknown => {
            let what = match place.as_str() {
                "" => format!("{name}: nothing says what kind of program it is"),
                _ => {
                    format!("{name}: the section {place:?} does not say what kind of program it is")
                }
            };
            return Err(Error::usage(what).hint("say it: --type TYPE; libbpf's names of sections are xdp, kprobe/FUNCTION, tracepoint/CATEGORY/NAME, ..."));
        }
    };
    if is_placeless && kind.attach_kind().is_some() {
        return Err(Error::usage(format!("{name}: where is this {kind} to be attached?")).hint(
            format!(
                "in a text: .program {name} {kind} PLACE; in an object the section: {kind}/PLACE"
            ),
        ));
    }
    Ok(())
}

/// Runs each program once, on the same maps.
fn test_run(options: &Options, text: &Collection, types: &[ProgramType]) -> Result<(), Stop> {
    let maps = create(&text.maps)?;
    let mut results = Results::new(options.name(), &options.trace, options.repeat, false)?;
    let types_of_kernel = KernelTypes::running();
    let load = |(spec, program_type): (&ProgramSpec, &ProgramType)| {
        checked(options, *program_type)?;
        let loading = spec.loading(&types_of_kernel)?;
        let loaded = load_as(&spec.name, &spec.program, &maps, loading.load());
        loaded.map_err(|error| {
            text.explained(error).prefix_if_several(&spec.name, text.programs.len())
        })
    };
    let loaded = text.programs.iter().zip(types).map(load).collect::<Result<Vec<_>, Error>>()?;
    fill(&maps, &mut loaded.iter())?;
    for ((spec, &program_type), loaded) in text.programs.iter().zip(types).zip(&loaded) {
        let tested = test_one(options, program_type, loaded)?;
        let runs = options.repeat.unwrap_or(1);
        let each = if runs > 1 { format!(" each of {runs} times") } else { String::new() };
        // The kernel does not time raw tracepoints.
        let time = match program_type {
            ProgramType::RawTracepoint | ProgramType::Syscall => String::new(),
            _ => format!(" in {} ns{each}", tested.duration_ns),
        };
        let result = ProgramResult {
            program: &spec.name,
            program_type: Some(program_type),
            value: tested.retval,
            runs,
            nanoseconds: tested.duration_ns,
            time,
        };
        results.program(&result, &|| elements(&maps))?;
    }
    results.end(&elements(&maps)?)
}

/// The shortest packet that the kernel accepts: a header of the link layer.
const LINK_HEADER: usize = 14;

fn takes_ctx(program_type: ProgramType) -> bool {
    matches!(program_type, ProgramType::RawTracepoint | ProgramType::Syscall)
}

/// The options make sense for a program of this type.
fn checked(options: &Options, program_type: ProgramType) -> Result<(), Error> {
    let ctx = options.ctx.as_ref().map(|bytes| &bytes.0[..]);
    let takes_ctx = takes_ctx(program_type);
    if takes_ctx && options.repeat.is_some() {
        return Err(Error::usage(format!(
            "the kernel runs a {program_type} program only once: --repeat does not apply to it"
        )));
    }
    if !takes_ctx && ctx.is_some_and(|packet| packet.len() < LINK_HEADER) {
        return Err(Error::usage(format!("--ctx: a packet has at least {LINK_HEADER} bytes")));
    }
    Ok(())
}

fn test_one(
    options: &Options,
    program_type: ProgramType,
    loaded: &Prog,
) -> Result<prog::TestResult, Error> {
    let ctx = options.ctx.as_ref().map(|bytes| &bytes.0[..]);
    let zeros = [0; 64];
    let (data_in, ctx_in) = match takes_ctx(program_type) {
        true => (&[][..], ctx.unwrap_or(&zeros)),
        false => (ctx.unwrap_or(&zeros), &[][..]),
    };
    let repeat = options.repeat.unwrap_or_default();
    let run = TestRun { data_in, ctx_in, repeat, ..TestRun::default() };
    loaded.test_run(run).map_err(|error| not_run(program_type, &error))
}

/// Why the kernel did not run a program of a type that it loaded.
pub(super) fn not_run(program_type: ProgramType, error: &SysError) -> Error {
    match error.errno {
        Errno::ENOTSUPP | Errno::EOPNOTSUPP => Error::lacking(format!(
            "this kernel cannot run {program_type} programs with BPF_PROG_TEST_RUN"
        ))
        .hint("try: a type such as socket_filter or xdp, or a program that is attached"),
        Errno::EINVAL => {
            Error::failed(format!("the kernel does not run this program on this input: {error}"))
                .hint("try: another --ctx, at least as long as what the program reads")
        }
        Errno::EINTR => Error::failed("interrupted"),
        _ => Error::failed(format!("the kernel did not run the program: {error}")),
    }
}

/// Attaches all programs and shows the maps after each interval.
fn attached(options: &Options, text: &Collection, programs: &[Dumped]) -> Result<(), Stop> {
    // Ids must be the running kernel's, even if a file provides the offsets.
    let types = KernelTypes::running();
    let plan = |dumped: &Dumped| {
        let attach = Attach::parse(&dumped.kind, &dumped.place, &types)?;
        Ok(Plan::new(dumped.name, attach, dumped.program.clone()))
    };
    let plans = programs.iter().map(plan).collect::<Result<Vec<_>, Error>>()?;
    let tool = Box::new(Programs::new(options.name(), text.maps.clone(), plans));
    let output = Box::new(TablePrinter::new(Titles::Named, false));
    let traced = TracedTool { tool, options: options.trace.clone(), output };
    traced.run(None).map_err(|stop| match stop {
        // The text decides the attach kind, so advice about --attach would be wrong.
        Stop::Error(error) => {
            let hint = error.hint.clone().filter(|hint| !hint.contains("--attach"));
            Stop::Error(text.explained(Error { hint, ..error }))
        }
        stop => stop,
    })
}
