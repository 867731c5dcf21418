//! `rawbpf doctor`: what this host offers, and what each tool will use. Whatever can be tried is tried.

mod attach;
mod check;
mod features;
mod kernel;
mod maps;
mod privileges;
mod tools;

use std::io::{self, Write};

use clap::Args;

use check::Held;

use super::report::colored;
use super::stop::Stop;
use super::streams::Stdout;
use crate::error::Error;
use crate::host::{KernelTypes, refusal};
use crate::view::checks::{Check, CheckGroup, CheckState, Checklist};

/// Show what this host offers, what each tool will use, and how to get what is missing
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
Everything is tried on the running kernel, attached only where hardly ever
anything happens, and detached again. The exit code is 0 if a tool can run,
77 if none can.

Examples:
  sudo rawbpf doctor                         what works here
  rawbpf doctor                              what can be found out without privileges
  sudo rawbpf doctor --json | jq .tools      JSON, for scripts";

pub fn run(options: &Options) -> Result<(), Stop> {
    let types = KernelTypes::running();
    let mut held = Held::new();
    // First, since any other map or program would lift the limit.
    let memlock = privileges::memlock();
    let attach = attach::checks(&types, &mut held);
    let tools = tools::checks(&types, &mut held, &attach);
    let groups = [
        CheckGroup { title: "kernel", checks: kernel::checks() },
        CheckGroup { title: "privileges", checks: privileges::checks(memlock) },
        CheckGroup { title: "attach kinds", checks: attach },
        CheckGroup { title: "helpers", checks: features::helpers() },
        CheckGroup { title: "instructions", checks: features::instructions() },
        CheckGroup { title: "maps", checks: maps::checks() },
        CheckGroup { title: "tools", checks: tools },
    ];
    let colour = colored(&io::stdout());
    let mut out = Stdout::styled(colour);
    let list = Checklist { groups: &groups, colour, details: options.verbose };
    let text = if options.json { format!("{}\n", list.json()) } else { list.to_string() };
    out.write_all(text.as_bytes())?;
    out.flush()?;
    let [.., tools] = &groups;
    verdict(&tools.checks)
}

