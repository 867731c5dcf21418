//! Lines that a terminal broke at its width, and that were copied as several.

use std::borrow::Cow;

use super::starts::is_start;
use crate::verifier::causes;
use crate::verifier::log::State;

/// The widths at which a terminal may have broken lines.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=400;

/// The length of a line, in bytes, that is not made longer.
const LONGEST: usize = 1 << 13;

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
    let is_broken =
        |line: &str| state(line.trim_end()).is_some_and(|state| State::parse(state).is_none());
    if !WIDTHS.contains(&width) && !text.lines().any(is_broken) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    // Where in `out` the line begins that is being joined.
    let mut begins = 0;
    while let Some(line) = lines.next() {
        let line = line.trim_end();
        out.push_str(line);
        let whole = &out[begins..];
        let goes_on = lines.peek().filter(|next| whole.len() < LONGEST && !is_new(next));
        let goes_on = goes_on.is_some_and(|next| {
            state(whole).is_some() && has_state(next)
                || line.chars().count() == width && is_open(whole, next, count > 1)
        });
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
    let is_message = || causes::find(next.trim()).is_some();
    match state(line) {
        Some(state) => (State::begins(next) || State::parse(state).is_none()) && !is_message(),
        // A message, or a source line.
        // Lines with one prefix are lines of their own.
        None => {
            let same = line.get(..8) == next.get(..8);
            several && !same && !is_start(line) && !is_message()
        }
    }
}

/// The state in a line, which may have been cut.
fn state(line: &str) -> Option<&str> {
    let after = |mark| line.split_once(mark).filter(|_| is_start(line)).map(|(_, state)| state);
    let alone = || Some(line).filter(|_| line.starts_with(' '));
    let state = after(" ; ").or_else(alone).or_else(|| after(": "))?;
    State::begins(state.trim_start()).then_some(state)
}

/// Whether values of a state are in a line, after its beginning.
fn has_state(line: &str) -> bool {
    let is_value = |word: &str| word.find(['=', '(']).is_some_and(|at| word[at..].starts_with('='));
    line.split(' ').skip(1).any(|word| State::begins(word) && is_value(word))
}
