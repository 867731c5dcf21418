//! What each tool will use on this host: each is attached as usual, and detached again.

use super::check::{Held, check};
use crate::cli::report;
use crate::error::Error;
use crate::host::{AttachKind, Disks, ExpressionError, KernelTypes, refusal};
use crate::run::{Session, unwatched};
use crate::tools::{
    Running, Tool, argdist, bioheat, biolatency, bitehist, bitesize, funccount, funclatency,
};
use crate::view::checks::{Check, CheckState};

type MadeTool = Result<Box<dyn Tool>, Error>;
type Make = fn() -> MadeTool;

/// Each tool with the options that need least, then what else it can do, which may work where that does not, or
/// need more: `argdist fields of tracepoints`, `bitehist -d`. All that begin with a tool's name make up its check.
const TOOLS: [(&str, Make); 13] = [
    ("bitehist", || Ok(Box::new(bitehist::Bitehist::new(bitehist::Options::default())))),
    ("bitesize", || Ok(Box::new(bitesize::Bitesize::new(bitesize::Options::default())))),
    ("biolatency", || Ok(Box::new(biolatency::Biolatency::new(biolatency::Options::default())))),
    ("bioheat", || Ok(Box::new(bioheat::Bioheat::new(bioheat::Options::default())))),
    ("funccount functions", || funccount("ksys_sync")),
    ("funccount tracepoints", || funccount(TRACEPOINT)),
    ("funclatency functions", || {
        let function = "ksys_sync".into();
        let options = funclatency::Options { function, ..funclatency::Options::default() };
        Ok(Box::new(funclatency::Funclatency::new(options)?))
    }),
    ("argdist functions", || argdist("vfs_fallocate", "arg1")),
    ("argdist fields of tracepoints", || argdist(TRACEPOINT, "pid")),
    ("bitehist -d", || {
        let options = bitehist::Options { disks: disks()?, ..Default::default() };
        Ok(Box::new(bitehist::Bitehist::new(options)))
    }),
    ("bitesize -d", || {
        let options = bitesize::Options { disks: disks()?, ..Default::default() };
        Ok(Box::new(bitesize::Bitesize::new(options)))
    }),
    ("biolatency -d", || {
        let options = biolatency::Options { disks: disks()?, ..Default::default() };
        Ok(Box::new(biolatency::Biolatency::new(options)))
    }),
    ("bioheat -d", || {
        let options = bioheat::Options { disks: disks()?, ..Default::default() };
        Ok(Box::new(bioheat::Bioheat::new(options)))
    }),
];

/// The tools that probe functions of executables and libraries.
const OF_USER_FUNCTIONS: [&str; 3] = ["funccount", "funclatency", "argdist"];

/// A tracepoint that is hit now and then.
const TRACEPOINT: &str = "sched:sched_process_exit";

/// All disks by their numbers. A host without a disk has none to choose.
fn disks() -> Result<Disks, Error> {
    Ok(Disks::find(&["*"]).unwrap_or_default())
}

fn funccount(pattern: &str) -> MadeTool {
    let patterns = vec![pattern.into()];
    let options = funccount::Options { patterns, ..funccount::Options::default() };
    Ok(Box::new(funccount::Funccount::new(options)?))
}

fn argdist(function: &str, value: &str) -> MadeTool {
    let value = value.parse().map_err(|error: ExpressionError| Error::usage(error.to_string()))?;
    Ok(Box::new(argdist::Argdist::new(argdist::Options::new(function, value))?))
}

/// A check for each tool; `attach` are those of the attach kinds.
pub fn checks(types: &KernelTypes, held: &mut Held, attach: &[Check]) -> Vec<Check> {
    let mut tools: Vec<TriedTool> = vec![];
    for (name, make) in TOOLS {
        let (name, part) = name.split_once(' ').unwrap_or((name, ""));
        let tried = make().and_then(|tool| Running::start_with(tool, types, &mut unwatched));
        let (tried, detail) = match tried {
            Err(error) => (Err(error), None),
            Ok(running) => {
                let session = running.session();
                let places = session.attached.iter().map(ToString::to_string).collect::<Vec<_>>();
                let found = format!("{}, {} of maps", places.join(", "), session.memory());
                let detail = passed_over(session);
                held.push(Box::new(running));
                (Ok(found), detail)
            }
        };
        let tool = match tools.iter_mut().find(|tool| tool.name == name) {
            Some(tool) => tool,
            None => {
                tools.push(TriedTool { name, parts: vec![], detail });
                tools.last_mut().expect("it was just pushed")
            }
        };
        tool.parts.push((part, tried));
    }
    for tool in &mut tools {
        if OF_USER_FUNCTIONS.contains(&tool.name) {
            tool.parts.push(("user functions", user_functions(attach)));
        }
    }
    tools.into_iter().map(TriedTool::check).collect()
}

