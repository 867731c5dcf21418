//! Every way to be refused: from the kernel's message to its cause, what it means, what to do.
//!
//! The table is `causes.txt`, which covers the messages of Linux 5.10 to 7.3. What it does not know
//! is shown as the kernel said it.

use std::sync::OnceLock;

use crate::order::PutInOrder;
use crate::texts::text;

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cause {
    /// What kind of mistake: `null-not-checked`.
    pub class: &'static str,
    /// What the verifier found, with `{name}` for what the message names.
    explanation: &'static str,
    /// What to do about it, likewise.
    remedy: &'static str,
}

/// A message that the table knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownMessage<'a> {
    /// Its row.
    pub cause: Cause,
    /// The names in the row and what the message has in their places.
    fields: Vec<(&'static str, &'a str)>,
}

/// Patterns of messages in lines, then after `- ` what they mean and after `+ ` what to do. `*` is any
/// text, `{name}` text to be kept, `^` the message's beginning; the first pattern that is found counts.
const TABLE: &str = "src/verifier/causes.txt";

/// All rows, each with its patterns.
pub fn table() -> impl Iterator<Item = (Cause, impl Iterator<Item = &'static str>)> {
    let rows = text(TABLE).split("\n\n").map(row);
    rows.map(|(cause, patterns)| (cause, patterns.into_iter()))
}

/// The table in the form in which it is searched: a log may have a message in every line.
fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let rows = table().flat_map(|(cause, patterns)| patterns.map(move |one| (cause, one)));
        Index::new(rows.collect())
    })
}

/// The length of the longest line that is looked up, in bytes: the kernel formats none that is longer.
const LONGEST: usize = 1024;

fn row(row: &'static str) -> (Cause, Vec<&'static str>) {
    let find = |mark| row.lines().find_map(|line| line.strip_prefix(mark)).unwrap_or("");
    let cause = Cause { class: find("= "), explanation: find("- "), remedy: find("+ ") };
    let marks = |line: &&str| ["= ", "- ", "+ "].iter().any(|mark| line.starts_with(mark));
    (cause, row.lines().filter(|line| !marks(line)).collect())
}

/// The first row that has a message's form.
pub fn find(message: &str) -> Option<KnownMessage<'_>> {
    let index = index();
    index.candidates(message).into_iter().find_map(|number| {
        let (cause, pattern) = index.patterns[usize::from(number)];
        Some(KnownMessage { cause, fields: matches(pattern, message)? })
    })
}

