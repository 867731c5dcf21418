//! The kernel boundary: `bpf(2)`, `perf_event_open(2)`, tracefs and kallsyms. The only room with `unsafe`.
//!
//! Every function here is safe to call: the lengths of buffers are checked before the kernel reads or writes
//! them, and every descriptor is owned, close-on-exec and never below 3 (the
//! kernel treats 0 as "none" in most of its fields).
//!
//! This room reports the kernel's errors as an [`Errno`] and the name of the call. Their meaning for users,
//! and the remedies, are elsewhere.
//!
//! | module | what it is for |
//! |---|---|
//! | [`map`] | create maps; read and write their elements, one at a time or in batches |
//! | [`prog`] | load programs, get the verifier's log, test-run them |
//! | [`btf`] | hand BTF to the kernel, read it back |
//! | [`perf`] | kprobes, uprobes and tracepoints as perf events |
//! | [`link`] | attach without a perf event: raw tracepoints, fentry, many functions at once |
//! | [`ring`] | ring buffers: records that programs write for one reader |
//! | [`object`] | loaded objects: information about programs, maps, links and BTF |
//! | [`code`] | the code of a loaded program, as the verifier and the JIT changed it |
//! | [`Allocator`] | the memory of the command; only with the feature `cli` |
//! | [`capability`] | do something with fewer capabilities |
//! | [`confine`] | give up capabilities and system calls |
//! | [`child`] | a process that waits before it runs a program |
//! | [`pidfd`] | processes by descriptor |
//! | [`clock`] | the wall clock in the host's time zone |
//! | [`cpu`] | the number of CPUs for which a per-CPU map has values |
//! | [`tracefs`], [`kallsyms`] | the names of traceable functions and tracepoints |
//! | [`trial`] | calls that change nothing, and show why others are refused |
//! | `signal` | how a process is asked to end; only with the feature `cli` |
//! | [`uname`] | the names of the host and its kernel |
//! | [`mod@file`] | reading files the kernel writes for us |

#![deny(clippy::undocumented_unsafe_blocks)]

#[cfg(feature = "cli")]
mod allocator;
mod attr;
pub mod btf;
pub(crate) mod call;
pub mod capability;
pub mod child;
pub mod clock;
pub mod code;
pub mod confine;
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
pub mod pidfd;
pub mod prog;
pub mod ring;
#[cfg(feature = "cli")]
pub mod signal;
pub mod tracefs;
pub mod trial;
pub mod uname;
#[cfg(test)]
mod wire;

#[cfg(feature = "cli")]
pub use allocator::Allocator;
pub use btf::LoadedBtf;
pub use error::{Errno, FileError, LoadError, SysError, io_text};
pub use link::Link;
pub use log::Log;
pub use map::{Map, MapSpec, MapType, MapTypes};
pub use memory::Memory;
pub use perf::PerfEvent;
pub use prog::{AttachType, Load, LoadBtf, Prog, ProgramType};
pub use ring::Ring;
pub use tracefs::Tracefs;

/// An enum of the kernel's whose numbers and names are part of its interface.
macro_rules! kernel_enum {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $number:literal $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        #[non_exhaustive]
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

            /// The value of the kernel's number; `None` if it is newer than this program.
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
