//! A place in the text of a script that moves on: white space, comments and words.

use super::ast::{Name, Span};
use crate::insn::parse::{Mistake, TextSpan};

/// What reading a part of a script comes to. Mistakes are rare, so they are boxed.
pub(super) type Read<T> = Result<T, Box<Mistake>>;

/// Levels of expressions and blocks within each other. Beyond it, nobody can read a script, and who
/// goes through it level by level needs much stack.
const NESTED: usize = 100;

/// The operators in one statement, for the same reason.
const OPERATORS: usize = 2000;

pub(super) struct Cursor<'a> {
    pub text: &'a str,
    pub at: usize,
    /// The end of the last thing that was read.
    pub end: usize,
    levels: usize,
    operators: usize,
}

/// Whether a name may begin with this byte.
pub(super) fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

/// Whether a name may go on with this byte.
pub(super) fn continues_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, at: 0, end: 0, levels: 0, operators: 0 }
    }

    /// The text from here on.
    pub fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next byte, 0 at the end.
    pub fn byte(&self) -> u8 {
        self.byte_after(0)
    }

    /// The byte that is `ahead` bytes after the next one, 0 after the end.
    pub fn byte_after(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or_default()
    }

    /// From `start` to the end of the last thing that was read.
    pub fn since(&self, start: usize) -> Span {
        Span { start, end: self.end.max(start) }
    }

    /// The line and column of a byte, from 1.
    pub fn line_and_column(&self, at: usize) -> (u32, u32) {
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() as u32 + 1;
        (line, (at - line_start) as u32 + 1)
    }

    /// A mistake at this place.
    pub fn mistake(&self, span: Span, what: impl Into<String>) -> Box<Mistake> {
        let (line, column) = self.line_and_column(span.start);
        let start = column as usize - 1;
        let rest = self.text[span.start..].find('\n').unwrap_or(self.text.len() - span.start);
        let length = rest.min(span.end - span.start);
        Mistake::new(TextSpan { line, start, end: start + length }, what)
    }

    /// A mistake at the next character.
    pub fn mistake_here(&self, what: impl Into<String>) -> Box<Mistake> {
        let next = self.rest().chars().next().map_or(0, char::len_utf8);
        self.mistake(Span { start: self.at, end: self.at + next }, what)
    }

    /// "`;` is expected" at the next word.
    pub fn expected(&self, what: &str) -> Box<Mistake> {
        let word = self.rest().bytes().take_while(|byte| continues_name(*byte)).count();
        match (self.byte(), word) {
            (0, _) if self.rest().is_empty() => {
                self.mistake_here(format!("{what} is expected, and the script ends here"))
            }
            (_, 0) => self.mistake_here(format!("{what} is expected here")),
            _ => {
                let span = Span { start: self.at, end: self.at + word };
                self.mistake(span, format!("{what} is expected here"))
            }
        }
    }

    /// Skips white space and comments.
    pub fn skip(&mut self) -> Read<()> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_ascii_start().len();
            self.at += blank;
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let Some(end) = comment.find("*/") else {
                    let span = Span { start: self.at, end: self.at + 2 };
                    return Err(self.mistake(span, "this comment does not end"));
                };
                self.at += end + 4;
            } else if blank == 0 {
                return Ok(());
            }
        }
    }

    /// Skips white space, then reads `symbol` if it is next.
    pub fn eat(&mut self, symbol: &str) -> Read<bool> {
        self.skip()?;
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len();
            self.end = self.at;
        }
        Ok(found)
    }

    /// Skips white space, then reads `symbol`.
    pub fn expect(&mut self, symbol: &str) -> Read<()> {
        match self.eat(symbol)? {
            true => Ok(()),
            false => Err(self.expected(&format!("`{symbol}`"))),
        }
    }

    /// The name that is next, which is not read yet; empty if there is none.
    pub fn name_ahead(&mut self) -> Read<&'a str> {
        self.skip()?;
        let rest = self.rest();
        let name = match begins_name(self.byte()) {
            true => rest.bytes().take_while(|byte| continues_name(*byte)).count(),
            false => 0,
        };
        Ok(&rest[..name])
    }

    /// Reads this word if it is next as a whole.
    pub fn eat_word(&mut self, word: &str) -> Read<bool> {
        let found = self.name_ahead()? == word;
        if found {
            self.at += word.len();
            self.end = self.at;
        }
        Ok(found)
    }

    /// Reads a name.
    pub fn name(&mut self, what: &str) -> Read<Name> {
        let name = self.name_ahead()?;
        if name.is_empty() {
            return Err(self.expected(what));
        }
        let start = self.at;
        self.at += name.len();
        self.end = self.at;
        Ok(Name { text: name.to_owned(), span: self.since(start) })
    }

    /// Reads the name after a `$` or a `@`, which is next. That of a map may be empty.
    pub fn name_after_sign(&mut self) -> Name {
        let start = self.at;
        self.at += 1;
        let name: &str = match begins_name(self.byte()) {
            true => {
                let rest = self.rest();
                &rest[..rest.bytes().take_while(|byte| continues_name(*byte)).count()]
            }
            false => "",
        };
        self.at += name.len();
        self.end = self.at;
        Name { text: name.to_owned(), span: self.since(start) }
    }

    /// Whether the next thing is this byte, once white space is skipped.
    pub fn next_is(&mut self, byte: u8) -> Read<bool> {
        self.skip()?;
        Ok(self.byte() == byte)
    }

    /// What `look` says of what comes next, without moving on.
    pub fn look_ahead<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        let (at, end) = (self.at, self.end);
        let seen = look(self);
        (self.at, self.end) = (at, end);
        seen
    }

    /// Goes one level deeper.
    pub fn enter(&mut self) -> Read<()> {
        if self.levels == NESTED {
            return Err(self.mistake_here(format!("this is nested more than {NESTED} levels deep")));
        }
        self.levels += 1;
        Ok(())
    }

    /// Comes back from a level.
    pub fn leave(&mut self) {
        self.levels -= 1;
    }

    /// Begins to count the operators of a statement, unless it stands inside of an expression.
    pub fn begin_statement(&mut self, in_expression: bool) {
        if !in_expression {
            self.operators = 0;
        }
    }

    /// Counts an operator.
    pub fn operator(&mut self) -> Read<()> {
        self.operators += 1;
        match self.operators > OPERATORS {
            true => {
                let what = format!("this statement has more than {OPERATORS} operators");
                Err(self.mistake_here(what))
            }
            false => Ok(()),
        }
    }
}
