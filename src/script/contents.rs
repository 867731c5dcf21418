//! What programs wrote, as values: the words of records and of maps' elements.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::host::Member;
use super::infer::MapUse;
use super::types::{Aggregate, Int, Naming, Struct, Type, TypeId};
use crate::plain;
use crate::sample::{Datum, HistogramRange, ScriptMapKind, StackFrame};

/// The words of this host's order in some bytes.
pub fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect()
}

/// What user space knows, and values need to be written.
pub trait Known {
    /// What follows a string that was cut.
    fn trailer(&self) -> &str;
    /// Whether strings are shown on a terminal, which nothing of the kernel or of a process may steer.
    fn on_terminal(&self) -> bool;
    /// A time in nanoseconds since boot, by the number of its format.
    fn time(&self, format: u64, nanoseconds: u64) -> Vec<u8>;
    /// The name of a value of an enumeration.
    fn enumerator(&self, of: TypeId, value: i128) -> Option<String>;
    /// The fields of a struct, in their order.
    fn fields(&self, of: &Struct) -> Vec<(String, Member)>;
    /// The function of a process at an address, the bytes from its start, and its file.
    fn function_of(&self, process: u64, address: u64) -> Option<(String, u64, String)>;
    /// The name of a number.
    fn name(&self, naming: Naming, number: u64) -> String;
    /// The kernel's function at an address, and the bytes from its start.
    fn function(&self, address: u64) -> Option<(String, u64)>;
}

/// The value of a type in these words.
pub fn value(of: &Type, words: &[u64], known: &dyn Known) -> Datum {
    let first = words.first().copied().unwrap_or_default();
    let mut at = 0;
    let mut next = |of: &Type| {
        let value = value(of, &words[at.min(words.len())..], known);
        at += of.words();
        value
    };
    match of {
        Type::Int(Int { signed, names, .. }) => {
            let number = match signed {
                true => i128::from(first.cast_signed()),
                false => i128::from(first),
            };
            match names.and_then(|names| known.enumerator(names, number)) {
                Some(name) => Datum::Enumerator(number as i64, name),
                None => Datum::Number(number),
            }
        }
        Type::Unknown | Type::Nothing | Type::Aggregate(_) => Datum::Number(first.into()),
        Type::Bool => Datum::Bool(first != 0),
        Type::Pointer(_) => Datum::Pointer(first),
        Type::Struct(_) | Type::Array(..) => {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            stored(of, &bytes, None, known, NESTED)
        }
        Type::Text(size) => {
            let text = text(words, *size, known.trailer());
            Datum::Text(match known.on_terminal() {
                true => plain::lines(&String::from_utf8_lossy(&text)).into_owned().into_bytes(),
                false => text,
            })
        }
        Type::Tuple(all) => Datum::Tuple(all.iter().map(next).collect()),
        Type::Record(all) => {
            Datum::Record(all.iter().map(|(name, of)| (name.clone(), next(of))).collect())
        }
        Type::Timestamp => {
            Datum::Text(known.time(first, words.get(1).copied().unwrap_or_default()))
        }
        Type::Stack(_, form, false) => {
            let frames = words.get(1..).unwrap_or_default().iter().take(first as usize);
            let frame = |address: &u64| StackFrame {
                address: *address,
                function: known.function(*address),
                file: None,
            };
            Datum::Stack(*form, frames.map(frame).collect())
        }
        Type::Stack(_, form, true) => {
            let process = words.get(1).copied().unwrap_or_default();
            let frames = words.get(2..).unwrap_or_default().iter().take(first as usize);
            let frame = |address: &u64| {
                let (function, file) = match known.function_of(process, *address) {
                    Some((name, offset, file)) => (Some((shown(name, known), offset)), file),
                    None => (None, "[unknown]".to_owned()),
                };
                StackFrame { address: *address, function, file: Some(shown(file, known)) }
            };
            Datum::Stack(*form, frames.map(frame).collect())
        }
        Type::Named(naming) => Datum::Text(shown(known.name(*naming, first), known).into_bytes()),
        Type::UserSymbol => {
            let found = known.function_of(words.get(1).copied().unwrap_or_default(), first);
            let name = found.map_or_else(|| format!("{first:#x}"), |(name, ..)| name);
            Datum::Text(shown(name, known).into_bytes())
        }
        Type::Inet => Datum::Text(inet(words).into_bytes()),
        Type::Buffer(most) => {
            let mut bytes: Vec<u8> =
                words.iter().skip(1).flat_map(|word| word.to_ne_bytes()).collect();
            bytes.truncate((first as usize).min(*most));
            Datum::Bytes(bytes)
        }
    }
}

