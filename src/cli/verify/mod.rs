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

use super::dump::Dumped;
use super::input::read_any;
use super::run::attach;
use super::stop::Stop;
use crate::error::Error;
use crate::host::KernelTypes;
use crate::session::{self, Plan};
use crate::source::{ProgramKind, resolved};
pub use show::Show;
use shown::Shown;
pub use shown::programs;

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
    /// The command line of the tool that is named, and what to show of its programs.
    pub fn of_tool(&self, is_tool: impl Fn(&str) -> bool) -> Option<(Vec<OsString>, Show)> {
        // A text is given by itself.
        let tool = self.what.first()?.to_str().filter(|name| is_tool(name) && *name != "run")?;
        let mut args = vec!["rawbpf".into(), tool.into()];
        args.extend(self.what[1..].iter().cloned());
        Some((args, self.show.clone()))
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
    text.programs.iter().try_for_each(|spec| resolved(&spec.program))?;
    let maps = session::create(&text.maps)?;
    let mut shown = Shown::new(&options.show)?;
    for spec in &text.programs {
        let dumped = Dumped::from(spec);
        let verdict = match spec.kind {
            ProgramKind::Type(program_type) => {
                session::verify_alone(dumped.name, dumped.program, &maps, program_type)
            }
            ProgramKind::Attached(_) => {
                let attach = attach(&dumped.kind, &dumped.place, &types)?;
                // A name a program, once a run.
                let name = dumped.name.to_owned().leak();
                session::verify(&Plan { name, attach, program: dumped.program.clone() }, &maps)
            }
        };
        let named = |error| text.explained(error).of_program(&spec.name, text.programs.len());
        shown.program(&dumped, verdict.map_err(named))?;
    }
    shown.end()
}
