//! The file of `rawbpf serve`: a command line on each line.

use std::ffi::OsString;
use std::path::Path;

use crate::cli::{Command, input};
use crate::error::Error;

/// A line of the file.
pub struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// What its counts are called.
    pub name: String,
    /// Its tool.
    pub tool: &'static str,
    /// The words, with that of the program before them.
    words: Vec<OsString>,
}

/// The most lines that are run.
const MOST: usize = 64;

/// Reads a file, and checks each line as far as that goes without running it.
///
/// # Errors
/// The file cannot be read, or a line is wrong.
pub fn read(file: &Path) -> Result<Vec<Line>, Error> {
    let name = input::shown(file);
    let text = String::from_utf8(input::bytes(file)?);
    let text = text.map_err(|_| Error::usage(format!("{name}: this is not UTF-8 text")))?;
    let mut lines: Vec<Line> = vec![];
    for (number, line) in (1..).zip(text.lines()) {
        let at = |why: String| Error::usage(format!("{name}:{number}: {why}"));
        let mut words = split(line).map_err(|why| at(why.into()))?;
        let Some(first) = words.first() else { continue };
        let given = first.strip_suffix(':').map(str::to_owned);
        if given.is_some() {
            words.remove(0);
        }
        let words = [OsString::from("rawbpf")].into_iter().chain(words.into_iter().map(Into::into));
        let words: Vec<_> = words.collect();
        let command = command(&words).map_err(at)?;
        let own = given.unwrap_or_else(|| command.run_name());
        let mut unique = own.clone();
        for count in 2.. {
            if !lines.iter().any(|line| line.name == unique) {
                break;
            }
            unique = format!("{own}-{count}");
        }
        lines.push(Line { number, name: unique, tool: command.name(), words });
    }
    match lines.len() {
        0 => Err(Error::usage(format!("{name}: no line has a command"))
            .hint("a line such as: biolatency -D 10")),
        1..=MOST => Ok(lines),
        more => Err(Error::usage(format!("{name}: {more} commands are more than {MOST}"))),
    }
}

impl Line {
    /// The command with its options.
    ///
    /// # Errors
    /// None that [`read`] has not found.
    pub fn command(&self) -> Result<Command, Error> {
        command(&self.words).map_err(Error::usage)
    }
}

/// The command of these words, if `serve` can run it.
fn command(words: &[OsString]) -> Result<Command, String> {
    let name = words.get(1).map(|word| word.to_string_lossy()).unwrap_or_default();
    let command = Command::called(words).ok_or_else(|| format!("{name} is no tool of rawbpf"))?;
    let command = command.map_err(|error| {
        let text = error.to_string();
        text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })?;
    command.served().map_err(str::to_owned)?;
    Ok(command)
}

/// The words of a line, as a shell splits them: by spaces, with '...', "..." and \ around what is one word, and
/// # before a comment.
fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(end), c) if c == end => quote = None,
            (Some('"') | None, '\\') => match chars.next() {
                Some(next) => {
                    let word = word.get_or_insert_default();
                    // Within quotes it stays before what it need not protect, such as n.
                    if quote.is_some() && !matches!(next, '"' | '\\') {
                        word.push('\\');
                    }
                    word.push(next);
                }
                None => return Err("nothing follows the backslash at its end"),
            },
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            (None, '#') if word.is_none() => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed");
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_by_a_shell() {
        let words = |line| split(line).unwrap();
        assert_eq!(words("  biolatency -D  10 # disks"), ["biolatency", "-D", "10"]);
        assert_eq!(words("trace -e 'k:f { @[\"a#b\"] = count(); }'").len(), 3);
        assert_eq!(words(r#"a "b \" \n" c\ d ''"#), ["a", r#"b " \n"#, "c d", ""]);
        assert_eq!(words("a#b"), ["a#b"]);
        assert!(words("# nothing").is_empty() && words("").is_empty());
        assert!(split("'a").is_err() && split("a\\").is_err());
    }
}
