//! A screen in a terminal's escape sequences.

use super::line::{ScreenLine, TextStyle};

/// The screen drawn over whatever stands there, with colours or without.
pub fn escapes(lines: &[ScreenLine], color: bool) -> String {
    let mut text = String::from("\x1b[H");
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            text.push_str("\r\n");
        }
        // Before the line: after a full one the cursor is still on its last column, which would be erased.
        text.push_str(if index + 1 < lines.len() { "\x1b[K" } else { "\x1b[J" });
        for span in &line.0 {
            text.push_str(escape(span.style, color));
            text.push_str(&span.text);
            text.push_str("\x1b[0m");
        }
    }
    text
}

fn escape(style: TextStyle, color: bool) -> &'static str {
    match (style, color) {
        (TextStyle::Plain, _) => "",
        (TextStyle::Dim, _) => "\x1b[2m",
        (TextStyle::Bar | TextStyle::Current, _) => "\x1b[7m",
        (TextStyle::Source, true) => "\x1b[36m",
        (TextStyle::Changed, true) => "\x1b[32m",
        (TextStyle::Chain, true) => "\x1b[35m",
        (TextStyle::Error, true) => "\x1b[1;31m",
        (TextStyle::Source, false) => "\x1b[2m",
        (TextStyle::Bold | TextStyle::Changed | TextStyle::Chain | TextStyle::Error, _) => {
            "\x1b[1m"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::draw::stepper::StyledText;

    #[test]
    fn nothing_is_erased_after_a_line() {
        let line = |text: &str| {
            ScreenLine(vec![StyledText { style: TextStyle::Plain, text: text.to_owned() }])
        };
        let text = escapes(&[line("abc"), line("def"), line("ghi")], false);
        let lines = "\x1b[H\x1b[Kabc\x1b[0m\r\n\x1b[Kdef\x1b[0m\r\n\x1b[Jghi\x1b[0m";
        assert_eq!(text, lines);
    }
}
