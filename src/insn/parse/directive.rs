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

/// `.extern bpf_rcu_read_lock`, `.extern CONFIG_HZ u32 weak`
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExternLine {
    /// The name of what only the kernel has.
    pub name: Word,
    /// The type of a value of the kernel's configuration, or `address` for a symbol without a type; empty for
    /// a function or variable that the kernel's types describe.
    pub kind: Word,
    /// Whether it may be missing.
    pub weak: bool,
}

impl fmt::Display for ExternLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ExternLine { name, kind, weak } = self;
        let words = [name.text.as_str(), &kind.text, if *weak { "weak" } else { "" }];
        f.write_str(".extern")?;
        words.into_iter().filter(|it| !it.is_empty()).try_for_each(|it| write!(f, " {it}"))
    }
}

/// `.core byte_off 3 0:5`: the next instruction depends on the kernel's types.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CoreLine {
    /// What it depends on: a word of libbpf's, such as `byte_off`.
    pub kind: Word,
    /// The id of one of the text's types.
    pub type_id: u32,
    /// The way from there: numbers of members and elements.
    pub access: Word,
}

/// The names of the flags that a program is loaded with, by their bits.
const PROGRAM_FLAGS: [&str; 8] = [
    "strict_alignment",
    "any_alignment",
    "test_rnd_hi32",
    "test_state_freq",
    "sleepable",
    "xdp_has_frags",
    "xdp_dev_bound_only",
    "test_reg_invariants",
];
/// The names of a map's flags, by their bits.
const MAP_FLAGS: [&str; 13] = [
    "no_prealloc",
    "no_common_lru",
    "numa_node",
    "rdonly",
    "wronly",
    "stack_build_id",
    "zero_seed",
    "rdonly_prog",
    "wronly_prog",
    "clone",
    "mmapable",
    "preserve_elems",
    "inner_map",
];
/// The largest number of bytes that a text gives a map.
const DATA: usize = 1 << 20;

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
    /// The offset of a timer in a value, if there is one.
    pub timer: Option<u32>,
    /// The ids of the key's and the value's type among those of the text, if it says them; 0 for none.
    pub types: Option<[u32; 2]>,
    /// Whether nobody may change the map once it has its content.
    pub frozen: bool,
    /// Of a map of maps: the map, defined before, that those in it are like.
    pub inner: Option<Word>,
    /// The first element of an array, which `.data` lines give; empty for zeros.
    pub content: Vec<u8>,
}

impl MapLine {
    /// Whether both `.map` lines are the same, apart from their places in the text.
    pub(super) fn same(&self, other: &MapLine) -> bool {
        let line = |map: &MapLine| MapLine { content: vec![], ..map.clone() }.to_string();
        line(self) == line(other)
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
        let MapLine { name, map_type, key_size, value_size, max_entries, flags, .. } = self;
        write!(f, ".map {} {} key {key_size} ", name.text, map_type.text)?;
        write!(f, "value {value_size} entries {max_entries}")?;
        if *flags != 0 {
            write!(f, " flags {flags:#x}")?;
        }
        self.lock.map_or(Ok(()), |offset| write!(f, " lock {offset}"))?;
        self.timer.map_or(Ok(()), |offset| write!(f, " timer {offset}"))?;
        self.types.map_or(Ok(()), |[key, value]| write!(f, " types {key} {value}"))?;
        self.inner.as_ref().map_or(Ok(()), |inner| write!(f, " inner {}", inner.text))?;
        if self.frozen {
            f.write_str(" frozen")?;
        }
        // What follows is zeros.
        let end = self.content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        self.content[..end].chunks(32).try_for_each(|bytes| {
            write!(f, "\n.data {}", name.text)?;
            bytes.iter().try_for_each(|byte| write!(f, " {byte:02x}"))
        })
    }
}

const DIRECTIVES: [&str; 9] =
    [".program", ".flags", ".license", ".map", ".data", ".extern", ".type", ".func", ".core"];

