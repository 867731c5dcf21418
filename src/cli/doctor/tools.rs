//! What each tool will use: it is attached as it would be, and detached.

use clap::{Args, Command};

use super::super::trace::{self, Tool};
use super::super::{argdist, bioheat, biolatency, bitehist, bitesize, funccount, funclatency};
use super::{Held, check};
use crate::error::Error;
use crate::host::KernelTypes;
use crate::run::{Attached, Session};
use crate::view::checks::Check;

type Try = fn(&KernelTypes) -> Result<Session, Error>;

/// Each tool with the arguments it cannot do without. Where functions cannot be probed, tracepoints may.
const TOOLS: [(&str, Try); 9] = [
    ("bitehist", |types| attach(types, &options(&[]), bitehist::tool)),
    ("bitesize", |types| attach(types, &options(&[]), bitesize::tool)),
    ("biolatency", |types| attach(types, &options(&[]), biolatency::tool)),
    ("bioheat", |types| attach(types, &options(&[]), bioheat::tool)),
    ("funccount", |types| attach(types, &options(&["ksys_sync"]), funccount::tool)),
    ("funccount tracepoint", |types| attach(types, &options(&[TRACEPOINT]), funccount::tool)),
    ("funclatency", |types| attach(types, &options(&["ksys_sync"]), funclatency::tool)),
    ("argdist", |types| attach(types, &options(&["vfs_fallocate", "arg0"]), argdist::tool)),
    ("argdist tracepoint", |types| attach(types, &options(&[TRACEPOINT, "pid"]), argdist::tool)),
];
/// One that is passed now and then.
const TRACEPOINT: &str = "sched:sched_process_exit";

pub fn checks(types: &KernelTypes, held: &mut Held) -> Vec<Check> {
    let tools = TOOLS.iter().map(|(name, attach)| match attach(types) {
        Err(error) => check(*name, Err(error)),
        Ok(session) => {
            let places = session.attached.iter().map(Attached::to_string).collect::<Vec<_>>();
            let place = places.join(", ");
            let found = format!("{place}, {} of maps", session.memory());
            let detail = passed_over(&session);
            held.push(Box::new(session));
            Check { detail, ..check(*name, Ok(found)) }
        }
    });
    tools.collect()
}

fn attach<'a, O, T: Tool>(
    types: &KernelTypes,
    options: &'a O,
    tool: fn(&'a O) -> Result<T, Error>,
) -> Result<Session, Error> {
    trace::attach(&tool(options)?, types)
}

/// A tool's options as the command line would give them.
fn options<O: Args>(arguments: &[&str]) -> O {
    let command = O::augment_args(Command::new("tool").no_binary_name(true));
    O::from_arg_matches(&command.get_matches_from(arguments))
        .expect("the matches of its own command")
}

/// The kinds that were tried before and why they did not work, if there were any.
fn passed_over(session: &Session) -> Option<String> {
    let skipped = session.skipped.iter();
    let kinds = skipped.map(|skipped| format!("{}: {}", skipped.kind, skipped.error.what));
    Some(kinds.collect::<Vec<_>>().join("\n")).filter(|kinds| !kinds.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insn::Buckets;
    use crate::programs;
    use crate::sys::{MapSpec, Memory};

    #[test]
    fn the_help_of_each_tool_states_the_memory_of_its_maps() {
        let mut commands = crate::cli::command();
        commands.build();
        let states = |name: &str, maps: Vec<MapSpec>| {
            let memory: Memory = maps.iter().map(MapSpec::memory).sum();
            let help = commands.find_subcommand(name).and_then(Command::get_after_help);
            let help = help.unwrap().to_string().replace('\n', " ");
            assert!(help.contains(&format!("{memory}.")), "{name}: {memory}: {help}");
        };
        states("bitehist", bitehist::tool(&options(&[])).unwrap().maps());
        states("bitesize", bitesize::tool(&options(&[])).unwrap().maps());
        states("biolatency", biolatency::tool(&options(&[])).unwrap().maps());
        states("biolatency", biolatency::tool(&options(&["-D", "-F"])).unwrap().maps());
        states("bioheat", bioheat::tool(&options(&[])).unwrap().maps());
        let options = programs::argdist::Options { buckets: Buckets::Log2, pid: None };
        states("argdist", programs::argdist::maps(&options));
        let by = programs::funccount::By::Comm;
        states("funccount", programs::funccount::maps(by, 0, 10240));
        let (unit, buckets) = (1000, Buckets::Log2);
        for by_pid in [None, Some(1024)] {
            let options = programs::funclatency::Options {
                unit,
                buckets: buckets.clone(),
                pid: None,
                by_pid,
            };
            states("funclatency", programs::funclatency::maps(&options));
        }
    }

    #[test]
    fn each_tool_that_traces_is_tried() {
        let mut command = crate::cli::command();
        command.build();
        let traces = |tool: &&Command| tool.get_arguments().any(|arg| arg.get_id() == "interval");
        // What that traces is its text's to say.
        let tools = command.get_subcommands().filter(|tool| tool.get_name() != "run");
        for tool in tools.filter(traces) {
            assert!(TOOLS.iter().any(|(name, _)| *name == tool.get_name()), "{}", tool.get_name());
        }
    }
}
