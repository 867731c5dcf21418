//! What each tool will use on this host: each is attached as usual, and detached again.

use super::check::{Held, check};
use crate::cli::report;
use crate::error::Error;
use crate::host::{ExpressionError, KernelTypes};
use crate::run::{Session, unwatched};
use crate::tools::{
    Running, Tool, argdist, bioheat, biolatency, bitehist, bitesize, funccount, funclatency,
};
use crate::view::checks::Check;

type MadeTool = Result<Box<dyn Tool>, Error>;
type Make = fn() -> MadeTool;

/// Each tool with the options that need least. Those for functions come again with tracepoints, which
/// may work where functions cannot be probed.
const TOOLS: [(&str, Make); 9] = [
    ("bitehist", || Ok(Box::new(bitehist::Bitehist::new(bitehist::Options::default())))),
    ("bitesize", || Ok(Box::new(bitesize::Bitesize::new(bitesize::Options::default())))),
    ("biolatency", || Ok(Box::new(biolatency::Biolatency::new(biolatency::Options::default())))),
    ("bioheat", || Ok(Box::new(bioheat::Bioheat::new(bioheat::Options::default())))),
    ("funccount", || funccount("ksys_sync")),
    ("funccount tracepoint", || funccount(TRACEPOINT)),
    ("funclatency", || {
        let function = "ksys_sync".into();
        let options = funclatency::Options { function, ..funclatency::Options::default() };
        Ok(Box::new(funclatency::Funclatency::new(options)?))
    }),
    ("argdist", || argdist("vfs_fallocate", "arg0")),
    ("argdist tracepoint", || argdist(TRACEPOINT, "pid")),
];
/// A tracepoint that is hit now and then.
const TRACEPOINT: &str = "sched:sched_process_exit";

fn funccount(pattern: &str) -> MadeTool {
    let patterns = vec![pattern.into()];
    let options = funccount::Options { patterns, ..funccount::Options::default() };
    Ok(Box::new(funccount::Funccount::new(options)?))
}

fn argdist(function: &str, value: &str) -> MadeTool {
    let value = value.parse().map_err(|error: ExpressionError| Error::usage(error.to_string()))?;
    Ok(Box::new(argdist::Argdist::new(argdist::Options::new(function, value))?))
}

pub fn checks(types: &KernelTypes, held: &mut Held) -> Vec<Check> {
    let attach = |tool: &Make| Running::start_with(tool()?, types, &mut unwatched);
    let tools = TOOLS.iter().map(|(name, tool)| match attach(tool) {
        Err(error) => check(*name, Err(error)),
        Ok(running) => {
            let session = running.session();
            let places = session.attached.iter().map(ToString::to_string).collect::<Vec<_>>();
            let found = format!("{}, {} of maps", places.join(", "), session.memory());
            let detail = passed_over(session);
            held.push(Box::new(running));
            Check { detail, ..check(*name, Ok(found)) }
        }
    });
    tools.collect()
}

/// The attach kinds that were tried before and did not work, with the reasons, and those that were not
/// tried, if there were any.
fn passed_over(session: &Session) -> Option<String> {
    let skipped = session.skipped.iter();
    let kinds = skipped.map(|skipped| format!("{}: {}", skipped.kind, skipped.error.what));
    let others = Some(&session.alternatives).filter(|others| !others.is_empty());
    let others = others.map(|others| format!("other attach kinds: {}", report::kinds(others)));
    Some(kinds.chain(others).collect::<Vec<_>>().join("\n")).filter(|kinds| !kinds.is_empty())
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;
    use crate::programs::funccount::By;
    use crate::programs::submitter::Key;
    use crate::sys::{MapSpec, Memory};
    use crate::tools::Whose;

    #[test]
    fn the_help_of_each_tool_states_the_memory_of_its_maps() {
        let mut commands = crate::cli::command();
        commands.build();
        let help = |name: &str| {
            let help = commands.find_subcommand(name).and_then(Command::get_after_help);
            help.unwrap().to_string().replace('\n', " ")
        };
        let memory = |tool: &dyn Tool| tool.maps().iter().map(MapSpec::memory).sum::<Memory>();
        let states = |tool: &dyn Tool| {
            let (name, memory) = (tool.name(), memory(tool));
            let help = help(name);
            assert!(help.contains(&format!("{memory}.")), "{name}: {memory}: {help}");
        };
        let adds = |(name, plain): &(&str, Make), tool: &dyn Tool| {
            let more = memory(tool).fixed - memory(&*plain().unwrap()).fixed;
            let help = help(name);
            assert!(help.contains(&format!(" add {} KiB.", more >> 10)), "{name}: {more}: {help}");
        };
        for (_, tool) in &TOOLS[..4] {
            states(&*tool().unwrap());
        }
        let by = biolatency::Options { by_disk: true, by_flags: true, ..Default::default() };
        states(&biolatency::Biolatency::new(by));
        let by = biolatency::Options { by: Some(Key::Pid), ..Default::default() };
        states(&biolatency::Biolatency::new(by));
        let whose = || Whose { comm: Some("dd".into()), ..Whose::default() };
        let bitehist = bitehist::Options { whose: whose(), ..Default::default() };
        adds(&TOOLS[0], &bitehist::Bitehist::new(bitehist));
        let biolatency = biolatency::Options { whose: whose(), ..Default::default() };
        adds(&TOOLS[2], &biolatency::Biolatency::new(biolatency));
        let bioheat = bioheat::Options { whose: whose(), ..Default::default() };
        adds(&TOOLS[3], &bioheat::Bioheat::new(bioheat));
        let user = "/proc/self/exe:main".to_owned();
        for by_pid in [false, true] {
            let function = user.clone();
            let options = funclatency::Options { function, by_pid, ..Default::default() };
            states(&funclatency::Funclatency::new(options).unwrap());
        }
        for value in ["arg0", "str(arg0)"] {
            let value = value.parse().unwrap();
            let tool = argdist::Argdist::new(argdist::Options::new(&user, value)).unwrap();
            tool.prepare(&KernelTypes::running()).unwrap();
            states(&tool);
        }
        let by = funccount::Options { by: By::Comm, ..Default::default() };
        states(&funccount::Funccount::new(by).unwrap());
    }

    #[test]
    fn each_tool_that_traces_is_tried() {
        let mut command = crate::cli::command();
        command.build();
        let traces = |tool: &&Command| tool.get_arguments().any(|arg| arg.get_id() == "interval");
        // What `run` traces depends on the text.
        let tools = command.get_subcommands().filter(|tool| tool.get_name() != "run");
        for tool in tools.filter(traces) {
            assert!(TOOLS.iter().any(|(name, _)| *name == tool.get_name()), "{}", tool.get_name());
        }
    }
}