/// A name that somebody else chose, on a terminal without what steers one.
fn shown(name: String, known: &dyn Known) -> String {
    if known.on_terminal() { plain::lines(&name).into_owned() } else { name }
}

/// An address of the network: its family, and its bytes.
fn inet(words: &[u64]) -> String {
    let mut bytes = [0; 16];
    for (place, byte) in
        bytes.iter_mut().zip(words.iter().skip(1).flat_map(|word| word.to_ne_bytes()))
    {
        *place = byte;
    }
    match words.first() {
        Some(&IPV6) => Ipv6Addr::from(bytes).to_string(),
        _ => Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).to_string(),
    }
}

/// `AF_INET6`
const IPV6: u64 = 10;

/// Structs and arrays in each other are shown up to this depth.
const NESTED: u32 = 16;

/// The value of a type as C stores it; of a bit field, how many bits are before it, and its own.
fn stored(
    of: &Type,
    bytes: &[u8],
    bits: Option<(u32, u32)>,
    known: &dyn Known,
    depth: u32,
) -> Datum {
    let from = |at: usize| bytes.get(at..).unwrap_or_default();
    match of {
        Type::Array(of, count) if depth > 0 => {
            let element = |index| stored(of, from(index * of.size()), None, known, depth - 1);
            Datum::Array((0..*count).map(element).collect())
        }
        Type::Struct(record) if depth > 0 => {
            let fields = known.fields(record).into_iter();
            let field = |(name, member): (String, Member)| {
                (name, stored(&member.of, from(member.offset), member.bits, known, depth - 1))
            };
            Datum::Record(fields.map(field).collect())
        }
        Type::Text(size) => value(of, &words(&padded(from(0), *size)), known),
        of => {
            let mut word = [0; 8];
            let size =
                bits.map_or(of.size(), |(before, bits)| (before + bits).div_ceil(8) as usize);
            let size = size.min(8).min(bytes.len());
            let little = cfg!(target_endian = "little");
            let start = if little || bits.is_some() { 0 } else { 8 - size };
            word[start..start + size].copy_from_slice(&bytes[..size]);
            let (before, length) = bits.unwrap_or((0, 8 * size as u32));
            let above = match (little, bits) {
                (false, Some(_)) => before,
                _ => 64_u32.saturating_sub(before + length),
            };
            let number = u64::from_ne_bytes(word).checked_shl(above).unwrap_or_default();
            let below = 64_u32.saturating_sub(length);
            let number = match of.is_signed() {
                true => (number.cast_signed() >> below.min(63)).cast_unsigned(),
                false => number.checked_shr(below).unwrap_or_default(),
            };
            value(of, &[number], known)
        }
    }
}

/// So many bytes, and zeros up to the end of the last word.
fn padded(bytes: &[u8], size: usize) -> Vec<u8> {
    let mut padded = bytes[..size.min(bytes.len())].to_vec();
    padded.resize(size.next_multiple_of(8), 0);
    padded
}

/// A string up to its first zero; what has none was cut.
fn text(words: &[u64], size: usize, trailer: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).take(size).collect();
    match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => bytes.truncate(end),
        None => bytes.extend(trailer.bytes()),
    }
    bytes
}

/// What a map holds, as it is printed.
pub fn kind(map: &MapUse) -> ScriptMapKind {
    match &map.value {
        Type::Aggregate(aggregate) => match aggregate {
            Aggregate::Count | Aggregate::Sum(_) => ScriptMapKind::Sums,
            Aggregate::Min(_) | Aggregate::Max(_) => ScriptMapKind::Extremes,
            Aggregate::Average(_) => ScriptMapKind::Averages,
            Aggregate::Stats(_) => ScriptMapKind::Stats,
            Aggregate::Histogram(bits) => ScriptMapKind::Histogram { powers: *bits == 0 },
            Aggregate::Linear { step, .. } => ScriptMapKind::Linear { step: *step },
        },
        _ => ScriptMapKind::Values,
    }
}

