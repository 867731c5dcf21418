//! `rawbpf run`: programs from text or an object, run once or attached, and what is then in its maps.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map as Fields, Value, json};

use super::Stop;
use super::dump::{Dumped, dump};
use super::input;
use super::options::TraceOptions;
use super::report;
use super::trace::{self, Tool};
use crate::btf::Kind;
use crate::error::Error;
use crate::host::{Attach, AttachKind, KernelTypes, UserFunction, names, refusal};
use crate::insn::Endian;
use crate::session::{self, Plan, Session, load_alone};
use crate::source::{Collection, ProgramKind, resolved};
use crate::sys::link::At;
use crate::sys::map::Entries;
use crate::sys::prog::{self, TestRun};
use crate::sys::{Errno, Map, MapSpec, MapType, ProgramType, SysError};
use crate::view::elements::{Data, Elements};

/// Run the programs of a text or of an ELF object, or attach them, and show their maps
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// A text, as asm takes it, or an ELF object made by clang; - for stdin
    file: PathBuf,

    #[command(flatten)]
    pub trace: TraceOptions,

    /// What the program is run on, in hexadecimal: a packet of at least 14 bytes, or a raw
    /// tracepoint's arguments, 8 bytes each [default: zeros]
    #[arg(long, value_name = "HEX", value_parser = bytes)]
    ctx: Option<Bytes>,

    /// Run it so often, and tell the mean time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: Option<u32>,
}

/// Bytes of the command line. A type of its own, since clap takes a `Vec` for several values.
#[derive(Clone, Debug)]
struct Bytes(Vec<u8>);

const USAGE: &str = "rawbpf run [OPTIONS] FILE [INTERVAL [COUNT]]";

const EXAMPLES: &str = "\
Examples:
  rawbpf run add.bpf --repeat 100000          what it returns, and how long it takes
  rawbpf run drop.bpf --ctx \"$(xxd -p packet)\"
  rawbpf run count.o 1 3                      an object made by clang -O2 -g --target=bpf
  rawbpf bitehist --attach raw_tp --dump-insns | rawbpf run - 1 3

A program that is attached (kprobe, tracepoint, raw_tp, tp_btf, fentry, uprobe, ...) runs until \
Ctrl-C or for COUNT intervals, and its maps are shown after each. One of another type, such as \
socket_filter, xdp or sched_cls, is run once by BPF_PROG_TEST_RUN, and so is a raw_tp with --ctx. \
Zeros in arrays are not shown; values of several CPUs are added up.

Of an object the sections tell what each program is, by libbpf's names. Variables become arrays, and \
CO-RE relocations are resolved by the kernel's types. Kernel functions and variables (__ksym) are \
not linked.";

fn bytes(text: &str) -> Result<Bytes, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let digits: Vec<u8> =
        digits.bytes().filter(|c| !c.is_ascii_whitespace() && !matches!(c, b':' | b',')).collect();
    let digit = |c: u8| char::from(c).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((digit(*high)? << 4 | digit(*low)?) as u8),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(pair).collect();
    bytes.map(Bytes).ok_or_else(|| "it is not pairs of hexadecimal digits".into())
}

pub fn run(options: &Options) -> Result<(), Stop> {
    let types = KernelTypes::new(options.trace.btf.as_deref())?;
    let text = input::read_any(&options.file, &types)?;
    let programs = Dumped::all(&text);
    if let Some(format) = options.trace.dump_insns {
        return dump(&mut io::stdout().lock(), format, Endian::HOST, &programs, &text.maps);
    }
    for program in &programs {
        resolved(program.program)?;
    }
    let once = options.ctx.is_some() || options.repeat.is_some();
    let test = |kind: &ProgramKind| match *kind {
        ProgramKind::Type(program_type) => Some(program_type),
        ProgramKind::Attached("raw_tp") if once => Some(ProgramType::RawTracepoint),
        ProgramKind::Attached(_) => None,
    };
    let kinds: Vec<_> = text.programs.iter().map(|spec| spec.kind).collect();
    let tests: Vec<_> = kinds.iter().filter_map(test).collect();
    if tests.len() == programs.len() {
        return test_run(options, &text, &programs, &tests);
    }
    if let Some(program) = programs.iter().zip(&kinds).find(|(_, kind)| test(kind).is_some()) {
        return Err(Error::usage(format!(
            "{} is of type {}, which is run once, and others of this file are attached",
            program.0.name, program.0.kind
        ))
        .into());
    }
    if once {
        let kind = &programs[0].kind;
        return Err(Error::usage(format!(
            "a {kind} program runs when what it is attached to does: --ctx and --repeat are not for it"
        ))
        .into());
    }
    attached(options, &text, &programs)
}

