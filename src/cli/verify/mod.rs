//! `rawbpf verify`: how the verifier goes over a program, instruction by instruction.

mod against;
pub(super) mod html;
mod logs;
mod show;
mod shown;
pub(super) mod step;
pub(super) mod walk;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Args;

use super::dump::Dumped;
use super::input::{MapOptions, read_any, shown as shown_name};
use super::select::Select;
use super::stop::Stop;
use crate::error::Error;
use crate::host::KernelTypes;
use crate::insn::Program;
use crate::run;
use crate::source::{Loading, ProgramSpec, resolved};
use crate::tools::Tool;
pub use show::Show;
pub use shown::Shown;

/// Show how the verifier walks over a program: what it knows at each instruction, and why it refuses
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// A text in the language of asm, an ELF object, - for stdin, or a script whose name ends in .bt; or a
    /// tool's name, followed by its arguments
    #[arg(value_name = "FILE|TOOL", required = true)]
    what: Vec<OsString>,

    #[command(flatten)]
    maps: MapOptions,

    #[command(flatten)]
    select: Select,

    #[command(flatten)]
    show: Show,
}

const USAGE: &str = "\
rawbpf verify [OPTIONS] FILE|TOOL [-- TOOL'S OPTIONS]
       rawbpf verify FILE|TOOL --against LOG... [-- TOOL'S OPTIONS]";

const EXAMPLES: &str = "\
Examples:
  rawbpf verify bitehist                        a tool's program, as it would be attached here
  rawbpf verify --all drop.bpf                  every register after each instruction
  rawbpf verify --step drop.bpf                 like a debugger: ! goes to the refusal
  rawbpf verify program.o                       an object made by clang, with its lines of C
  rawbpf verify script.bt                       a script of rawbpf trace, with its lines
  rawbpf verify old.o --program f --type xdp    one program, whose section does not say what it is
  rawbpf verify biolatency -- --attach raw_tp   with the tool's options
  rawbpf verify --json drop.bpf | tail -1 | jq  the verdict, the totals, and why it is refused
  rawbpf verify bitehist --verifier-log old     this kernel's log, to compare with elsewhere
  rawbpf verify bitehist --against old          there, or after an upgrade: what differs
  rawbpf verify --html walk.html drop.bpf       a page to go through the walk in a browser

Nothing is attached or run. Instructions are printed in the order in which the verifier walks over \
them, each with what the verifier learns there; a branch that it put aside for later is indented. A \
refused program is shown up to the failing instruction, then the reason, and the exit code is 1. If \
more than 20000 instructions are processed, only the totals are shown, or the path to the refusal.

Each program of a file has its own verdict. One that cannot be judged here is named with the reason, and \
the exit code is 77 unless another is refused. A section's name, or the .program line of a text, says \
what a program is, by all names that libbpf knows; what the program is attached to need not exist, \
unless the kernel has to know it. A program whose section begins with a question mark, SEC(\"?xdp\"), \
is not loaded by libbpf itself, and is judged only with --program.

--against prints the verdicts and totals side by side, then the values about which the kernels know \
different things, and the paths that only one of them walks over. Different ways of printing are not \
differences. The exit code is 1 if the program is refused here, if another kernel's verdict differs, \
or if a log is not of this program.";

impl Options {
    /// The tool that the arguments name, with its own arguments, and what to show of its programs.
    pub fn of_tool(&self, is_tool: fn(&OsStr) -> bool) -> Option<(&[OsString], &Show)> {
        // `verify run` would be a tool that needs a file; a file is given directly.
        let name = self.what.first()?;
        let is_tool = is_tool(name) && name != "run" && self.select.is_empty();
        is_tool.then_some((&self.what[..], &self.show))
    }

    /// The script that the arguments name, and what to show of its programs.
    pub fn of_script(&self) -> Option<(&Path, &Show)> {
        let [file] = &self.what[..] else { return None };
        let file = Path::new(file);
        file.extension().is_some_and(|extension| extension == "bt").then_some((file, &self.show))
    }
}

pub fn run(options: &Options) -> Result<(), Stop> {
    let [file] = &options.what[..] else {
        let other = options.what[1].to_string_lossy();
        return Err(Error::usage(format!(
            "{other:?} is one argument too many: one file at a time"
        ))
        .into());
    };
    if options.show.step {
        step::check(file == "-")?;
    }
    let types = KernelTypes::running();
    if file != "-" && !Path::new(file).exists() {
        return Err(Error::usage(format!("{}: no such file", file.display()))
            .hint("the tools' names are in rawbpf --help")
            .into());
    }
    let mut collection = options.select.from(read_any(Path::new(file), &types)?)?;
    options.maps.apply(Path::new(file), &mut collection)?;
    let (maps, refused) = run::create_each(&collection.maps)?;
    let mut broken = std::mem::take(&mut collection.left_out_maps);
    broken.extend(refused);
    for (place, error) in &broken {
        if !collection.programs.iter().any(|spec| spec.program.uses_map(*place)) {
            say!("note: a map that no program uses cannot be made: {}", error.what);
        }
    }
    let mut shown = Shown::new(&shown_name(Path::new(file)), &options.show)?;
    let count = collection.programs.len() + collection.left_out.len();
    shown.several = count > 1;
    for spec in &collection.programs {
        let named = |error: Error| error.prefix_if_several(&spec.name, count);
        match with_maps(&spec.program, &broken).and_then(|()| loading(spec, &types)) {
            Err(error) => shown.unjudged(&spec.name, named(error))?,
            Ok(loading) => {
                let verdict = run::verify_as(
                    &spec.name,
                    &spec.program,
                    &maps,
                    loading.load(),
                    spec.kind.attach_kind(),
                );
                let verdict = verdict.map_err(|error| named(collection.explained(error)));
                shown.program(&Dumped::from(spec), verdict)?;
            }
        }
    }
    for (name, error) in &collection.left_out {
        shown.unjudged(name, error.clone().prefix_if_several(name, count))?;
    }
    shown.end()
}

/// All maps of the program could be made.
///
/// # Errors
/// Why the first of the others could not.
fn with_maps(program: &Program, broken: &[(usize, Error)]) -> Result<(), Error> {
    match broken.iter().find(|(place, _)| program.uses_map(*place)) {
        // The detail is the kernel's error, by which a program would count as refused.
        Some((_, error)) => Err(Error { detail: None, ..error.clone() }),
        None => Ok(()),
    }
}

/// What a program is loaded as.
///
/// # Errors
/// That is not known, or the program is not complete.
fn loading(spec: &ProgramSpec, types: &KernelTypes) -> Result<Loading, Error> {
    resolved(&spec.program)?;
    spec.loading(types)
}

/// Shows a tool's programs instead of attaching them.
///
/// # Errors
/// One is refused, or nothing of it works on this host.
pub fn tool(tool: &dyn Tool, types: &KernelTypes, show: &Show) -> Result<(), Stop> {
    if show.step {
        step::check(false)?;
    }
    tool.prepare(types)?;
    let (maps, plans) = run::plan_without_attaching(&tool.maps(), &tool.groups(), types)?;
    shown::programs(tool.name(), &maps, &plans, show)
}
