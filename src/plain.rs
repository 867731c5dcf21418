//! Foreign text made safe to print: no name in a file and no command of a process may steer a terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character moves the cursor, turns the direction of the text after it, or cannot be seen:
/// controls, the marks and overrides of bidirectional text, zero-width characters, tags.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A text on one line: `?` in place of each character that [`steers`].
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, steers)
}

/// A text of several lines: as [`line()`], but newlines and tabs stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    replaced(text, |c| steers(c) && !matches!(c, '\n' | '\t'))
}

/// A text of several lines in which the escape sequences for colours and weight (`ESC [ 1 ; 31 m`) stay too.
pub fn styled(text: &str) -> Cow<'_, str> {
    if !text.contains('\x1b') {
        return lines(text);
    }
    let mut clean = String::with_capacity(text.len());
    for (index, part) in text.split('\x1b').enumerate() {
        let style = part.strip_prefix('[').map(|rest| {
            1 + rest.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b';')).count()
        });
        let is_style = style.is_some_and(|length| part.as_bytes().get(length) == Some(&b'm'));
        if index > 0 {
            clean.push(if is_style { '\x1b' } else { '?' });
        }
        clean.push_str(&lines(part));
    }
    Cow::Owned(clean)
}

/// A text without its middle if it has more than `most` characters: a word of a file may have megabytes.
pub fn short(text: &str, most: usize) -> Cow<'_, str> {
    let Some((end, _)) = text.char_indices().nth(most) else { return Cow::Borrowed(text) };
    let head = text.char_indices().nth(most / 2).map_or(end, |(at, _)| at);
    let tail = text.char_indices().rev().nth(most / 4).map_or(end, |(at, _)| at);
    Cow::Owned(format!("{}...{}", &text[..head], &text[tail..]))
}

/// JSON that says the same, with `\u` escapes for each character that [`steers`]. serde_json writes those
/// beyond ASCII as they are; they stand only in strings.
pub fn json(json: String) -> String {
    let foreign = |c: char| steers(c) && !matches!(c, '\n' | '\t');
    if !json.contains(foreign) {
        return json;
    }
    let mut clean = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match foreign(c) {
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                let _ = write!(clean, "\\u{unit:04x}");
            }),
            false => clean.push(c),
        }
    }
    clean
}

fn replaced(text: &str, steers: impl Fn(char) -> bool + Copy) -> Cow<'_, str> {
    match text.contains(steers) {
        true => Cow::Owned(text.replace(steers, "?")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        let evil = "a\x1b]0;x\x07b\r\x7f\u{9b}31m\u{202e}c\u{200b}\u{2066}\u{feff}\u{e0041}";
        assert_eq!(line(evil), "a?]0;x?b????31m?c????".replacen("????31m", "???31m", 1));
        assert_eq!(line("two\nlines\tand"), "two?lines?and");
        assert_eq!(lines("two\nlines\tand\r"), "two\nlines\tand?");
        // Letters of any script, combined ones and pictures are no danger.
        for good in ["größe", "日本語", "שלום", "e\u{301}", "🦀", "→ ≤ │"] {
            assert_eq!(lines(good), good);
        }
    }

    #[test]
    fn of_escape_sequences_only_styles_stay() {
        let styles = "\x1b[1;31merror\x1b[0m: x";
        assert_eq!(styled(styles), styles);
        assert_eq!(styled("\x1b[2Ja\x1b]0;t\x07\x1b[31;m\x1b\x1b[1"), "?[2Ja?]0;t?\x1b[31;m??[1");
        assert_eq!(lines(styles), "?[1;31merror?[0m: x");
    }

    #[test]
    fn a_long_text_keeps_its_ends() {
        assert_eq!(short("größe", 5), "größe");
        let long = format!("no function `{}`", "ö".repeat(3 << 20));
        let cut = short(&long, 80);
        assert!(cut.chars().count() < 80 && cut.starts_with("no function `ö"), "{cut}");
        assert!(cut.contains("ö...ö") && cut.ends_with("ö`"), "{cut}");
    }

    #[test]
    fn json_keeps_its_meaning() {
        let text = "a\u{202e}b\x7f\u{e0041}\x1bc\n";
        let clean = json(serde_json::Value::from(text).to_string());
        assert!(!clean.contains(steers), "{clean}");
        assert_eq!(serde_json::from_str::<String>(&clean).unwrap(), text);
    }
}