/// A directive.
pub enum Directive {
    Program(ProgramLine),
    License(Word),
    Map(MapLine),
    Flags(Word, u32),
    Data(Word, Vec<u8>),
    Extern(ExternLine),
    /// What follows `.type`.
    Type(Word),
    /// The id of the type of the function that begins next.
    Function(u32),
    Core(CoreLine),
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
        ".flags" => {
            let mut all = 0;
            while tokens.peek() != Token::End {
                all |= flags(&mut tokens, &PROGRAM_FLAGS)?;
            }
            Ok(Directive::Flags(name, all))
        }
        ".data" => data(&mut tokens),
        ".extern" => {
            let name = tokens.word("the name of a function or variable of the kernel")?;
            let mut line = ExternLine { name, ..ExternLine::default() };
            while tokens.peek() != Token::End {
                let word = tokens.word("a type, `address` or `weak`")?;
                match word.text.as_str() {
                    "weak" => line.weak = true,
                    _ if line.kind.text.is_empty() => line.kind = word,
                    _ => return Err(Mistake::new(word.span, "one type is enough")),
                }
            }
            Ok(Directive::Extern(line))
        }
        ".type" => {
            let start = tokens.span().start;
            let rest = text[start..].trim_end();
            let span = TextSpan { line, start, end: start + rest.len() };
            Ok(Directive::Type(Word { text: rest.to_owned(), span }))
        }
        ".func" => {
            let id = id(&mut tokens)?;
            tokens.finish()?;
            Ok(Directive::Function(id))
        }
        ".core" => {
            let kind = tokens.word("what depends on the kernel's types, such as byte_off")?;
            let type_id = id(&mut tokens)?;
            let start = tokens.span().start;
            let rest = text[start..].trim_end();
            let span = TextSpan { line, start, end: start + rest.len() };
            let access = Word { text: rest.to_owned(), span };
            Ok(Directive::Core(CoreLine { kind, type_id, access }))
        }
        other => Err(Mistake::new(name.span, format!("`{other}` is not a directive"))
            .meant(other, &mut DIRECTIVES.into_iter())
            .or_help(&format!("the directives are {}", DIRECTIVES.join(", ")))),
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
        map_type: map_type(tokens)?,
        ..MapLine::default()
    };
    let mut has_entries = false;
    while tokens.peek() != Token::End {
        let property = tokens.word("key, value, entries or another property")?;
        let field = match property.text.as_str() {
            "key" => &mut map.key_size,
            "value" => &mut map.value_size,
            "entries" => {
                has_entries = true;
                &mut map.max_entries
            }
            "lock" => map.lock.insert(0),
            "timer" => map.timer.insert(0),
            "flags" => {
                map.flags |= flags(tokens, &MAP_FLAGS)?;
                continue;
            }
            "types" => {
                map.types = Some([id(tokens)?, id(tokens)?]);
                continue;
            }
            "inner" => {
                map.inner = Some(tokens.word("a map that is defined before")?);
                continue;
            }
            "frozen" => {
                map.frozen = true;
                continue;
            }
            other => {
                let names = [
                    "key", "value", "entries", "flags", "lock", "timer", "types", "inner", "frozen",
                ];
                return Err(Mistake::new(property.span, format!("a map has no `{other}`"))
                    .meant(other, &mut names.into_iter())
                    .or_help("a map has key, value (in bytes), entries, flags, lock and timer (the offset of a bpf_spin_lock or bpf_timer), types (the ids of the key's and the value's .type), inner and a map's name, and frozen"));
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

/// The id of a type.
fn id(tokens: &mut Tokens) -> Result<u32, Box<Mistake>> {
    let (value, span) = tokens.number("the id of a type")?;
    u32::try_from(value).map_err(|_| Mistake::new(span, format!("{value} does not fit 32 bits")))
}

/// A map's type: its name, or the number of one that has none.
fn map_type(tokens: &mut Tokens) -> Result<Word, Box<Mistake>> {
    let Token::Number(number) = tokens.peek() else {
        return tokens.word("a map's type, such as hash or array");
    };
    let word = Word { text: number.to_owned(), span: tokens.span() };
    tokens.next();
    Ok(word)
}

/// A flag's name or a number of several.
fn flags(tokens: &mut Tokens, names: &[&str]) -> Result<u32, Box<Mistake>> {
    let Token::Name(name) = tokens.peek() else {
        let (value, span) = tokens.number("a flag or a number")?;
        return u32::try_from(value)
            .map_err(|_| Mistake::new(span, format!("{value} does not fit 32 bits")));
    };
    let Some(bit) = names.iter().position(|known| *known == name) else {
        return Err(Mistake::new(tokens.span(), format!("`{name}` is no flag"))
            .meant(name, &mut names.iter().copied())
            .or_help(&format!("each of them: {}", names.join(", "))));
    };
    tokens.next();
    Ok(1 << bit)
}

/// `.data MAP` and bytes: pairs of hexadecimal digits, and texts between quotes.
fn data(tokens: &mut Tokens) -> Result<Directive, Box<Mistake>> {
    let map = tokens.word("a map's name")?;
    let mut bytes = vec![];
    loop {
        let span = tokens.span();
        match tokens.next() {
            Token::End => return Ok(Directive::Data(map, bytes)),
            Token::Quoted(text) => bytes.extend(text.as_bytes()),
            Token::Name(digits) | Token::Number(digits)
                if digits.len() % 2 == 0 && digits.bytes().all(|c| c.is_ascii_hexdigit()) =>
            {
                let value = |c: u8| char::from(c).to_digit(16).unwrap_or_default() as u8;
                let pairs = digits.as_bytes().as_chunks::<2>().0.iter();
                bytes.extend(pairs.map(|[high, low]| value(*high) << 4 | value(*low)));
            }
            _ => {
                return Err(Mistake::new(span, "expected bytes").help(
                    "bytes are pairs of hexadecimal digits (2a 00), or text between quotes",
                ));
            }
        }
        if bytes.len() > DATA {
            return Err(Mistake::new(span, format!("more than {DATA} bytes")));
        }
    }
}
