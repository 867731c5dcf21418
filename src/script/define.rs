//! The lines of C's preprocessor that scripts use: numbers by name, and includes for kernels without BTF.

use std::collections::HashMap;

use super::ast::Span;
use super::cursor::{Cursor, Read};
use super::literal::number;

/// A script without the preprocessor's lines. Blanks stand in their places, so that all else keeps its own.
pub(super) struct Preprocessed {
    pub text: String,
    pub numbers: HashMap<String, u64>,
}

/// What is done with the lines that follow, by the `#ifndef` above them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// There is no condition.
    All,
    /// The condition is true.
    Kept,
    /// It is not, so they are dropped.
    Dropped,
}

/// Reads and blanks the preprocessor's lines. `#ifndef BPFTRACE_HAVE_BTF` is never true: the types that
/// such a part includes come from the kernel.
pub(super) fn preprocess(text: &str) -> Read<Preprocessed> {
    let cursor = Cursor::new(text);
    let mut numbers = HashMap::new();
    let mut out = String::with_capacity(text.len());
    let mut lines = Lines::All;
    let mut opened = Span::default();
    let mut within = Within::Code;
    for line in text.split_inclusive('\n') {
        let start = out.len();
        let indent = line.len() - line.trim_ascii_start().len();
        let body = line.trim_ascii();
        let span = Span { start: start + indent, end: start + indent + body.len() };
        let first_line = start == 0 && line.starts_with("#!");
        let directive = body.strip_prefix('#').filter(|_| within == Within::Code && !first_line);
        if let Some(directive) = directive {
            let mistake = |what: String| cursor.mistake(span, what);
            let (word, rest) = first_word(directive);
            match (word, rest) {
                _ if lines == Lines::Dropped
                    && !matches!(word, "else" | "endif" | "ifndef" | "ifdef") => {}
                ("ifndef" | "ifdef", "BPFTRACE_HAVE_BTF") if lines == Lines::All => {
                    lines = if word == "ifdef" { Lines::Kept } else { Lines::Dropped };
                    opened = span;
                }
                ("else", "") if lines == Lines::Kept => lines = Lines::Dropped,
                ("else", "") if lines == Lines::Dropped => lines = Lines::Kept,
                ("endif", _) if lines != Lines::All => lines = Lines::All,
                ("define", _) => {
                    let (name, value) = define(&cursor, text, span, rest)?;
                    numbers.insert(name, value);
                }
                ("include", _) => {
                    let mistake = mistake("C headers cannot be included".into());
                    return Err(mistake.help("the kernel's own types are known without them"));
                }
                _ => {
                    let mistake = mistake(format!("`#{word}` is not supported here"));
                    return Err(mistake.help(
                        "supported are `#define NAME NUMBER` and `#ifndef BPFTRACE_HAVE_BTF`, once at a time, with `#endif`",
                    ));
                }
            }
        }
        let drop = first_line || directive.is_some() || lines == Lines::Dropped;
        if !drop {
            within = within.after(line);
        }
        match drop {
            true => out.extend(line.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' })),
            false => out.push_str(line),
        }
    }
    match lines {
        Lines::All => Ok(Preprocessed { text: out, numbers }),
        _ => Err(cursor.mistake(opened, "this condition has no `#endif`")),
    }
}

/// The first word of a line, and the rest of it.
fn first_word(line: &str) -> (&str, &str) {
    let line = line.trim_ascii_start();
    let (word, rest) = line.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((line, ""));
    (word, rest.trim_ascii())
}

/// `NAME NUMBER` of the directive at `span`.
fn define(cursor: &Cursor, text: &str, span: Span, rest: &str) -> Read<(String, u64)> {
    let (name, _) = first_word(rest);
    let only_numbers = || {
        let what = match rest[name.len()..].starts_with('(') || name.contains('(') {
            true => "macros with parameters are not supported",
            false => "`#define` of anything but a number is not supported",
        };
        cursor.mistake(span, what).help("`#define NAME 4096`")
    };
    let mut value = Cursor::new(&text[..span.end]);
    value.at = span.end - rest.len() + name.len();
    value.skip()?;
    let parentheses = value.eat("(")?;
    if !value.byte().is_ascii_digit()
        || !Cursor::new(name).name_ahead().is_ok_and(|whole| whole == name)
    {
        return Err(only_numbers());
    }
    let number = number(&mut value)?;
    let closed = !parentheses || value.eat(")")?;
    value.skip()?;
    match closed && value.rest().is_empty() {
        true => Ok((name.to_owned(), number)),
        false => Err(only_numbers()),
    }
}

/// What a line begins in: a `#` inside of a string or a comment is no directive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Code,
    Text,
    Comment,
}

impl Within {
    /// What the next line begins in.
    fn after(mut self, line: &str) -> Within {
        let mut bytes = line.as_bytes();
        while let [first, rest @ ..] = bytes {
            let (within, read) = match (self, first, rest) {
                (Within::Code, b'/', [b'/', ..]) => return Within::Code,
                (Within::Code, b'/', [b'*', ..]) => (Within::Comment, 2),
                (Within::Comment, b'*', [b'/', ..]) => (Within::Code, 2),
                (Within::Code, b'"', _) => (Within::Text, 1),
                (Within::Text, b'"', _) => (Within::Code, 1),
                (Within::Text, b'\\', [_, ..]) => (Within::Text, 2),
                _ => (self, 1),
            };
            self = within;
            bytes = &bytes[read..];
        }
        self
    }
}
