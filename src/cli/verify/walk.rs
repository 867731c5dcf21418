//! The walk on stdout, as far as it is shown.

use std::io::{self, Write};

use crate::verifier::draw::text::Lines;
use crate::verifier::draw::{json, text};
use crate::verifier::verification::Verification;
use crate::verifier::verified::{SHOWN_MAX, Verified};
use crate::verifier::walk::{self, Entry};

/// Tells the last parts of a program's walk, as many as are shown, and gives how many are not.
///
/// # Errors
/// What `tell` says.
pub fn last<'a>(
    program: &'a Verification,
    tell: &mut dyn FnMut(Entry<'a>) -> io::Result<()>,
) -> io::Result<usize> {
    let Verification { code, log, .. } = program;
    let count = walk::count(code, log);
    let left_out = count.saturating_sub(SHOWN_MAX);
    if left_out > 0 {
        say!("rawbpf: the first {left_out} of {count} lines of the walk are left out");
    }
    walk::walk_from(code, log, left_out, tell)?;
    Ok(left_out)
}

/// Writes a program's walk and its verdict as text.
///
/// # Errors
/// It could not be written.
pub fn text(verified: &Verified, all: bool, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(text::head(verified).as_bytes())?;
    let mut lines = Lines::new(&verified.program, all);
    last(&verified.program, &mut |entry| out.write_all(lines.entry(&entry).as_bytes()))?;
    out.write_all(text::end(verified).as_bytes())
}

/// Writes a program's walk and its verdict as JSON.
///
/// # Errors
/// It could not be written.
pub fn json(verified: &Verified, all: bool, out: &mut dyn Write) -> io::Result<()> {
    last(&verified.program, &mut |entry| writeln!(out, "{}", json::entry(verified, &entry, all)))?;
    writeln!(out, "{}", json::verdict(verified))
}
