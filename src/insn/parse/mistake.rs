//! The mistakes in a text, shown as compilers show them.

use std::fmt;

use crate::plain;

/// The largest number of mistakes that are shown; nobody reads more.
pub(super) const SHOWN: usize = 10;

/// Columns of one line, in bytes from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TextSpan {
    /// The line, from 1.
    pub line: u32,
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

/// A word of a text, and its place.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Its place.
    pub span: TextSpan,
}

/// A mistake in a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// Its place.
    pub span: TextSpan,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Mistake {
    /// A boxed mistake: mistakes are rare, and every function that can fail returns one.
    pub fn new(span: TextSpan, what: impl Into<String>) -> Box<Mistake> {
        Box::new(Mistake { span, what: what.into(), help: None })
    }

    /// Adds what to write instead.
    pub fn help(mut self: Box<Mistake>, help: impl Into<String>) -> Box<Mistake> {
        self.help = Some(help.into());
        self
    }

    /// Adds this help unless the mistake has one.
    pub fn or_help(self: Box<Mistake>, help: &str) -> Box<Mistake> {
        if self.help.is_some() { self } else { self.help(help) }
    }

    /// Adds the candidate that looks most like `word` as help, if one does.
    pub fn meant(
        self: Box<Mistake>,
        word: &str,
        of: &mut dyn Iterator<Item = &str>,
    ) -> Box<Mistake> {
        match like(word, of) {
            Some(likely) => self.help(format!("did you mean `{likely}`?")),
            None => self,
        }
    }
}

/// The candidate that looks most like `word`, if one does.
pub fn like<'a>(word: &str, of: &mut dyn Iterator<Item = &'a str>) -> Option<&'a str> {
    // A longer word is not a typing error, and would cost time.
    let word = word.get(..64).unwrap_or(word);
    let likeness = |candidate: &str| match candidate.len() <= 6 {
        // In a short word, two swapped letters are a large part.
        true if strsim::osa_distance(word, candidate) == 1 => 0.9,
        _ => strsim::jaro_winkler(word, candidate),
    };
    let mut best = (0.8, None);
    for candidate in of.take(1000) {
        let likeness = likeness(candidate);
        if likeness > best.0 {
            best = (likeness, Some(candidate));
        }
    }
    best.1
}

/// The first mistakes in a text, as many as are shown. They are displayed line by line, with the wrong part
/// underlined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistakes {
    pub(super) file: String,
    /// The mistakes in the order of the text, each with its line.
    pub(super) all: Vec<(Mistake, String)>,
}

impl Mistakes {
    /// The only mistake in a text; `file` is its name.
    pub fn one(file: &str, text: &str, mistake: Mistake) -> Mistakes {
        let line =
            text.lines().nth(mistake.span.line.saturating_sub(1) as usize).unwrap_or_default();
        Mistakes { file: file.to_owned(), all: vec![(mistake, line.to_owned())] }
    }

    /// All mistakes; there is at least one.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.all.iter().map(|(mistake, _)| mistake)
    }
}

impl std::error::Error for Mistakes {}

/// The largest number of characters that are shown of a mistake, which may name a word of the text.
const LONGEST: usize = 200;

/// The same of the help, which may be a list.
const LONGEST_HELP: usize = 1600;

/// The number of characters that are shown before and after the wrong part of a line.
const AROUND: usize = 60;

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (Mistake { span, what, help }, line)) in self.all.iter().enumerate() {
            let gap = if index > 0 { "\n" } else { "" };
            let number = span.line.to_string();
            let margin = " ".repeat(number.len());
            let (before, wrong, behind) = shown(line, *span);
            let column = before.chars().count();
            let at = line.get(..span.start).map_or(0, |start| start.chars().count()) + 1;
            let carets = "^".repeat(wrong.chars().count().max(1));
            writeln!(f, "{gap}error: {}", plain::line(&plain::short(what, LONGEST)))?;
            writeln!(f, "{margin}--> {}:{number}:{at}", plain::line(&self.file))?;
            writeln!(f, "{margin} |")?;
            writeln!(f, "{number} | {}", format!("{before}{wrong}{behind}").trim_end())?;
            write!(f, "{margin} | {}{carets}", " ".repeat(column))?;
            if let Some(help) = help {
                write!(
                    f,
                    "\n{margin} = help: {}",
                    plain::lines(&plain::short(help, LONGEST_HELP))
                )?;
            }
            writeln!(f)?;
        }
        if self.all.len() == SHOWN {
            writeln!(f, "\nmore than {SHOWN} mistakes are not shown")?;
        }
        Ok(())
    }
}

/// A line in three parts, of which the middle one is wrong. A tab becomes four spaces, and a control
/// character a question mark.
fn shown(line: &str, span: TextSpan) -> (String, String, String) {
    let printed = |c: char| match c {
        '\t' => "    ".to_owned(),
        c if plain::steers(c) => "?".to_owned(),
        c => c.to_string(),
    };
    let start = line.get(..span.start).unwrap_or(line);
    let wrong = line.get(span.start..span.end).unwrap_or_default();
    let rest = line.get(span.end..).unwrap_or_default();
    let cut = start.chars().count().saturating_sub(AROUND);
    let mut before: String = start.chars().skip(cut).map(printed).collect();
    if cut > 0 {
        before.insert_str(0, "...");
    }
    let wrong = wrong.chars().take(AROUND).map(printed).collect();
    (before, wrong, rest.chars().take(AROUND).map(printed).collect())
}
