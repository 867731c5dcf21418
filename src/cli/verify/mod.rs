//! `rawbpf verify`: how the verifier goes over a program, instruction by instruction.

mod against;
mod html;
mod logs;
mod show;
mod shown;
mod step;
mod terminal;
mod walk;

use std::ffi::OsString;
use std::path::Path;

use clap::Args;

use super::dump::resolved;
use super::text::{ProgramKind, read_any};
use super::{Command, Stop};
use crate::error::Error;
use crate::host::{Attach, KernelTypes};
use crate::run::{self, Plan};
use crate::tools::Tool;
pub use show::Show;
use shown::Shown;

/// Show how the verifier walks over a program: what it knows at each instruction, and why not
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Options {
    /// A text, as asm takes it, or an ELF object; - for stdin; or a tool's name, with its arguments behind it
    #[arg(value_name = "FILE|TOOL", required = true)]
    what: Vec<OsString>,

    #[command(flatten)]
    show: Show,
}

const USAGE: &str = "\
rawbpf verify [OPTIONS] FILE|TOOL [-- TOOL'S OPTIONS]
       rawbpf verify FILE|TOOL --against LOG... [-- TOOL'S OPTIONS]";

const EXAMPLES: &str = "\
Examples:
  rawbpf verify bitehist                        a tool's program, as it would be attached here
  rawbpf verify --all drop.bpf                  every register behind each instruction
  rawbpf verify --step drop.bpf                 as with a debugger: ! goes to where it is refused
  rawbpf verify program.o                       an object made by clang, with its lines of C
  rawbpf verify biolatency -- --attach raw_tp   with the tool's options
  rawbpf verify --json drop.bpf | tail -1 | jq  the verdict, the totals, and why it is refused
  rawbpf verify bitehist --verifier-log old     all that this kernel says, for another one
  rawbpf verify bitehist --against old          there, or after an upgrade: what differs
  rawbpf verify --html walk.html drop.bpf       a page to go through the walk in a browser

Nothing is attached or run. Instructions stand in the order in which the verifier walks over them, \
behind each what it learns there; what is indented is a branch that it put aside. A refused program \
is shown up to where it failed, then why, and the exit code is 1. Of a program that takes more than \
20000 instructions to verify only the totals are shown, or the way to its refusal.

--against tells the verdicts and totals side by side, then of which values the kernels know something \
else, and which paths only one of them walks over; how they print is no difference. The exit code is 1 \
if the program is refused here, if a verdict there is another one, or if a log is not of this program.";

impl Options {
    /// The tool that is named, with its arguments, and what to show of its programs.
    pub fn of_tool(&self) -> Option<(&[OsString], &Show)> {
        // A text is given by itself.
        let name = self.what.first()?;
        (Command::is_tool(name) && name != "run").then_some((&self.what[..], &self.show))
    }
}

pub fn run(options: &Options) -> Result<(), Stop> {
    let [file] = &options.what[..] else {
        let other = options.what[1].to_string_lossy();
        return Err(Error::usage(format!("{other:?} is too much: one file at a time")).into());
    };
    if options.show.step {
        step::check(file == "-")?;
    }
    let types = KernelTypes::running();
    if file != "-" && !Path::new(file).exists() {
        return Err(Error::usage(format!("{}: no such file", file.display()))
            .next("the tools' names are in rawbpf --help")
            .into());
    }
    let text = read_any(Path::new(file), &types)?;
    let programs = text.dumped();
    programs.iter().try_for_each(|dumped| resolved(dumped.program))?;
    let maps = run::create(&text.maps)?;
    let mut shown = Shown::new(&options.show)?;
    for (dumped, kind) in programs.iter().zip(&text.kinds) {
        let verdict = match kind {
            ProgramKind::Type(program_type) => {
                run::verify_alone(dumped.name, dumped.program, &maps, *program_type)
            }
            ProgramKind::Attached(_) => {
                let attach = Attach::parse(&dumped.kind, &dumped.place, &types)?;
                run::verify(&Plan::new(dumped.name, attach, dumped.program.clone()), &maps)
            }
        };
        let named = |error| text.explained(error).of_program(dumped.name, programs.len());
        shown.program(dumped, verdict.map_err(named))?;
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
    let (maps, plans) = run::plan_without_attaching(&tool.maps(), &tool.groups(), types)?;
    shown::programs(&maps, &plans, show)
}
