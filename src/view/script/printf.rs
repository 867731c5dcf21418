//! The formats of `printf()`: C's, but for what bpftrace does otherwise.

use super::{escaped, text};
use crate::sample::Datum;

/// A format, split into its parts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Format {
    /// The parts in their order.
    pub parts: Vec<Part>,
}

/// A part of a format.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// Text that is written as it is.
    Text(Vec<u8>),
    /// An argument.
    Argument(Conversion),
}

/// How an argument is written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Conversion {
    /// `-`: at the left of its field.
    pub left: bool,
    /// `+`: with a sign even if it is positive.
    pub plus: bool,
    /// `#`: with the prefix of its base.
    pub prefix: bool,
    /// `0`: zeros fill the field.
    pub zeros: bool,
    /// The least number of characters.
    pub width: usize,
    /// `hh`, `h`, `l`, `ll`, `j`, `z`, `t`, `L` or nothing.
    pub length: String,
    /// `d`, `s`, `rx` and so on.
    pub kind: String,
}

/// A field is at most so wide: nobody needs more, and memory is bounded.
const WIDEST: usize = 4096;

/// The conversions that are known.
const KINDS: [&str; 14] = ["d", "i", "u", "x", "X", "o", "c", "p", "s", "r", "rx", "rh", "gr", "%"];

impl Format {
    /// Splits a format.
    ///
    /// A `%` that begins no conversion stands for itself.
    ///
    /// # Errors
    /// A field is too wide: the text of that part.
    pub fn parse(format: &[u8]) -> Result<Format, String> {
        let mut parts = vec![];
        let mut text = vec![];
        let mut rest = format;
        while let [first, after @ ..] = rest {
            match (first, after) {
                (b'%', _) if let Some((conversion, length)) = Conversion::parse(after)? => {
                    rest = &after[length..];
                    if conversion.kind == "%" {
                        text.push(b'%');
                        continue;
                    }
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    parts.push(Part::Argument(conversion));
                }
                (byte, _) => {
                    text.push(*byte);
                    rest = after;
                }
            }
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Format { parts })
    }

    /// The conversions in their order, each of which takes an argument.
    pub fn conversions(&self) -> impl Iterator<Item = &Conversion> {
        self.parts.iter().filter_map(|part| match part {
            Part::Argument(conversion) => Some(conversion),
            Part::Text(_) => None,
        })
    }

    /// Writes the arguments in the places of their conversions. What is missing is left out.
    pub fn write(&self, arguments: &[Datum]) -> Vec<u8> {
        let mut out = vec![];
        let mut arguments = arguments.iter();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend(text),
                Part::Argument(conversion) => {
                    if let Some(argument) = arguments.next() {
                        conversion.write(&mut out, argument);
                    }
                }
            }
        }
        out
    }
}

impl Conversion {
    /// The conversion at the start of this text, which follows a `%`, and its length.
    fn parse(text: &[u8]) -> Result<Option<(Conversion, usize)>, String> {
        let mut conversion = Conversion::default();
        let mut at = 0;
        // bpftrace knows the flags in this order alone.
        let mut flag = |flag| {
            let given = text.get(at) == Some(&flag);
            at += usize::from(given);
            given
        };
        conversion.left = flag(b'-');
        conversion.plus = flag(b'+');
        flag(b' ');
        conversion.prefix = flag(b'#');
        conversion.zeros = flag(b'0');
        let digits = |at: usize| text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let width = digits(at);
        if width > 0 {
            let width =
                std::str::from_utf8(&text[at..at + width]).ok().and_then(|w| w.parse().ok());
            conversion.width =
                width.filter(|width| *width <= WIDEST).ok_or_else(|| shown(text, at + 1))?;
        }
        at += width;
        // A precision is read, and has no effect.
        if text.get(at) == Some(&b'.') && digits(at + 1) > 0 {
            at += 1 + digits(at + 1);
        }
        for length in ["hh", "h", "ll", "l", "j", "z", "t", "L"] {
            if text[at..].starts_with(length.as_bytes()) {
                conversion.length = length.into();
                at += length.len();
                break;
            }
        }
        let kind = KINDS.iter().rev().find(|kind| text[at..].starts_with(kind.as_bytes()));
        let Some(kind) = kind else { return Ok(None) };
        conversion.kind = (*kind).into();
        Ok(Some((conversion, at + kind.len())))
    }

    /// Whether it writes numbers alone.
    pub fn is_numeric(&self) -> bool {
        matches!(&*self.kind, "d" | "i" | "u" | "x" | "X" | "o" | "c" | "p")
    }

    fn write(&self, out: &mut Vec<u8>, argument: &Datum) {
        let text = match (&*self.kind, argument) {
            ("r", Datum::Bytes(bytes)) => escaped(bytes).into_bytes(),
            ("rx", Datum::Bytes(bytes)) => {
                bytes.iter().flat_map(|b| format!("\\x{b:02x}").into_bytes()).collect()
            }
            ("rh", Datum::Bytes(bytes)) => {
                let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                bytes.join(" ").into_bytes()
            }
            ("c", argument) => vec![number(argument) as u8],
            ("s" | "r" | "rx" | "rh" | "gr", argument) => text::value(argument),
            (kind, argument) => self.number(kind, number(argument)).into_bytes(),
        };
        let fill = if self.zeros { b'0' } else { b' ' };
        let missing = self.width.saturating_sub(text.len());
        let padding = std::iter::repeat_n(fill, missing);
        // As C++ streams do, zeros are put before a sign or a prefix.
        match self.left {
            true => {
                out.extend(text);
                out.extend(padding);
            }
            false => {
                out.extend(padding);
                out.extend(text);
            }
        }
    }

    /// A number in the width that the length asks for: 32 bits without one.
    fn number(&self, kind: &str, number: i128) -> String {
        let bits = match &*self.length {
            "hh" => 8,
            "h" => 16,
            "" | "L" => 32,
            _ => 64,
        };
        let unsigned = number as u64 & (u64::MAX >> (64 - bits));
        let signed = (unsigned << (64 - bits)).cast_signed() >> (64 - bits);
        // As C++ streams do, zero has no prefix.
        let prefix = |prefix| if self.prefix && unsigned != 0 { prefix } else { "" };
        match kind {
            "d" | "i" if self.plus && signed >= 0 => format!("+{signed}"),
            "d" | "i" => signed.to_string(),
            "u" => unsigned.to_string(),
            "x" => format!("{}{unsigned:x}", prefix("0x")),
            "X" => format!("{}{unsigned:X}", prefix("0X")),
            "o" => format!("{}{unsigned:o}", prefix("0")),
            "p" if number == 0 => "0".into(),
            // An address is whole, whatever was written before the `p`.
            _ => format!("0x{:x}", number as u64),
        }
    }
}

/// The number in a value that has one.
fn number(value: &Datum) -> i128 {
    match value {
        Datum::Number(number) => *number,
        Datum::Bool(flag) => i128::from(*flag),
        Datum::Pointer(address) => i128::from(*address),
        Datum::Enumerator(number, _) => i128::from(*number),
        _ => 0,
    }
}

/// The first bytes of a conversion, for an error.
fn shown(text: &[u8], length: usize) -> String {
    format!("%{}", String::from_utf8_lossy(&text[..length.min(text.len())]))
}
