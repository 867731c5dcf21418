//! What values need to be written: names, functions, times.

use std::cell::{OnceCell, RefCell};
use std::ffi::CString;
use std::time::Duration;

use super::functions::Functions;
use super::names;
use crate::host::{Cgroups, UserSymbol, UserSymbols};
use crate::script::contents::Known;
use crate::script::host::Member;
use crate::script::lower::{Action, Lowered};
use crate::script::types::{Naming, Struct, TypeId};
use crate::script::{Checked, Host};
use crate::sys::clock;

/// What values need to be written.
pub(super) struct Facts<'a> {
    pub host: &'a dyn Host,
    pub checked: &'a Checked,
    pub lowered: &'a Lowered,
    /// When the host was booted, by the wall clock.
    pub boot: Duration,
    pub functions: OnceCell<Functions>,
    pub user_symbols: RefCell<UserSymbols>,
    pub cgroups: RefCell<Cgroups>,
    pub on_terminal: bool,
}

impl Known for Facts<'_> {
    fn trailer(&self) -> &str {
        &self.checked.settings.str_trunc_trailer
    }

    fn on_terminal(&self) -> bool {
        self.on_terminal
    }

    fn time(&self, format: u64, nanoseconds: u64) -> Vec<u8> {
        match self.lowered.actions.get(format as usize) {
            Some(Action::TimeFormat(format)) => {
                formatted(format, self.boot + Duration::from_nanos(nanoseconds))
            }
            _ => vec![],
        }
    }

    fn enumerator(&self, of: TypeId, value: i128) -> Option<String> {
        self.host.name_of_value(of, value)
    }

    fn fields(&self, of: &Struct) -> Vec<(String, Member)> {
        self.host.members(of)
    }

    fn function_of(&self, process: u64, address: u64) -> Option<(String, u64, String)> {
        let found = self.user_symbols.borrow_mut().at(process as u32, address)?;
        let UserSymbol { name, offset, file } = found;
        Some((name, offset, file))
    }

    fn name(&self, naming: Naming, number: u64) -> String {
        match naming {
            Naming::KernelSymbol => match self.function(number) {
                Some((name, _)) => name,
                None if number == 0 => "0".into(),
                None => format!("{number:#x}"),
            },
            Naming::Error => names::error(number),
            Naming::Signal => names::signal(number),
            Naming::SystemCall => names::system_call(number),
            Naming::Cgroup => {
                let mut cgroups = self.cgroups.borrow_mut();
                cgroups.look_up([number].into_iter());
                format!("unified:{}", cgroups.name(number))
            }
        }
    }

    fn function(&self, address: u64) -> Option<(String, u64)> {
        self.functions.get_or_init(Functions::read).at(address)
    }
}

/// A time by a format of strftime(3), with `%f` for the microseconds.
pub(super) fn formatted(format: &[u8], time: Duration) -> Vec<u8> {
    let micros = format!("{:06}", time.subsec_micros());
    let mut expanded = vec![];
    let mut bytes = format.iter().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek()) {
            (b'%', Some(b'f')) => {
                expanded.extend(micros.bytes());
                bytes.next();
            }
            (b'%', Some(next)) => {
                expanded.extend([b'%', **next]);
                bytes.next();
            }
            _ => expanded.push(*byte),
        }
    }
    let format = CString::new(expanded).unwrap_or_default();
    clock::formatted(&format, time.as_secs()).unwrap_or_default()
}
