//! `rawbpf verify`: how the verifier goes over a program, instruction by instruction.

mod against;
mod html;
mod json;
mod logs;
mod step;
mod terminal;
mod text;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use against::Against;
use logs::Logs;

use super::Stop;
use super::dump::{Dumped, resolved};
use super::report;
use super::text::{ProgramKind, read_any};
use super::trace::Tool;
use crate::error::Error;
use crate::host::{Attach, KernelTypes};
use crate::run::{self, Plan, Walked};
use crate::sys::Map;
use crate::verifier::page::Page;
use crate::verifier::recording::Verdict;
use crate::verifier::totals::Totals;
use crate::verifier::verification::Verification;
use crate::verifier::walk::{self, Entry};

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

/// What is shown of a walk.
#[derive(Args, Clone, Debug)]
pub struct Show {
    /// All that is known behind each instruction, not only what it changed
    #[arg(long)]
    all: bool,

    /// Print a line of JSON for each instruction, and one for the verdict
    #[arg(long)]
    json: bool,

    /// Write all that the kernel says of each program to this file, to be compared with elsewhere; - is
    /// stdout, and shows nothing else there
    #[arg(long, value_name = "FILE")]
    verifier_log: Option<PathBuf>,

    /// Compare with what other kernels said, instead: files of --verifier-log, or what bpftool -d, libbpf
    /// or veristat -v printed; - for stdin
    #[arg(long, value_name = "LOG", num_args = 1..)]
    against: Vec<PathBuf>,

    /// Write a web page on which to go through the walk; - for stdout
    #[arg(long, value_name = "FILE", conflicts_with_all = ["all", "json", "against"])]
    html: Option<PathBuf>,

    /// Step through it on the terminal, forward and back; ? there shows the keys
    #[arg(long, conflicts_with_all = ["all", "json", "html", "against", "verifier_log"])]
    step: bool,
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

/// More is not shown: nobody reads it.
const MOST: usize = 20_000;

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
pub fn tool<T: Tool>(tool: &T, types: &KernelTypes, show: &Show) -> Result<(), Stop> {
    if show.step {
        step::check(false)?;
    }
    let (maps, plans) = run::plan_without_attaching(&tool.maps(), &tool.groups(), types)?;
    programs(&maps, &plans, show)
}

fn programs(maps: &[Map], plans: &[Plan], show: &Show) -> Result<(), Stop> {
    let mut shown = Shown::new(show)?;
    let mut same = 0;
    for (index, plan) in plans.iter().enumerate() {
        // One program in many places is verified once.
        let insns = plan.program.insns();
        let kind = plan.attach.kind();
        if plans[..index].iter().any(|p| p.attach.kind() == kind && p.program.insns() == insns) {
            same += 1;
            continue;
        }
        shown.program(&Dumped::from(plan), run::verify(plan, maps))?;
    }
    if same > 0 {
        say!("verify: {same} more have the same instructions and are not shown again");
    }
    shown.end()
}

/// A program and how the verifier went over it.
struct Verified {
    name: String,
    /// How it is attached, or its type.
    kind: String,
    /// Where it is attached; may be empty.
    place: String,
    program: Verification,
    /// Whether the verifier went over more than is shown, and the log has only the totals.
    totals_only: bool,
    refused: bool,
}

impl Verified {
    fn totals(&self) -> Totals<'_> {
        Totals::of(&self.program.log)
    }

    fn verdict(&self) -> Verdict {
        if self.refused { Verdict::Refused } else { Verdict::Accepted }
    }

    /// How and where it is attached.
    fn attach(&self) -> String {
        format!("{} {}", self.kind, self.place).trim_end().to_owned()
    }

    /// Its name, and how and where it is attached.
    fn title(&self) -> String {
        format!("{} {}", self.name, self.attach()).trim_end().to_owned()
    }

    /// Why there is nothing to show of the walk, if the verifier went over more than that.
    fn too_long(&self) -> Option<String> {
        let insns = self.totals().processed.map_or(0, |processed| processed.insns);
        self.totals_only
            .then(|| format!("{insns} instructions are too many to show, {MOST} the most"))
    }