/// What was counted in these words, or nothing if nothing was. Of extremes there are those of each CPU.
pub fn counted(aggregate: Aggregate, cpus: &[Vec<u64>]) -> Option<Datum> {
    let words = cpus.first()?;
    let word = |index: usize| words.get(index).copied().unwrap_or_default();
    let number = |word: u64, signed: bool| match signed {
        true => i128::from(word.cast_signed()),
        false => i128::from(word),
    };
    match aggregate {
        Aggregate::Count => (word(0) > 0).then(|| Datum::Number(word(0).into())),
        Aggregate::Sum(signed) => (word(1) > 0).then(|| Datum::Number(number(word(0), signed))),
        Aggregate::Average(signed) | Aggregate::Stats(signed) => {
            let (total, count) = (number(word(0), signed), word(1));
            (count > 0).then(|| {
                let average = total / i128::from(count);
                match aggregate {
                    Aggregate::Average(_) => Datum::Number(average),
                    _ => Datum::Stats { count, average, total },
                }
            })
        }
        Aggregate::Min(signed) | Aggregate::Max(signed) => {
            let set = cpus.iter().filter(|words| words.get(1).is_some_and(|set| *set > 0));
            let numbers = set.map(|words| number(words[0], signed));
            let extreme =
                if matches!(aggregate, Aggregate::Min(_)) { numbers.min() } else { numbers.max() };
            extreme.map(Datum::Number)
        }
        Aggregate::Histogram(_) | Aggregate::Linear { .. } => {
            words.iter().any(|count| *count > 0).then(|| histogram(aggregate, words))
        }
    }
}

/// What a map without a value of this key is printed with, once it was set to zero.
pub fn zero(aggregate: Aggregate) -> Datum {
    match aggregate {
        Aggregate::Stats(_) => Datum::Stats { count: 0, average: 0, total: 0 },
        Aggregate::Histogram(_) | Aggregate::Linear { .. } => Datum::Histogram(vec![]),
        _ => Datum::Number(0),
    }
}

/// The ranges from the first that counted something to the last.
fn histogram(aggregate: Aggregate, counts: &[u64]) -> Datum {
    let first = counts.iter().position(|count| *count > 0).unwrap_or_default();
    let last = counts.iter().rposition(|count| *count > 0).unwrap_or_default();
    let range = |index: usize| {
        let (low, high) = bounds(aggregate, index, counts.len());
        HistogramRange { low, high, count: counts[index] }
    };
    Datum::Histogram((first..=last).map(range).collect())
}

/// The highest number of each range that has one, of a histogram with this number of ranges.
pub fn ends(aggregate: Aggregate, ranges: usize) -> std::sync::Arc<[i128]> {
    (0..ranges).filter_map(|index| bounds(aggregate, index, ranges).1).collect()
}

/// The lowest and the highest number of a range.
fn bounds(aggregate: Aggregate, index: usize, ranges: usize) -> (Option<i128>, Option<i128>) {
    match aggregate {
        Aggregate::Linear { low, step, .. } => {
            let at = |index: usize| i128::from(low) + (index as i128 - 1) * i128::from(step);
            match index {
                0 => (None, Some(i128::from(low) - 1)),
                _ if index == ranges - 1 => (Some(at(index)), None),
                _ => (Some(at(index)), Some(at(index + 1) - 1)),
            }
        }
        Aggregate::Histogram(bits) if index > 0 => {
            let low = lowest(index - 1, bits);
            (Some(low), Some(lowest(index, bits) - 1))
        }
        _ => (None, Some(-1)),
    }
}

/// The lowest number of a range by powers of two, each of which has 2^`bits` ranges.
fn lowest(index: usize, bits: u8) -> i128 {
    let in_power = 1 << bits;
    if index < 2 * in_power {
        return index as i128;
    }
    let power = (index >> bits) - 1;
    ((index % in_power + in_power) as i128) << power
}