/// The patterns by three bytes that a message of their form has. Of those in a pattern the ones are taken
/// that the fewest patterns have, so that few have to be tried for a message.
struct Index {
    patterns: Vec<(Cause, &'static str)>,
    /// For each pattern the longest text in it, and where the three bytes are in that.
    texts: Vec<(&'static [u8], u8)>,
    /// The patterns' numbers, by the hash of their three bytes.
    numbers: Vec<u16>,
    /// Where those of each hash begin; and the end.
    starts: Vec<u16>,
}

const HASHES: usize = 1 << 12;

/// A hash of a few bytes, below [`HASHES`].
fn hash(bytes: &[u8]) -> usize {
    let number = bytes.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
    (number.wrapping_mul(0x9e37_79b1) >> 20) as usize
}

impl Index {
    fn new(patterns: Vec<(Cause, &'static str)>) -> Index {
        let texts: Vec<_> = patterns.iter().map(|(_, pattern)| longest_text(pattern)).collect();
        let mut common = vec![0u16; HASHES];
        for text in &texts {
            text.windows(3).for_each(|bytes| common[hash(bytes)] += 1);
        }
        let rarest = |text: &&'static [u8]| {
            let places = (0..text.len().saturating_sub(2)).take(usize::from(u8::MAX));
            let place = places.min_by_key(|at| common[hash(&text[*at..*at + 3])]);
            (*text, place.unwrap_or(0) as u8)
        };
        let texts: Vec<_> = texts.iter().map(rarest).collect();
        let of = |number: &u16| {
            let (text, at) = texts[usize::from(*number)];
            text.get(usize::from(at)..usize::from(at) + 3).map_or(0, hash)
        };
        let mut numbers: Vec<u16> = (0..texts.len() as u16).collect();
        numbers.order_by_key(of);
        let starts = (0..=HASHES).map(|hash| numbers.partition_point(|it| of(it) < hash) as u16);
        Index { starts: starts.collect(), patterns, texts, numbers }
    }

    /// The numbers of the patterns that a message may have the form of, in their order: it has the longest text of
    /// each. Of a line that is too long to be the kernel's there are none.
    fn candidates(&self, message: &str) -> Vec<u16> {
        let message = message.as_bytes();
        let mut found = vec![];
        if message.len() > LONGEST {
            return found;
        }
        for (at, bytes) in message.windows(3).enumerate() {
            let hash = hash(bytes);
            let range = usize::from(self.starts[hash])..usize::from(self.starts[hash + 1]);
            for number in &self.numbers[range] {
                let (text, place) = self.texts[usize::from(*number)];
                let from = at.checked_sub(place.into());
                if from.is_some_and(|from| message[from..].starts_with(text)) {
                    found.push(*number);
                }
            }
        }
        found.order();
        found.dedup();
        found
    }
}

/// The longest text of a pattern between its variable parts.
fn longest_text(pattern: &'static str) -> &'static [u8] {
    let parts = pattern.trim_start_matches('^').split(['*', '{']);
    // A part after a name begins with the rest of that.
    let texts = parts.map(|part| part.split_once('}').map_or(part, |(_, text)| text));
    texts.max_by_key(|text| text.len()).unwrap_or_default().as_bytes()
}

/// The named parts of a message that has the pattern's form.
fn matches<'a>(pattern: &'static str, message: &'a str) -> Option<Vec<(&'static str, &'a str)>> {
    let mut fields = vec![];
    let mut pattern = pattern;
    let mut rest = message;
    // The name of the part in front of the next text; empty if nobody needs the part.
    let mut before = Some("");
    if let Some(anchored) = pattern.strip_prefix('^') {
        (pattern, before) = (anchored, None);
    }
    loop {
        let end = pattern.find(['*', '{']).unwrap_or(pattern.len());
        let (text, behind) = pattern.split_at(end);
        let at = match before {
            None => rest.starts_with(text).then_some(0),
            Some(name) if behind.is_empty() && text.is_empty() && !name.is_empty() => {
                Some(rest.len())
            }
            // A named part has at least a character.
            Some(name) => {
                let from = if name.is_empty() { 0 } else { rest.chars().next()?.len_utf8() };
                rest[from..].find(text).map(|at| at + from)
            }
        }?;
        if let Some(name) = before.filter(|name| !name.is_empty()) {
            fields.push((name, &rest[..at]));
        }
        if behind.is_empty() {
            return Some(fields);
        }
        rest = &rest[at + text.len()..];
        (before, pattern) = match behind.strip_prefix('{').and_then(|name| name.split_once('}')) {
            Some((name, pattern)) => (Some(name), pattern),
            None => (Some(""), &behind[1..]),
        };
    }
}

impl<'a> KnownMessage<'a> {
    /// Whether the message refuses nothing: the verifier says it, and goes on.
    pub fn is_remark(&self) -> bool {
        self.cause.class == "remark"
    }

    /// What the message has in a named place.
    pub fn field(&self, name: &str) -> Option<&'a str> {
        self.fields.iter().find(|(found, _)| *found == name).map(|(_, text)| *text)
    }

    /// A named place that is a number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.field(name)?.parse().ok()
    }

    /// A named place that is a number of bytes, at least one and not more than there can be.
    pub fn size(&self, name: &str) -> Option<i64> {
        self.number(name).filter(|size| (1..=u32::MAX.into()).contains(size))
    }

    /// What the verifier found.
    pub fn explanation(&self) -> String {
        self.fill(self.cause.explanation)
    }

    /// What to do about it, in general; empty where that takes numbers that make no sense.
    pub fn remedy(&self) -> String {
        let numbers = ["reg", "size", "vs", "n", "i", "last", "end"].into_iter();
        let mut used = numbers.filter(|name| self.cause.remedy.contains(&format!("{{{name}}}")));
        match used.all(|name| self.makes_sense(name)) {
            true => self.fill(self.cause.remedy),
            false => String::new(),
        }
    }

    /// Whether a number of the remedy can be one. Where the message has none, a word stands for it.
    fn makes_sense(&self, name: &str) -> bool {
        let most = i64::from(u32::MAX);
        let (made_of, number, range): (&[&str], _, _) = match name {
            "last" => (&["vs", "size"], self.difference("vs", "size"), 0..=most),
            "end" => (&["size"], self.sum(), 1..=most),
            "reg" => (&[], self.number(name), 0..=10),
            "n" | "i" => (&[], self.number(name), 0..=most),
            _ => (&[], self.number(name), 1..=most),
        };
        let unnamed = made_of.iter().chain([&name]).all(|name| self.field(name).is_none());
        unnamed
            || made_of.iter().all(|name| self.makes_sense(name))
                && number.is_some_and(|number| range.contains(&number))
    }

