//! The shades of a heat map, for each kind of terminal.

/// A way to draw cells in twelve levels, from no requests to the most.
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

/// The facts that decide on the palette: the output and its environment.
#[derive(Clone, Copy, Default, Debug)]
pub struct Terminal<'a> {
    /// Whether the output is a terminal.
    pub is_one: bool,
    /// `$NO_COLOR`: any value but an empty one asks for no colours.
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
    /// The richest palette that this terminal can show. `wanted` is `None` without `--color`.
    pub fn of(terminal: Terminal<'_>, wanted: Option<bool>) -> Palette {
        let Terminal { is_one, no_color, term, colorterm } = terminal;
        let able = is_one && no_color.is_empty() && !matches!(term, "" | "dumb");
        if !wanted.unwrap_or(able) {
            return Palette::Text;
        }
        match (colorterm, term) {
            ("truecolor" | "24bit", _) => Palette::True,
            // Colours are wanted, but the terminal is unknown: use what every terminal has today.
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

    /// Cells of these levels, each `width` characters wide.
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
                // From 240 down to 9, in steps of lightness that look about equal.
                let grey = 240 - 21 * level;
                format!("\x1b[48;2;{grey};{grey};{grey}m")
            }
        }
    }
}

/// The shades of levels 1 to 11 on a light page, from yellow through grey to blue: steps that look even,
/// also to the colour-blind.
pub const LIGHT: [&str; 11] = [
    "#f8e683", "#ded284", "#c4be83", "#abaa81", "#93967e", "#7b837a", "#647075", "#4e5d6f",
    "#394a69", "#253761", "#132359",
];
/// The shades of levels 1 to 11 on a dark page, from blue to yellow.
pub const DARK: [&str; 11] = [
    "#1d346b", "#2f4772", "#435a79", "#586c7e", "#6d7f83", "#849287", "#9ba58b", "#b2b88d",
    "#cacb8e", "#e3df8e", "#fcf38e",
];

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINAL: Terminal<'_> =
        Terminal { is_one: true, no_color: "", term: "xterm-256color", colorterm: "" };

    #[test]
    fn a_terminal_gets_what_it_can() {
        let of = |terminal| Palette::of(terminal, None);
        assert_eq!(of(TERMINAL), Palette::Ansi256);
        assert_eq!(of(Terminal { colorterm: "truecolor", ..TERMINAL }), Palette::True);
        assert_eq!(of(Terminal { term: "linux", ..TERMINAL }), Palette::Ansi16);
        assert_eq!(of(Terminal { term: "dumb", ..TERMINAL }), Palette::Text);
        assert_eq!(of(Terminal { is_one: false, ..TERMINAL }), Palette::Text);
    }

    #[test]
    fn no_color_is_heard_and_asking_is_heard_louder() {
        let quiet = Terminal { no_color: "1", ..TERMINAL };
        assert_eq!(Palette::of(quiet, None), Palette::Text);
        assert_eq!(Palette::of(quiet, Some(true)), Palette::Ansi256);
        assert_eq!(Palette::of(Terminal::default(), Some(true)), Palette::Ansi256);
        assert_eq!(Palette::of(TERMINAL, Some(false)), Palette::Text);
    }

    #[test]
    fn one_differs_from_none_in_every_palette_and_no_level_is_lighter_than_the_one_before() {
        for palette in [Palette::Text, Palette::Ansi16, Palette::Ansi256, Palette::True] {
            assert!(!palette.same(0, 1), "{palette:?}");
        }
        assert!(GREYS.is_sorted_by(|one, next| one > next));
    }

    #[test]
    fn the_greys_are_those_of_tracex3() {
        assert_eq!(
            Palette::Ansi256.cells(&[0, 0, 11], 2),
            "\x1b[48;5;255m    \x1b[48;5;232m  \x1b[0m"
        );
        assert_eq!(Palette::Text.cells(&[0, 1, 2, 3, 5, 7, 9, 11], 1), " ..*oO##");
        assert_eq!(Palette::Ansi16.cells(&[1], 1), "\x1b[47;30m.\x1b[0m");
        assert_eq!(Palette::True.cells(&[11], 1), "\x1b[48;2;9;9;9m \x1b[0m");
    }

    /// Lightness and the two opponent colours of OKLab, in which distance is difference to the eye.
    fn oklab(shade: &str) -> [f64; 3] {
        let linear = |at: usize| {
            let value = f64::from(u8::from_str_radix(&shade[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let (r, g, b) = (linear(1), linear(3), linear(5));
        let l = (0.412_221_47 * r + 0.536_332_54 * g + 0.051_445_99 * b).cbrt();
        let m = (0.211_903_5 * r + 0.680_699_55 * g + 0.107_396_96 * b).cbrt();
        let s = (0.088_302_46 * r + 0.281_718_84 * g + 0.629_978_7 * b).cbrt();
        [
            0.210_454_26 * l + 0.793_617_79 * m - 0.004_072_05 * s,
            1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
            0.025_904_04 * l + 0.782_771_77 * m - 0.808_675_77 * s,
        ]
    }

    /// Lightness alone orders the shades, so that no kind of colour blindness confuses them.
    #[test]
    fn shades_are_even_steps_of_lightness() {
        for (shades, sign) in [(LIGHT, -1.0), (DARK, 1.0)] {
            for pair in shades.windows(2) {
                let (one, next) = (oklab(pair[0]), oklab(pair[1]));
                let step: f64 = one.iter().zip(next).map(|(a, b)| (a - b).powi(2)).sum();
                assert!((0.060..0.075).contains(&step.sqrt()), "{pair:?}: {}", step.sqrt());
                assert!(((next[0] - one[0]) * sign) > 0.055, "{pair:?}");
            }
        }
    }
}
