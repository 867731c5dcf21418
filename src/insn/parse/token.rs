//! A line of text taken apart.

use super::mistake::{Mistake, Span, Word};

/// A part of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Token<'a> {
    /// A name, a register, a keyword.
    Name(&'a str),
    /// What begins with a digit.
    Number(&'a str),
    /// Something between quotes, without them.
    Quoted(&'a str),
    /// An operator or a bracket.
    Sign(&'a str),
    /// What no line can hold.
    Stray(&'a str),
    /// Behind the last.
    End,
}

const SIGNS: [&str; 31] = [
    "<<=", ">>=", "+=", "-=", "*=", "/=", "|=", "&=", "%=", "^=", "==", "!=", ">=", "<=", "=", ">",
    "<", "+", "-", "*", "/", "%", "(", ")", "[", "]", ",", ":", "#", "&", "|",
];

/// The tokens of a line, one after the other.
#[derive(Clone)]
pub struct Tokens<'a> {
    text: &'a str,
    line: u32,
    /// Where the next token begins, spaces left out.
    at: usize,
    token: Token<'a>,
    end: usize,
}

impl<'a> Tokens<'a> {
    /// Those of a line without its comment.
    pub fn new(text: &'a str, line: u32) -> Tokens<'a> {
        let mut tokens = Tokens { text, line, at: 0, token: Token::End, end: 0 };
        tokens.advance();
        tokens
    }

    /// The next token.
    pub fn peek(&self) -> Token<'a> {
        self.token
    }

    /// Takes the next token.
    pub fn next(&mut self) -> Token<'a> {
        let token = self.token;
        self.advance();
        token
    }

    /// Where the next token stands.
    pub fn span(&self) -> Span {
        Span { line: self.line, start: self.at, end: self.end }
    }

    /// From `start` to the end of the token that was taken last.
    pub fn since(&self, start: Span) -> Span {
        let end = self.text[..self.at].trim_end().len();
        Span { end: end.max(start.end), ..start }
    }

    /// Takes a sign if it is next.
    pub fn eat(&mut self, sign: &str) -> bool {
        let found = self.token == Token::Sign(sign);
        if found {
            self.advance();
        }
        found
    }

    /// Takes a name if it is next.
    pub fn eat_name(&mut self, name: &str) -> bool {
        let found = self.token == Token::Name(name);
        if found {
            self.advance();
        }
        found
    }

    /// Takes a sign that must be next.
    pub fn expect(&mut self, sign: &str) -> Result<(), Box<Mistake>> {
        match self.eat(sign) {
            true => Ok(()),
            false => Err(self.expected(&format!("`{sign}`"))),
        }
    }

    /// The next token is not what it should be.
    pub fn expected(&self, what: &str) -> Box<Mistake> {
        let found = match self.token {
            Token::End => "the end of the line".to_owned(),
            Token::Quoted(text) => format!("\"{text}\""),
            Token::Name(text) | Token::Number(text) | Token::Sign(text) | Token::Stray(text) => {
                format!("`{text}`")
            }
        };
        Mistake::new(self.span(), format!("expected {what}, found {found}"))
    }

    /// A name with its place.
    pub fn word(&mut self, what: &str) -> Result<Word, Box<Mistake>> {
        match self.token {
            Token::Name(name) => {
                let word = Word { text: name.to_owned(), span: self.span() };
                self.advance();
                Ok(word)
            }
            _ => Err(self.expected(what)),
        }
    }

    /// A number with any signs before it, wherever it is.
    pub fn number(&mut self, what: &str) -> Result<(i128, Span), Box<Mistake>> {
        let start = self.span();
        let mut negative = false;
        while let Token::Sign(sign @ ("+" | "-")) = self.token {
            negative ^= sign == "-";
            self.advance();
        }
        let Token::Number(text) = self.token else { return Err(self.expected(what)) };
        let value = number(text).map_err(|what| Mistake::new(self.span(), what))?;
        self.advance();
        let value = i128::from(value);
        Ok((if negative { -value } else { value }, self.since(start)))
    }

    /// Nothing follows.
    pub fn finish(&self) -> Result<(), Box<Mistake>> {
        match self.token {
            Token::End => Ok(()),
            _ => Err(self.expected("the end of the line")),
        }
    }

    fn advance(&mut self) {
        let rest = &self.text[self.end..];
        let rest = rest.trim_start();
        self.at = self.text.len() - rest.len();
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
        let word = |rest: &'a str| &rest[..rest.find(|c| !name(c)).unwrap_or(rest.len())];
        let (token, length) = match rest.chars().next() {
            None => (Token::End, 0),
            Some(c) if c.is_ascii_digit() => (Token::Number(word(rest)), word(rest).len()),
            Some(c) if name(c) => (Token::Name(word(rest)), word(rest).len()),
            Some('"') => match rest[1..].find('"') {
                Some(end) => (Token::Quoted(&rest[1..=end]), end + 2),
                None => (Token::Stray(rest), rest.len()),
            },
            Some(c) => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Token::Sign(sign), sign.len()),
                None => (Token::Stray(&rest[..c.len_utf8()]), c.len_utf8()),
            },
        };
        self.token = token;
        self.end = self.at + length;
    }
}

/// 10, 0x1f, 0o17 and 0b101, with `_` between digits where it helps the eye.
fn number(text: &str) -> Result<u64, String> {
    let (digits, base) = match text.get(..2) {
        Some("0x" | "0X") => (&text[2..], 16),
        Some("0b" | "0B") => (&text[2..], 2),
        Some("0o" | "0O") => (&text[2..], 8),
        _ => (text, 10),
    };
    let digits = digits.replace('_', "");
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return Err(format!("`{text}` is not a number"));
    }
    u64::from_str_radix(&digits, base).map_err(|_| format!("{text} does not fit 64 bits"))
}

/// Where the comment of a line begins, and its text: behind `;`, or behind `#` or `//` that begin
/// the line or follow a space (an `#` may stand in a helper's name), but not between quotes.
pub fn comment(line: &str) -> (&str, Option<&str>) {
    let mut quoted = false;
    let mut spaced = true;
    for (at, c) in line.char_indices() {
        let marker = match c {
            _ if quoted => 0,
            ';' => 1,
            '#' if spaced => 1,
            '/' if spaced && line[at..].starts_with("//") => 2,
            _ => 0,
        };
        if marker > 0 {
            return (&line[..at], Some(line[at + marker..].trim_end()));
        }
        quoted ^= c == '"';
        spaced = c.is_whitespace();
    }
    (line, None)
}