    /// Tells the last parts of the walk, as many as are shown, and gives how many are not.
    fn last<'a>(&'a self, tell: &mut dyn FnMut(Entry<'a>) -> io::Result<()>) -> io::Result<usize> {
        let Verification { code, log, .. } = &self.program;
        let count = walk::count(code, log);
        let left_out = count.saturating_sub(MOST);
        if left_out > 0 {
            say!("verify: the first {left_out} of {count} lines are left out");
        }
        walk::walk_from(code, log, left_out, tell)?;
        Ok(left_out)
    }
}

/// What is shown on stdout, program by program.
struct Shown<'a> {
    show: &'a Show,
    logs: Option<Logs>,
    against: Against<'a>,
    out: io::StdoutLock<'static>,
    page: Page,
    refused: Option<Error>,
    /// What is stepped through at the end.
    stepped: Vec<Verified>,
    /// Whether an empty line goes before the next.
    more: bool,
}

impl<'a> Shown<'a> {
    fn new(show: &'a Show) -> Result<Shown<'a>, Error> {
        let stdout = Some(Path::new("-"));
        let others = [
            ("--html", show.html.as_deref() == stdout),
            ("--json", show.json),
            ("--against", !show.against.is_empty()),
        ];
        let other = others.into_iter().find(|(_, is_on_stdout)| *is_on_stdout);
        if let (Some((other, _)), true) = (other, show.verifier_log.as_deref() == stdout) {
            let what = format!("{other} and --verifier-log would both be on stdout");
            return Err(Error::usage(what).next("try: a file for --verifier-log"));
        }
        let logs = show.verifier_log.as_deref().map(Logs::create).transpose()?;
        let against = Against::read(&show.against)?;
        let (out, page, stepped) = (io::stdout().lock(), Page::new(), vec![]);
        Ok(Shown { show, logs, against, out, page, refused: None, stepped, more: false })
    }

    fn program(&mut self, dumped: &Dumped, verdict: Result<Walked, Error>) -> Result<(), Stop> {
        let (program, totals_only, error) = match verdict {
            Ok(Walked { program, totals_only }) => (program, totals_only, None),
            Err(error) => match &error.refused {
                // It never came to the verifier.
                None => return Err(error.into()),
                Some(program) => ((**program).clone(), false, Some(error)),
            },
        };
        let (name, kind) = (dumped.name.to_owned(), dumped.kind.clone());
        let (place, refused) = (dumped.place.clone(), error.is_some());
        let verified = Verified { name, kind, place, program, totals_only, refused };
        if let Some(logs) = &mut self.logs {
            logs.write(&verified, &mut self.out)?;
        }
        if self.show.step {
            self.stepped.push(verified);
        } else if self.show.html.is_some() {
            html::add(&verified, &mut self.page)?;
        } else if self.logs.as_ref().is_some_and(Logs::is_stdout) {
            // That is all.
        } else if !self.show.against.is_empty() {
            self.against.program(&verified, self.show.json, &mut self.out)?;
        } else if self.show.json {
            json::write(&verified, self.show.all, &mut self.out)?;
        } else {
            if std::mem::replace(&mut self.more, true) {
                writeln!(self.out)?;
            }
            text::write(&verified, self.show.all, &mut self.out)?;
        }
        self.out.flush()?;
        if let Some(error) = error
            && let Some(earlier) = self.refused.replace(error)
        {
            say!("verify: {}", report::without_cause(&earlier));
            report::detail(&earlier, "");
        }
        Ok(())
    }

    fn end(mut self) -> Result<(), Stop> {
        if self.show.step {
            step::run(&self.stepped)?;
        }
        let written = match &self.show.html {
            Some(file) => html::write(&self.page, file, &mut self.out),
            None => Ok(()),
        };
        // The refusal is the more important of two failures.
        match (&self.refused, written) {
            (Some(_), Err(Stop::Error(error))) => say!("verify: {}", error.what),
            (Some(_), _) => {}
            (None, written) => written?,
        }
        match self.refused.or(self.against.unlike()) {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}