/// Runs each program once, on the same maps.
fn test_run(
    options: &Options,
    text: &Collection,
    programs: &[Dumped],
    types: &[ProgramType],
) -> Result<(), Stop> {
    let maps = session::create(&text.maps)?;
    let mut out = io::stdout().lock();
    for (dumped, &program_type) in programs.iter().zip(types) {
        let result = test_one(options, text, dumped, program_type, &maps)?;
        let runs = options.repeat.unwrap_or(1);
        if options.trace.json {
            let line = json!({
                "type": "run",
                "program": dumped.name,
                "returned": result.retval,
                "runs": runs,
                "ns": result.duration_ns,
                "data": to_json(&elements(&maps)?),
            });
            writeln!(out, "{line}")?;
            continue;
        }
        let verdict = match program_type {
            ProgramType::Xdp => XDP.get(result.retval as usize).copied().unwrap_or_default(),
            _ => "",
        };
        let each = if runs > 1 { format!(" each of {runs} times") } else { String::new() };
        // The kernel does not time raw tracepoints.
        let time = match program_type {
            ProgramType::RawTracepoint | ProgramType::Syscall => String::new(),
            _ => format!(" in {} ns{each}", result.duration_ns),
        };
        writeln!(out, "{} returned {}{verdict}{time}", dumped.name, result.retval)?;
    }
    if !options.trace.json {
        elements(&maps)?.iter().try_for_each(|map| write!(out, "{map}"))?;
    }
    Ok(out.flush()?)
}

const XDP: [&str; 5] =
    [" (XDP_ABORTED)", " (XDP_DROP)", " (XDP_PASS)", " (XDP_TX)", " (XDP_REDIRECT)"];

/// The least that the kernel takes as a packet is the header of the link layer.
const LINK_HEADER: usize = 14;

fn test_one(
    options: &Options,
    text: &Collection,
    dumped: &Dumped,
    program_type: ProgramType,
    maps: &[Map],
) -> Result<prog::TestResult, Error> {
    let ctx = options.ctx.as_ref().map(|bytes| &bytes.0[..]);
    let takes_ctx = matches!(program_type, ProgramType::RawTracepoint | ProgramType::Syscall);
    if takes_ctx && options.repeat.is_some() {
        return Err(Error::usage(format!("the kernel runs a {program_type} program once")));
    }
    if !takes_ctx && ctx.is_some_and(|packet| packet.len() < LINK_HEADER) {
        return Err(Error::usage(format!("--ctx: a packet has at least {LINK_HEADER} bytes")));
    }
    let loaded = load_alone(dumped.name, dumped.program, maps, program_type);
    let loaded = loaded
        .map_err(|error| text.explained(error).of_program(dumped.name, text.programs.len()))?;
    let zeros = [0; 64];
    let (data_in, ctx_in) = match takes_ctx {
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
            "this kernel does not run {program_type} programs by themselves"
        ))
        .next("try: a type such as socket_filter or xdp, or one that is attached"),
        Errno::EINVAL => Error::failed(format!("the kernel does not run this program so: {error}"))
            .next("try: another --ctx, as long as what the program reads"),
        Errno::EINTR => Error::failed("interrupted"),
        _ => Error::failed(format!("the kernel did not run the program: {error}")),
    }
}

/// Attaches all programs and shows the maps after each interval.
fn attached(options: &Options, text: &Collection, programs: &[Dumped]) -> Result<(), Stop> {
    // Ids are the running kernel's, whatever file tells the offsets.
    let types = KernelTypes::running();
    let plan = |dumped: &Dumped| {
        Ok(Plan {
            // One name a program, once a run.
            name: dumped.name.to_owned().leak(),
            attach: attach(&dumped.kind, &dumped.place, &types)?,
            program: dumped.program.clone(),
        })
    };
    let plans = programs.iter().map(plan).collect::<Result<Vec<_>, Error>>()?;
    let mut run = Run { options, maps: &text.maps, plans, elements: vec![] };
    trace::run(&mut run).map_err(|stop| match stop {
        // What it is attached by is the text's to say.
        Stop::Error(error) => {
            let next = error.next.clone().filter(|next| !next.contains("--attach"));
            Stop::Error(text.explained(Error { next, ..error }))
        }
        stop => stop,
    })
}

