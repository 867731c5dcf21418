//! The tools, a file each: its options as plain values, what it attaches, and how its maps become a
//! [`Sample`](crate::sample::Sample).
//!
//! ```no_run
//! use rawbpf::tools::{Running, bitehist};
//!
//! let mut running = Running::start(bitehist::Bitehist::new(bitehist::Options::default()))?;
//! std::thread::sleep(std::time::Duration::from_secs(1));
//! println!("{:?}", running.sample()?.tables);
//! # Ok::<(), rawbpf::error::Error>(())
//! ```

pub mod argdist;
pub mod bioheat;
pub mod biolatency;
pub mod bitehist;
pub mod bitesize;
mod choice;
mod distribution;
pub mod funccount;
pub mod funclatency;
pub mod programs;
mod records;
mod running;
mod whose;

pub use choice::Choice;
pub use running::{Running, describe, now};
pub use whose::Whose;

use crate::error::Error;
use crate::host::KernelTypes;
use crate::run::{Group, Session};
use crate::sample::{Lost, Setting, Table};
use crate::sys::MapSpec;
use crate::sys::confine::Needs;

/// What counts in the kernel and is read at the end of each interval.
pub trait Tool {
    /// Its name: `bitehist`.
    fn name(&self) -> &'static str;

    /// What it traces in this run: `block device I/O`. Once it is attached, what it traces indeed.
    fn what(&self) -> String;

    /// Its options, each with its value.
    fn settings(&self) -> Vec<(&'static str, Setting)>;

    /// What its tables do not tell on this host, as a sentence each.
    fn notes(&self) -> Vec<String> {
        vec![]
    }

    /// Called before its maps and groups are asked for, if they depend on the kernel's types.
    ///
    /// # Errors
    /// What the options ask for does not fit the types.
    fn prepare(&self, _: &KernelTypes) -> Result<(), Error> {
        Ok(())
    }

    /// Its maps, in the order in which its programs refer to them.
    fn maps(&self) -> Vec<MapSpec>;

    /// What it attaches.
    fn groups(&self) -> Vec<Group<'_>>;

    /// The error of a start that failed, with what to do about it with this tool.
    fn explain(&self, error: Error) -> Error {
        error
    }

    /// What [`Tool::read`] needs besides its maps and files that everybody may read.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Called once all programs are attached: counting begins.
    ///
    /// # Errors
    /// A map could not be written.
    fn begin(&mut self, _: &Session) -> Result<(), Error> {
        Ok(())
    }

    /// Called after the last reading, before the programs are detached, which may take the kernel long: counting
    /// ends.
    fn end(&mut self, _: &Session) {}

    /// What was counted since the last call, or since the start, and what was not.
    ///
    /// # Errors
    /// A map could not be read.
    fn read(&mut self, session: &Session) -> Result<(Vec<Table>, Vec<Lost>), Error>;
}
