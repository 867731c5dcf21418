//! Expressions for a value that a program finds: `arg0`, `retval`, `bytes`, `rq->q->nr_requests`,
//! `(int)retval`, `str(arg0)`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::btf::Number;

/// An expression for a number or a string.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expression {
    pub(super) form: Form,
    pub(super) root: Root,
    /// For each field: whether a pointer is followed to it, and its name.
    pub(super) path: Vec<(bool, String)>,
}

/// What the value is read as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// What it is by its type.
    Plain,
    /// `(int)`: converted to a number of this type, as in C.
    Cast { name: String, number: Number },
    /// `str()`: the characters that it points to, or consists of. With `str(kptr())` or `str(uptr())` it is said in
    /// which memory they are.
    Text(Option<Memory>),
}

/// What an address is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// The kernel's memory.
    Kernel,
    /// The process's memory.
    User,
    /// The kernel's if the highest bit of the address is set, else the process's.
    ByAddress,
}

/// The first name of an expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Root {
    /// `arg0` is the first.
    Argument(usize),
    Result,
    /// An argument's name, or that of a record's field.
    Name(String),
}

impl Expression {
    /// Whether the expression begins with a call's result.
    pub fn is_of_result(&self) -> bool {
        self.root == Root::Result
    }

    /// Whether the expression begins with an argument's number.
    pub fn is_of_argument(&self) -> bool {
        matches!(self.root, Root::Argument(_))
    }

    /// The last name in the expression: `nr_requests`.
    pub fn last(&self) -> String {
        self.path.last().map_or_else(|| self.root.to_string(), |(_, name)| name.clone())
    }

    /// The expression without what its value is read as: `arg0->comm` of `str(arg0->comm)`.
    pub fn place(&self) -> String {
        let fields = self.path.iter().map(|(pointer, name)| format!("{}{name}", through(*pointer)));
        [self.root.to_string()].into_iter().chain(fields).collect()
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Root::Argument(number) => write!(f, "arg{number}"),
            Root::Result => f.write_str("retval"),
            Root::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            Form::Plain => f.write_str(&self.place()),
            Form::Cast { name, .. } => write!(f, "({name}){}", self.place()),
            Form::Text(Some(Memory::Kernel)) => write!(f, "str(kptr({}))", self.place()),
            Form::Text(Some(Memory::User)) => write!(f, "str(uptr({}))", self.place()),
            Form::Text(_) => write!(f, "str({})", self.place()),
        }
    }
}

/// The operator that leads to a field.
pub(super) fn through(pointer: bool) -> &'static str {
    if pointer { "->" } else { "." }
}

/// A mistake in the text of an expression. It is displayed with the wrong part of the text underlined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpressionError {
    /// What is wrong.
    pub what: String,
    /// The wrong part, in bytes.
    pub span: Range<usize>,
    text: String,
}

/// The number of characters that are shown before and after the wrong part, and of it.
const AROUND: usize = 60;

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |range: Range<usize>| self.text.get(range).unwrap_or_default();
        let plain = |c: char| if c.is_control() { '?' } else { c };
        let (before, wrong) = (part(0..self.span.start), part(self.span.clone()));
        let cut = before.chars().count().saturating_sub(AROUND);
        let before: String = before.chars().skip(cut).map(plain).collect();
        let wrong: String = wrong.chars().take(AROUND).map(plain).collect();
        let after = part(self.span.end..self.text.len()).chars().take(AROUND).map(plain);
        if self.text.trim().is_empty() {
            return f.write_str(&self.what);
        }
        writeln!(f, "{}", self.what)?;
        writeln!(f, "  {before}{wrong}{}", after.collect::<String>().trim_end())?;
        let (indent, length) = (before.chars().count(), wrong.chars().count().max(1));
        write!(f, "  {:indent$}{:^<length$}", "", "")
    }
}

impl std::error::Error for ExpressionError {}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Expression, ExpressionError> {
        let mut reader = Reader { text, at: 0 };
        let expression = reader.expression().and_then(|expression| reader.end(expression));
        expression.map_err(|(what, span)| ExpressionError { what, span, text: text.to_owned() })
    }
}

/// What is wrong, and where.
type Wrong = (String, Range<usize>);

