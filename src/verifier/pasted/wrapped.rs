//! Lines that a terminal broke at its width, and that were copied as several.

use std::borrow::Cow;

use super::starts::is_start;
use crate::verifier::causes;
use crate::verifier::log::State;

/// The widths at which a terminal may have broken lines.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=400;

/// The text with lines joined that are as long as the longest, and do not end there by themselves.
pub(super) fn joined(text: &str) -> Cow<'_, str> {
    let (mut width, mut count) = (0, 0);
    for line in text.lines() {
        let length = line.trim_end().chars().count();
        if length > width {
            (width, count) = (length, 0);
        }
        count += usize::from(length == width);
    }
    if !WIDTHS.contains(&width) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    // Where in `out` the line begins that is being joined.
    let mut begins = 0;
    while let Some(line) = lines.next() {
        let line = line.trim_end();
        out.push_str(line);
        let goes_on = line.chars().count() == width
            && lines
                .peek()
                .is_some_and(|next| !is_new(next) && is_open(&out[begins..], next, count > 1));
        if !goes_on {
            out.push('\n');
            begins = out.len();
        }
    }
    Cow::Owned(out)
}

/// Whether a line cannot be the rest of another one.
fn is_new(line: &str) -> bool {
    let state = line.strip_prefix(' ').is_some_and(State::begins);
    let mark = ["-- ", "libbpf: ", "  ", "\t"].iter().any(|begin| line.starts_with(begin));
    line.trim().is_empty() || line.starts_with("; ") || mark || state || is_start(line)
}

/// Whether a line has not ended by itself before the next. A message has an end anywhere: it goes on only if
/// `several` lines have this length.
fn is_open(line: &str, next: &str, several: bool) -> bool {
    if line.starts_with("processed ") {
        return !line.contains(" mark_read ");
    }
    let after = |mark| line.split_once(mark).filter(|_| is_start(line)).map(|(_, state)| state);
    let alone = || Some(line).filter(|_| line.starts_with(' ') && State::begins(line.trim_start()));
    let state = after(" ; ").or_else(alone).or_else(|| after(": "));
    match state {
        // An instruction that has no state after it.
        Some(insn) if insn.starts_with('(') => false,
        Some(state) => State::begins(next) || State::parse(state).is_none(),
        // A message, or a source line.
        None => several && !is_start(line) && causes::find(next.trim()).is_none(),
    }
}