/// Whether a tool can run.
fn verdict(tools: &[Check]) -> Result<(), Stop> {
    let runs = |tool: &Check| matches!(tool.state, CheckState::Ok | CheckState::InPart);
    match tools.iter().any(runs) {
        true => Ok(()),
        false => Err(Stop::Error(refusal::privilege().unwrap_or_else(|| {
            Error::lacking("no tool can run on this host: the report above shows why")
        }))),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::check::{cannot_tell, check};
    use super::*;
    use crate::sys::call::{BpfCommand, Call, hook};
    use crate::sys::{Errno, file};

    const ROOT: (&str, &str) = ("/proc/self/status", "CapEff:\t000001ffffffffff\n");

    /// A host with these files only.
    fn host<const N: usize>(files: [(&'static str, &'static str); N]) -> file::hook::Installed {
        file::hook::install(move |path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            let missing = || io::Error::from_raw_os_error(libc::ENOENT);
            Some(found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(missing))
        })
    }

    /// A kernel that refuses one command with this error and accepts all others.
    fn without(refused: BpfCommand, errno: Errno) -> hook::Installed {
        hook::install(move |call| match call {
            Call::Bpf { command, .. } if *command == refused => Some(Err(errno)),
            _ => Some(Ok(hook::fd())),
        })
    }

    #[track_caller]
    fn says(checks: &[Check], name: &str, state: CheckState, remedy: &str) {
        let check = checks.iter().find(|check| check.name == name).expect(name);
        assert_eq!(check.state, state, "{check:?}");
        assert!(check.remedy.as_deref().unwrap_or_default().contains(remedy), "{check:?}");
    }

    #[test]
    fn a_kernel_without_bpf_btf_or_tracefs_is_told_so() {
        let _host = host([ROOT]);
        let _kernel = without(BpfCommand::MapCreate, Errno::ENOSYS);
        let checks = kernel::checks();
        says(&checks, "bpf(2)", CheckState::Missing, "");
        says(&checks, "BTF", CheckState::Missing, "--btf FILE");
        // A system call tells it, not a file.
        says(&checks, "release", CheckState::Ok, "");
    }

    #[test]
    fn a_program_that_nobody_may_load_is_told_by_its_reason() {
        let lockdown = ("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
        let _host = host([ROOT, lockdown]);
        let _kernel = without(BpfCommand::ProgLoad, Errno::EPERM);
        let helpers = features::helpers();
        says(&helpers, "probe_read_kernel", CheckState::Missing, "journalctl");
        let privileges = privileges::checks(cannot_tell("RLIMIT_MEMLOCK", ""));
        says(&privileges, "lockdown", CheckState::Missing, "chosen at boot");
    }

    #[test]
    fn what_was_not_permitted_is_not_called_missing() {
        let _host = host([("/proc/self/status", "CapEff:\t0000000000000000\n")]);
        let _kernel = without(BpfCommand::ProgLoad, Errno::EPERM);
        for check in features::helpers().iter().chain(&features::instructions()) {
            assert_eq!(check.state, CheckState::CannotTell, "{check:?}");
        }
        let privileges = privileges::checks(cannot_tell("RLIMIT_MEMLOCK", ""));
        says(&privileges, "capabilities", CheckState::Missing, "setcap");
    }

    #[test]
    fn a_refused_instruction_says_which_kernel_brought_it() {
        let _host = host([ROOT]);
        let _kernel = without(BpfCommand::ProgLoad, Errno::EINVAL);
        let instructions = features::instructions();
        says(&instructions, "load_acquire", CheckState::Missing, "6.15");
        let helpers = features::helpers();
        says(&helpers, "get_attach_cookie", CheckState::Missing, "5.15");
    }

    #[test]
    fn each_attach_kind_that_is_refused_says_what_it_needs() {
        let _host = host([ROOT]);
        let _kernel = without(BpfCommand::ProgLoad, Errno::EINVAL);
        let checks = attach::checks(&KernelTypes::running(), &mut Held::new());
        for check in &checks {
            assert_eq!(check.state, CheckState::Missing, "{check:?}");
            assert!(check.remedy.as_ref().is_some_and(|it| !it.contains("--attach")), "{check:?}");
        }
        says(&checks, "tp_btf", CheckState::Missing, "BTF");
        says(&checks, "link to a perf event", CheckState::Missing, "5.15");
    }

    #[test]
    fn a_map_that_cannot_be_read_in_batches_is_no_missing_map() {
        let _host = host([ROOT, ("/sys/devices/system/cpu/possible", "0-1\n")]);
        let _kernel = without(BpfCommand::MapLookupBatch, Errno::ENOTSUPP);
        let maps = maps::checks();
        says(&maps, "percpu_array", CheckState::Ok, "");
        says(&maps, "batches of percpu_array", CheckState::Missing, "5.13");
        says(&maps, "lookup_and_delete of hash", CheckState::Ok, "");
    }

    #[test]
    fn settings_in_the_way_are_missing_with_what_to_type() {
        let _host = host([
            ROOT,
            ("/proc/self/uid_map", "0 100000 65536\n"),
            ("/proc/sys/kernel/kptr_restrict", "2\n"),
            ("/proc/sys/kernel/perf_event_paranoid", "2\n"),
            ("/proc/sys/kernel/ftrace_enabled", "0\n"),
        ]);
        let checks = privileges::checks(cannot_tell("RLIMIT_MEMLOCK", ""));
        says(&checks, "capabilities", CheckState::Ok, "");
        says(&checks, "user namespace", CheckState::Missing, "outside of the container");
        says(&checks, "kptr_restrict", CheckState::Missing, "sysctl kernel.kptr_restrict=1");
        says(&checks, "perf_event_paranoid", CheckState::Ok, "");
        says(&checks, "ftrace_enabled", CheckState::Missing, "sysctl kernel.ftrace_enabled=1");
        assert!(!checks.iter().any(|check| check.name == "bpf_stats_enabled"));
    }

    #[test]
    fn it_succeeds_if_any_tool_can_run() {
        let _host = host([ROOT]);
        let runs = check("one", Ok("tp_btf x".into()));
        let cannot = check("two", Err(Error::lacking("no way")));
        assert!(verdict(&[cannot.clone(), runs]).is_ok());
        let Err(Stop::Error(error)) = verdict(&[cannot]) else { panic!("none can run") };
        assert_eq!(error.failure.code(), 77);
    }
}