    fn fill(&self, template: &str) -> String {
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').unwrap_or((after, ""));
            text.push_str(before);
            match (self.field(name), name) {
                (Some(field), _) => text.push_str(field),
                // The last offset at which the access fits, and the byte after it.
                (None, "last" | "end") => {
                    let sum = match name {
                        "last" => self.difference("vs", "size"),
                        _ => self.sum(),
                    };
                    text.push_str(&sum.map_or("its size".into(), |sum| sum.to_string()));
                }
                (None, _) => text.push_str(match name {
                    "reg" => "?",
                    "want" => "certain numbers",
                    "size" => "the size",
                    _ => "some",
                }),
            }
            rest = behind;
        }
        text + rest
    }

    fn difference(&self, one: &str, other: &str) -> Option<i64> {
        self.number(one)?.checked_sub(self.number(other)?)
    }

    fn sum(&self) -> Option<i64> {
        self.number("off")?.checked_add(self.number("size")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_class_patterns_a_meaning_and_a_remedy() {
        for (cause, patterns) in table() {
            assert!(!cause.class.is_empty() && !cause.explanation.is_empty(), "{cause:?}");
            assert!(!cause.remedy.is_empty() && patterns.count() > 0, "{cause:?}");
        }
    }

    /// A pattern whose longest text is shorter would never be found.
    #[test]
    fn every_pattern_has_three_bytes_to_be_found_by() {
        for (_, pattern) in table().flat_map(|(cause, patterns)| patterns.map(move |p| (cause, p)))
        {
            assert!(longest_text(pattern).len() >= 3, "{pattern}");
        }
    }

    /// How many patterns are tried for a message, of more than a thousand.
    #[test]
    fn few_patterns_are_tried_for_a_message() {
        let tried = |message: &str| index().candidates(message).len();
        assert_eq!(tried("the moon is in the wrong phase"), 0);
        assert!(tried("invalid access to map value, value_size=8 off=12 size=4") <= 4);
        let all = index().patterns.iter().map(|(_, pattern)| tried(pattern));
        assert!(all.sum::<usize>() <= 3 * index().patterns.len());
        // Text after text that patterns have, for as long as a line may be.
        let texts = index().texts.iter().map(|(text, _)| std::str::from_utf8(text).unwrap());
        let hostile: String = texts.take(60).collect();
        assert!(tried(&hostile[..LONGEST]) <= LONGEST / 4);
        assert_eq!(tried(&"invalid access to map value".repeat(100)), 0);
    }

    /// Looked for without the index.
    #[test]
    fn the_index_leaves_no_pattern_out() {
        for (_, pattern) in &index().patterns {
            let message = pattern.trim_start_matches('^').replace(['*', '{', '}'], "7");
            let first = index()
                .patterns
                .iter()
                .find_map(|(cause, pattern)| matches(pattern, &message).map(|_| cause.class));
            assert_eq!(find(&message).map(|known| known.cause.class), first, "{message}");
        }
    }

    /// A pattern after a wider one would never be found.
    #[test]
    fn no_pattern_is_hidden_by_one_before_it() {
        for (cause, patterns) in table() {
            for pattern in patterns {
                let (mut text, mut rest) = (String::new(), pattern.trim_start_matches('^'));
                while let Some((before, behind)) = rest.split_once(['*', '{']) {
                    let named = rest.as_bytes()[before.len()] == b'{';
                    rest = if named { behind.split_once('}').unwrap().1 } else { behind };
                    text = text + before + "7";
                }
                text.push_str(rest);
                assert_eq!(find(&text).unwrap().cause, cause, "{pattern}");
            }
        }
    }

    #[test]
    fn a_message_is_found_with_what_it_names() {
        let known = find("invalid access to map value, value_size=8 off=12 size=4").unwrap();
        assert_eq!(known.cause.class, "object-bounds");
        assert_eq!((known.number("vs"), known.number("off")), (Some(8), Some(12)));
        assert!(known.remedy().contains("between 0 and 4"), "{}", known.remedy());
        let known = find("R2 type=scalar expected=fp, pkt").unwrap();
        assert_eq!((known.field("got"), known.field("want")), (Some("scalar"), Some("fp, pkt")));
        let known = find("jump out of range from insn 1 to 12").unwrap();
        assert_eq!((known.number("a"), known.number("b")), (Some(1), Some(12)));
        assert_eq!(find("R1 !read_ok").unwrap().field("reg"), Some("1"));
    }

    #[test]
    fn what_nobody_ever_said_is_not_dressed_up() {
        assert_eq!(find(""), None);
        assert_eq!(find("the moon is in the wrong phase"), None);
        assert_eq!(find("ä{*"), None);
    }
}
