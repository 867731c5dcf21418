//! Logs between quotes, in which a line's end is written as `\n`: JSON, Rust's Debug, Go's %q, Python's repr.
//! And colours, which are dropped.

use std::borrow::Cow;

use super::starts::{is_start, starts};

/// A value in quotes may be in another one.
const DEEPEST: usize = 4;

/// The text with the lines of quoted logs as lines, and without what steers a terminal.
pub(super) fn unquoted(text: &str) -> Cow<'_, str> {
    let quotes = |text: &str| text.contains("\\n") || text.contains("\",");
    if !text.contains(['\x1b', '\r', '\0', '\u{a0}']) && !quotes(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        // Buffers are printed whole, with zeros after the log.
        let line = line.trim_end_matches(['\n', '\r', '\0']).trim_start_matches('\0');
        let mut line = without_colors(line);
        // Spaces that a page does not break.
        if line.contains('\u{a0}') {
            line = Cow::Owned(line.replace('\u{a0}', " "));
        }
        if !quotes(&line) {
            out.push_str(&line);
        } else {
            let mut inner = Cow::Borrowed(&*line);
            for _ in 0..DEEPEST {
                if is_quoted(&inner) {
                    inner = Cow::Owned(unescaped(&inner));
                    break;
                }
                if !inner.contains("\\\\") {
                    break;
                }
                inner = Cow::Owned(unescaped(&inner));
            }
            // What did not turn out to be a log stays as it was.
            let is_log = inner.lines().any(|line| starts(line).is_some());
            out.push_str(if is_log { &inner } else { &line });
        }
        out.push('\n');
    }
    Cow::Owned(out)
}

/// Whether a log's lines are in this one: after `\n`, or each in quotes of its own.
fn is_quoted(line: &str) -> bool {
    let begins = |rest: &str| {
        let rest = rest.trim_start_matches("\\t").trim_start_matches(' ');
        is_start(rest)
    };
    let after_end = line.match_indices("\\n").any(|(at, _)| {
        let escapes = line[..at].bytes().rev().take_while(|byte| *byte == b'\\').take(64).count();
        escapes % 2 == 0 && begins(&line[at + 2..])
    });
    let between = line.match_indices('"').filter(|(at, _)| begins(&line[at + 1..]));
    let count = between.take(2).count();
    // A list may have a message, and only the totals after it.
    after_end || count == 2 || count == 1 && line.contains("[\"")
}

/// A line without its escapes; where a quote opens or closes, a line ends.
pub(super) fn unescaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['\\', '"']) {
        out.push_str(&rest[..at]);
        let escaped = rest[at..].starts_with('\\');
        rest = &rest[at + 1..];
        if !escaped {
            out.push('\n');
            // In a list the next element begins.
            let next = rest.trim_start().strip_prefix(',').map(str::trim_start);
            rest = next.and_then(|next| next.strip_prefix('"')).unwrap_or(rest);
            continue;
        }
        let Some(kind) = rest.chars().next() else { break };
        rest = &rest[kind.len_utf8()..];
        match kind {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' | 'b' | 'a' | '0' => {}
            'u' | 'x' => {
                let braces = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
                let count = if kind == 'u' { 4 } else { 2 };
                let (digits, after) =
                    braces.or_else(|| rest.split_at_checked(count)).unwrap_or(("", rest));
                let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                rest = if code.is_some() { after } else { rest };
                out.extend(code.filter(|code| !code.is_control()));
            }
            other => out.push(other),
        }
    }
    out.push_str(rest);
    out
}

/// A line without escape sequences.
fn without_colors(line: &str) -> Cow<'_, str> {
    if !line.contains('\x1b') {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    let mut parts = line.split('\x1b');
    out.extend(parts.next());
    for part in parts {
        let rest = match part.strip_prefix('[') {
            // ESC [ parameters letter
            Some(rest) => rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == ';' || c == '?')
                .get(1..)
                .unwrap_or_default(),
            None => part,
        };
        out.push_str(rest);
    }
    Cow::Owned(out)
}