/// Reads a text from left to right.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn expression(&mut self) -> Result<Expression, Wrong> {
        if let Some(open) = self.accept("(") {
            let form = self.cast(open)?;
            return Ok(Expression { form, ..self.value()? });
        }
        let start = self.at;
        if self.name()?.0 == "str"
            && let Some(open) = self.accept("(")
        {
            let memory = self.memory()?;
            let value = self.value()?;
            if let Some((_, open)) = memory {
                self.close(open)?;
            }
            self.close(open)?;
            return Ok(Expression { form: Form::Text(memory.map(|(memory, _)| memory)), ..value });
        }
        self.at = start;
        self.value()
    }

    /// What `kptr(` or `uptr(` says, and where its parenthesis is; `None` where neither comes next.
    fn memory(&mut self) -> Result<Option<(Memory, usize)>, Wrong> {
        let start = self.at;
        let memory = match self.name()?.0 {
            "kptr" => Some(Memory::Kernel),
            "uptr" => Some(Memory::User),
            _ => None,
        };
        if let Some(memory) = memory
            && let Some(open) = self.accept("(")
        {
            return Ok(Some((memory, open)));
        }
        self.at = start;
        Ok(None)
    }

    /// The type after the parenthesis at `open`, and the parenthesis that closes it.
    fn cast(&mut self, open: usize) -> Result<Form, Wrong> {
        let rest = &self.text[self.at..];
        let Some(len) = rest.find(')') else {
            return Err(("the parenthesis is not closed".into(), open..self.text.len()));
        };
        let (start, name) = (self.at, rest[..len].trim());
        self.at += len + 1;
        let Some(number) = number_type(name) else {
            let what = match name {
                "" => "the type is missing: (int), for example".into(),
                name if name.ends_with('*') => {
                    "a pointer is no number: str(arg0) is the string that arg0 points to".into()
                }
                _ => format!(
                    "{} is no type of a number: these are char, short, int, long and their unsigned \
                     forms, int8 to int64, uint8 to uint64, s8 to s64, u8 to u64",
                    shown(name)
                ),
            };
            return Err((what, self.trimmed(start..start + len)));
        };
        Ok(Form::Cast { name: name.split_whitespace().collect::<Vec<_>>().join(" "), number })
    }

    /// A name and the fields after it.
    fn value(&mut self) -> Result<Expression, Wrong> {
        let (name, span) = self.name()?;
        let root = root(name).map_err(|what| (what, span))?;
        let mut path = vec![];
        loop {
            let pointer = match (self.accept("->"), self.accept(".")) {
                (Some(_), _) => true,
                (_, Some(_)) => false,
                _ => break,
            };
            path.push((pointer, self.name()?.0.to_owned()));
        }
        Ok(Expression { form: Form::Plain, root, path })
    }

    /// A name, and where it is.
    fn name(&mut self) -> Result<(&'a str, Range<usize>), Wrong> {
        self.skip_space();
        let (start, rest) = (self.at, &self.text[self.at..]);
        let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        match rest.chars().next() {
            None => Err(("a name is missing here".into(), start..start)),
            Some(c) if c.is_ascii_digit() => {
                Err(("a name does not begin with a digit".into(), start..start + end))
            }
            Some(c) if part(c) => {
                self.at += end;
                Ok((&rest[..end], start..start + end))
            }
            Some(c) => Err((
                match c {
                    '(' => "only one cast, or one str(), is possible".into(),
                    '*' | '&' => format!("{c} is not possible: -> and . lead to a field"),
                    _ => "a name is missing here".into(),
                },
                start..start + c.len_utf8(),
            )),
        }
    }

    /// The parenthesis that closes the one at `open`.
    fn close(&mut self, open: usize) -> Result<(), Wrong> {
        match self.accept(")") {
            Some(_) => Ok(()),
            None if self.at == self.text.len() => {
                Err(("the parenthesis is not closed".into(), open..self.text.len()))
            }
            None => Err(self.surplus()),
        }
    }

    /// The expression, if nothing comes after it.
    fn end(&mut self, expression: Expression) -> Result<Expression, Wrong> {
        self.skip_space();
        if self.at == self.text.len() { Ok(expression) } else { Err(self.surplus()) }
    }

    /// The error for what does not belong to the expression.
    fn surplus(&self) -> Wrong {
        let rest = &self.text[self.at..];
        let what = match rest.as_bytes().first() {
            Some(b'[') => "elements of arrays cannot be read",
            Some(b'(') => "only str() and casts, such as (int)retval, have parentheses",
            Some(b')') => "no parenthesis is open here",
            _ => "a -> or a . is missing before this",
        };
        (what.into(), self.trimmed(self.at..self.text.len()))
    }

    /// Where this mark is, if it comes next.
    fn accept(&mut self, mark: &str) -> Option<usize> {
        self.skip_space();
        let start = self.at;
        self.text[start..].starts_with(mark).then(|| {
            self.at += mark.len();
            start
        })
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// The range without white space around; all of it if there is nothing else.
    fn trimmed(&self, range: Range<usize>) -> Range<usize> {
        let text = &self.text[range.clone()];
        let start = range.start + text.len() - text.trim_start().len();
        let end = start + text.trim().len();
        if start < end { start..end } else { range }
    }
}

