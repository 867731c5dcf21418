//! The text of `bpf_trace_printk`.

use super::memory::Memory;

/// The longest string that `%s` prints.
const STRING: usize = 512;

/// A format with its values in place, as the kernel prints it. What is no known conversion stays as it is.
///
/// # Errors
/// `%s` leads to memory that may not be read.
pub fn text(memory: &Memory, format: &[u8], values: &[u64]) -> Result<String, String> {
    let format =
        String::from_utf8_lossy(format.split(|byte| *byte == 0).next().unwrap_or_default());
    let mut values = values.iter().copied();
    let mut text = String::new();
    let mut rest = &*format;
    while let Some((before, after)) = rest.split_once('%') {
        text += before;
        let flags = after.len()
            - after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '#').len();
        let (flags, after) = after.split_at(flags);
        let unlong = after.trim_start_matches(['l', 'h', 'z']);
        let is_long = unlong.len() < after.len();
        let mut letters = unlong.chars();
        let Some(letter) = letters.next() else { break };
        rest = letters.as_str();
        if letter == '%' {
            text.push('%');
            continue;
        }
        let value = values.next().unwrap_or_default();
        let unsigned = if is_long { value } else { u64::from(value as u32) };
        let signed = if is_long { value as i64 } else { i64::from(value as i32) };
        let shown = match letter {
            'd' | 'i' => signed.to_string(),
            'u' => unsigned.to_string(),
            'x' => format!("{unsigned:x}"),
            'X' => format!("{unsigned:X}"),
            'c' => char::from(value as u8).to_string(),
            'p' => format!("{value:016x}"),
            's' => String::from_utf8_lossy(&string(memory, value)?).into_owned(),
            _ => format!("%{flags}{letter}"),
        };
        let width = flags.trim_start_matches(['-', '#']).parse().unwrap_or(0).min(64);
        let fill = if flags.starts_with('0') { "0" } else { " " };
        let room = fill.repeat(usize::saturating_sub(width, shown.len()));
        text += &if flags.starts_with('-') { shown + &room } else { room + &shown };
    }
    Ok(text + rest)
}

/// The bytes at an address up to a zero.
///
/// # Errors
/// The first may not be read.
pub fn string(memory: &Memory, address: u64) -> Result<Vec<u8>, String> {
    let mut found = vec![];
    while found.len() < STRING {
        match memory.load(address.wrapping_add(found.len() as u64), 1) {
            Ok(0) => break,
            Ok(byte) => found.push(byte as u8),
            Err(why) if found.is_empty() => return Err(why),
            Err(_) => break,
        }
    }
    Ok(found)
}
