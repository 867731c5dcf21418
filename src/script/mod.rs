//! The script language: a strict subset of bpftrace's, as version 0.27 documents it. Pure.

pub mod ast;
mod check;
pub mod contents;
mod cursor;
mod define;
mod doubts;
mod fold;
pub mod functions;
pub mod host;
mod infer;
mod literal;
pub mod lower;
mod names;
pub mod outline;
mod parse;
pub mod probes;
pub mod settings;
pub mod types;

pub use check::{Checked, CheckedProbe, check};
pub use host::Host;
pub use infer::{MapUse, Types};
pub use parse::parse;
