//! Numbers and strings.

use super::ast::Span;
use super::cursor::{Cursor, Read, continues_name};

/// What follows a number and multiplies it: durations in nanoseconds.
pub(super) const DURATIONS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// What follows a number and limits it: C's types on a 64-bit machine.
const LIMITS: [(&str, u64); 5] = [
    ("u", u32::MAX as u64),
    ("ul", u64::MAX),
    ("ull", u64::MAX),
    ("l", i64::MAX as u64),
    ("ll", i64::MAX as u64),
];

/// Reads a number; its first digit is next.
pub(super) fn number(cursor: &mut Cursor) -> Read<u64> {
    let start = cursor.at;
    let length = cursor.rest().bytes().take_while(|byte| continues_name(*byte)).count();
    let word = &cursor.rest()[..length];
    cursor.at += length;
    cursor.end = cursor.at;
    let whole = cursor.since(start);
    let (radix, prefix) = match word.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, 2),
        [b'0', b'0'..=b'9' | b'_', ..] => (8, 1),
        _ => (10, 0),
    };
    let is_digit = |c: char| if radix == 16 { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
    let digits = word[prefix..].find(|c| !is_digit(c) && c != '_').unwrap_or(length - prefix);
    let (digits, suffix) = word[prefix..].split_at(digits);
    let suffix_at = Span { start: cursor.end - suffix.len(), end: cursor.end };
    let too_large =
        |cursor: &Cursor| cursor.mistake(whole, format!("the largest number is {}", u64::MAX));

    // What is multiplied by a power of ten may be a duration, too: `1e3ms`.
    let mut power = Some(1);
    let mut suffix = suffix;
    let mut suffix_at = suffix_at;
    if let Some(exponent) = suffix.strip_prefix(['e', 'E']).filter(|_| radix == 10) {
        let length = exponent.bytes().take_while(u8::is_ascii_digit).count();
        let (exponent, rest) = exponent.split_at(length);
        let (Some(1..=9), [b'1'..=b'9', ..]) = (digits.parse::<u64>().ok(), exponent.as_bytes())
        else {
            let mistake = cursor.mistake(whole, "this is not a number");
            return Err(mistake
                .help("with an exponent it is a digit from 1 to 9, an `e`, and digits: `1e6`"));
        };
        power = exponent.parse().ok().and_then(|exponent| 10_u64.checked_pow(exponent));
        suffix = rest;
        suffix_at.start = cursor.end - rest.len();
    }
    if digits.ends_with('_') {
        let last = Span { start: suffix_at.start - 1, end: suffix_at.start };
        return Err(cursor.mistake(last, "a number does not end with `_`"));
    }
    let mut value = 0_u64;
    for digit in digits.chars().filter(|c| *c != '_') {
        let Some(digit) = digit.to_digit(radix) else {
            let mistake = cursor.mistake(whole, format!("`{digit}` is not an octal digit"));
            return Err(mistake.help("a number that begins with 0 is octal"));
        };
        value = value
            .checked_mul(radix.into())
            .and_then(|value| value.checked_add(digit.into()))
            .ok_or_else(|| too_large(cursor))?;
    }
    if digits.is_empty() && radix == 16 {
        return Err(cursor.mistake(whole, "hexadecimal digits are missing"));
    }
    let value =
        power.and_then(|power| value.checked_mul(power)).ok_or_else(|| too_large(cursor))?;
    if suffix.is_empty() {
        return Ok(value);
    }
    if radix == 16 {
        return Err(cursor.mistake(suffix_at, "a hexadecimal number has no unit"));
    }
    if let Some((_, factor)) = DURATIONS.iter().find(|(name, _)| *name == suffix) {
        return value.checked_mul(*factor).ok_or_else(|| too_large(cursor));
    }
    match LIMITS.iter().find(|(name, _)| *name == suffix) {
        Some((_, limit)) if value <= *limit => Ok(value),
        Some((_, limit)) => {
            Err(cursor.mistake(whole, format!("with `{suffix}` the largest number is {limit}")))
        }
        None => {
            let known = DURATIONS.iter().chain(&LIMITS).map(|(name, _)| *name);
            let known = known.filter(|name| suffix.starts_with(name)).map(str::len).max();
            // Behind the part of it that is a unit; bpftrace takes no part of `UL` for one.
            suffix_at.start += known.unwrap_or_default();
            let at = match suffix.starts_with(['U', 'L']) {
                true => whole,
                false => suffix_at,
            };
            let mistake = cursor.mistake(at, format!("no unit is called `{suffix}`"));
            Err(mistake
                .help("units are ns, us, ms, s, m, h, d; C's u, ul, ull, l, ll are known too"))
        }
    }
}

/// Whether a number can be one of 64 bits.
pub(super) fn fits(number: i128) -> bool {
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number)
}

/// The number that a text is, with its sign, in any form that a script may write it in.
pub(super) fn signed_number(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut cursor = Cursor::new(digits);
    let number = match digits.as_bytes().first()?.is_ascii_digit() {
        true => i128::from(number(&mut cursor).ok()?),
        false => return None,
    };
    let number = if text.starts_with('-') { -number } else { number };
    (cursor.rest().is_empty() && fits(number)).then_some(number)
}

/// Reads a string; its first quote is next. A string is bytes, since an escape can stand for any.
pub(super) fn string(cursor: &mut Cursor) -> Read<Vec<u8>> {
    cursor.at += 1;
    let mut bytes = vec![];
    loop {
        let rest = cursor.rest();
        let Some(next) = rest.find(['"', '\\']) else {
            cursor.at = cursor.text.len();
            return Err(cursor.mistake_here("a string is not closed, and the script ends here"));
        };
        bytes.extend_from_slice(&rest.as_bytes()[..next]);
        cursor.at += next;
        if cursor.byte() == b'"' {
            cursor.at += 1;
            cursor.end = cursor.at;
            return Ok(bytes);
        }
        bytes.push(escape(cursor)?);
    }
}

/// Reads an escape; its backslash is next.
fn escape(cursor: &mut Cursor) -> Read<u8> {
    let start = cursor.at;
    let rest = cursor.rest();
    let digits = |from: usize, most: usize, radix: u32| {
        let digit = |c: &char| c.is_digit(radix);
        let count = rest.chars().skip(from).take(most).take_while(digit).count();
        u32::from_str_radix(&rest[from..from + count], radix)
            .ok()
            .map(|value| (value, from + count))
    };
    let (value, length) = match cursor.byte_after(1) {
        b'n' => (u32::from(b'\n'), 2),
        b't' => (u32::from(b'\t'), 2),
        b'r' => (u32::from(b'\r'), 2),
        known @ (b'"' | b'\\') => (u32::from(known), 2),
        b'x' => digits(2, 2, 16).unwrap_or((u32::MAX, 2)),
        _ => digits(1, 3, 8).unwrap_or((u32::MAX, 2)),
    };
    let length = rest.char_indices().nth(length).map_or(rest.len(), |(at, _)| at);
    cursor.at += length;
    cursor.end = cursor.at;
    u8::try_from(value).map_err(|_| {
        let at = match rest.as_bytes() {
            [_, b'0'..=b'7', ..] => start,
            [_, b'x', ..] => start + 2,
            _ => start + 1,
        };
        let at = Span {
            start: at,
            end: at + cursor.text[at..].chars().next().map_or(0, char::len_utf8),
        };
        let mistake = cursor.mistake(at, "there is no such escape in a string");
        mistake.help("escapes are \\n \\t \\r \\\" \\\\, a byte in octal up to \\377, or \\xff")
    })
}
