//! What stands before and after a log's lines: time stamps, levels, names, indentation, quotation marks.

use std::borrow::Cow;

use super::quoted::unescaped;
use super::starts::{INTRODUCTIONS, is_omission, is_start, starts};
use crate::verifier::causes;
use crate::verifier::log::State;

/// The text without what stands before and after the log's lines; what is no log stays.
pub(super) fn without_prefixes(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    // What stood before the last line of the log.
    let mut prefix: Option<&str> = None;
    // Where the lines begin of which it is not known yet whether they are the log's.
    let mut waiting = 0;
    let mut at = 0;
    let mut before = "";
    for line in text.split_inclusive('\n') {
        let begins = at;
        at += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        if let Some(start) = starts(line) {
            let own = &line[..start];
            others(&text[waiting..begins], prefix, Some(own), &mut out);
            waiting = at;
            let known = prefix.is_some_and(|prefix| length(prefix, own) == Some(own.len()));
            // A sentence that ends in the log's first line.
            if State::begins(own.trim_start()) {
                push(own, &mut out);
            } else if !known && length(own, before).is_none() && !own.trim().is_empty() {
                out.push_str(own.trim());
                out.push('\n');
            }
            let summary = refused(own)
                || line.trim_end().ends_with("omitted)")
                || line.trim_end().ends_with("truncated)");
            let rest = own_part(own, &line[start..]);
            match summary && !is_omission(&line[start..]) {
                true => summed_up(&rest, &mut out),
                false => {
                    let (state, insn) = unglued(&rest);
                    push(state, &mut out);
                    insn.into_iter().for_each(|insn| push(insn, &mut out));
                }
            }
            prefix = Some(own);
        }
        before = line;
    }
    others(&text[waiting..], prefix, None, &mut out);
    out
}

/// Lines that may be of the log, such as messages, source lines and states: those with the prefix of the log's
/// lines before or after them.
fn others(lines: &str, before: Option<&str>, after: Option<&str>, out: &mut String) {
    let named = before.is_some_and(|prefix| !prefix.trim().is_empty());
    let same = before.zip(after).is_some_and(|(one, other)| length(one, other).is_some());
    for line in lines.lines() {
        if let Some((head, rest)) = introduced(line) {
            out.push_str(head);
            out.push('\n');
            if !omitting(rest, out) {
                push(rest, out);
            }
            continue;
        }
        let prefixes = [before, after].into_iter().flatten();
        let found = prefixes.filter_map(|prefix| Some((prefix, length(prefix, line)?)));
        let found = found.max_by_key(|(_, length)| *length);
        if let Some((prefix, length)) = found {
            push(&own_part(prefix, &line[length..]), out);
            continue;
        }
        let foreign = named && same && is_of_another(line);
        if !omitting(line, out) && !foreign {
            push(line, out);
        }
    }
}

/// Adds the message of a line that ends in the number of lines that were left out; whether it is one.
fn omitting(line: &str, out: &mut String) -> bool {
    let omitted = line.trim_end().rfind(" (").filter(|at| is_omission(&line[at + 1..]));
    let Some(omitted) = omitted else { return false };
    let said = after_errno(&line[..omitted]);
    let head = line[..omitted].strip_suffix(said).unwrap_or_default();
    for part in [head, "\n", &line[omitted + 1..], "\n", said, "\n\n"] {
        out.push_str(part);
    }
    true
}

/// Whether a line without the prefix of the lines around it is of another program in the same transcript.
fn is_of_another(line: &str) -> bool {
    let is_mark = line.contains("-- END ") || line.contains("-- BEGIN ");
    !is_mark && !line.trim().is_empty() && causes::find(line).is_none()
}

/// A line's introduction of a log, and the log's first line.
fn introduced(line: &str) -> Option<(&str, &str)> {
    let found = INTRODUCTIONS.iter().filter_map(|intro| Some(line.rfind(intro)? + intro.len()));
    line.split_at_checked(found.max()?).filter(|(_, rest)| !rest.trim().is_empty())
}

/// The errors of a load as Go and C print them.
const ERRORS: [&str; 8] = [
    "permission denied",
    "invalid argument",
    "argument list too long",
    "no space left on device",
    "operation not permitted",
    "bad file descriptor",
    "operation not supported",
    "no such file or directory",
];

/// Whether a load's error ends this text.
fn refused(text: &str) -> bool {
    let text = text.trim_end().trim_end_matches(':');
    ERRORS.iter().any(|error| {
        let at = text.len().checked_sub(error.len());
        at.and_then(|at| text.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(error))
    })
}

/// What stands after the last error of a load in a line.
fn after_errno(line: &str) -> &str {
    let ends = ERRORS.iter().filter_map(|error| {
        let at = line.rfind(error)? + error.len();
        line[at..].strip_prefix(": ")
    });
    ends.min_by_key(|rest| rest.len()).unwrap_or(line)
}

