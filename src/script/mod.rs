//! The script language: a strict subset of bpftrace's, as version 0.27 documents it. Pure.

pub mod ast;
mod cursor;
mod define;
mod literal;
mod parse;

pub use parse::parse;
