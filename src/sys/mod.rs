//! The kernel boundary: `bpf(2)`, `perf_event_open(2)`, tracefs and kallsyms. The only room with `unsafe`.
//!
//! Every function here is safe to call: buffers are checked against what the kernel will read or
//! write before it is asked, and every descriptor is owned, close-on-exec and never below 3 (the
//! kernel takes 0 for "none" in most of its fields).
//!
//! This room reports what the kernel said, as an [`Errno`] and the name of the call. What that means
//! to a reader, and what to do about it, is said elsewhere.
//!
//! | module | what it is for |
//! |---|---|
//! | [`map`] | create maps; read and write their elements, one at a time or in batches |
//! | [`prog`] | load programs, get the verifier's log, test-run them |
//! | [`btf`] | hand BTF to the kernel, read it back |
//! | [`perf`] | kprobes, uprobes and tracepoints as perf events |
//! | [`link`] | attach without a perf event: raw tracepoints, fentry, many functions at once |
//! | [`object`] | what is loaded: ids, and information on a program, map, link or BTF |
//! | [`code`] | what the verifier and the JIT made of a loaded program |
//! | [`capability`] | do something with fewer capabilities |
//! | [`clock`] | the wall clock in the host's time zone |
//! | [`cpu`] | how many CPUs a per-CPU map has values for |
//! | [`tracefs`], [`kallsyms`] | what can be traced, by name |
//! | `signal` | how a process is asked to end; only with the feature `cli` |
//! | [`mod@file`] | reading files the kernel writes for us |

#![deny(clippy::undocumented_unsafe_blocks)]

mod attr;
pub mod btf;
pub(crate) mod call;
pub mod capability;
pub mod clock;
pub mod code;
pub mod cpu;
mod error;
pub mod file;
mod ids;
pub mod kallsyms;
pub mod link;
mod log;
pub mod map;
mod memory;
pub mod object;
pub mod perf;
pub mod prog;
#[cfg(feature = "cli")]
pub mod signal;
pub mod tracefs;
#[cfg(test)]
mod wire;

pub use btf::LoadedBtf;
pub use error::{Errno, FileError, LoadError, SysError};
pub use link::Link;
pub use log::Log;
pub use map::{Map, MapSpec, MapType, MapTypes};
pub use memory::Memory;
pub use perf::PerfEvent;
pub use prog::{AttachType, Load, LoadBtf, Prog, ProgramType};
pub use tracefs::Tracefs;

/// An enum of the kernel's whose numbers and names are part of its interface.
macro_rules! kernel_enum {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $number:literal $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`, number ", $number, ".")] $variant = $number,)*
        }

        impl $name {
            /// Every name, in the order of the numbers.
            pub const NAMES: &'static [&'static str] = &[$($text),*];

            /// The kernel's name in lower case, as other tools print it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The kernel's number as a name; `None` when it is newer than this program.
            pub const fn from_raw(raw: u32) -> Option<Self> {
                match raw { $($number => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}
use kernel_enum;
