//! uprobe.multi and uretprobe.multi: one program at the entries or the returns of many functions of a file,
//! by one link. Unlike a perf event, it does not need CAP_SYS_ADMIN.

use super::kind::{Attachment, Facts, Loader, PRIVILEGES, Probe, c_string};
use super::uprobe;
use crate::error::Error;
use crate::host::symbol::UserFunction;
use crate::host::types::KernelTypes;
use crate::insn::helper::GET_ATTACH_COOKIE;
use crate::sys::link::{self, At, UprobePlaces};
use crate::sys::{AttachType, Errno, Link, Load, LoadError, Prog, ProgramType, SysError, uname};

/// The entries or the returns of functions of one file. The program gets the cookie of the one it runs at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UprobeMulti {
    functions: Vec<UserFunction>,
    cookies: Vec<u64>,
    at: At,
}

impl UprobeMulti {
    /// The entries or the returns of these functions, which are in one file and of one process, or of all.
    /// Their cookies are `first_cookie`, `first_cookie + 1`, ...
    pub fn new(functions: Vec<UserFunction>, at: At, first_cookie: u64) -> UprobeMulti {
        let mut places = UprobeMulti { functions: vec![], cookies: vec![], at };
        for (function, cookie) in functions.into_iter().zip(first_cookie..) {
            match function.return_places().filter(|_| at == At::Return) {
                Some(mut returns) => {
                    places.at = At::Entry;
                    places.cookies.resize(places.cookies.len() + returns.len(), cookie);
                    places.functions.append(&mut returns);
                }
                None => {
                    places.cookies.push(cookie);
                    places.functions.push(function);
                }
            }
        }
        places
    }

    /// Why the kernel refused a link. Each place by itself may still be probed.
    fn refused(&self, function: &UserFunction, error: &SysError) -> Error {
        let refused = match error.errno {
            // A place by itself says more, and it says which of several is meant.
            Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOTSUPP if self.functions.len() > 1 => {
                Error::lacking("this kernel has no uprobe.multi, or forbids one of the places")
            }
            Errno::EINVAL if !is_known() => no_uprobe_multi(),
            Errno::EOPNOTSUPP => no_uprobe_multi(),
            _ => uprobe::refused(function, error),
        };
        refused.detail(error.to_string())
    }

    fn link(&self, prog: &Prog) -> Result<Link, Error> {
        let Some(function) = self.functions.first() else {
            return Err(Error::failed("no function to probe"));
        };
        let path = c_string(&function.path.to_string_lossy())?;
        let offsets: Vec<_> = self.functions.iter().map(|function| function.offset).collect();
        let pid = function.pid.filter(|_| knows_processes());
        let places = UprobePlaces {
            path: &path,
            offsets: &offsets,
            semaphores: &[],
            cookies: &self.cookies,
            pid,
        };
        link::uprobe_multi(prog, &places, self.at).map_err(|error| self.refused(function, &error))
    }
}

impl Probe for UprobeMulti {
    const FACTS: Facts = Facts {
        words: &["uprobe.multi", "uretprobe.multi"],
        sections: &[("uprobe.multi", "uprobe.multi"), ("uretprobe.multi", "uretprobe.multi")],
        needs: "needs Linux 6.6",
        privileges: PRIVILEGES,
        misses_since: None,
        detaches_at_once: false,
    };

    /// Kernels that do not know the helper do not know what it is for either.
    fn refused(error: &LoadError) -> Option<Error> {
        let cookie = format!("#{}\n", GET_ATTACH_COOKIE.id);
        let unknown = error.log.contains(&cookie) && error.log.contains("unknown");
        unknown.then(no_uprobe_multi)
    }

    fn parse(word: &str, place: &str, _: &KernelTypes) -> Result<UprobeMulti, Error> {
        let at = if word == "uprobe.multi" { At::Entry } else { At::Return };
        Ok(UprobeMulti::new(vec![uprobe::parse(place)?], at, 0))
    }

    /// Where this program began, which has been by now. Where that works a return does too.
    fn trials(_: &KernelTypes) -> Vec<(&'static str, Result<UprobeMulti, Error>)> {
        let entry = UserFunction::own_entry();
        vec![("uprobe.multi", entry.map(|entry| UprobeMulti::new(vec![entry], At::Entry, 0)))]
    }

    fn word(&self) -> &'static str {
        match self.at {
            At::Entry => "uprobe.multi",
            At::Return => "uretprobe.multi",
        }
    }

    fn place(&self) -> String {
        match &self.functions[..] {
            [] => String::new(),
            [function] => function.to_string(),
            [first, ..] => {
                format!("{} places of {}", self.functions.len(), first.path.display())
            }
        }
    }

    fn load(&self) -> Result<Load<'static>, Error> {
        let expected_attach_type = Some(AttachType::TraceUprobeMulti);
        Ok(Load { expected_attach_type, ..Load::new(ProgramType::Kprobe) })
    }

    fn attach(&self, load: &mut Loader) -> Result<Attachment, Error> {
        self.functions.iter().try_for_each(|function| function.check_at(self.at))?;
        let prog = load()?;
        let link = self.link(&prog)?;
        Ok(Attachment::new(self.place(), prog, link))
    }
}

fn no_uprobe_multi() -> Error {
    Error::lacking("this kernel has no uprobe.multi (Linux 6.6)")
}

/// Whether a link for a process counts all of its threads. Before Linux 6.10 it counts only the first, so
/// that the link is made for all processes there, and the program alone compares the process.
fn knows_processes() -> bool {
    release().is_some_and(|release| release >= (6, 10))
}

/// Whether this kernel has such links: an argument that it does not accept is then the place's fault.
fn is_known() -> bool {
    release().is_some_and(|release| release >= (6, 6))
}

/// The first two numbers of the kernel's version.
fn release() -> Option<(u32, u32)> {
    let release = uname::kernel_release();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
