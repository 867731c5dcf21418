//! Directives: the lines that describe programs and maps.

use std::fmt;

use super::mistake::{Mistake, TextSpan, Word};
use super::token::{Token, Tokens};

/// `.program drop xdp`, `.program bitehist kprobe blk_mq_start_request`
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProgramLine {
    /// The program's name.
    pub name: Word,
    /// How it is attached, or its type; empty if the text does not name it.
    pub kind: Word,
    /// Where it is attached; may be empty.
    pub place: Word,
}

/// `.map hist array key 4 value 264 entries 1`, and `flags 0x1` if it has some. Bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)] // The line says it.
pub struct MapLine {
    pub name: Word,
    pub map_type: Word,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    pub flags: u32,
    /// The offset of a lock in a value, if there is one.
    pub lock: Option<u32>,
}

impl MapLine {
    /// Whether both lines are the same, apart from their places in the text.
    pub(super) fn same(&self, other: &MapLine) -> bool {
        self.to_string() == other.to_string()
    }
}

impl fmt::Display for ProgramLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ".program {}", self.name.text)?;
        let rest = [&self.kind.text, &self.place.text];
        rest.into_iter().filter(|word| !word.is_empty()).try_for_each(|word| write!(f, " {word}"))
    }
}

impl fmt::Display for MapLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MapLine { name, map_type, key_size, value_size, max_entries, flags, lock } = self;
        write!(f, ".map {} {} key {key_size} ", name.text, map_type.text)?;
        write!(f, "value {value_size} entries {max_entries}")?;
        if *flags != 0 {
            write!(f, " flags {flags:#x}")?;
        }
        lock.map_or(Ok(()), |offset| write!(f, " lock {offset}"))
    }
}

/// A directive.
pub enum Directive {
    Program(ProgramLine),
    License(Word),
    Map(MapLine),
}

/// The directive in a line without its comment.
pub fn directive(text: &str, line: u32) -> Result<Directive, Box<Mistake>> {
    let mut tokens = Tokens::new(text, line);
    let name = tokens.word("a directive")?;
    match name.text.as_str() {
        ".program" => program(text, line).map(Directive::Program),
        ".license" => {
            let span = tokens.span();
            let Token::Quoted(license) = tokens.next() else {
                return Err(Mistake::new(span, "expected a licence between quotes")
                    .help(".license \"Dual MIT/GPL\" lets a program call every helper"));
            };
            tokens.finish()?;
            Ok(Directive::License(Word { text: license.to_owned(), span }))
        }
        ".map" => map(&mut tokens).map(Directive::Map),
        other => Err(Mistake::new(name.span, format!("`{other}` is not a directive"))
            .meant(other, &mut [".program", ".license", ".map"].into_iter())
            .or_help("the directives are .program, .license and .map")),
    }
}

/// A `.program` line. Its words are separated by spaces, since the place may be a path.
fn program(text: &str, line: u32) -> Result<ProgramLine, Box<Mistake>> {
    let mut at = 0;
    let mut words = std::iter::from_fn(|| {
        let rest = text[at..].trim_start();
        let start = text.len() - rest.len();
        let end = rest.find(char::is_whitespace).map_or(text.len(), |length| start + length);
        at = end;
        (start < end).then(|| Word {
            text: text[start..end].to_owned(),
            span: TextSpan { line, start, end },
        })
    });
    let directive = words.next().unwrap_or_default();
    let Some(name) = words.next() else {
        return Err(Mistake::new(directive.span, "a program needs a name")
            .help(".program NAME xdp, or .program NAME kprobe FUNCTION"));
    };
    let kind = words.next().unwrap_or_default();
    let mut place = words.next().unwrap_or_default();
    // A path may hold spaces.
    if let Some(last) = words.last() {
        place.span.end = last.span.end;
        place.text = text[place.span.start..place.span.end].to_owned();
    }
    Ok(ProgramLine { name, kind, place })
}

fn map(tokens: &mut Tokens) -> Result<MapLine, Box<Mistake>> {
    let mut map = MapLine {
        name: tokens.word("a map's name")?,
        map_type: tokens.word("a map's type, such as hash or array")?,
        ..MapLine::default()
    };
    let mut has_entries = false;
    while tokens.peek() != Token::End {
        let property = tokens.word("key, value, entries, flags or lock")?;
        let field = match property.text.as_str() {
            "key" => &mut map.key_size,
            "value" => &mut map.value_size,
            "entries" => {
                has_entries = true;
                &mut map.max_entries
            }
            "flags" => &mut map.flags,
            "lock" => map.lock.insert(0),
            other => {
                return Err(Mistake::new(property.span, format!("a map has no `{other}`"))
                    .meant(other, &mut ["key", "value", "entries", "flags", "lock"].into_iter())
                    .or_help("a map has key, value (in bytes), entries, flags, and lock: the offset of a bpf_spin_lock"));
            }
        };
        let (value, span) = tokens.number("a number")?;
        *field = u32::try_from(value)
            .map_err(|_| Mistake::new(span, format!("{value} does not fit 32 bits")))?;
    }
    if !has_entries {
        return Err(tokens.expected("`entries` and a number"));
    }
    Ok(map)
}