/// The attach kind that works for user functions.
fn user_functions(attach: &[Check]) -> Result<String, Error> {
    let row = |kind: AttachKind| attach.iter().find(|check| check.name == kind.to_string());
    let rows = || AttachKind::OF_USER_FUNCTIONS.into_iter().filter_map(row);
    if let Some(works) = rows().find(|check| check.state == CheckState::Ok) {
        return Ok(works.name.clone());
    }
    let Some(check) = rows().next() else { return Err(Error::lacking("no attach kind for them")) };
    let unknown = refusal::privilege().filter(|_| check.state == CheckState::CannotTell);
    Err(unknown.unwrap_or_else(|| Error {
        hint: check.remedy.clone(),
        ..Error::lacking(check.found.clone())
    }))
}

/// What a tool can do, and whether each of that works.
struct TriedTool {
    name: &'static str,
    /// A part's name, and what was attached for it. Those that begin with a `-` are options.
    parts: Vec<(&'static str, Result<String, Error>)>,
    detail: Option<String>,
}

impl TriedTool {
    /// A tool of which a part works is not missing.
    fn check(self) -> Check {
        let TriedTool { name, parts, detail } = self;
        let labelled = |part: &str, text: &str| match part {
            "" => text.to_owned(),
            part => format!("{part}: {text}"),
        };
        let (mut works, mut lacks, mut remedy) = (vec![], vec![], None);
        let mut first = None;
        for (part, tried) in parts {
            match tried {
                Ok(_) if part.starts_with('-') => {}
                Ok(found) => works.push(labelled(part, &found)),
                Err(error) => {
                    let Check { found: why, remedy: next, .. } = check("", Err(error.clone()));
                    lacks.push(format!(
                        "not {}",
                        labelled(if part.is_empty() { "all" } else { part }, &why)
                    ));
                    remedy = remedy.or(next);
                    first.get_or_insert(error);
                }
            }
        }
        match first {
            None => Check { detail, ..check(name, Ok(works.join("\n"))) },
            Some(error) if works.is_empty() => check(name, Err(error)),
            Some(_) => Check {
                name: name.to_owned(),
                state: CheckState::InPart,
                found: works.into_iter().chain(lacks).collect::<Vec<_>>().join("\n"),
                remedy,
                detail,
            },
        }
    }
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
        // What `run` and `serve` trace depends on their files.
        let by_file = |tool: &&Command| matches!(tool.get_name(), "run" | "serve");
        let tools = command.get_subcommands().filter(|tool| !by_file(tool));
        for tool in tools.filter(traces) {
            let tried = |(name, _): &(&str, Make)| name.split(' ').next() == Some(tool.get_name());
            assert!(TOOLS.iter().any(tried), "{}", tool.get_name());
        }
    }

    fn tried(parts: [(&'static str, Result<String, Error>); 2]) -> Check {
        TriedTool { name: "argdist", parts: parts.into(), detail: None }.check()
    }

    #[test]
    fn a_tool_of_which_a_part_works_is_not_missing() {
        let lacking = || Err(Error::lacking("tracefs is not mounted").hint("try: mount"));
        let works = |found: &str| Ok(found.to_owned());
        let part = tried([("functions", works("fentry f")), ("tracepoints", lacking())]);
        assert_eq!(part.state, CheckState::InPart);
        assert_eq!(part.found, "functions: fentry f\nnot tracepoints: tracefs is not mounted");
        assert_eq!(part.remedy.as_deref(), Some("try: mount"));
        let all = tried([("functions", works("fentry f")), ("tracepoints", works("t"))]);
        assert_eq!(
            (all.state, &*all.found),
            (CheckState::Ok, "functions: fentry f\ntracepoints: t")
        );
        let none = tried([("functions", lacking()), ("tracepoints", lacking())]);
        assert_eq!((none.state, &*none.found), (CheckState::Missing, "tracefs is not mounted"));
        let option = tried([("", works("raw_tp x")), ("-d", lacking())]);
        assert_eq!(option.found, "raw_tp x\nnot -d: tracefs is not mounted");
        assert_eq!(tried([("", works("raw_tp x")), ("-d", works("y"))]).found, "raw_tp x");
    }
}
