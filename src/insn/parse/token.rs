//! Splits a line of text into tokens.

use super::mistake::{Mistake, TextSpan, Word};

/// A part of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Token<'a> {
    /// A name, a register, a keyword.
    Name(&'a str),
    /// A word that begins with a digit.
    Number(&'a str),
    /// A text between quotes, without the quotes.
    Quoted(&'a str),
    /// An operator or a bracket.
    Sign(&'a str),
    /// A character that no line can have.
    Stray(&'a str),
    /// After the last token.
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
    /// Where the next token begins, after any spaces.
    at: usize,
    token: Token<'a>,
    end: usize,
}

impl<'a> Tokens<'a> {
    /// The tokens of a line without its comment.
    pub fn new(text: &'a str, line: u32) -> Tokens<'a> {
        let mut tokens = Tokens { text, line, at: 0, token: Token::End, end: 0 };
        tokens.advance();
        tokens
    }

    /// The next token.
    pub fn peek(&self) -> Token<'a> {
        self.token
    }

    /// Returns the next token and advances.
    pub fn next(&mut self) -> Token<'a> {
        let token = self.token;
        self.advance();
        token
    }

    /// The place of the next token.
    pub fn span(&self) -> TextSpan {
        TextSpan { line: self.line, start: self.at, end: self.end }
    }

    /// The place from `start` to the end of the last token that was returned.
    pub fn since(&self, start: TextSpan) -> TextSpan {
        let end = self.text[..self.at].trim_end().len();
        TextSpan { end: end.max(start.end), ..start }
    }

    /// Advances over a sign if it is next.
    pub fn eat(&mut self, sign: &str) -> bool {
        let found = self.token == Token::Sign(sign);
        if found {
            self.advance();
        }
        found
    }

    /// Advances over a name if it is next.
    pub fn eat_name(&mut self, name: &str) -> bool {
        let found = self.token == Token::Name(name);
        if found {
            self.advance();
        }
        found
    }

    /// Advances over a sign that must be next.
    pub fn expect(&mut self, sign: &str) -> Result<(), Box<Mistake>> {
        match self.eat(sign) {
            true => Ok(()),
            false => Err(self.expected(&format!("`{sign}`"))),
        }
    }

    /// The mistake that the next token is not the expected one.
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

    /// A name that must be next, with its place.
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

    /// A number that must be next, with any signs before it, and its place.
    pub fn number(&mut self, what: &str) -> Result<(i128, TextSpan), Box<Mistake>> {
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

    /// Checks that no token follows.
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

/// Parses 10, 0x1f, 0o17 and 0b101; digits may have `_` between them.
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

/// Splits a line into its code and the text of its comment. A comment begins with `;`, or with `#` or `//`
/// at the beginning of the line or after a space (a helper's name may contain `#`), but not between quotes.
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
