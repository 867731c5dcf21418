//! Types as a text has them, in a line each: the id, the kind, and the words of the record, names between quotes:
//! `3 struct "task_struct" 9536 "pid" 1 19840`.

use std::fmt::Write;

use super::record::{HEADER, Order, Type};
use super::write::{STATIC, Types, stretches};
use super::{BtfFunction, BtfLine, TypeKind};

/// The names of the kinds, by number from 1.
const KINDS: [&str; 19] = [
    "int",
    "ptr",
    "array",
    "struct",
    "union",
    "enum",
    "fwd",
    "typedef",
    "volatile",
    "const",
    "restrict",
    "func",
    "func_proto",
    "var",
    "datasec",
    "float",
    "decl_tag",
    "type_tag",
    "enum64",
];
/// The largest id; true objects have some thousand types.
const IDS: u32 = 1 << 17;
/// What stands where a text has no type of that id: `const void`.
const NOTHING: u32 = (TypeKind::Const as u32) << 24;

/// The types of a text, by their ids.
#[derive(Default)]
pub struct TextTypes(Types);

impl TextTypes {
    /// Adds the type that a line describes.
    ///
    /// # Errors
    /// What is wrong with the line, in words.
    pub fn add(&mut self, line: &str) -> Result<(), String> {
        let mut words = Words(line);
        let id = words.number()?;
        if id <= self.0.count || id > IDS {
            return Err(format!("the id {id} is not between the one before and {IDS}"));
        }
        while self.0.count + 1 < id {
            self.0.add("", &[NOTHING, 0]);
        }
        let word = words.next().unwrap_or_default();
        let number = KINDS.iter().position(|name| *name == word).map(|index| index as u8 + 1);
        let kind = number.and_then(TypeKind::from_number);
        let kind = kind.ok_or_else(|| format!("`{word}` is no kind: {}", KINDS.join(", ")))?;
        let flag = words.eat("flag");
        let name = words.name()?;
        let mut record = vec![0, words.number()?];
        let (fixed, each) = kind.tail();
        for _ in 0..fixed / 4 {
            record.push(words.number()?);
        }
        let mut elements = if kind == TypeKind::Func { words.number()? } else { 0 };
        while each > 0 && !words.is_empty() {
            elements += 1;
            for word in 0..each / 4 {
                record.push(match word {
                    0 if has_names(kind) => self.0.strings.add(words.name()?),
                    _ => words.number()?,
                });
            }
        }
        if let Some(word) = words.next() {
            return Err(format!("`{word}` is one word too many"));
        }
        record[0] = (kind as u32) << 24 | elements & 0xff_ffff | u32::from(flag) << 31;
        self.0.add(name, &record);
        Ok(())
    }

    /// Adds what the kernel is told of a program: `struct bpf_func_info` of its functions, in the order of their
    /// slots, each with the id of its type if the text gives one, and `struct bpf_line_info` of its lines.
    pub fn program(
        &mut self,
        functions: &[(BtfFunction, Option<u32>)],
        lines: &[BtfLine],
    ) -> (Vec<[u32; 2]>, Vec<[u32; 4]>) {
        let untyped = functions.iter().filter(|(_, id)| id.is_none());
        let untyped: Vec<_> = untyped.map(|(function, _)| *function).collect();
        let mut made = match untyped.is_empty() {
            true => vec![],
            false => self.0.functions(&untyped, STATIC),
        }
        .into_iter();
        let ids =
            functions.iter().map(|(function, id)| (function.slot, id.or_else(|| made.next())));
        let ids = ids.filter_map(|(slot, id)| Some([slot, id?])).collect();
        let functions: Vec<_> = functions.iter().map(|(function, _)| *function).collect();
        let lines = stretches(&functions, lines);
        (ids, lines.iter().map(|line| self.0.line(line)).collect())
    }

    /// The blob, in this host's byte order.
    pub fn blob(&self) -> Vec<u8> {
        self.0.blob(Order::HOST)
    }
}

/// The words of a line, and names between quotes.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn is_empty(&mut self) -> bool {
        self.0 = self.0.trim_start();
        self.0.is_empty()
    }

    fn next(&mut self) -> Option<&'a str> {
        if self.is_empty() {
            return None;
        }
        let end = self.0.find(char::is_whitespace).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(word)
    }

    fn eat(&mut self, word: &str) -> bool {
        let mut ahead = Words(self.0);
        let found = ahead.next() == Some(word);
        if found {
            self.0 = ahead.0;
        }
        found
    }

    fn number(&mut self) -> Result<u32, String> {
        let word = self.next().ok_or("a number is missing at the end")?;
        let value = match word.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => word.parse().ok().or_else(|| Some(word.parse::<i32>().ok()? as u32)),
        };
        value.ok_or_else(|| format!("`{word}` is no number of 32 bits"))
    }

    fn name(&mut self) -> Result<&'a str, String> {
        let is_end = self.is_empty();
        let name = self.0.strip_prefix('"').and_then(|rest| rest.split_once('"'));
        let (name, rest) = name.ok_or_else(|| match is_end {
            true => "a name is missing at the end: between quotes, perhaps empty".to_owned(),
            false => format!("expected a name between quotes, found `{}`", self.0),
        })?;
        self.0 = rest;
        Ok(name)
    }
}

/// Whether the elements of a kind begin with a name.
fn has_names(kind: TypeKind) -> bool {
    use TypeKind::*;
    matches!(kind, Struct | Union | Enum | Enum64 | FuncProto)
}

/// The line of a type, with those of its elements that `keep` names by their index. `component` is in place of
/// the number of the element that a tag belongs to.
pub(super) fn line(
    id: u32,
    record: &Type<'_>,
    keep: &dyn Fn(u32) -> bool,
    component: Option<u32>,
) -> String {
    let kind = record.kind();
    let mut line = format!("{id} {}", KINDS[kind as usize - 1]);
    if record.kind_flag() {
        line += " flag";
    }
    let name = |bytes: &[u8]| {
        let name = String::from_utf8_lossy(bytes);
        name.replace(|c: char| c == '"' || c.is_control(), "_")
    };
    let _ =
        write!(line, " \"{}\" {}", name(record.name().unwrap_or_default()), record.size_or_type());
    let (fixed, each) = kind.tail();
    for word in 0..usize::from(fixed / 4) {
        let value = component.unwrap_or_else(|| record.word(HEADER + 4 * word));
        let _ = match value {
            0x1_0000..0xffff_0000 => write!(line, " {value:#x}"),
            _ => write!(line, " {}", value as i32),
        };
    }
    if kind == TypeKind::Func {
        let _ = write!(line, " {}", record.vlen());
    }
    let elements = if each > 0 { record.vlen() } else { 0 };
    for index in (0..elements).filter(|index| keep(*index)) {
        for word in 0..usize::from(each / 4) {
            let at = HEADER + usize::from(each) * index as usize + 4 * word;
            let _ = match word {
                0 if has_names(kind) => write!(line, "  \"{}\"", name(record.text(at))),
                _ => write!(line, " {}", record.word(at)),
            };
        }
    }
    line
}
