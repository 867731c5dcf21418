//! `rawbpf verify`: how the verifier goes over a program, instruction by instruction.

mod against;
mod html;
mod logs;
mod show;
mod shown;
mod step;
mod walk;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Args;

use super::dump::Dumped;
use super::input::{MapOptions, read_any, shown as shown_name};
use super::stop::Stop;
use crate::error::Error;
use crate::host::{Attach, KernelTypes};
use crate::run::{self, Plan};
use crate::source::{ProgramKind, resolved};
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
  rawbpf verify biolatency -- --attach raw_tp   with the tool's options
  rawbpf verify --json drop.bpf | tail -1 | jq  the verdict, the totals, and why it is refused
  rawbpf verify bitehist --verifier-log old     this kernel's log, to compare with elsewhere
  rawbpf verify bitehist --against old          there, or after an upgrade: what differs
  rawbpf verify --html walk.html drop.bpf       a page to go through the walk in a browser

Nothing is attached or run. Instructions are printed in the order in which the verifier walks over \
them, each with what the verifier learns there; a branch that it put aside for later is indented. A \
refused program is shown up to the failing instruction, then the reason, and the exit code is 1. If \
more than 20000 instructions are processed, only the totals are shown, or the path to the refusal.

--against prints the verdicts and totals side by side, then the values about which the kernels know \
different things, and the paths that only one of them walks over. Different ways of printing are not \
differences. The exit code is 1 if the program is refused here, if another kernel's verdict differs, \
or if a log is not of this program.";

impl Options {
    /// The tool that the arguments name, with its own arguments, and what to show of its programs.
    pub fn of_tool(&self, is_tool: fn(&OsStr) -> bool) -> Option<(&[OsString], &Show)> {
        // `verify run` would be a tool that needs a file; a file is given directly.
        let name = self.what.first()?;
        (is_tool(name) && name != "run").then_some((&self.what[..], &self.show))
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
    let mut text = read_any(Path::new(file), &types)?;
    options.maps.apply(Path::new(file), &mut text)?;
    text.programs.iter().try_for_each(|spec| resolved(&spec.program))?;
    let maps = run::create(&text.maps)?;
    let mut shown = Shown::new(&shown_name(Path::new(file)), &options.show)?;
    for spec in &text.programs {
        let dumped = Dumped::from(spec);
        let verdict = match spec.kind {
            ProgramKind::Type(program_type) => {
                run::verify_alone(dumped.name, dumped.program, &maps, program_type)
            }
            ProgramKind::Attached(_) => {
                let attach = Attach::parse(&dumped.kind, &dumped.place, &types)?;
                run::verify(&Plan::new(dumped.name, attach, dumped.program.clone()), &maps)
            }
        };
        let named =
            |error| text.explained(error).prefix_if_several(&spec.name, text.programs.len());
        shown.program(&dumped, verdict.map_err(named))?;
    }
    shown.end()
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
