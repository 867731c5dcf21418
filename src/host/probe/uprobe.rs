//! uprobe and uretprobe: a breakpoint at the entry or the return of a function of an executable or a
//! library, by a perf event.

use std::path::Path;

use super::kind::{Attachment, Facts, Loader, PRIVILEGES, Probe, c_string};
use crate::error::Error;
use crate::host::refusal;
use crate::host::symbol::UserFunction;
use crate::host::types::KernelTypes;
use crate::sys::link::At;
use crate::sys::{Errno, Load, PerfEvent, ProgramType, SysError};

/// The entry or the return of a function in a file that processes run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Uprobe {
    function: UserFunction,
    at: At,
}

impl Uprobe {
    /// The entry or the return of this function.
    pub fn new(function: UserFunction, at: At) -> Uprobe {
        Uprobe { function, at }
    }
}

impl Probe for Uprobe {
    const FACTS: Facts = Facts {
        words: &["uprobe", "uretprobe"],
        sections: &[("uprobe", "uprobe"), ("uretprobe", "uretprobe")],
        needs: "needs CONFIG_UPROBE_EVENTS",
        privileges: PRIVILEGES,
        misses_since: None,
        detaches_at_once: false,
    };

    fn parse(word: &str, place: &str, _: &KernelTypes) -> Result<Uprobe, Error> {
        let at = if word == "uprobe" { At::Entry } else { At::Return };
        Ok(Uprobe::new(parse(place)?, at))
    }

    /// Where this program began, which has been by now. Where that works a return does too.
    fn trials(_: &KernelTypes) -> Vec<(&'static str, Result<Uprobe, Error>)> {
        vec![("uprobe", UserFunction::own_entry().map(|entry| Uprobe::new(entry, At::Entry)))]
    }

    fn word(&self) -> &'static str {
        match self.at {
            At::Entry => "uprobe",
            At::Return => "uretprobe",
        }
    }

    fn place(&self) -> String {
        self.function.to_string()
    }

    fn load(&self) -> Result<Load<'static>, Error> {
        Ok(Load::new(ProgramType::Kprobe))
    }

    fn attach(&self, load: &mut Loader) -> Result<Attachment, Error> {
        let function = &self.function;
        function.check_at(self.at)?;
        if self.at == At::Return && function.is_at_return() {
            return Err(Error::usage(format!(
                "{function} may be left by an exception, which would end the program at a uretprobe"
            ))
            .hint("uretprobe.multi is placed at its return instructions instead"));
        }
        let path = c_string(&function.path.to_string_lossy())?;
        let event = PerfEvent::uprobe(&path, function.offset, self.at, function.pid);
        let event = event.map_err(|error| refused(function, &error))?;
        let prog = load()?;
        let link = event.attach(&prog).map_err(|error| refused(function, &error))?;
        Ok(Attachment::new(self.place(), prog, link))
    }
}

/// The function that a text names.
pub(super) fn parse(place: &str) -> Result<UserFunction, Error> {
    let Some((path, symbol)) = place.split_once(':') else {
        return Err(Error::usage(format!("{place}: a user function is PATH:SYMBOL")));
    };
    UserFunction::find(Path::new(path), symbol, None)
}

/// Why the kernel refused a probe in a file.
pub(super) fn refused(function: &UserFunction, error: &SysError) -> Error {
    let refused = match error.errno {
        Errno::ENOENT | Errno::ENODEV if error.call.starts_with("read") => refusal::no_sysfs()
            .unwrap_or_else(|| Error::lacking("this kernel has no uprobes (CONFIG_UPROBE_EVENTS)")),
        Errno::ESRCH => Error::usage(format!("no process {}", function.pid.unwrap_or_default())),
        Errno::EINVAL | Errno::EILSEQ | Errno::ENOTSUPP | Errno::EOPNOTSUPP => {
            Error::failed(format!("{function} cannot be probed: the kernel forbids it there"))
        }
        Errno::EPERM | Errno::EACCES => refusal::uprobe_denied(error),
        _ => refusal::occupied(&function.to_string(), error)
            .unwrap_or_else(|| Error::failed(format!("{function} was not probed: {error}"))),
    };
    refused.detail(error.to_string())
}