/// The last lines of a log, which cilium/ebpf joins: `8: (0f) r1 += r2: R1 pointer ... (42 line(s) omitted)`.
fn summed_up(text: &str, out: &mut String) {
    let end = text.rfind(" (").filter(|at| text[*at..].contains("omitted") || text.ends_with("d)"));
    let (said, omission) = text.split_at(end.unwrap_or(text.len()));
    if !omission.is_empty() {
        out.push_str(omission.trim());
        out.push('\n');
    }
    let insn = said.find(") ").map_or(0, |at| at + 2);
    match said[insn..].find(": ") {
        Some(at) => {
            push(&said[..insn + at], out);
            push(&said[insn + at + 2..], out);
        }
        None => push(said, out),
    }
    if !omission.is_empty() {
        out.push('\n');
    }
}

/// The rest of a line without what closes it: where the prefix opens a quote, what stands after that.
fn own_part<'a>(prefix: &str, rest: &'a str) -> Cow<'a, str> {
    let prefix = prefix.trim_end();
    if prefix.ends_with('"') {
        let mut escaped = false;
        let end = rest.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let rest = &rest[..end.unwrap_or(rest.len())];
        return match rest.contains('\\') {
            true => unescaped(rest).trim_end_matches('\n').to_owned().into(),
            false => rest.into(),
        };
    }
    match prefix.ends_with('\'') {
        true => rest.rsplit_once('\'').map_or(rest, |(rest, _)| rest).into(),
        false => rest.into(),
    }
}

/// A state, and the instruction that Linux before 5.0 prints in the same line:
/// `from 12 to 25: R0=inv(id=0) R10=fp0 25: (79) r7 = *(u64 *)(r10 -8)`.
fn unglued(text: &str) -> (&str, Option<&str>) {
    if !text.starts_with("from ") {
        return (text, None);
    }
    let insn = text.match_indices(": (").find_map(|(colon, _)| {
        let at = text[..colon].rfind(' ')? + 1;
        (at > 5 && colon - at < 8 && is_start(&text[at..])).then_some(at)
    });
    match insn {
        Some(at) => (text[..at].trim_end(), Some(&text[at..])),
        None => (text, None),
    }
}

/// Adds a line of the log. A state by itself begins with a space, whatever became of it on the way.
fn push(line: &str, out: &mut String) {
    let mut line = line.trim_end();
    if line.starts_with("processed ")
        && let Some((totals, last)) = line.split_once(" mark_read ")
    {
        // Somebody may have gone on in the same line.
        let digits = last.bytes().take_while(u8::is_ascii_digit).count();
        line = &line[..totals.len() + " mark_read ".len() + digits];
    }
    let text = line.trim_start();
    if !State::begins(text) || text.find('=').is_none() {
        out.push_str(line);
        out.push('\n');
        return;
    }
    // A message about a register has no `=` after its name.
    let place = text.find(['=', ' ']).is_some_and(|at| text[at..].starts_with('='));
    if !place && !text.starts_with("frame") {
        out.push_str(line);
        out.push('\n');
        return;
    }
    let mut state = text;
    // Somebody may have cut the line.
    for _ in 0..4 {
        if State::parse(state).is_some() {
            out.push(' ');
            out.push_str(state);
            break;
        }
        let Some((rest, _)) = state.rsplit_once(' ') else { break };
        state = rest;
    }
    out.push('\n');
}

/// The length of a line's beginning that has the form of a prefix: numbers may be others, and so may the number of
/// spaces within. `None` if the line does not begin so.
fn length(prefix: &str, line: &str) -> Option<usize> {
    let form = prefix.trim_end();
    let (mut want, mut have) = (form.as_bytes(), line.as_bytes());
    while let Some(byte) = want.first() {
        let run = |bytes: &[u8], of: fn(&u8) -> bool| bytes.iter().take_while(|b| of(b)).count();
        let of: fn(&u8) -> bool = match byte {
            b'0'..=b'9' => u8::is_ascii_digit,
            b' ' | b'\t' => u8::is_ascii_whitespace,
            _ if have.first() == Some(byte) => {
                (want, have) = (&want[1..], &have[1..]);
                continue;
            }
            // `[ 1.5]`, `[15.5]`
            _ => return None,
        };
        let count = run(have, of);
        if count == 0 && of(&b'0') {
            // A number may have more digits, in the place of spaces.
            let spaces = run(have, u8::is_ascii_whitespace);
            have = &have[spaces..];
            if run(have, of) == 0 {
                return None;
            }
            continue;
        }
        (want, have) = (&want[run(want, of)..], &have[count..]);
    }
    // Those after it are exact: what follows may begin with spaces of its own.
    let spaces = prefix.len() - form.len();
    let there = have.iter().take(spaces).take_while(|byte| byte.is_ascii_whitespace()).count();
    Some(line.len() - have.len() + there)
}
