//! What comes of a trial.

use std::any::Any;

use crate::error::Error;
use crate::host::config::kernel_version;
use crate::host::refusal;
use crate::view::checks::{Check, CheckState};

/// Attachments that are kept until the report is printed, since the kernel needs up to a tenth of a
/// second to remove a perf event.
pub type Held = Vec<Box<dyn Any>>;

/// The check of a trial. If the trial was not permitted, nothing is known about the host.
pub fn check(name: impl Into<String>, tried: Result<String, Error>) -> Check {
    let name = name.into();
    match tried {
        Ok(found) => Check { name, state: CheckState::Ok, found, remedy: None, detail: None },
        Err(error) if refusal::privilege().is_some_and(|missing| missing.what == error.what) => {
            let found = "not permitted".into();
            Check { name, state: CheckState::CannotTell, found, remedy: None, detail: error.detail }
        }
        Err(error) => Check {
            name,
            state: CheckState::Missing,
            found: error.what,
            remedy: error.hint.and_then(|hint| elsewhere(&hint)),
            detail: error.detail,
        },
    }
}

/// A remedy without the advice to look at this very report.
fn elsewhere(hint: &str) -> Option<String> {
    let other = hint.split("see what works here: rawbpf doctor").next()?;
    let other = other.trim_end_matches("or ").trim_end_matches([';', ' ']);
    (!other.is_empty()).then(|| other.to_owned())
}

/// A check that could not be made, and why.
pub fn cannot_tell(name: &str, why: impl Into<String>) -> Check {
    let found = why.into();
    Check { name: name.into(), state: CheckState::CannotTell, found, remedy: None, detail: None }
}

/// What is missing where something is that this version of Linux brought.
pub fn since(major: u32, minor: u32) -> String {
    match kernel_version() < major << 16 | minor << 8 {
        true => format!("needs Linux {major}.{minor}"),
        false => {
            format!("Linux has it since {major}.{minor}, but not in every build and architecture")
        }
    }
}
