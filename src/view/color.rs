//! The shades of a heat map, by what the terminal can.

/// How cells are drawn: twelve levels, from nothing to most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Palette {
    /// By characters.
    Text,
    /// By the four greys of sixteen colours, with the characters on them.
    Ansi16,
    /// By the greys of 256 colours, as the kernel's tracex3.
    Ansi256,
    /// By greys of equal steps.
    True,
}

/// What decides: a terminal or not, and its environment.
#[derive(Clone, Copy, Default, Debug)]
pub struct Terminal<'a> {
    /// Whether the output is a terminal.
    pub is_one: bool,
    /// `$NO_COLOR`: anything but nothing asks for none.
    pub no_color: &'a str,
    /// `$TERM`.
    pub term: &'a str,
    /// `$COLORTERM`.
    pub colorterm: &'a str,
}

/// Levels 1 and 2 look alike, 3 and 4, and so on: two steps of the scale are a power of ten.
const SYMBOLS: [char; 12] = [' ', '.', '.', '*', '*', 'o', 'o', 'O', 'O', '#', '#', '#'];
const GREYS: [u8; 12] = [255, 252, 250, 248, 246, 244, 242, 240, 238, 236, 234, 232];
/// Background and, for the characters, foreground.
const GREYS_OF_16: [(u8, u8); 12] = [
    (107, 30),
    (47, 30),
    (47, 30),
    (47, 30),
    (47, 30),
    (100, 97),
    (100, 97),
    (100, 97),
    (100, 97),
    (40, 97),
    (40, 97),
    (40, 97),
];

impl Palette {
    /// The richest that this terminal shows; `None` is for whom `--color` says nothing.
    pub fn of(terminal: Terminal<'_>, wanted: Option<bool>) -> Palette {
        let Terminal { is_one, no_color, term, colorterm } = terminal;
        let able = is_one && no_color.is_empty() && !matches!(term, "" | "dumb");
        if !wanted.unwrap_or(able) {
            return Palette::Text;
        }
        match (colorterm, term) {
            ("truecolor" | "24bit", _) => Palette::True,
            // Asked for colours where nothing tells of a terminal: what all of them know today.
            (_, "" | "dumb") => Palette::Ansi256,
            (_, term) if term.contains("256color") || term.contains("direct") => Palette::Ansi256,
            _ => Palette::Ansi16,
        }
    }

    /// Whether two levels look the same.
    pub fn same(self, one: usize, other: usize) -> bool {
        match self {
            Palette::Text => SYMBOLS[one] == SYMBOLS[other],
            Palette::Ansi16 => {
                (SYMBOLS[one], GREYS_OF_16[one]) == (SYMBOLS[other], GREYS_OF_16[other])
            }
            Palette::Ansi256 | Palette::True => one == other,
        }
    }

    /// Cells of these levels, each so many characters wide.
    pub fn cells(self, levels: &[usize], width: usize) -> String {
        let mut text = String::new();
        let mut before = None;
        for &level in levels {
            if self != Palette::Text && before != Some(level) {
                text.push_str(&self.escape(level));
                before = Some(level);
            }
            let symbol = match self {
                Palette::Text | Palette::Ansi16 => SYMBOLS[level],
                Palette::Ansi256 | Palette::True => ' ',
            };
            text.extend(std::iter::repeat_n(symbol, width));
        }
        if self != Palette::Text {
            text.push_str("\x1b[0m");
        }
        text
    }

    fn escape(self, level: usize) -> String {
        match self {
            Palette::Text => String::new(),
            Palette::Ansi16 => {
                let (background, foreground) = GREYS_OF_16[level];
                format!("\x1b[{background};{foreground}m")
            }
            Palette::Ansi256 => format!("\x1b[48;5;{}m", GREYS[level]),
            Palette::True => {
                // From 240 down to 9, which the eye takes as about equal steps of lightness.
                let grey = 240 - 21 * level;
                format!("\x1b[48;2;{grey};{grey};{grey}m")
            }
        }
    }
}
