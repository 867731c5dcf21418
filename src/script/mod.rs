//! The script language: a strict subset of bpftrace's, as version 0.27 documents it. Pure.

pub mod ast;
mod check;
mod cursor;
mod define;
mod fold;
pub mod functions;
mod infer;
mod literal;
mod names;
mod parse;
pub mod probes;
pub mod settings;
pub mod types;

pub use check::{Checked, check};
pub use infer::{Host, MapUse, Types};
pub use parse::parse;