/// Where a program is attached, as its text says.
pub fn attach(kind: &str, place: &str, types: &KernelTypes) -> Result<Attach, Error> {
    let name = || place.to_owned();
    Ok(match kind {
        "kprobe" => Attach::Kprobe(place.split('|').map(str::to_owned).collect()),
        "kretprobe" => Attach::Kretprobe(name()),
        "kprobe.multi" => {
            Attach::KprobeMulti(names::functions(&place.split(',').collect::<Vec<_>>())?)
        }
        "fentry" | "fexit" => {
            let id = types.btf()?.map(|mut btf| btf.find_id(Kind::Func, place)).transpose();
            let id = id.map_err(|error| types.error(&error))?;
            match (kind, id) {
                (_, Some(None)) => return Err(refusal::no_function(place)),
                ("fentry", id) => Attach::Fentry(name(), id.flatten()),
                (_, id) => Attach::Fexit(name(), id.flatten()),
            }
        }
        "tp_btf" => {
            let args = types.btf()?.map(|mut btf| btf.trace_args(place)).transpose();
            match args.map_err(|error| types.error(&error))? {
                Some(None) => {
                    return Err(Error::lacking(format!("this kernel has no tracepoint {place}")));
                }
                args => Attach::TpBtf(name(), args.flatten().map(|args| args.type_id)),
            }
        }
        "raw_tp" => Attach::RawTp(name()),
        "tracepoint" => match place.split_once(['/', ':']) {
            Some((category, name)) => Attach::Tracepoint(category.into(), name.into()),
            None => {
                return Err(Error::usage(format!("{place}: a tracepoint is CATEGORY/NAME")));
            }
        },
        _ => {
            let Some((path, symbol)) = place.rsplit_once(':') else {
                return Err(Error::usage(format!("{place}: a user function is PATH:SYMBOL")));
            };
            let at = if kind == "uprobe" { At::Entry } else { At::Return };
            Attach::Uprobe(UserFunction::find(Path::new(path), symbol, None)?, at)
        }
    })
}

/// A text's programs while they are attached.
struct Run<'a> {
    options: &'a Options,
    maps: &'a [MapSpec],
    plans: Vec<Plan>,
    elements: Vec<Elements>,
}

impl Tool for Run<'_> {
    const NAME: &'static str = "run";
    const WHAT: &'static str = "programs";

    fn options(&self) -> &TraceOptions {
        &self.options.trace
    }

    fn kinds(&self) -> Vec<AttachKind> {
        self.plans.iter().take(1).map(|plan| plan.attach.kind()).collect()
    }

    fn maps(&self) -> Vec<MapSpec> {
        self.maps.to_vec()
    }

    fn plans(&self, _: AttachKind, _: &KernelTypes) -> Result<Vec<Plan>, Error> {
        Ok(self.plans.clone())
    }

    fn read(&mut self, session: &Session) -> Result<(), Error> {
        self.elements = elements(&session.maps)?;
        Ok(())
    }

    fn show(&mut self, time: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
        report::head(time, out)?;
        self.elements.iter().try_for_each(|map| write!(out, "{map}"))
    }

    fn what(&self) -> String {
        self.plans.iter().map(|plan| plan.attach.to_string()).collect::<Vec<_>>().join(", ")
    }

    fn to_json(&self) -> Fields<String, Value> {
        let mut fields = Fields::new();
        fields.insert("type".into(), "maps".into());
        fields.insert("data".into(), to_json(&self.elements));
        fields
    }
}

fn to_json(maps: &[Elements]) -> Value {
    Value::Object(maps.iter().map(|map| (map.name.clone(), map.to_json())).collect())
}

/// What is in the maps whose elements are data.
fn elements(maps: &[Map]) -> Result<Vec<Elements>, Error> {
    let mut entries = Entries::new();
    let maps = maps.iter().filter(|map| holds_data(map.spec().map_type));
    let maps = maps.map(|map| {
        map.read_all(&mut entries).map_err(|error| {
            Error::failed(format!("the map {} cannot be read: {error}", map.spec().name))
        })?;
        let map_type = map.spec().map_type;
        let array = map_type.is_array();
        let element =
            |(key, value): (&[u8], &[u8])| (Data::new(key), Data::of_cpus(map.cpu_values(value)));
        let elements = entries.iter().map(element);
        let mut elements: Vec<_> =
            elements.filter(|(_, value)| !array || !value.is_zero()).collect();
        // An array's are in order.
        if !array {
            elements.sort_unstable();
        }
        Ok(Elements { name: map.spec().name.clone(), kind: map_type.name(), elements })
    });
    maps.collect()
}

fn holds_data(map_type: MapType) -> bool {
    map_type.is_per_cpu()
        || matches!(map_type, MapType::Hash | MapType::Array | MapType::LruHash | MapType::LpmTrie)
}
