//! A kernel, its cases, and the bodies of their tests. `boot.rs` does the booting.

use crate::boot::{self, Boot};
use crate::lines;
use crate::machine::Machine;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, Once, OnceLock, PoisonError};
use std::{env, io, thread};

/// How many guests run at a time. Each has two CPUs but emulates them on one thread.
const AT_A_TIME: usize = 2;

/// How many cases of a kernel may be run again.
const AGAIN: usize = 16;

/// Something to run in a guest.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    /// The command for `guest/case.sh`.
    pub guest: &'static str,
    /// Panics unless the outcome is the expected one.
    pub check: fn(&Outcome),
}

impl Case {
    /// Panics unless it came out of this boot as it shall.
    fn passes_in(&self, boot: &Boot) {
        let Some(outcome) = boot.outcomes.get(self.name) else {
            panic!("the guest reported nothing of {}: {}", self.name, boot.ending);
        };
        // The harness shows this when the test fails.
        println!("guest stdout:\n{}", outcome.stdout);
        println!("guest stderr:\n{}", outcome.stderr);
        assert_eq!(outcome.status, "0", "exit status of the guest's part");
        (self.check)(outcome);
    }
}

/// What came of a case in the guest.
pub struct Outcome {
    pub status: String,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// The intervals of the tool that it ran, whatever was printed besides.
    #[track_caller]
    pub fn intervals(&self) -> Vec<Value> {
        lines::intervals(&self.json())
    }

    /// The only interval.
    #[track_caller]
    pub fn interval(&self) -> Value {
        lines::interval(&self.json())
    }

    fn json(&self) -> String {
        let lines = self.stdout.lines().filter(|line| line.starts_with('{'));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What the guest printed at the end of a line that begins with this.
    #[track_caller]
    pub fn told(&self, begin: &str) -> &str {
        let told = self.stdout.lines().find_map(|line| line.strip_prefix(begin));
        told.unwrap_or_else(|| panic!("no {begin}: {}", self.stdout)).trim()
    }

    /// How many events the tool says that the kernel did not run its programs for.
    pub fn missed(&self) -> u64 {
        let said =
            self.stderr.lines().find(|line| line.contains("events came while another probe's"));
        said.and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0)
    }

    /// So many, but for those that the tool says the kernel did not run its programs for: one that is
    /// preempted on its way is not run again on that CPU until it is back, which in an emulated machine
    /// may take long. Of each event more than one program may miss its part.
    #[track_caller]
    pub fn counted_but_for_missed(&self, counted: u64, expected: u64) {
        let missed = self.missed();
        assert!(counted <= expected, "{counted} of {expected}");
        assert!(counted + missed >= expected, "{counted} of {expected}, {missed} missed");
        assert!(counted * 2 > expected, "{counted} of {expected}");
    }
}

/// A kernel and what is to be run on it.
pub struct Kernel {
    /// As in the file `kernels`.
    pub name: &'static str,
    /// What its tests are called.
    pub module: &'static str,
    /// What it is booted on.
    pub machine: Machine<'static>,
    pub cases: &'static [Case],
    boot: OnceLock<Boot>,
}

impl Kernel {
    pub const fn new(
        name: &'static str,
        module: &'static str,
        machine: Machine<'static>,
        cases: &'static [Case],
    ) -> Self {
        Kernel { name, module, machine, cases, boot: OnceLock::new() }
    }

    /// What its release begins with.
    fn version(&self) -> &str {
        self.name.rsplit('-').next().unwrap()
    }

    /// What the test harness calls a case on this kernel.
    pub fn test_name(&self, case: &str) -> String {
        format!("{}::{case}", self.module)
    }

    /// The body of every case's test.
    pub fn passes(&'static self, all: &'static [&Kernel], name: &str) {
        let case = self.cases.iter().find(|case| case.name == name).unwrap();
        case.passes_in(self.boot(all));
    }

    /// The body of the test that nothing went missing and that the kernel was the right one.
    pub fn ran_every_case_and_no_other(&'static self, all: &'static [&Kernel]) {
        let boot = self.boot(all);
        let release = boot.release.as_deref().unwrap_or_default();
        assert_eq!(release, boot.expected_release, "{}", boot.ending);
        assert!(release.starts_with(&format!("{}.", self.version())), "{release}");
        let expected: BTreeSet<&str> = self.cases.iter().map(|case| case.name).collect();
        let reported: BTreeSet<&str> = boot.outcomes.keys().map(String::as_str).collect();
        let missing: Vec<_> = expected.difference(&reported).collect();
        assert!(missing.is_empty(), "no word of {missing:?}: {}", boot.ending);
        let unknown: Vec<_> = reported.difference(&expected).collect();
        assert!(unknown.is_empty(), "nobody asked for {unknown:?}");
        assert!(boot.ended, "{}", boot.ending);
    }

    /// Boots this kernel unless that was done. The first call also sets off the other kernels that
    /// were asked for, so that they run side by side although their tests come one after the other.
    fn boot(&'static self, all: &'static [&Kernel]) -> &'static Boot {
        static AHEAD: Once = Once::new();
        AHEAD.call_once(|| {
            for kernel in all.iter().filter(|kernel| kernel.is_asked_for()) {
                thread::spawn(|| kernel.boot_once());
            }
        });
        self.boot_once()
    }

    fn boot_once(&self) -> &Boot {
        self.boot.get_or_init(|| {
            let turn = Turn::take(1);
            let mut boot = boot::boot(self, self.cases, self.module);
            drop(turn);
            self.try_again(&mut boot);
            boot
        })
    }

    /// An emulated processor stands still while the host runs others, which some cases do not bear: a few that
    /// failed are run again in a guest that has the host to itself. This is told, and what comes of it counts.
    fn try_again(&self, boot: &mut Boot) {
        let failed = |case: &&Case| {
            let passes = AssertUnwindSafe(|| case.passes_in(boot));
            boot.outcomes.contains_key(case.name) && catch_unwind(passes).is_err()
        };
        let failed: Vec<Case> = self.cases.iter().filter(failed).copied().collect();
        if failed.is_empty() || failed.len() > AGAIN {
            return;
        }
        let names: Vec<&str> = failed.iter().map(|case| case.name).collect();
        // Not captured by the harness.
        let _ = writeln!(
            io::stderr(),
            "{}: run again in a guest of their own, since they failed: {}",
            self.module,
            names.join(" ")
        );
        let _turns = Turn::take(AT_A_TIME);
        let second = boot::boot(self, &failed, &format!("{}.again", self.module));
        boot.outcomes.extend(second.outcomes);
    }

    /// Whether the harness' filters let a test of this kernel through. A wrong guess costs a boot.
    fn is_asked_for(&self) -> bool {
        let filters: Vec<String> =
            env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
        let is_asked_for = |case: &Case| {
            let name = self.test_name(case.name);
            filters.iter().any(|filter| name.contains(filter))
        };
        filters.is_empty() || self.cases.iter().any(is_asked_for)
    }
}

static RUNNING: Mutex<usize> = Mutex::new(0);
static ONE_ENDED: Condvar = Condvar::new();

/// The right to run so many guests, until dropped.
struct Turn(usize);

impl Turn {
    fn take(guests: usize) -> Turn {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = ONE_ENDED
            .wait_while(running, |running| *running + guests > AT_A_TIME)
            .unwrap_or_else(PoisonError::into_inner);
        *running += guests;
        Turn(guests)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        ONE_ENDED.notify_all();
    }
}
