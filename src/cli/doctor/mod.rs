//! `rawbpf doctor`: what this host offers, and what each tool makes of it. What can be tried is tried.

mod attach;
mod features;
mod kernel;
mod maps;
mod privileges;
mod tools;

use std::any::Any;
use std::env;
use std::io::{self, IsTerminal, Write};

use clap::Args;

use super::Stop;
use crate::error::Error;
use crate::host::{KernelTypes, refusal};
use crate::view::checks::{Check, Checklist, Group, State};

/// Show what this host offers, what each tool will use, and what to do where something is missing
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Show the kernel's own words too
    #[arg(short, long)]
    pub verbose: bool,
}

const EXAMPLES: &str = "\
Everything is tried on the running kernel, on a tracepoint and a function that are hardly ever hit,
and detached again. Exits with 0 if a tool can run, with 77 if none can.

Examples:
  sudo rawbpf doctor                         what works here
  rawbpf doctor                              what can be told without privileges
  sudo rawbpf doctor --json | jq .tools      for programs";

/// What stays attached until the report is printed: closing a perf event takes the kernel up to a
/// tenth of a second.
type Held = Vec<Box<dyn Any>>;

pub fn run(options: &Options) -> Result<(), Stop> {
    let types = KernelTypes::new(None);
    let mut held = Held::new();
    // First, since whatever the kernel charges for would lift the limit.
    let memlock = privileges::memlock();
    let groups = [
        Group { title: "kernel", checks: kernel::checks() },
        Group { title: "privileges", checks: privileges::checks(memlock) },
        Group { title: "attach kinds", checks: attach::checks(&types, &mut held) },
        Group { title: "helpers", checks: features::helpers() },
        Group { title: "instructions", checks: features::instructions() },
        Group { title: "maps", checks: maps::checks() },
        Group { title: "tools", checks: tools::checks(&types, &mut held) },
    ];
    let mut out = io::stdout().lock();
    let colour = out.is_terminal() && env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let list = Checklist { groups: &groups, colour, details: options.verbose };
    if options.json {
        writeln!(out, "{}", list.to_json())?;
    } else {
        write!(out, "{list}")?;
    }
    out.flush()?;
    verdict(&groups[6].checks)
}

/// Whether a tool can run.
fn verdict(tools: &[Check]) -> Result<(), Stop> {
    match tools.iter().all(|tool| tool.state != State::Ok) {
        false => Ok(()),
        true => Err(Stop::Error(
            refusal::privilege()
                .unwrap_or_else(|| Error::lacking("no tool can run on this host, as told above")),
        )),
    }
}

/// What came of a try. That it was not permitted says nothing about the host.
fn check(name: impl Into<String>, tried: Result<String, Error>) -> Check {
    let name = name.into();
    match tried {
        Ok(found) => Check { name, state: State::Ok, found, remedy: None, detail: None },
        Err(error) if refusal::privilege().is_some_and(|missing| missing.what == error.what) => {
            let found = "not permitted".into();
            Check { name, state: State::CannotTell, found, remedy: None, detail: error.detail }
        }
        Err(error) => Check {
            name,
            state: State::Missing,
            found: error.what,
            remedy: error.next,
            detail: error.detail,
        },
    }
}

/// That it cannot be told, and why.
fn cannot_tell(name: &str, why: impl Into<String>) -> Check {
    let found = why.into();
    Check { name: name.into(), state: State::CannotTell, found, remedy: None, detail: None }
}
