//! A screen in a terminal's escape sequences.

use super::line::{Line, Style};

/// The screen drawn over whatever stands there, with colours or without.
pub fn escapes(lines: &[Line], color: bool) -> String {
    let mut text = String::from("\x1b[H");
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            text.push_str("\r\n");
        }
        for span in &line.0 {
            text.push_str(escape(span.style, color));
            text.push_str(&span.text);
            text.push_str("\x1b[0m");
        }
        text.push_str("\x1b[K");
    }
    text.push_str("\x1b[J");
    text
}

fn escape(style: Style, color: bool) -> &'static str {
    match (style, color) {
        (Style::Plain, _) => "",
        (Style::Dim, _) => "\x1b[2m",
        (Style::Bar | Style::Current, _) => "\x1b[7m",
        (Style::Source, true) => "\x1b[36m",
        (Style::Changed, true) => "\x1b[32m",
        (Style::Chain, true) => "\x1b[35m",
        (Style::Error, true) => "\x1b[1;31m",
        (Style::Source, false) => "\x1b[2m",
        (Style::Bold | Style::Changed | Style::Chain | Style::Error, _) => "\x1b[1m",
    }
}