/// The value that a first name stands for.
fn root(name: &str) -> Result<Root, String> {
    let digits = name.strip_prefix("arg").filter(|rest| !rest.is_empty());
    let digits = digits.filter(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    match (name, digits) {
        ("retval", _) => Ok(Root::Result),
        (_, Some(digits)) => match digits.parse() {
            Ok(number) if number < 6 && digits.len() == 1 => Ok(Root::Argument(number)),
            Ok(number) if number < 6 => Err(format!("this argument is written arg{number}")),
            _ => Err("the arguments are arg0 to arg5".into()),
        },
        _ => Ok(Root::Name(name.into())),
    }
}

/// The representation of a number's type, by its name in C, or by its sign and bits: `unsigned int`,
/// `s16`, `uint8_t`.
fn number_type(name: &str) -> Option<Number> {
    let mut words: Vec<_> = name.split_whitespace().collect();
    let sign = words.iter().position(|word| matches!(*word, "signed" | "unsigned"));
    let sign = sign.map(|index| words.remove(index));
    let of_c = match &words[..] {
        [] => sign.map(|_| 4),
        ["char"] => Some(1),
        ["short"] | ["short", "int"] => Some(2),
        ["int"] => Some(4),
        ["long"] | ["long", "int"] | ["long", "long"] | ["long", "long", "int"] => Some(8),
        _ => None,
    };
    let (size, signed) = match (of_c, &words[..], sign) {
        (Some(size), ..) => (size, sign != Some("unsigned")),
        (None, ["size_t"], None) => (8, false),
        (None, ["ssize_t"], None) => (8, true),
        (None, [word], None) => {
            let word = word.strip_suffix("_t").unwrap_or(word);
            let word = word.strip_prefix("__").unwrap_or(word);
            let (signed, bits) = [("uint", false), ("int", true), ("u", false), ("s", true)]
                .iter()
                .find_map(|(start, signed)| Some((*signed, word.strip_prefix(start)?)))?;
            let size = match bits {
                "8" => 1,
                "16" => 2,
                "32" => 4,
                "64" => 8,
                _ => return None,
            };
            (size, signed)
        }
        _ => return None,
    };
    Some(Number { size, signed, pointer: false })
}

/// A word in a sentence, cut if it is long.
fn shown(word: &str) -> String {
    let short: String = word.chars().take(40).collect();
    if short.len() < word.len() { format!("{short:?}...") } else { format!("{short:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cast(name: &str, size: u32, signed: bool) -> Form {
        Form::Cast { name: name.into(), number: Number { size, signed, pointer: false } }
    }

    #[test]
    fn expressions_are_read_as_in_c() {
        let path = |path: &[(bool, &str)]| -> Vec<(bool, String)> {
            path.iter().map(|(pointer, name)| (*pointer, (*name).to_owned())).collect()
        };
        let name = |name: &str| Root::Name(name.into());
        for (text, form, root, fields) in [
            ("arg0", Form::Plain, Root::Argument(0), &[][..]),
            ("arg5", Form::Plain, Root::Argument(5), &[]),
            ("retval", Form::Plain, Root::Result, &[]),
            ("argument", Form::Plain, name("argument"), &[]),
            ("str", Form::Plain, name("str"), &[]),
            ("rq->q->nr", Form::Plain, name("rq"), &[(true, "q"), (true, "nr")]),
            ("arg0->a.b", Form::Plain, Root::Argument(0), &[(true, "a"), (false, "b")]),
            ("(int)retval", cast("int", 4, true), Root::Result, &[]),
            ("(unsigned long)a->b", cast("unsigned long", 8, false), name("a"), &[(true, "b")]),
            ("str(arg0)", Form::Text(None), Root::Argument(0), &[]),
            ("str(a->b)", Form::Text(None), name("a"), &[(true, "b")]),
            ("str(uptr)", Form::Text(None), name("uptr"), &[]),
            ("str(uptr(a->b))", Form::Text(Some(Memory::User)), name("a"), &[(true, "b")]),
            ("str(kptr(arg0))", Form::Text(Some(Memory::Kernel)), Root::Argument(0), &[]),
        ] {
            let expression: Expression = text.parse().unwrap();
            assert_eq!(expression, Expression { form, root, path: path(fields) });
            assert_eq!(expression.to_string(), text);
        }
        let spaced: Expression = " ( unsigned  int ) arg0 -> a . b ".parse().unwrap();
        assert_eq!(spaced.to_string(), "(unsigned int)arg0->a.b");
    }

    #[test]
    fn a_type_has_its_names_in_c_and_by_bits() {
        for (names, size, signed) in [
            (&["char", "signed char", "int8", "int8_t", "s8", "__s8"][..], 1, true),
            (&["unsigned char", "uint8", "uint8_t", "u8", "__u8"], 1, false),
            (&["short", "short int", "int16", "s16"], 2, true),
            (&["unsigned short", "uint16", "u16"], 2, false),
            (&["int", "signed", "signed int", "int32", "s32"], 4, true),
            (&["unsigned", "unsigned int", "uint32_t", "u32"], 4, false),
            (&["long", "long long", "long int", "int64", "s64", "ssize_t"], 8, true),
            (&["unsigned long", "unsigned long long", "uint64", "u64", "size_t"], 8, false),
        ] {
            for name in names {
                assert_eq!(
                    number_type(name),
                    Some(Number { size, signed, pointer: false }),
                    "{name}"
                );
            }
        }
        for name in ["", "foo", "u9", "int 8", "unsigned u8", "u", "uint", "s0", "u08", "char*"] {
            assert_eq!(number_type(name), None, "{name}");
        }
    }

    /// Each text with what is wrong with it, which the carets stand below.
    #[test]
    fn the_wrong_part_of_an_expression_is_underlined() {
        for (text, carets, what) in [
            ("arg000", "^^^^^^", "this argument is written arg0"),
            ("(int)arg01", "     ^^^^^", "this argument is written arg1"),
            ("arg6->x", "^^^^", "the arguments are arg0 to arg5"),
            ("arg99999999999999999999", "^^^^^^^^^^^^^^^^^^^^^^^", "arg0 to arg5"),
            ("0", "^", "does not begin with a digit"),
            ("arg0-", "    ^", "a -> or a . is missing before this"),
            ("arg0->", "      ^", "a name is missing here"),
            ("arg0->->q", "      ^", "a name is missing here"),
            ("a b", "  ^", "a -> or a . is missing before this"),
            ("a->b[0]", "    ^^^", "elements of arrays"),
            ("->q", "^", "a name is missing here"),
            ("é", "^", "a name is missing here"),
            ("a.é", "  ^", "a name is missing here"),
            ("a\u{1b}", " ^", "a -> or a . is missing"),
            ("*arg0", "^", "* is not possible"),
            ("f(arg0)", " ^^^^^^", "only str() and casts"),
            ("arg0)", "    ^", "no parenthesis is open"),
            ("(int", "^^^^", "not closed"),
            ("( )arg0", " ^", "the type is missing"),
            ("(float)arg0", " ^^^^^", "\"float\" is no type of a number"),
            ("(char *)arg0", " ^^^^^^", "str(arg0)"),
            ("(int)", "     ^", "a name is missing"),
            ("(int)(long)arg0", "     ^", "only one cast"),
            ("(int)str(arg0)", "        ^^^^^^", "only str() and casts"),
            ("str(", "    ^", "a name is missing"),
            ("str()", "    ^", "a name is missing"),
            ("str(arg0", "   ^^^^^", "not closed"),
            ("str(arg0 x)", "         ^^", "is missing before this"),
            ("str((int)arg0)", "    ^", "only one cast"),
            ("str(uptr(arg0)", "   ^^^^^^^^^^^", "not closed"),
            ("str(uptr())", "         ^", "a name is missing"),
            ("uptr(arg0)", "    ^^^^^^", "only str() and casts"),
        ] {
            let error = text.parse::<Expression>().unwrap_err();
            assert!(error.what.contains(what), "{text}: {error}");
            let shown = error.to_string();
            let lines: Vec<_> = shown.lines().collect();
            let text = format!("  {}", text.replace('\u{1b}', "?"));
            assert_eq!(lines[1..], [text.trim_end(), &format!("  {carets}")]);
        }
    }

    #[test]
    fn nothing_is_no_expression() {
        assert_eq!("".parse::<Expression>().unwrap_err().to_string(), "a name is missing here");
    }

    #[test]
    fn a_long_text_is_shown_around_its_mistake() {
        let error = ["a.".repeat(1000), "b c".repeat(1000)].concat().parse::<Expression>();
        let shown = error.unwrap_err().to_string();
        assert!(shown.lines().all(|line| line.len() < 200), "{shown}");
    }
}
